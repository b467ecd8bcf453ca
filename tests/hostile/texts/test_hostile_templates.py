"""Chat templates of strangers: rendered under a clock, in little memory, apart from the files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.sampling import chat_templates
from rlvr_fast.sampling.chat_templates import ChatTemplate
from rlvr_fast.sampling.tokenizer import TokenizerPrompts

GOOD = "{{ bos_token }}{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
# Templates that never end; each is ended by the clock.
ENDLESS = {
    "loops": "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "power": "{{ (9 ** 9 ** 9) | string | length }}{% set x = 3 ** (10 ** 9) %}{{ x % 7 }}",
}
# Templates that fail at once, and what the message says.
FAILING = {
    "undefined": ("{{ nothing.at.all }}", "undefined"),
    "refusal": ("{{ raise_exception('no \x1b[31m system role') }}", "system role"),
    "types": ("{{ 1 + messages }}", "TypeError"),
    "long range": ("{% for i in range(10**12) %}{% endfor %}", "range"),
    "memory": ("{{ 'x' * 10**11 }}", "memory"),
    "doubling": ("{% set n = namespace(s='x' * 4096) %}{% for i in range(60) %}"
                 "{% set n.s = n.s ~ n.s %}{% endfor %}", r"memory|more than"),
    "long prompt": ("{{ 'x' * 10**7 }}", "characters"),
    "recursion": ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "end"),
    "attributes": ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "unsafe"),
    "include": ("{% include '/etc/passwd' %}", "Error"),
    "import": ("{% import 'os' as os %}", "Error"),
    "change": ("{{ messages.append(1) }}", "unsafe"),
}  # fmt: skip
UNREADABLE = {"syntax": "{% for %}", "brackets": "{{ " + "(" * 50_000 + "1" + ")" * 50_000 + " }}"}


@pytest.fixture(scope="module")
def failing() -> ChatTemplate:
    """One template that fails as its question says."""
    branches = "".join(
        f"{{% elif messages[0].content == {name!r} %}}{source}"
        for name, (source, _) in FAILING.items()
    )
    return ChatTemplate("the model", "{% if 0 %}" + branches + "{% else %}good{% endif %}", {})


@pytest.fixture(scope="module")
def good() -> ChatTemplate:
    return ChatTemplate("a model", GOOD, {"bos_token": "<s>"})


def test_a_template_gives_what_transformers_gives(good: ChatTemplate) -> None:
    from transformers.utils.chat_template_utils import render_jinja_template

    for question in ("What is 2 + 3?", "", "é 题 \U0001f600 \u202e\x00\n" * 50, "x" * 300_000):
        chat = [[{"role": "user", "content": question}]]
        (want,), _ = render_jinja_template(
            chat, chat_template=GOOD, add_generation_prompt=True, bos_token="<s>"
        )
        assert good.render(question) == want


@pytest.mark.slow
@pytest.mark.parametrize("name", FAILING)
def test_a_template_that_fails_is_an_error_of_the_model(failing: ChatTemplate, name: str) -> None:
    with pytest.raises(InvalidInputError, match=FAILING[name][1]) as caught:
        failing.render(name)
    assert str(caught.value).startswith("the model: its chat template cannot be rendered")
    assert failing.render("another question") == "good"


@pytest.mark.slow
@pytest.mark.parametrize("name", UNREADABLE)
def test_a_template_that_cannot_be_read_is_an_error_of_the_model(name: str) -> None:
    with pytest.raises(InvalidInputError, match="the model: its chat template cannot be rendered"):
        ChatTemplate("the model", UNREADABLE[name], {}).render("What is 2 + 3?")


@pytest.mark.slow
@pytest.mark.parametrize("name", ENDLESS)
def test_a_template_that_never_ends_is_ended(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_templates, "_SECONDS", 1.0)
    template = ChatTemplate("the model", ENDLESS[name], {})
    with pytest.raises(InvalidInputError, match="cannot be rendered"):
        template.render("What is 2 + 3?")
    assert template._process is None  # it was killed and waited for


def test_the_process_knows_and_writes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were Jinja's sandbox broken: no secrets in the environment, no file, no process."""
    monkeypatch.setenv("API_TOKEN", "secret")
    template = ChatTemplate("the model", "{{ messages[0].content }}", {})
    assert template.render("hello") == "hello"
    process = template._process
    assert process is not None
    here = Path(f"/proc/{process.pid}")
    assert b"secret" not in (here / "environ").read_bytes()
    assert (here / "cwd").readlink() == Path("/")
    limits = {line[:26].strip(): line[26:].split()[0] for line in (here / "limits").open()}
    assert limits["Max file size"] == limits["Max processes"] == "0"
    assert int(limits["Max address space"]) <= 4 << 30
    del template
    assert process.poll() is not None  # it ends with the template


@pytest.mark.slow
def test_a_killed_process_is_an_error_and_starts_again() -> None:
    template = ChatTemplate("the model", GOOD, {"bos_token": ""})
    assert "one" in template.render("one")
    assert template._process is not None
    template._process.kill()
    with pytest.raises(InvalidInputError, match="the model"):
        template.render("two")
    assert "three" in template.render("three")


