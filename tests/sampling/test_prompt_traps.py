"""Prompts that would differ from what their user means, without a word: each is said or refused."""

from __future__ import annotations

import warnings
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from prompting import CHATML, THINKING, Letters, math_tasks
from tiny import VOCABULARY, save_tiny

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.prompt_tokens import begin_tokens, prompt_tokens
from rlvr_fast.sampling import SamplingParameters, load_template, prepare_run
from rlvr_fast.sampling.prompt_options import PromptOptions
from rlvr_fast.store import Run

P = SamplingParameters()
QUESTION = "What is 2 + 3?"
# In the manner of SmolLM3 and gpt-oss: the date of the day, whether or not anyone asked for it.
DATED = (
    "{% set today = strftime_now('%d %B %Y %H:%M:%S %f') %}Today: {{ today }}\n"
    "{% macro turn(m) %}<{{ m.role }}>{{ m.content }} ({{ strftime_now('%j') }}){% endmacro %}"
    "{% for m in messages %}{{ turn(m) }}{% endfor %}<assistant>"
)
# In the manner of Llama 3.1: a date that may be given.
LLAMA = (
    "{% if not date_string is defined %}{% if strftime_now is defined %}"
    "{% set date_string = strftime_now('%d %b %Y') %}{% else %}{% set date_string = '?' %}"
    "{% endif %}{% endif %}Today Date: {{ date_string }}\n"
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>"
)


def first(path: Path, engine: Any, tasks: Any, template: str = "auto", **options: Any) -> str:
    run = prepare_run(path, engine, tasks, P, template=template, prompt=PromptOptions(**options))
    return str(run.problems()["prompt"][0].as_py())


# -- the date --------------------------------------------------------------------------------------


@pytest.mark.slow  # chat templates are rendered in a process of their own
def test_a_template_is_told_one_date_whenever_it_is_rendered(tmp_path):
    tasks, told = math_tasks(tmp_path), []
    run = prepare_run(tmp_path / "run", Letters(DATED), tasks, P, tell=told.append)
    prompt = run.problems()["prompt"][0].as_py()
    assert prompt.startswith("Today: 26 July 2024 00:00:00 000000\n<user>What is 2 + 3?")
    assert "(208)" in prompt  # also inside of a macro
    assert any("told 2024-07-26, whenever the prompts are made" in sentence for sentence in told)
    given = {"strftime_now": "2025-01-31"}
    other = prepare_run(
        tmp_path / "other", Letters(DATED), tasks, P, prompt=PromptOptions(template_args=given)
    )
    assert other.problems()["prompt"][0].as_py().startswith("Today: 31 January 2025 00:00:00")
    assert Run.open(other.path).info.prompt_template["template_args"] == given
    assert first(tmp_path / "a", Letters(LLAMA), tasks).startswith("Today Date: 26 Jul 2024\n")
    for number, options in enumerate(({"date_string": "today"}, {"strftime_now": "2025-01-31"})):
        prompt = first(tmp_path / str(number), Letters(LLAMA), tasks, template_args=options)
        assert prompt.startswith(f"Today Date: {('today', '31 Jan 2025')[number]}\n")
    with pytest.raises(InvalidInputError, match="never reads 'strftime_now'"):
        first(tmp_path / "x", Letters(CHATML), tasks, template_args=given)


@pytest.mark.parametrize("value", ["31.1.2025", "2025-02-30", "20250131", 5, date(2025, 1, 31)])
def test_the_date_of_a_template_has_one_spelling(value):
    with pytest.raises(InvalidInputError, match="expected the date that the template is told"):
        PromptOptions(template_args={"strftime_now": value})


def test_a_server_tells_its_template_the_date_itself():
    class Server(Letters):
        prompt_form = "messages"

    options = PromptOptions(template_args={"strftime_now": "2025-01-31"})
    with pytest.raises(InvalidInputError, match="leave --template-arg strftime_now out"):
        load_template("chat", Server(), options)


