"""Extraction: the final answer by each policy; the status says why there is none.

Thoughts and problems that follow the answer have their own file, test_extraction_run_on.py.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
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
    ("answer_tag", "<Answer >7</ANSWER>", "7", "found"),
    ("answer_tag", "<answer>7</answer> as <answer>...</answer>", "7", "found"),
    ("answer_tag", "<answer>The answer is 7.</answer>", "The answer is 7.", "found"),
    ("answer_tag", r"<answer>The answer is \(\boxed{7}\).</answer>", "7", "found"),
    ("answer_tag", r"<answer>$\boxed{7}$</answer>", r"$\boxed{7}$", "found"),
    ("answer_tag", r"<answer>\boxed{3} and \boxed{5}</answer>", "3, 5", "found"),
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
    ("boxed", r"\boxed{1} but \boxed 2", "2", "found"),
    ("boxed", r"\boxed{}", None, "malformed"),
    ("boxed", r"\boxed{  }", None, "malformed"),
    ("boxed", r"the command \boxed does it", None, "malformed"),
    ("boxed", r"\boxed{5}{6}", "5", "found"),
    ("boxed", r"\framebox[2cm][c]{7}", "7", "found"),
    # a box without braces
    ("boxed", r"so \boxed\frac{1}{2}.", r"\frac{1}{2}", "found"),
    ("boxed", r"so \boxed\frac12.", r"\frac12", "found"),
    ("boxed", r"so \boxed\sqrt[3]{2} m", r"\sqrt[3]{2}", "found"),
    ("boxed", r"so $\boxed -1,234.5$.", "-1,234.5", "found"),
    ("boxed", r"so $\boxed x$.", "x", "found"),
    ("boxed", r"\boxed{(C)} or \boxed (C).", "(C)", "found"),
    # a box that is talked about hides no answer
    ("boxed", r"It is \boxed{5}. I marked it with \boxed as asked.", "5", "found"),
    ("boxed", r"It is \boxed{5}. (As asked, inside \boxed{}.)", "5", "found"),
    ("boxed", r"It is \boxed{5}, in the form \boxed{...}.", "5", "found"),
    ("boxed", r"It is \boxed{5}. The form is `\boxed{\text{your answer}}`.", "5", "found"),
    ("boxed", r"I shall write \boxed{answer}. So: \boxed{5}", "5", "found"),
    ("boxed", r"It is \boxed{5}: see the command \boxed.", "5", "found"),
    # several boxes of one statement
    ("boxed", r"The integers are \boxed{3}, \boxed{5}, \boxed{7}.", "3, 5, 7", "found"),
    ("boxed", r"So $n=\boxed{1}$ and $n=\boxed{-2}$.", "1, -2", "found"),
    ("boxed", r"Part 1: \boxed{2}, part 2: \boxed{x+1}", "2, x+1", "found"),
    ("boxed", "(a) $\\boxed{2}$\n(b) $\\boxed{3}$", "2, 3", "found"),
    ("boxed", r"$\boxed{(1,2)}$ or $\boxed{(3,4)}$", "(1,2), (3,4)", "found"),
    ("boxed", r"So \boxed{5}, that is, \boxed{5}", "5", "found"),
    ("boxed", r"We get \boxed{2}. Then \boxed{3}.", "3", "found"),
    ("boxed", r"We get \boxed{2}, so the answer is \boxed{3}.", "3", "found"),
    ("boxed", r"\boxed{2} + \boxed{3} = \boxed{5}", "5", "found"),
    ("boxed", r"$\boxed{\frac13}\approx\boxed{0.33}$", "0.33", "found"),
    ("boxed", "\\boxed{5}\n\n\\boxed{7}", "7", "found"),
    ("boxed", r"\boxed{a \boxed{7}}", "7", "found"),
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
    ("final_line", "**Answer: D**", "D", "found"),
    ("final_line", "\u2705 Final Answer: **73**", "73", "found"),
    ("final_line", r"\textbf{Answer: } 5", "5", "found"),
    ("final_line", "Final answer - 12", "12", "found"),
    ("final_line", "final answer: -0.25", "-0.25", "found"),
    ("final_line", "Hence the answer would be 12.", "12", "found"),
    ("final_line", "Thus, the answer equals 12.", "12", "found"),
    ("final_line", "The answer turns out to be 12.", "12", "found"),
    ("final_line", "The answer to the second question is 12.", "12", "found"),
    ("final_line", "The answers are 3 and 5.", "3 and 5", "found"),
    ("final_line", "Answer: Answer: C", "C", "found"),
    ("final_line", "Answer:\n\nAnswer: C", "C", "found"),
    ("final_line", "The answer is 12. I hope it is correct.", "12", "found"),
    ("final_line", "The answer is 12.\nI hope the answer is correct.", "12", "found"),
    ("final_line", "The answer is not 11. The answer is 12, not 11.", "12", "found"),
    ("final_line", "The answer is B. Here's why... option B is so.", "B", "found"),
    ("final_line", "The answer is C because I computed it.", "C", "found"),
    ("final_line", "The answer is 3.14. Done", "3.14", "found"),
    ("final_line", "Answer: 4:30 p.m.", "4:30 p.m.", "found"),
    ("final_line", "Answer: Let's think. 2+2=4. The answer is (B).", "(B)", "found"),
    ("final_line", "Answer: Let's think step by step.\nSo 4.", None, "missing"),
    ("final_line", r"The answer is that \boxed{7} ways exist.", "7", "found"),
    # a formula below the words
    ("final_line", "The answer is \\[\n12\n\\]", "12", "found"),
    ("final_line", "The answer is:\n$$\n12\n$$\nas required.", "12", "found"),
    ("final_line", "The answer is\n\n$$12$$", "$$12$$", "found"),
    # marks of GSM8K, and headings
    ("final_line", "##### 12", "12", "found"),
    ("final_line", "so\n#### -1,000\n\nNote that it is right.", "-1,000", "found"),
    ("final_line", "so\n#### Paris", "Paris", "found"),
    ("final_line", "The answer is 12.\n\n#### Verification\n\n3*4=12", "12", "found"),
    ("final_line", "The answer is 12.\n\n#### 2. Check it\n\nfine", "12", "found"),
    ("final_line", "#### Final Answer\n\n12", "12", "found"),
    ("final_line", "### Final Answer\n\n12\n", "12", "found"),
    ("final_line", "**Final Answer**\n\n12", "12", "found"),
    ("final_line", "#### Step 1: add\n3+4\n#### Final result\nThe answer is 7.", "7", "found"),
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
    ("last_number", "The final value is 13.20%", "13.20", "found"),
    ("last_number", "it is 1{,}000", "1{,}000", "found"),
    ("last_number", "x = \u22127", "\u22127", "found"),
    # code
    ("code_block", "```python\nprint(1)\n```", "print(1)", "found"),
    ("code_block", "```\na\n```\n```py\n  b\n```\nend", "  b", "found"),
    ("code_block", "```py\na\n```\nthen\n```py\nb", None, "unfinished"),
    ("code_block", "```\n```", None, "malformed"),
    ("code_block", "print(1)", None, "missing"),
    # the last program rather than what it prints, how it is run, or words about it
    ("code_block", "```py\na()\n```\nOutput:\n```\n5\n```", "a()", "found"),
    ("code_block", "```py\na()\n```\nOutput:\n```\n5", "a()", "found"),
    ("code_block", "```py\na()\n```\nRun it:\n```bash\npython a.py\n```", "a()", "found"),
    ("code_block", "```py\na()\n```\nSummary:\n```\nIt calls a.\n```", "a()", "found"),
    (
        "code_block",
        "```py\ndef a(): 1\n```\nExample usage:\n```py\na()\n```",
        "def a(): 1",
        "found",
    ),
    ("code_block", "```py\na()\n```\nIn C:\n```c\na();\n```", "a()", "found"),
    ("code_block", "```py\na()\n```\nFixed:\n```py\nb()\n```", "b()", "found"),
    ("code_block", "```py\na()\n```\nFixed:\n```\nb()\n```", "b()", "found"),
    ("code_block", "```js\nlet a=5\n```", "let a=5", "found"),
    ("code_block", "```\n5\n```", "5", "found"),
    # fences
    ("code_block", "``` {.python}\na()\n``` That is all.\nbye", "a()", "found"),
    ("code_block", "```\npython\na()\n```", "a()", "found"),
    ("code_block", "```python\na()```", "a()", "found"),
    ("code_block", "```python a()```", "a()", "found"),
    ("code_block", "~~~python\na()\n~~~", "a()", "found"),
    ("code_block", "````md\n```python\na()\n```\n````", "```python\na()\n```", "found"),
    ("code_block", "```py\r\na()\r\nb()\r\n```\r\n", "a()\r\nb()", "found"),
    ("code_block", "1. So:\n   ```py\n   a()\n     b()\n   ```", "a()\n  b()", "found"),
    ("code_block", "- ```py\n  a()\n  b()\n  ```", "a()\nb()", "found"),
    ("code_block", "> ```py\n> a()\n>\n>   b()\n> ```", "a()\n\n  b()", "found"),
    ("code_block", "```py\ns='''\n```py\nx\n```\n'''\n```", "s='''\n```py\nx\n```\n'''", "found"),
    ("code_block", "```py\ns='''\n```\n'''\na()\n```", "s='''\n```\n'''\na()", "found"),
    ("code_block", "```py\ns=\"'''\"\n```\nor\n```py\nb()\n```", "b()", "found"),
    ("code_block", "```py\na()\nor\n```py\nb()\n```", "b()", "found"),
    ("code_block", "```py\na()\n```\n```", "a()", "found"),
    # auto, in the order tag, box, text after </think>
    ("auto", r"<answer>1</answer> \boxed{2}", "1", "found"),
    ("auto", r"<think>\boxed{2}</think> 3", "3", "found"),
    ("auto", r"</think> It is 3, not in a \boxed{}.", r"It is 3, not in a \boxed{}.", "found"),
    ("auto", "a step: \\boxed{x<y}\n\n**Answer: D**", "D", "found"),
    ("auto", "\\boxed{5}\n\nAnswer: see above", "5", "found"),
    ("auto", "\\boxed{5}\n\nThe answer is 6.", "5", "found"),
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
    """The policy `boxed` in plain Python, for texts whose boxes have braces or nothing."""
    at = len(text)
    talked_about = False
    while True:
        at = max(text.rfind("\\boxed", 0, at), text.rfind("\\fbox", 0, at))
        if at < 0:
            return None, "malformed" if talked_about else "missing"
        i = at + (6 if text.startswith("\\boxed", at) else 5)
        if i < len(text) and text[i].isascii() and text[i].isalpha():
            continue
        while i < len(text) and text[i] in " \t\n\r\v\f":
            i += 1
        if i == len(text):
            return None, "unfinished"
        if text[i] != "{":
            talked_about = True
            continue
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
        if not inside.strip("{} \t\n\r\v\f"):
            talked_about = True
            continue
        return inside, "found"


# A sentence ends before each box, so that no two belong to one statement.
pieces = st.sampled_from(
    [".\n\n\\boxed", ".\n\n\\fbox", "{", "}", "\\{", "\\}", " ", "\n", "1", "x", "é", "<b>", "\0"]
)


@given(st.lists(pieces, max_size=25).map("".join))
@settings(max_examples=600, deadline=None)
def test_boxed_equals_the_python_reference(text: str) -> None:
    assume(not re.search(r"box(ed)?\s*[1x]", text))  # a box without braces
    (answer,), (status,) = extract_answers([text], policy="boxed")
    assert (answer, status) == reference_boxed(text)


@given(st.lists(st.text(max_size=40), max_size=20), st.sampled_from(POLICIES))
@settings(max_examples=150, deadline=None)
def test_rows_are_independent(texts: list[str], policy: str) -> None:
    answers, statuses = extract_answers(texts, policy=policy)
    alone = [extract_answers([text], policy=policy) for text in texts]
    assert answers == [a for (a,), _ in alone]
    assert statuses == [s for _, (s,) in alone]


@pytest.mark.skipif(
    not (SHARED / "rollouts").is_dir(), reason=f"no rollouts in {SHARED} (set RLVR_SHARED)"
)
@pytest.mark.parametrize("policy", ["auto", "boxed"])
def test_published_rollouts_give_the_published_answers(policy: str) -> None:
    rows = (SHARED / "rollouts" / "math_50x8.jsonl").read_text(encoding="utf-8").splitlines()
    texts: list[str] = []
    preds: list[str] = []
    for row in map(json.loads, rows):
        texts += row["code"]
        preds += row["pred"]
    assert len(texts) == 400
    answers, statuses = extract_answers(texts, policy=policy)
    unlike = [
        (a, p)
        for a, p, x, y in zip(
            answers, preds, normalize_answers(answers), normalize_answers(preds), strict=True
        )
        if x != y and not (a == r"4:30 \text{ p.m.}" and p == "4:30")
    ]
    assert statuses.count("found") == 400
    assert not unlike
