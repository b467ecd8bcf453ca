"""What stands around a question: in prompts, in run.json, and refused where nothing reads it."""

from __future__ import annotations

import json
import re

import pytest
from prompting import CAPTIOUS, CHATML, THINKING, Letters, math_tasks
from tiny import Words, save_tiny

from rlvr_fast.errors import InvalidInputError, RunDirectoryError
from rlvr_fast.sampling import SamplingParameters, load_engine, load_template, prepare_run
from rlvr_fast.sampling.prompt_options import PromptOptions
from rlvr_fast.sampling.prompts import Template
from rlvr_fast.store import Run, differences

P = SamplingParameters()
BOX = "Please reason step by step, and put your final answer within \\boxed{}."
QUESTION = "What is 2 + 3?"
PLAIN = "947016cac81ffa0f6e0c4517d9ada83c7cdd83cfa09de3355bf7a1358fd32e93"


@pytest.fixture(scope="module")
def chatml() -> Letters:
    return Letters(CHATML)


@pytest.fixture(scope="module")
def thinking() -> Letters:
    return Letters(THINKING)


def prompts(run: Run) -> list[str]:
    return run.problems()["prompt"].to_pylist()


def first(path, engine, tasks, template="auto", **options) -> str:
    return prompts(prepare_run(path, engine, tasks, P, template=template,
                               prompt=PromptOptions(**options)))[0]  # fmt: skip


def test_the_defaults_change_neither_prompts_nor_digests(tmp_path):
    digests = [
        (Template("plain", "{question}"), PLAIN),
        (Template("chat", "CHAT"), "fea37b002a06654d715460c985205b1b"),
        (Template("chat", "{question}", messages=True), "2d8e2d2c7d56df215ff1a4f963f7f0fe"),
        (Template("mine.txt", "w2 {question}"), "e873403221207c78b5d25ca622a08c05"),
    ]
    assert all(form.sha256.startswith(digest) for form, digest in digests)
    run = prepare_run(tmp_path / "run", Letters(), [Words()], P)
    assert run.info.prompt_template == {
        "name": "plain",
        "sha256": PLAIN,
    }
    assert prompts(run) == [problem.question for problem in Words().problems()]


def test_every_option_changes_prompt_and_digest(tmp_path, chatml):
    file = tmp_path / "shots.jsonl"
    file.write_text('{"question": "1 + 1?", "answer": "2"}\n')
    given = {
        "system": "Be brief.",
        "template_args": {"enable_thinking": False},
        "few_shot": str(file),
        "prefill": "Well",
        "instruction": "Say a number.",
    }
    texts = {
        "system": "<|im_start|>system\nBe brief.<|im_end|>\n",
        "template_args": "<|im_start|>assistant\n<think>\n\n</think>\n\n",
        "few_shot": "user\n1 + 1?<|im_end|>\n<|im_start|>assistant\n2<|im_end|>\n",
        "prefill": "<|im_start|>assistant\nWell",
        "instruction": f"{QUESTION}\nSay a number.<|im_end|>",
    }
    tasks = math_tasks(tmp_path)
    plain = load_template("chat", chatml)
    digests = {plain.sha256}
    for name, value in given.items():
        options = {"instruction": "none", name: value}
        run = prepare_run(tmp_path / name, chatml, tasks, P, prompt=PromptOptions(**options))
        (prompt, _), template = prompts(run), run.info.prompt_template
        assert texts[name] in prompt
        assert QUESTION in prompt
        assert set(template) == {"name", "sha256", name}
        assert run.problems()["prompt_token_ids"][0].as_py() == [ord(c) for c in prompt]
        digests.add(template["sha256"])
    assert len(digests) == len(given) + 1
    assert Run.open(tmp_path / "few_shot").info.prompt_template["few_shot"]["name"] == file.name


