r"""Choices, labels in Roman numerals, numbers in a base."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlvr_fast.tasks.schemes.math.reading import one_answer, read_answer


def agrees(gold: str, answer: str) -> bool:
    return one_answer(read_answer(gold), read_answer(answer))


A_CHOICES = [
    "A",
    "(A)",
    "A.",
    "A)",
    "[A]",
    r"\text{A}",
    r"\mathrm{A}",
    r"\textbf{(A)}",
    "$A$",
    "**A**",
    "`A`",
    r"\text{(A)}",
    r"\text{(A)}\ 5",
    r"\textbf{(A)}\ 5",
    r"\textbf{(A) } 5",
    "(A) 5",
    "A. 5",
    "A: 5",
    "A) 5",
    r"\text{A. } 5",
    "A. the cell wall",
    r"\text{A: mitosis in the leaf}",
    "A: A polygenic risk score",
    "Option A",
    "option (A)",
    "Choice A",
    "The answer is (A).",
    "The answer is A",
    "a",
    "(a)",
    "The correct answer is A.",
    "The correct option is A",
    "Answer: A",
    "Answer: (A) 5",
    "Final Answer: A",
    "Option A: 5",
    r"\boxed{A}",
    r"(A)\ \frac{1}{2}",
    "A. 3.5 m/s",
    "The answer is option A.",
]
NOT_A = [
    "A. B",
    "(A) B",
    "(A) Option C",
    "A: (B)",
    "B",
    "(B)",
    "A or B",
    r"A \text{ or } B",
    "A and B",
    "ABCD",
    "AB",
    "B. Note that A is a common distractor",
    "A, B",
    "(A) or (B)",
    "(A) 5 or (B) 6",
    "not A",
    "neither A nor B",
    "A/B",
    r"\Delta A",
    "A+1",
    "(A)(B)",
    "A = 5",
    "5",
    "Apple",
    r"A \cup B",
    r"A^c",
    "A'",
    "A.M.",
    "A: not B",
    "(A) (B)",
    r"\langle H\rangle \ll \Delta A",
    "b",
    "Answer",
    "A.B.",
    "A-",
    "option",
    "Option A or B",
    "A. 5 B. 6",
]


@pytest.mark.parametrize("answer", A_CHOICES)
@pytest.mark.parametrize("gold", ["A", "(A)", r"\text{A}", "A."])
def test_one_choice(gold: str, answer: str) -> None:
    assert agrees(gold, answer)
    assert not agrees("B", answer)


@pytest.mark.parametrize("answer", NOT_A)
def test_other_choices(answer: str) -> None:
    assert not agrees("A", answer)


EQUAL = [
    ("A, C", "C, A"), ("A,C", "A and C"), ("I and III", "I, III"), (r"\text{I and III}", "I, III"),
    ("(iv)", "iv"), ("(iv)", r"\text{(iv)}"), ("(A) 5", "5"), ("(A) 5", "A"), ("5", "(A) 5"),
    ("E", "E. risk"),
    (r"4210_{5}", r"4210_{\text{five}}"), ("4210_{5}", "4210_5"), ("4210_5", "4210"),
    ("11_2", "3_{10}"),
    ("5", "101_2"), ("(1011)_2", "1011_2"), ("1010_2", "1010 base 2"), ("1010_2", "1010 in base 2"),
    ("1010_2", "1010 (base two)"), ("2A_{16}", "2a_{16}"), ("42", "0x2A"), ("10", "0b1010"),
    ("42", "2A_{16}"),
    (r"1010_\text{two}", "1010_2"), (r"4210_{\text{base }5}", "4210_5"), ("-101_2", "-5_{10}"),
    ("101 in binary", "5_{10}"),
]  # fmt: skip
DIFFERENT = [
    ("E", "e"), ("A, C", "A, B"), ("(iv)", "(vi)"), ("I and III", "I and II"),
    ("type I", "type II"),
    ("(A) 5", "6"),
    ("4210_5", "4210_7"), ("1010_2", "1010_8"), ("101_2", "5"), ("1010", "1010_2"),
    ("12_8", "10_8"),
    ("2A_{16}", "2A_{12}"), ("(1011)_2", "(1011)_3"), ("4210_5", "4211_5"), ("19_8", "19"),
    ("2A_{16}", "42"),
    ("x_2", "x"), ("A_{16}", "10"), ("42", "0x2B"), ("1010_2", "x_2"), ("5", "A. 6"), ("A_1", "A"),
]  # fmt: skip


@pytest.mark.parametrize(("gold", "answer"), EQUAL)
def test_equal_labels_and_numerals(gold: str, answer: str) -> None:
    assert agrees(gold, answer)


@pytest.mark.parametrize(("gold", "answer"), DIFFERENT)
def test_different_labels_and_numerals(gold: str, answer: str) -> None:
    assert not agrees(gold, answer)


@settings(deadline=None, max_examples=60, derandomize=True)
@given(st.sampled_from("ABCDEFGHIJ"), st.sampled_from("ABCDEFGHIJ"), st.sampled_from(A_CHOICES))
def test_the_letter_decides(gold: str, letter: str, spelling: str) -> None:
    if "A polygenic" in spelling or spelling in ("a", "(a)"):
        return
    answer = spelling.replace("A", letter) if "Answer" not in spelling else f"Answer: {letter}"
    assert agrees(gold, answer) == (gold == letter)


@settings(deadline=None, max_examples=80, derandomize=True)
@given(st.integers(0, 10**9), st.integers(2, 10), st.integers(2, 10), st.integers(-1, 1))
def test_bases_by_value(number: int, first: int, second: int, off: int) -> None:
    def digits(value: int, base: int) -> str:
        text = ""
        while value:
            value, digit = divmod(value, base)
            text = str(digit) + text
        return text or "0"

    gold = f"{digits(number, first)}_{{{first}}}"
    assert agrees(gold, f"{digits(max(0, number + off), second)}_{{{second}}}") == (
        max(0, number + off) == number
    )
    assert agrees(str(number), gold)