@pytest.mark.slow  # chat templates are rendered in a process of their own
def test_a_template_that_rolls_dice_is_refused(tmp_path):
    dice = "{{ range(99999) | random }}{{ range(99999) | random }} {{ messages[0].content }}"
    with pytest.raises(InvalidInputError, match="gives one question two different prompts"):
        first(tmp_path / "run", Letters(dice), math_tasks(tmp_path))
    assert not (tmp_path / "run").exists()


# -- files -----------------------------------------------------------------------------------------


def test_files_of_any_editor_are_read_alike(tmp_path):
    tasks = math_tasks(tmp_path)
    forms = {"unix": "Q: {question}\n{question} \\frac{1}{2}\nA:\n", "windows": ""}
    forms["windows"] = "\ufeff" + forms["unix"].replace("\n", "\r\n")
    shots = '{"question": "1 + 1?", "answer": "2"}\n{"question": "2 + 2?", "answer": "4"}\n'
    prompts = set()
    for system, form in forms.items():
        mark = form.startswith("\ufeff")
        (tmp_path / f"{system}.txt").write_bytes(form.encode())
        examples = ("\ufeff" if mark else "") + shots.replace("\n", "\r\n" if mark else "\n")
        (tmp_path / f"{system}.jsonl").write_bytes(examples.encode())
        prompts.add(
            first(
                tmp_path / system,
                Letters(),
                tasks,
                str(tmp_path / f"{system}.txt"),
                few_shot=str(tmp_path / f"{system}.jsonl"),
            )
        )
    (prompt,) = prompts
    assert prompt.endswith(f"Q: {QUESTION}\n{QUESTION} \\frac{{1}}{{2}}\nA:\n")
    assert prompt.startswith("Q: 1 + 1?\n1 + 1? \\frac{1}{2}\nA:\n2\n\n")
    text = tmp_path / "shots.txt"
    text.write_bytes(b"\xef\xbb\xbfTwo problems.\r\n")
    prompt = first(tmp_path / "text", Letters(), tasks, "plain", few_shot=str(text))
    assert prompt.startswith("Two problems.\n\n")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("chat", "{question}", "'chat' is the name of a template that is no file"),
        ("plain", "{question}", "give the file another name, as plain.txt"),
        ("auto", "{question}", "is the name of a template"),
        ("a.txt", "Q: {{question}}", "outer braces would stand around every question"),
        ("a.txt", "", "does not hold {question}"),
        ("a.txt", "{Question} {problem}", "does not hold {question}"),
        ("a.txt", "Frage: \xfc {question}".encode("latin-1"), "can't decode byte"),
    ],
)
def test_files_that_are_no_templates(tmp_path, name, content, message):
    file = tmp_path / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InvalidInputError, match=message):
        load_template(str(file), Letters(CHATML))


@pytest.mark.parametrize("word", ["None", "AUTO", " none"])
def test_a_word_that_is_no_instruction(word):
    with pytest.raises(InvalidInputError, match="would stand below every question; write"):
        PromptOptions(instruction=word)


def test_examples_beyond_the_context_are_refused_at_the_first_problem(tmp_path):
    class Small(Letters):
        context_length = 100
        rendered = 0

        def encode(self, prompts, **options):
            self.rendered += len(prompts)
            return super().encode(prompts, **options)

    shots = tmp_path / "shots.txt"
    shots.write_text("word " * 100_000)
    engine = Small()
    with pytest.raises(InvalidInputError, match=r"'golds/0': its prompt has 5000.. tokens"):
        first(tmp_path / "run", engine, math_tasks(tmp_path), few_shot=str(shots))
    assert engine.rendered == 1


# -- what stands in the prompt ---------------------------------------------------------------------


@pytest.mark.slow  # chat templates are rendered in a process of their own
@pytest.mark.parametrize("prefill", ["<think>\n", "<think>", "<think>\nOkay, so", " <think> Hm"])
def test_thoughts_are_not_opened_twice(tmp_path, prefill):
    with pytest.raises(InvalidInputError, match=r"turn with '<think>.*itself; leave that out of"):
        first(tmp_path / "run", Letters(THINKING), math_tasks(tmp_path), prefill=prefill)
    assert first(tmp_path / "run", Letters(THINKING), math_tasks(tmp_path), prefill="Ok").endswith(
        "<think>\nOk"
    )