def test_a_mistyped_argument_of_the_template_is_refused(tmp_path, chatml):
    tasks = math_tasks(tmp_path)
    with pytest.raises(InvalidInputError, match=r"never reads 'enable_thinkin'"):
        first(tmp_path / "run", chatml, tasks, template_args={"enable_thinkin": False})
    with pytest.raises(InvalidInputError, match=r"bos_token cannot .*: its tokenizer gives it"):
        first(tmp_path / "run", chatml, tasks, template_args={"bos_token": "x"})
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"messages": []}, "'messages' cannot be.*gives it itself"),
        ({"add_generation_prompt": False}, "gives it itself"),
        ({"a b": 1}, "it is no name"),
        ({"at": float("nan")}, "expected a text, a number"),
        ({"at": object()}, "expected a text, a number"),
    ],
)
def test_arguments_that_no_template_takes(arguments, message):
    with pytest.raises(InvalidInputError, match=message):
        PromptOptions(template_args=arguments)


@pytest.mark.parametrize(("name", "most"), [("prefill", 1000), ("system", 100_000)])
def test_texts_that_are_too_long(name, most):
    PromptOptions(**{name: "x" * most})
    with pytest.raises(InvalidInputError, match=f"{name} has .* characters, expected at most"):
        PromptOptions(**{name: "x" * (most + 1)})


def test_a_system_message_that_is_refused_or_left_out(tmp_path):
    tasks, engine = math_tasks(tmp_path), Letters(CAPTIOUS)
    for system, message in (
        ("Be brief.", "System role not supported; leave the system message"),
        ("Hidden.", "leaves the system message out of the prompt"),
    ):
        with pytest.raises(InvalidInputError, match=message):
            first(tmp_path / "run", engine, tasks, system=system)
    assert not (tmp_path / "run").exists()


def test_examples_whose_thoughts_the_template_leaves_out(tmp_path, thinking):
    file = tmp_path / "shots.json"
    file.write_text(json.dumps([{"question": "1 + 1?", "answer": "<think>so</think>2"}]))
    with pytest.raises(InvalidInputError, match="leaves the example 1 out"):
        first(tmp_path / "run", thinking, math_tasks(tmp_path), few_shot=str(file))


def test_a_chat_is_needed_for_system_and_arguments(tmp_path, chatml):
    tasks = math_tasks(tmp_path)
    with pytest.raises(InvalidInputError, match=r"--system belong to a chat.*has no chat template"):
        first(tmp_path / "run", Letters(), tasks, system="Be brief.")
    with pytest.raises(InvalidInputError, match=r"--template-arg.*is not used with --template pl"):
        first(tmp_path / "run", chatml, tasks, "plain", template_args={"enable_thinking": True})


def test_an_engine_that_renders_questions_alone(tmp_path):
    class Questions(Letters):
        render_messages = None

        def render_chat(self, question):
            return f"<user>{question}<model>"

    tasks = math_tasks(tmp_path)
    with pytest.raises(InvalidInputError, match="puts a question alone into a chat template"):
        first(tmp_path / "run", Questions(CHATML), tasks, system="Be brief.")
    prompt = first(
        tmp_path / "run", Questions(CHATML), tasks, prefill="So", instruction="In words."
    )
    assert prompt == f"<user>{QUESTION}\nIn words.<model>So"


def test_a_prefill_that_the_template_writes_itself_is_refused(tmp_path, thinking):
    tasks, engine = math_tasks(tmp_path), thinking
    with pytest.raises(InvalidInputError, match=r"begins the assistant's turn with '<think>' itse"):
        first(tmp_path / "run", engine, tasks, prefill="<think>\n")
    assert first(tmp_path / "run", engine, tasks, prefill="Let me").endswith("<think>\nLet me")


