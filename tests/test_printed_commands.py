"""What the pages print is what the program takes: commands, options, study files, imports."""

from __future__ import annotations

import ast
import functools
import importlib
import re
from typing import Any

import pytest
import typer
from pages import PAGES, Block, Command, blocks, commands, spans
from typer.main import get_command

from rlvr_fast.cli import app
from rlvr_fast.cli.application import COMMANDS
from rlvr_fast.cli.parameters import Given, with_options
from rlvr_fast.options import options_of
from rlvr_fast.sampling.engines import check_arguments
from rlvr_fast.sampling.engines.server.options import ServerOptions
from rlvr_fast.sampling.options import SampleOptions
from rlvr_fast.sampling.prompt_options import PromptOptions
from rlvr_fast.study.config import StudyConfig, study_keys
from rlvr_fast.tasks.schemes import scheme_of
from rlvr_fast.yaml_text import parse_yaml

# What stands for a number in the pages, and for one of the choices of an option.
NUMBERS = {"N": "8", "X": "0.5"}
CHOICES = {"--policy": "boxed"}
# Options of other programs, by the pages that name them without the program.
OTHERS = {
    "docs/sampling.md": {
        "--enable-deterministic-inference", "--enable-lora", "--logprobs-mode", "--lora-modules",
        "--max-num-seqs", "--parallel", "--reasoning-parser",
    },
    "docs/import.md": {
        "--log_samples", "--save-debug-rollout-data", "--save-details", "--save_traces",
    },
}  # fmt: skip
# Keys of a study file, or one of its mappings, with a value: `allow: [sampling]`.
KEY = re.compile(r"([a-z_]+): (?!.*\b[A-Z]+\b)\S.*")
NEEDED = {"base": "a", "rl": "b", "tasks": "math:a.jsonl", "samples": 1, "out": "o"}


def read_command(words: tuple[str, ...]) -> None:
    """Reads a command as the program does, up to the point where its work begins.

    Raises:
        Exception: what the program would end with.
    """
    name, *others = (NUMBERS.get(word, word) for word in words)
    for place, word in enumerate(others):
        if word == "NAME" and place:
            others[place] = CHOICES.get(others[place - 1], word)
    module, function, _ = COMMANDS[name]
    command = getattr(importlib.import_module(f"rlvr_fast.cli.{module}"), function)
    read: list[dict[str, Any]] = []

    @functools.wraps(command)
    def recorded(**given: Any) -> None:
        read.append(given)

    single = typer.Typer()
    single.command(name)(with_options(recorded))
    get_command(single).main(others, prog_name=name, standalone_mode=False)
    if not read:
        assert "--help" in others
        return
    options = read[0].get("options")
    if isinstance(options, Given):  # of a plan, the run gives what is missing
        asked = {"tasks": ("math:a.jsonl",), "samples": 1} if read[0]["plan"] else None
        check_sampling(options.made(asked))


def check_sampling(options: SampleOptions) -> None:
    check_arguments(options.engine, options.engine_args)
    if options.engine == "server" and options.engine_args:
        ServerOptions.from_mapping(options.engine_args, where="server")
    for task in options.tasks:
        if ":" in task:  # no placeholder
            scheme_of(re.sub(r"^\w+=", "", task))


def read_study(values: Any, where: str) -> None:
    """Reads keys of a study file; those that are needed and not there are put beside them."""
    assert isinstance(values, dict), where
    study = StudyConfig.from_mapping({**NEEDED, **values}, where=where)
    for model in study.models().values():
        check_sampling(model.sampling_of(study.sample))


def printed() -> list[Command]:
    return [command for page in PAGES for command in commands(page) if command.words[1:]]


def test_the_pages_print_commands_of_every_room() -> None:
    """So that a fence or a line that is read in another way is noticed."""
    found = [str(command) for command in printed()]
    assert len(found) > 60
    assert {command.words[0] for command in printed()} >= {
        "study", "sample", "grade", "score", "compare", "import", "dynamics", "references", "plan",
    }  # fmt: skip
    assert any("sample rlvr_fast/demo_models/$side" in each for each in found)  # inside of a loop
    assert any("--max-tokens 64 --logprobs --out runs/vllm" in each for each in found)  # of 2 lines


