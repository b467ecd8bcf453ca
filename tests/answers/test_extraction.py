"""Extraction takes the last mark of its kind; the status says why there is no answer."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlvr_fast.answers import extract_answers, normalize_answers
from rlvr_fast.errors import InvalidInputError
from rlvr_fast.vocabulary import POLICIES

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("RLVR_SHARED", ROOT.parent / "shared"))

CASES = [
    # the answer tag
    ("answer_tag", "<answer> 5 </answer>", "5", "found"),
    ("answer_tag", "<answer>1</answer> no, <answer>2</answer> done", "2", "found"),
    ("answer_tag", "<answer>1</answer> no, <answer>2", None, "unfinished"),
    ("answer_tag", "<answer>1</answer> no, <answer> </answer>", None, "malformed"),
    ("answer_tag", "<answer><answer>3</answer>", "3", "found"),
    ("answer_tag", r"\boxed{5}", None, "missing"),
    ("answer_tag", "5</answer>", None, "missing"),
    ("answer_tag", "<answer>a<b</answer>", "a<b", "found"),
    ("answer_tag", "<answer>a\nb</answer>", "a\nb", "found"),
    # the box
    ("boxed", r"\boxed{5}", "5", "found"),
    ("boxed", r"\boxed{1} and then \boxed{2}.", "2", "found"),
    ("boxed", r"\boxed{\frac{1}{2}}", r"\frac{1}{2}", "found"),
    ("boxed", r"\boxed{\{1,2\}}", r"\{1,2\}", "found"),
    ("boxed", r"\boxed{\}}", r"\}", "found"),
    ("boxed", r"\fbox{7}", "7", "found"),
    ("boxed", r"\boxed {8}", "8", "found"),
    ("boxed", "\\boxed\n{8}", "8", "found"),
    ("boxed", r"\boxed{1} but \boxed{2", None, "unfinished"),
    ("boxed", r"\boxed{1} but \boxed{{2}", None, "unfinished"),
    ("boxed", r"\boxed{1} but \boxed", None, "unfinished"),
    ("boxed", r"\boxed{1} but \boxed{}", None, "malformed"),
    ("boxed", r"\boxed{1} but \boxed{  }", None, "malformed"),
    ("boxed", r"\boxed{1} but \boxed 2", None, "malformed"),
    ("boxed", r"\boxed{1} \boxedminipage{2}", "1", "found"),
    ("boxed", "no box", None, "missing"),
    ("boxed", "", None, "missing"),
    # the text after </think>
    ("after_think", "<think>hm</think> 5 ", "5", "found"),
    ("after_think", "<think>a</think> 4 <think>b</think> 5", "5", "found"),
    ("after_think", "<think>hm 5", None, "unfinished"),
    ("after_think", "<think>hm</think>  ", None, "missing"),
    ("after_think", "5", None, "missing"),
    # the final line
    ("final_line", "work\nAnswer: 5", "5", "found"),
    ("final_line", "Answer: 1\nAnswer: 2\nbye", "2", "found"),
    ("final_line", "**Final Answer:** 12.", "12", "found"),
    ("final_line", "**Answer**: 12", "12", "found"),
    ("final_line", "The answer is $5$.", "$5$", "found"),
    ("final_line", "So the final answer is: 7", "7", "found"),
    ("final_line", "She has 3 * 6 = <<3*6=18>>18\n#### 18", "18", "found"),
    ("final_line", "ANSWER IS 3", "3", "found"),
    ("final_line", "Answer:\n\n42\n", "42", "found"),
    ("final_line", "Answer:", None, "unfinished"),
    ("final_line", "the answer island", None, "missing"),
    ("final_line", "nothing", None, "missing"),
    # the last number
    ("last_number", "from 3 to 12 apples", "12", "found"),
    ("last_number", "it costs $1,234.50.", "1,234.50", "found"),
    ("last_number", "x = -7!", "-7", "found"),
    ("last_number", "10-3", "3", "found"),
    ("last_number", "about 3/4 of it", "3/4", "found"),
    ("last_number", "1e-5 m", "1e-5", "found"),
    ("last_number", "(.5)", ".5", "found"),
    ("last_number", "none", None, "missing"),
    # code
    ("code_block", "```python\nprint(1)\n```", "print(1)", "found"),
    ("code_block", "```\na\n```\n```py\n  b\n```\nend", "  b", "found"),
    ("code_block", "```py\na\n```\nthen\n```py\nb", None, "unfinished"),
    ("code_block", "```\n```", None, "malformed"),
    ("code_block", "print(1)", None, "missing"),
    # auto, in the order tag, box, text after </think>
    ("auto", r"<answer>1</answer> \boxed{2}", "1", "found"),
    ("auto", r"<think>\boxed{2}</think> 3", "2", "found"),
    ("auto", "<think>2</think> 3", "3", "found"),
    ("auto", r"\boxed{2} <answer>1", None, "unfinished"),
    ("auto", r"<answer></answer> \boxed{2}", None, "malformed"),
    ("auto", r"<think>a</think> 3 \boxed{", None, "unfinished"),
    ("auto", "<think>a", None, "unfinished"),
    ("auto", "just 5", None, "missing"),
]


@pytest.mark.parametrize(("policy", "text", "answer", "status"), CASES)
def test_policy(policy: str, text: str, answer: str | None, status: str) -> None:
    assert extract_answers([text], policy=policy) == ([answer], [status])


def test_every_policy_is_covered() -> None:
    assert {case[0] for case in CASES} == set(POLICIES)


@given(st.text("<a>/", max_size=90), st.text("x<a/", max_size=40))
@settings(max_examples=300, deadline=None)
def test_tags_are_found_at_any_offset(before: str, after: str) -> None:
    text = before + "<answer>7</answer>" + after
    assert extract_answers([text], policy="answer_tag") == (["7"], ["found"])
    text = before + "</think> 7" + after
    assert extract_answers([text], policy="after_think") == (["7" + after], ["found"])


def test_tags_are_found_in_long_texts_at_any_offset() -> None:
    """Long texts are searched in blocks of 128, 32 and 16 bytes: a tag may straddle any of them."""
    rng = np.random.default_rng(0)
    noise = "".join(rng.choice(list("</>a b"), 2000)) + "<answer" + "</answe" * 9 + "<think"
    assert "<answer>" not in noise
    texts, wants = [], []
    for after in range(330):
        for before in (0, 1, 17, 700):
            texts.append(noise[:before] + f"<answer>{after}</answer>" + noise[len(noise) - after :])
            wants.append(str(after))
    assert extract_answers(texts) == (wants, ["found"] * len(texts))
    cuts = [noise[:cut] for cut in range(len(noise))]
    assert extract_answers(cuts, policy="answer_tag") == (
        [None] * len(cuts),
        ["missing"] * len(cuts),
    )


def test_answers_over_the_limit_are_malformed() -> None:
    for template in (r"\boxed{%s}", "<answer>%s</answer>", "</think>%s"):
        assert extract_answers([template % ("1" * 65536)])[1] == ["found"]
        assert extract_answers([template % ("1" * 65537)])[1] == ["malformed"]
        assert extract_answers([template % "12345"], max_bytes=4)[1] == ["malformed"]
    assert extract_answers([r"\boxed{" + "1" * 10**6 + "}"])[1] == ["malformed"]
    assert extract_answers(["1" * 100_000], policy="last_number")[1] == ["malformed"]


@pytest.mark.parametrize(
    "make",
    [
        lambda rows: pa.array(rows, pa.string()),
        lambda rows: pa.array(rows, pa.large_string()),
        lambda rows: pa.array(rows, pa.string_view()),
        lambda rows: pa.array(rows, pa.string()).dictionary_encode(),
        lambda rows: pa.chunked_array([pa.array(rows[:2]), pa.array(rows[2:])]),
        lambda rows: pa.array([rows[0], *rows])[1:],
        lambda rows: pa.chunked_array([pa.array(["x", *rows[:3], "y"])[1:4], pa.array(rows[3:])]),
    ],
    ids=["string", "large", "view", "dictionary", "chunked", "sliced", "sliced chunks"],
)
def test_arrow_layouts_give_the_same_answers(make: object) -> None:
    rows = [r"\boxed{1}", None, r"é \boxed{" + "long answer " * 5 + "}", "no", r"\boxed{ü}"]
    answers, statuses = extract_answers(make(rows))  # type: ignore[operator]
    want = extract_answers(rows)
    answers.validate(full=True)
    assert (answers.to_pylist(), statuses.to_pylist()) == want
    assert want[0] == ["1", None, ("long answer " * 5).strip(), None, "ü"]


def test_polars_series_are_read() -> None:
    polars = pytest.importorskip("polars")
    answers, _ = extract_answers(polars.Series([r"\boxed{1}", None, "x" * 50 + r"\boxed{2}"]))
    assert answers.to_pylist() == ["1", None, "2"]


def test_empty_inputs() -> None:
    assert extract_answers([]) == ([], [])
    answers, statuses = extract_answers(pa.array([], pa.string()))
    assert (len(answers), len(statuses)) == (0, 0)
    assert extract_answers([None, None]) == ([None, None], ["missing", "missing"])
    answers, _ = extract_answers(pa.nulls(3))
    assert answers.to_pylist() == [None] * 3


def test_bad_input_is_named() -> None:
    with pytest.raises(InvalidInputError, match="got 'last_box'"):
        extract_answers(["1"], policy="last_box")  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="row 2: expected a string or None, got float"):
        extract_answers(["a", "b", 1.5])
    with pytest.raises(InvalidInputError, match="got one string"):
        extract_answers(r"\boxed{1}")
    with pytest.raises(InvalidInputError, match="texts: expected strings"):
        extract_answers(pa.array([1, 2]))
    with pytest.raises(InvalidInputError, match="Arrow format 'g'"):
        extract_answers(pa.array([1.0]))


def reference_boxed(text: str) -> tuple[str | None, str]:
    """The policy `boxed` in plain Python."""
    at = len(text)
    while True:
        at = max(text.rfind("\\boxed", 0, at), text.rfind("\\fbox", 0, at))
        if at < 0:
            return None, "missing"
        i = at + (6 if text.startswith("\\boxed", at) else 5)
        if i < len(text) and text[i].isascii() and text[i].isalpha():
            continue
        while i < len(text) and text[i] in " \t\n\r\v\f":
            i += 1
        if i == len(text):
            return None, "unfinished"
        if text[i] != "{":
            return None, "malformed"
        depth, start, i = 1, i + 1, i + 1
        while i < len(text) and depth:
            if text[i] == "\\":
                i += 1
            elif text[i] in "{}":
                depth += 1 if text[i] == "{" else -1
            i += 1
        if depth:
            return None, "unfinished"
        inside = text[start : i - 1].strip(" \t\n\r\v\f")
        return (inside, "found") if inside else (None, "malformed")


pieces = st.sampled_from(
    ["\\boxed", "\\fbox", "{", "}", "\\", "\\{", "\\}", " ", "\n", "1", "x", "é", "<answer>", "\0"]
)


@given(st.lists(pieces, max_size=25).map("".join))
@settings(max_examples=600, deadline=None)
def test_boxed_equals_the_python_reference(text: str) -> None:
    (answer,), (status,) = extract_answers([text], policy="boxed")
    assert (answer, status) == reference_boxed(text)


@given(st.lists(st.text(max_size=40), max_size=20), st.sampled_from(POLICIES))
@settings(max_examples=150, deadline=None)
def test_rows_are_independent(texts: list[str], policy: str) -> None:
    answers, statuses = extract_answers(texts, policy=policy)
    alone = [extract_answers([text], policy=policy) for text in texts]
    assert answers == [a for (a,), _ in alone]
    assert statuses == [s for _, (s,) in alone]


def test_boxed_reads_only_the_end_of_a_long_trace() -> None:
    """The policy `boxed` searches from the end, so it does not read the trace before the box."""
    tail = "x" * 500 + r"\boxed{42}"
    short = pa.array([tail] * 2000)
    long = pa.array(["y" * 100_000 + tail] * 2000)

    def seconds(texts: pa.Array) -> float:
        times = []
        for _ in range(5):
            start = time.process_time()
            extract_answers(texts, policy="boxed")
            times.append(time.process_time() - start)
        return min(times)

    assert seconds(long) < 20 * seconds(short) + 0.01  # 200 times the text


@pytest.mark.skipif(
    not (SHARED / "rollouts").is_dir(), reason=f"no rollouts in {SHARED} (set RLVR_SHARED)"
)
def test_published_rollouts_give_the_published_answers() -> None:
    rows = (SHARED / "rollouts" / "math_50x8.jsonl").read_text(encoding="utf-8").splitlines()
    texts: list[str] = []
    preds: list[str] = []
    for row in map(json.loads, rows):
        texts += row["code"]
        preds += row["pred"]
    assert len(texts) == 400
    answers, statuses = extract_answers(texts, policy="boxed")
    ours = normalize_answers(answers)
    theirs = normalize_answers(preds)
    unlike = [
        (a, p)
        for a, p, x, y, s in zip(answers, preds, ours, theirs, statuses, strict=True)
        if s == "found" and x != y
    ]
    found = statuses.count("found")
    assert found >= 380, {s: statuses.count(s) for s in set(statuses)}
    assert len(unlike) <= 0.02 * found, unlike