def test_examples_take_the_form_of_the_template(tmp_path, chatml):
    pairs = tmp_path / "shots.jsonl"
    pairs.write_text('{"question": "1 + 1?", "answer": "2"}\n\n{"question": "2?", "answer": "3"}\n')
    text = tmp_path / "shots.txt"
    text.write_text("Two problems.\n\n\n")
    form = tmp_path / "form.txt"
    form.write_text("Q: {question}\nA:")
    tasks, engine = math_tasks(tmp_path), Letters()
    want = {
        ("plain", pairs): f"1 + 1?\n2\n\n2?\n3\n\n{QUESTION}",
        (form, pairs): f"Q: 1 + 1?\nA: 2\n\nQ: 2?\nA: 3\n\nQ: {QUESTION}\nA:",
        ("plain", text): f"Two problems.\n\n{QUESTION}",
    }
    for number, ((template, file), prompt) in enumerate(want.items()):
        got = first(tmp_path / str(number), engine, tasks, str(template), few_shot=str(file),
                    instruction="none")  # fmt: skip
        assert got == prompt
    chat = first(tmp_path / "chat", chatml, tasks, few_shot=str(text), instruction="none")
    assert f"<|im_start|>user\nTwo problems.\n\n{QUESTION}<|im_end|>" in chat


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", '{"question": "a", "answer": "b"}\n{"question": "a"}', "line 2: expected obj"),
        ("a.jsonl", '{"question": "a", "answer": 5}', "line 1: expected two texts"),
        ("a.json", '{"question": "a", "answer": "b"}', "expected a list of objects"),
        ("a.json", "[]", "holds no examples"),
        ("a.json", "[", "not JSON"),
        ("a.txt", " \n", "holds no examples"),
        ("a.txt", b"\xff", "a readable file of examples"),
        ("b.txt", None, "a readable file of examples"),
    ],
)  # fmt: skip
def test_files_that_hold_no_examples(tmp_path, name, content, message):
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InvalidInputError, match=message):
        load_template("plain", Letters(), PromptOptions(few_shot=str(file)))


# -- the instruction -----------------------------------------------------------------------------


def test_math_asks_for_a_box_unless_something_else_does(tmp_path, chatml):
    tasks, told = math_tasks(tmp_path), []
    run = prepare_run(tmp_path / "auto", Letters(), tasks, P, tell=told.append)
    assert prompts(run) == [f"{QUESTION}\n{BOX}", "Put 7 + 1 into \\boxed{}."]
    assert run.info.prompt_template["instruction"] == BOX
    assert told[0] == f"below the questions stands: {BOX} (--instruction none leaves it out)"
    form = tmp_path / "form.txt"
    form.write_text("Q: {question}\nA:")
    shots = tmp_path / "shots.txt"
    shots.write_text("1 + 1? \\boxed{2}")
    cases = [
        (Letters(), {"instruction": "none"}),
        (Letters(), {"template": str(form)}),
        (Letters(), {"few_shot": str(shots)}),
        (chatml, {"system": "Answer inside <answer> tags."}),
    ]
    for number, (engine, options) in enumerate(cases):
        assert BOX not in first(tmp_path / str(number), engine, tasks, **options)
    assert BOX in first(tmp_path / "system", chatml, tasks, system="Be brief.")


@pytest.mark.slow
def test_other_kinds_keep_their_questions(tmp_path):
    from rlvr_fast.tasks import load_tasks

    tasks = load_tasks(["reasoning_gym:chain_sum?size=2&seed=3"])
    run = prepare_run(tmp_path / "run", Letters(), tasks, P)
    assert prompts(run) == [problem.question for problem in tasks[0].problems()]
    assert "instruction" not in run.info.prompt_template


def test_a_run_goes_on_with_the_instruction_that_it_was_made_with(tmp_path):
    tasks, engine = math_tasks(tmp_path), Letters()
    for number, wanted in enumerate(("none", "In words.", "auto")):
        path, told = tmp_path / str(number), []
        made = prepare_run(path, engine, tasks, P, prompt=PromptOptions(instruction=wanted))
        before = (path / "run.json").read_bytes()
        again = prepare_run(path, engine, tasks, P, tell=told.append)
        assert prompts(again) == prompts(made)
        assert (path / "run.json").read_bytes() == before
        assert told[0].startswith("below" if wanted == "auto" else f"{path}: its questions have")
    with pytest.raises(RunDirectoryError, match=r"instruction none and 'Please.*"):
        prepare_run(tmp_path / "0", engine, tasks, P, prompt=PromptOptions(instruction=BOX))
    with pytest.raises(RunDirectoryError, match=r"prefill none and 'So'"):
        prepare_run(tmp_path / "0", engine, tasks, P, prompt=PromptOptions(prefill="So"))


# -- what is said --------------------------------------------------------------------------------


