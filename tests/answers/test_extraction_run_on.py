"""Extraction: neither thoughts nor a problem after the answer hold the answer; hostile texts."""

from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlvr_fast.answers import AnswerIndex, extract_answers
from rlvr_fast.vocabulary import POLICIES

THOUGHTS = [
    ("auto", r"<think>maybe \boxed{5}? wait", None, "unfinished"),
    ("auto", r"<think>maybe \boxed{5}</think> It is \boxed{7}.", "7", "found"),
    ("auto", "<think>3</think> The answer is 7.", "The answer is 7.", "found"),
    ("auto", "<think>I should use <answer>...</answer>.</think> \\boxed{7}", "7", "found"),
    ("auto", "<think>First <answer>3</answer> hmm</think> <answer>7</answer>", "7", "found"),
    ("auto", "<think>x</think><answer>7", None, "unfinished"),
    ("auto", r"<answer>7</answer> <think> wait", None, "unfinished"),
    # the prompt opened the thoughts
    ("auto", "so \\boxed{3}\n\nQuestion: hm \\boxed{4}\n</think>\n\\boxed{5}", "5", "found"),
    # other spellings
    ("auto", r"<Thinking>\boxed{5}</THINKING>\boxed{6}", "6", "found"),
    ("auto", r"<reasoning>\boxed{5}</reasoning><answer>6</answer>", "6", "found"),
    ("auto", r"<|begin_of_thought|>\boxed{5}", None, "unfinished"),
    ("auto", r"<|begin_of_thought|>\boxed{5}<|end_of_thought|> \boxed{6}", "6", "found"),
    (
        "auto",
        r"<|channel|>analysis<|message|>\boxed{5}<|end|><|start|>assistant<|channel|>final"
        r"<|message|>It is \boxed{7}<|return|>",
        "7",
        "found",
    ),
    # every policy
    ("boxed", r"<think>\boxed{5}</think> 6", None, "missing"),
    ("answer_tag", "<think><answer>5</answer></think> 6", None, "missing"),
    ("final_line", "<think>The answer is 5.</think> 6", None, "missing"),
    ("last_number", "<think>5</think> none", None, "missing"),
    ("code_block", "<think>\n```\n5\n```\n</think> none", None, "missing"),
    ("code_block", "<think>```python\na()\n</think>\n```python\nb()\n```", "b()", "found"),
    ("code_block", "<think>```python\na()\n```", None, "unfinished"),
    ("last_number", "<think>5", None, "unfinished"),
]

RUN_ON = [
    ("final_line", "3+4=7\n#### 7\n\nQuestion: 2+2?\nAnswer: 2+2=4\n#### 4", "7"),
    ("final_line", "The answer is 7.\n\nQ: What is 2+2?\nA: The answer is 4.", "7"),
    ("final_line", "Question: ...\nAnswer: 12\n\nQuestion: What next?", "12"),
    ("auto", "<answer>7</answer>\nUser: 2+2?\nAssistant: <answer>4</answer>", "7"),
    ("auto", r"It is \boxed{5}. Human: What is 2+2? Assistant: \boxed{4}", "5"),
    ("auto", "It is \\boxed{5}.\n\n## Problem 2\nMore.\n\\boxed{4}", "5"),
    ("auto", "It is \\boxed{5}.\n\n**Next problem:** more.\n\\boxed{4}", "5"),
    ("auto", "It is \\boxed{5}.\n\n### Instruction:\nMore.\n### Response:\n\\boxed{4}", "5"),
    ("auto", "Problem: x\nSolution: \\boxed{5}\n\nProblem: y\nSolution: \\boxed{4}", "5"),
    ("auto", "\\boxed{5}<|im_end|>\n<|im_start|>user\nx<|im_end|>\n\\boxed{4}", "5"),
    ("auto", "\\boxed{5}<\uff5cend\u2581of\u2581sentence\uff5c>\\boxed{4}", "5"),
    ("auto", "<think>a</think>\\boxed{5}\nUser: q\n<think>b</think>\\boxed{4}", "5"),
    (
        "auto",
        "<think>a</think>The answer is 7.\nUser: q\nAssistant: \\boxed{4}",
        "The answer is 7.",
    ),
    ("after_think", "<think>a</think> 5<|im_end|>\n<|im_start|>assistant", "5"),
    ("last_number", "So 5.\n\nQuestion: 3+4?\nAnswer: 7", "5"),
    ("code_block", "```py\na()\n```\nUser: more\n```py\nb()\n```", "a()"),
    ("code_block", "```py\na()\n```<|im_end|>\n<|im_start|>user\n```py\nb()\n```", "a()"),
    # a head that no answer stands before, or that is none
    ("final_line", "#### 5\n\nQuestion: another?\nAnswer: 3+4\n#### 7", "7"),
    ("auto", "Question: x. We know.\nQuestion: again.\nSo \\boxed{5}", "5"),
    ("auto", "</think>Let me restate.\nProblem: find x.\nSolution: \\boxed{4}", "4"),
    ("auto", r"The problem: \boxed{5}. A question: is it \boxed{6}?", "6"),
    (
        "code_block",
        "```py\nx = input('User: ')\n# Question: y\n```",
        "x = input('User: ')\n# Question: y",
    ),
    ("code_block", "```py\na()\n```\nExample 1:\n```py\nb()\n```", "a()"),
]