class Tokenizer(TokenizerPrompts):
    """An engine as far as prompts go."""

    model = "the model"
    name, version, revision, notes = "fake", "1", None, ()
    context_length, vocab_size = None, 1000

    def __init__(self, template: object) -> None:
        class Library:
            chat_template = template
            special_tokens_map = {"bos_token": "<s>"}  # noqa: RUF012

            def __call__(self, prompts: list[str], **_: object) -> dict[str, list[list[int]]]:
                return {"input_ids": [[1] for _ in prompts]}

        self._tokenizer = Library()


IGNORING = {
    "nothing of the question": "Say hello.",
    "its length": "{{ messages[0].content | length // 100 }}",
    "its first word": "{{ messages[0].content.split(' ')[0] }}",
    "a beginning": "{% if 'is' in messages[0].content %}{{ messages[0].content[:7] }}"
    "{% else %}{{ messages[0].content }}{% endif %}",
    "a random number": "{{ range(99999) | random }} {{ range(99999) | random }}",
    "its letters backwards": "{{ messages[0].content | reverse }}",
    "all but known questions": "{% if 'prime' in messages[0].content or 'river' in "
    "messages[0].content %}{{ messages[0].content }}{% else %}{{ messages[0].content | length }} "
    "{{ messages[0].content | last }} {{ messages[0].content[9] }}{% endif %}",
}  # fmt: skip


@pytest.fixture
def questions(tmp_path: Path) -> Sequence[object]:
    from rlvr_fast.tasks import load_tasks

    file = tmp_path / "golds.jsonl"
    asked = {"What is 2 + 3?": "5", "What is 7 + 1?": "8"}
    rows = [{"question": question, "answer": answer} for question, answer in asked.items()]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return load_tasks([f"math:{file}"])


@pytest.mark.slow
@pytest.mark.parametrize("what", IGNORING)
def test_a_template_that_ignores_the_question_is_refused(
    what: str, questions: Sequence[object], tmp_path: Path
) -> None:
    from rlvr_fast.sampling import SamplingParameters, prepare_run

    engine = Tokenizer(IGNORING[what])
    random = "random" in what
    said = "one question two different prompts" if random else "does not hold the question"
    with pytest.raises(InvalidInputError, match=said):
        prepare_run(tmp_path / "run", engine, questions, SamplingParameters(), template="chat")  # type: ignore[arg-type]
    assert not (tmp_path / "run").exists()


SHOWING = {
    "trimmed": "<user> {{ messages[0].content | trim }} ",
    "in capitals": "{{ messages[0].content | upper }}",
    "as JSON": "{{ messages | tojson }}",
    "escaped": "{{ messages[0].content | e }}",
}


@pytest.mark.parametrize("question", ['Is "a < b" & \n\n c?', "Ist ß groß? \u05d0", "  x\ty "])
@pytest.mark.parametrize("what", SHOWING)
def test_a_prompt_may_show_the_question_in_other_forms(what: str, question: str) -> None:
    from jinja2 import Environment

    from rlvr_fast.sampling.prompt_checks import holds

    environment = Environment()
    environment.filters["tojson"] = lambda value: json.dumps(value, ensure_ascii=False)
    turn = [{"role": "user", "content": question}]
    assert holds(environment.from_string(SHOWING[what]).render(messages=turn), question)
    assert not holds("Say hello.", question)


def test_of_several_templates_the_default_is_taken() -> None:
    assert Tokenizer({"tool_use": "x", "default": GOOD}).chat_template == GOOD
    assert Tokenizer({}).chat_template is None
    for wrong in ({"a": GOOD, "b": GOOD}, {"default": 5}, 5, True, [GOOD]):
        with pytest.raises(InvalidInputError, match="the model"):
            _ = Tokenizer(wrong).chat_template


@pytest.mark.slow
def test_many_slow_renderings_are_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each takes less than the time of one; all together would take hours."""
    monkeypatch.setattr(chat_templates, "_MEAN_SECONDS", 0.0)
    loops = "{% for a in range(999) %}{% for b in range(99) %}{% endfor %}{% endfor %}"
    template = ChatTemplate("the model", loops + GOOD, {"bos_token": ""})
    template.render("one")
    template._left = 1e-9  # as after many
    with pytest.raises(InvalidInputError, match=r"the model.*on the mean"):
        template.render("two")


@pytest.mark.slow
def test_a_good_template_makes_a_run(questions: Sequence[object], tmp_path: Path) -> None:
    from rlvr_fast.sampling import SamplingParameters, prepare_run

    engine = Tokenizer(GOOD)
    run = prepare_run(tmp_path / "run", engine, questions, SamplingParameters(), template="chat")  # type: ignore[arg-type]
    prompt = run.problems()["prompt"].to_pylist()[0]
    assert prompt.split("\n")[0] == "<s><user>What is 2 + 3?"