def test_the_first_prompt_is_told_and_shortened(tmp_path, chatml):
    told: list[str] = []
    prepare_run(tmp_path / "run", chatml, math_tasks(tmp_path), P, tell=told.append)
    assert told[-1].split("\n")[:3] == [
        "the prompt of the first problem, golds/0:", "| <|im_start|>user", f"| {QUESTION}",
    ]  # fmt: skip
    long = math_tasks(tmp_path, {"a" * 5000 + "z?": "5"})
    prepare_run(tmp_path / "long", Letters(), long, P, tell=told.append)
    assert re.search(r"a \[\.\.\. [\d,]+ characters \.\.\.\] a+z\?\n\| Please", told[-1])
    assert len(told[-1]) < 3200


def test_a_comparison_names_what_differs(tmp_path, chatml):
    tasks = math_tasks(tmp_path)
    runs = [
        prepare_run(tmp_path / str(n), chatml, tasks, P, prompt=PromptOptions(**options))
        for n, options in enumerate(
            ({"system": "Be brief."}, {"template_args": {"enable_thinking": False}})
        )
    ]
    (template,) = differences(*runs)  # that the prompts differ follows
    assert template.kind == "template"
    assert template.message.endswith(
        ": system message 'Be brief.' and none; arguments of the template none and "
        "enable_thinking=false"
    )


@pytest.mark.parametrize("key", ["system", "prefill", "instruction", "few_shot", "template_args"])
def test_a_damaged_part_of_run_json_is_named(tmp_path, key):
    run = prepare_run(tmp_path / "run", Letters(), math_tasks(tmp_path), P)
    file = run.path / "run.json"
    value = json.loads(file.read_text())
    value["prompt_template"][key] = 5
    file.write_text(json.dumps(value))
    with pytest.raises(RunDirectoryError, match=f"'prompt_template': '{key}'"):
        Run.open(run.path)


# -- messages ------------------------------------------------------------------------------------


def test_messages_for_a_server(server, tmp_path, at_once):
    file = tmp_path / "shots.jsonl"
    file.write_text('{"question": "1 + 1?", "answer": "2"}\n')
    options = PromptOptions(
        system="Be brief.", few_shot=str(file), template_args={"enable_thinking": False}
    )
    engine = load_engine("server", "toy", url=server.url, api="chat")
    with pytest.warns(
        UserWarning, match="the same prompt of problem .* with and without enable_th"
    ):
        run = prepare_run(tmp_path / "run", engine, [Words()], P, prompt=options)
    sent = json.loads(prompts(run)[0])
    roles = [(turn["role"], turn["content"]) for turn in sent["messages"]]
    assert roles[:3] == [("system", "Be brief."), ("user", "1 + 1?"), ("assistant", "2")]
    assert any(body.get("chat_template_kwargs") == {"enable_thinking": False} and
               body["messages"] == sent["messages"] for body in server.bodies)  # fmt: skip
    with pytest.raises(InvalidInputError, match="leave --prefill out, or send prompts"):
        prepare_run(tmp_path / "x", engine, [Words()], P, prompt=PromptOptions(prefill="So"))


# -- the command line ----------------------------------------------------------------------------


@pytest.mark.slow
def test_the_command_prints_the_prompt_unless_it_is_quiet(tmp_path):
    from transformers import LlamaConfig
    from typer.testing import CliRunner

    from rlvr_fast.cli import app

    model = save_tiny(tmp_path / "model", LlamaConfig)
    math_tasks(tmp_path, {"w2 w3": "5"})
    command = ["sample", model, "--task", f"math:{tmp_path / 'golds.jsonl'}", "--samples", "1",
               "--max-tokens", "2", "--instruction", "w4", "--prefill", " \x1b[31mw5"]  # fmt: skip
    for number, flags in enumerate(([], ["--quiet"], ["--json"])):
        run = CliRunner().invoke(app, [*command, "--out", str(tmp_path / str(number)), *flags])
        assert run.exit_code == 0, run.output
        told = "the prompt of the first problem, golds/0:\n  | w2 w3\n  | w4 \\x1b[31mw5"
        assert (told in run.stderr) == (not flags)
        assert "w2 w3" not in run.stdout
    template = Run.open(tmp_path / "0").info.prompt_template
    assert (template["instruction"], template["prefill"]) == ("w4", " \x1b[31mw5")