@pytest.mark.parametrize(("policy", "text", "answer", "status"), THOUGHTS)
def test_thoughts_hold_no_answer(policy: str, text: str, answer: str | None, status: str) -> None:
    assert extract_answers([text], policy=policy) == ([answer], [status])


@pytest.mark.parametrize(("policy", "text", "answer"), RUN_ON)
def test_the_answer_stands_before_another_problem(policy: str, text: str, answer: str) -> None:
    assert extract_answers([text], policy=policy) == ([answer], ["found"])


ANSWERS = ["7", "-3", "3.14", r"\frac{1}{2}", "x+1", r"\{1, 2\}", r"\sqrt{2}", "1,000", "B"]
STEPS = [
    "We know that x < 3 and y > 4.",
    r"First $a:b = 1:2$, hence \(\frac{a}{b} = \frac{1}{2}\).",
    "Step 1: add both sides.\nStep 2: divide.",
    "### Step 3\n\n* one item\n* another",
    r"With \boxed{9} as a step we go on.",
    "| a | b |\n|---|---|",
    "Note: <b>this</b> holds for all n <= 10.",
]
OPENINGS = ["", "<think>{}</think>\n", "{}</think>\n", "<|begin_of_thought|>{}<|end_of_thought|>"]
RUN_ONS = [
    "",
    "\n\nQuestion: What is 2+2?\nAnswer: the answer is \\boxed{4}. #### 4 <answer>4</answer>",
    "\n\nProblem 2. Find y.\nThe answer is \\boxed{8}. <answer>8</answer>\nFinal Answer: 8",
    "\nUser: thanks\nAssistant: <think>\\boxed{6}</think> <answer>6</answer> It is \\boxed{6}.",
    "<|im_end|>\n<|im_start|>user\nMore?<|im_end|>\n\\boxed{4} <answer>4</answer> Answer: 4",
    ". Human: And 3+3? Assistant: <answer>6</answer> \\boxed{6}\nAnswer: 6",
]
FINALS = {
    "boxed": [r"The answer is \boxed{%s}.", r"So $x = \boxed{%s}$.", "\\[\\boxed{%s}\\]"],
    "answer_tag": ["<answer>%s</answer>", "<Answer> %s </Answer>", "So <answer>\n%s\n</answer>"],
    "final_line": [
        "The answer is %s.",
        "**Final Answer:** %s",
        "Therefore, the answer equals %s, because it has to.",
        "### Final Answer\n\n%s",
        "#### %s",
        "Answer: %s. I hope it is correct.",
    ],
}
FINALS["auto"] = FINALS["boxed"] + FINALS["answer_tag"]


@st.composite
def planted(draw: st.DrawFn) -> tuple[str, str, str]:
    policy = draw(st.sampled_from(sorted(FINALS)))
    answer = draw(st.sampled_from(ANSWERS))
    steps = " ".join(draw(st.lists(st.sampled_from(STEPS), max_size=4)))
    thoughts = " ".join(draw(st.lists(st.sampled_from([*STEPS, *RUN_ONS]), max_size=3)))
    thoughts = thoughts.replace("<think>", "").replace("</think>", "")
    opening = draw(st.sampled_from(OPENINGS)).replace("{}", thoughts)
    final = draw(st.sampled_from(FINALS[policy])) % answer
    run_on = draw(st.sampled_from(RUN_ONS))
    if run_on.startswith("."):
        final = final.removesuffix(".")
    return policy, f"{opening}{steps}\n\nThus:\n{final}{run_on}", answer


@pytest.mark.slow
@given(planted())
@settings(max_examples=700, deadline=None)
def test_the_planted_answer_is_found(case: tuple[str, str, str]) -> None:
    policy, text, answer = case
    assert extract_answers([text], policy=policy) == ([answer], ["found"])


PROGRAMS = ["print(5)", "def f(x):\n    return x\n\nprint(f(1))", "s = '''\n```\n'''\nprint(s)"]
FENCES = [("```python", "```"), ("```", "```"), ("~~~py", "~~~"), ("````Python3 ", "````")]
MARGINS = ["", "   ", "> ", ">> "]
AFTER = [
    "",
    "\nOutput:\n```\n5\n```",
    "\nRun it:\n```bash\npython main.py\n```",
    "\n```text\nIt prints five.\n```\nDone.",
    "\nQuestion: more?\n```python\nprint(6)\n```",
    "\nExample usage:\n```python\nf(3)\n```",
]