def test_a_question_of_the_benchmark_among_the_examples_is_told(tmp_path):
    asked = {QUESTION: "5", "Find the largest prime below one hundred.": "97"}
    tasks = math_tasks(tmp_path, asked)
    pairs, text = tmp_path / "shots.jsonl", tmp_path / "shots.txt"
    pairs.write_text('{"question": "What  is 2 + 3?\\n", "answer": "5"}\n')
    text.write_text("Q: Find the largest prime\nbelow one hundred.\nA: 97\nQ: What is 2 + 3?\n")
    for file, name in ((pairs, "golds/0"), (text, "golds/1")):
        with pytest.warns(UserWarning, match=f"the examples hold problem '{name}' as well"):
            first(tmp_path / file.suffix, Letters(), tasks, few_shot=str(file))
    pairs.write_text('{"question": "What is 2 + 4?", "answer": "6"}\n')
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first(tmp_path / "other", Letters(), tasks, few_shot=str(pairs))


def test_marks_of_the_tokenizer_in_a_question_are_told(tmp_path):
    from transformers import AutoTokenizer, LlamaConfig

    from rlvr_fast.sampling.stage import posed_problems
    from rlvr_fast.sampling.unloaded import UnloadedModel

    folder = save_tiny(tmp_path / "model", LlamaConfig)
    engine = UnloadedModel(folder)
    assert set(engine.special_texts()) == {"<end>", "<unk>"}
    tasks = math_tasks(tmp_path, {"w2 <end> w3": "5", "w2 end w3": "6", "w4 <end>": "7"})
    said = r"question of problem 'golds/0' and 1 more of 3 holds '<end>', which the tokenizer"
    with pytest.warns(UserWarning, match=said):
        posed_problems(
            engine, tasks, template="plain", prompt=PromptOptions(), path=tmp_path / "run"
        )
    assert 1 in AutoTokenizer.from_pretrained(folder)("w2 <end> w3")["input_ids"]


# -- tokens ----------------------------------------------------------------------------------------


def tokenizer_of(folder: Path, form: str) -> Any:
    """The tiny tokenizer with a beginning and an end that stand as in `form`."""
    from tokenizers.processors import TemplateProcessing
    from transformers import AutoTokenizer, LlamaConfig

    tokenizer = AutoTokenizer.from_pretrained(save_tiny(folder, LlamaConfig))
    tokenizer.add_special_tokens({"bos_token": "<s>"})
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single=form, special_tokens=[("<s>", VOCABULARY), ("<end>", 1)]
    )
    return tokenizer


@pytest.mark.parametrize(
    ("form", "begin"), [("<s> $A", [96]), ("<s> $A <end>", [96]), ("$A <end>", []), ("$A", [])]
)
def test_a_prompt_begins_once_and_never_ends(tmp_path, form, begin):
    tokenizer = tokenizer_of(tmp_path / "model", form)
    assert begin_tokens(tokenizer) == begin
    texts = ["w2 w3", "<s> w2", "", "w5 <end>"]
    bare = [[2, 3], [96, 2], [], [5, 1]]
    assert prompt_tokens(tokenizer, texts, special_tokens=False) == bare
    want = [ids if ids[:1] == begin else begin + ids for ids in bare]
    assert prompt_tokens(tokenizer, texts) == want
    assert prompt_tokens(tokenizer, []) == []


def test_a_run_of_such_a_tokenizer_is_scored_after_the_same_prompts(tmp_path):
    from rlvr_fast.scoring.runs.prompts import scored_prompts

    tokenizer = tokenizer_of(tmp_path / "model", "<s> $A <end>")

    class Worded(Letters):
        def __init__(self):
            super().__init__()
            self._tokenizer = tokenizer

    run = prepare_run(tmp_path / "run", Worded(), math_tasks(tmp_path, {"w2 w3": "5"}), P,
                      prompt=PromptOptions(instruction="none"))  # fmt: skip
    problems = run.problems()
    assert problems["prompt_token_ids"].to_pylist() == [[96, 2, 3]]
    found = scored_prompts(problems, tokenizer, "m", where="run", messages=False)
    assert found == {"golds/0": [96, 2, 3]}