@pytest.mark.parametrize("command", printed(), ids=str)
def test_a_printed_command_is_read(command: Command) -> None:
    read_command(command.words)


MISTYPED = {
    "--samples 1 --top_k 2": "No such option: --top_k",
    "--samples 1 --top-k two": "valid integer",
    "--samples 1 --top-p 2": "--top-p is 2.0",
    "": "Missing option '--samples'",
    "--samples 1 --engine-arg batchsize=2": "no argument 'batchsize'",
    "--samples 1 --engine server --engine-arg url=http://a/v1 --engine-arg api=chats": "api",
    "--samples 1 --task maths:a": "unknown kind 'maths'",
    "--samples 1 --engine vlm": "vlm",
    "--samples 1 --quit": "No such option: --quit",
}


@pytest.mark.parametrize("words", MISTYPED)
def test_a_mistyped_command_is_not(words: str) -> None:
    with pytest.raises(Exception, match=re.escape(MISTYPED[words])):
        read_command(("sample", "m", "--task", "math:a", "--out", "o", *words.split()))


@pytest.mark.parametrize("page", [page for page in PAGES if page != "docs/cuda.md"])
def test_names_of_commands_and_options_in_the_lines_of_a_page(page: str) -> None:
    """`--top-k 20` is an option of some command, `plan --out` one of that command."""
    known = get_command(app).commands  # type: ignore[attr-defined]
    flags = {name: {o for p in known[name].params for o in p.opts} | {"--help"} for name in known}
    flags[""] = set().union(*flags.values(), {"--version"}, OTHERS.get(page, ()))
    for code in spans(page):
        name, _, rest = code.partition(" ")
        if name == "rlvr-fast":
            name, _, rest = rest.partition(" ")
            assert not name or name in known or name.startswith("--"), f"`{code}`: no such command"
        if name.startswith("--"):
            name, rest = "", code
        for flag in re.findall(r"(?:^| )(--[a-z][\w-]*)", rest) if name in flags else ():
            assert flag in flags[name], f"`{code}`: no option of {name or 'any command'}"


def studies() -> list[Block]:
    return [block for page in PAGES for block in blocks(page, "yaml")]


@pytest.mark.parametrize("block", studies(), ids=str)
def test_a_printed_study_is_read(block: Block) -> None:
    read_study(parse_yaml(block.text, str(block)), str(block))


def test_whole_studies_are_among_them() -> None:
    whole = [b for b in studies() if set(NEEDED) <= set(parse_yaml(b.text, str(b)))]
    assert {block.page for block in whole} == {"README.md", "docs/sampling.md", "docs/study.md"}


STUDY_PAGES = ("README.md", "docs/sampling.md", "docs/study.md", "docs/report.md")
KEYS = [(page, code) for page in STUDY_PAGES for code in spans(page) if KEY.fullmatch(code)]


@pytest.mark.parametrize(("page", "code"), KEYS)
def test_a_key_with_a_value_in_the_lines_of_a_page(page: str, code: str) -> None:
    values = parse_yaml(code, page)
    inner = {each.name for each in options_of(PromptOptions)}
    if not set(values) & set(study_keys()) and set(values) <= inner:
        values = {"prompt": values}
    if "url:" in code:
        values["engine"] = "server"
    read_study(values, page)


# docs/statistics.md lists signatures, which a test of its own reads.
PROGRAMS = [
    block for page in PAGES if page != "docs/statistics.md" for block in blocks(page, "python")
]


@pytest.mark.parametrize("block", PROGRAMS, ids=str)
def test_what_a_printed_program_imports_is_there(block: Block) -> None:
    for node in ast.walk(ast.parse(block.text, str(block))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("rlvr_fast"):
            module = importlib.import_module(node.module or "")
            for name in node.names:
                assert hasattr(module, name.name), f"{block}: {node.module}.{name.name}"