@given(
    st.sampled_from(PROGRAMS),
    st.sampled_from(FENCES),
    st.sampled_from(MARGINS),
    st.sampled_from(AFTER),
    st.sampled_from(["", "Draft:\n```python\nprint(0)\n```\nBetter:\n", "<think>```\nx</think>\n"]),
    st.sampled_from(["\n", "\r\n"]),
)
@settings(max_examples=300, deadline=None)
def test_the_planted_program_is_found(
    program: str, fence: tuple[str, str], margin: str, after: str, before: str, line: str
) -> None:
    block = "\n".join([fence[0], *program.split("\n"), fence[1]])
    block = "\n".join(margin + row for row in block.split("\n"))
    text = (before + block + after).replace("\n", line)
    (answer,), (status,) = extract_answers([text], policy="code_block")
    assert status == "found"
    assert answer.replace("\r", "") == program


def test_joined_answers_are_grouped_like_others() -> None:
    """Answers that are no pieces of their texts outlive the row that they come from."""
    texts = [rf"The roots are \boxed{{{i} + long}} and \boxed{{{i}}}." for i in range(300)]
    for normalize in (True, False):
        index = AnswerIndex(normalize=normalize)
        index.add([0] * 600, texts + texts, policy="boxed")
        groups = index.groups()
        assert groups.count.tolist() == [2] * 300
        if not normalize:
            assert groups.answer.to_pylist() == [f"{i} + long, {i}" for i in range(300)]


HOSTILE = [
    "\\boxed{", "\\boxed", "\\boxed{}", "\\boxed{1}, ", "\\boxed{1} and ", "\\boxed\\frac{",
    "{", "}", "<answer>", "</answer>", "<think>", "</think>x", "<|im_start|>", "<", "\nQ:",
    "\nUser:", "1\nQ: ", "x\nProblem:", "answer is ", "Answer:\n", "the answer is not ",
    "answer to ", "####", "\n#### ", "\n**", "```", "```py\n", "~~~\n", "> ```\n", "1. ```\n",
    "'''\n", "`", ":", "$", ". ", "\n", "9", ",9",
]  # fmt: skip


@pytest.mark.slow
def test_hostile_texts_take_linear_time() -> None:
    """Sixteen times the text must not take 256 times the time."""

    def seconds(text: str, policy: str) -> float:
        times = []
        for _ in range(2):
            start = time.process_time()
            extract_answers([text], policy=policy)
            times.append(time.process_time() - start)
        return min(times)

    for a, b in itertools.product(HOSTILE, ["", *HOSTILE[::7]]):
        short = "</think>x" + (a + b) * ((1 << 14) // len(a + b)) + "}" * 999
        long = "</think>x" + (a + b) * ((1 << 18) // len(a + b)) + "}" * 999
        for policy in POLICIES:
            assert seconds(long, policy) < 100 * seconds(short, policy) + 0.1, (a, b, policy)


@given(
    st.lists(st.sampled_from([*HOSTILE, "x", "é", "\0", "\\", "'''", "Output:\n"]), max_size=60),
    st.sampled_from(POLICIES),
)
@settings(max_examples=300, deadline=None)
def test_any_text_gives_an_answer_or_a_status(parts: list[str], policy: str) -> None:
    (answer,), (status,) = extract_answers(["".join(parts)], policy=policy, max_bytes=100)
    assert (status == "found") == (answer is not None)
    assert answer is None or 0 < len(answer.encode()) <= 100


@pytest.mark.parametrize("fill", ["x", "[", "<", "\n", "é", "◁", "\nu", "\né"])
@pytest.mark.parametrize(
    ("before", "mark"),
    [
        ("<answer>7", "</answer> tail"),
        ("\\boxed{7}", "\nProblem: 8 \\boxed{8}"),
        ("\\boxed{7}", "\n**Question:** 8 \\boxed{8}"),
        ("\\boxed{7}", "\nuser\n8 \\boxed{8}"),
        ("\\boxed{7}", "\n问题：8 \\boxed{8}"),
        ("[THINK]8 \\boxed{8}", "[/THINK] \\boxed{7}"),
        ("◁think▷8 \\boxed{8}", "◁/think▷ \\boxed{7}"),
    ],
)
def test_a_mark_is_found_wherever_its_bytes_lie_in_a_block(before, mark, fill):
    for length in range(131):
        text = f"{before} {fill * length}. {mark}"
        (answer,), (status,) = extract_answers([text], policy="auto")
        assert (answer[:1], status) == ("7", "found"), text
