"""Words, and sentences that state one answer."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlvr_fast.tasks.schemes.math.reading import one_answer, read_answer


def agrees(gold: str, answer: str) -> bool:
    return one_answer(read_answer(gold), read_answer(answer))


EQUAL = [
    (r"\text{Evelyn}", "evelyn"), ("Evelyn", r"\text{Evelyn}"), ("No", "no"),
    (r"\text{Yes}", "yes"),
    ("Yes", "YES"), ("True", "true"), ("none", r"\text{none}"), (r"\text{even}", "even"),
    ("ellipse", "Ellipse"),
    (r"\text{ellipse}", "an ellipse"), ("the circle", "circle"), ("Tuesday", r"\text{Tuesday.}"),
    ("red, blue", "blue, red"), ("red and blue", "blue and red"), (r"\text{east}", "East"),
    ("blue", "Blue."),
    ("type I", "Type I"), ("isosceles triangle", "an isosceles triangle"),
    ("right-angled", "right angled"),
]  # fmt: skip
DIFFERENT = [
    ("stop", "pots"), ("True", "False"), ("yes", "no"), ("even", "odd"), ("red", "blue"),
    ("Alice", "Bob"),
    ("red, blue", "red, green"), ("type I", "type II"), ("heads", "tails"), ("1", "true"),
    ("0", "false"),
    ("5", "answer"), ("1", "one of them"), ("5", "?"), ("5", "x"), ("yes", "yes/no"),
    ("yes", "not yes"),
    ("0", "none"), ("yes, 5", "no, 5"), ("5", "infinity"), ("0", "NaN"), ("even", "not even"),
    ("Group 3", "Group 4"), ("3", "Group 3"), ("5", "Room 5"),
]  # fmt: skip


@pytest.mark.parametrize(("gold", "answer"), EQUAL)
def test_one_word(gold: str, answer: str) -> None:
    assert agrees(gold, answer)


@pytest.mark.parametrize(("gold", "answer"), DIFFERENT)
def test_two_words(gold: str, answer: str) -> None:
    assert not agrees(gold, answer)


STATED = [
    ("42", "The answer is 42."), ("42", "The answer is $42$."), ("42", "42 is the answer"),
    ("42", "The answer is 42 because geometry proves it"), ("42", r"The answer is \boxed{42}."),
    ("588", r"The final answer is \(\boxed{588}\)."), ("42", "So the answer is 42"),
    ("42", "answer: 42"),
    ("42", "**Answer:** 42"), ("42", "Final answer: 42"), ("42", "The correct answer is 42"),
    ("42", "The answer to this problem is 42."), ("42", "42 is the final answer."),
    ("42", "So, 42"),
    ("42", "Therefore, the answer is 42."), ("42", "Hence x = 42") , ("x=42", "Thus x = 42"),
    ("17", "17. I hope it is correct"), ("2+3x", "$3x+2$. I hope it is correct"),
    ("42", "42, since 6*7=42"),
    (r"\text{Evelyn}", r"$\text{Evelyn}$. I hope it is correct"),
    ("Evelyn", "The answer is Evelyn."),
    ("72", "72, in total, out of 100"), ("72", "72, in total, so the farmer earns that much"),
    ("12", "she has 12 dollars left"), ("12", "There are 12 apples"),
    ("12", "Tom has 12 apples left"),
    ("73", "So 489 - 73 = 416 and hence the answer is **73**"),
    ("75", "First $73$ and then $74$. Answer: $75$."),
    ("10", r"**Step 1**: $2+3=5$. **Step 2**: $5\cdot 2=10$. The answer is $10$."),
    ("74", "The answer is 74, since 73+1=74."),
    ("42", "First compute 6*7.\n42"), ("72", "48 + 24 = 72"), ("x = 72", "x = 48 + 24 = 72"),
    ("72", "x = 48+24 = 72"),
    ("9, 10", "the answers are 9 and 10"), ("1/2", r"The answer is \(\frac{1}{2}\)."),
    ("1/2", "The answer is 1/2."),
    ("72", "48 + 24 = 72 apples"), ("5 km", "The answer is 5 km"),
    ("at least 5", "The answer is at least 5"),
    ("20%", "The answer is 20%."), ("A", "The answer is (A)."), ("6", "2 * 3 = 6"),
    ("5", "the probability is 5"),
    ("5", "The total number of ways is 5"), ("5", "we get 5"), ("(3, 4)", "The answer is (3, 4)."),
    ("yes", "The answer is yes."), ("1,2", "The answers are 1 and 2."), ("4", "2+2=4"),
    ("12", "It takes 12 hours"),
]  # fmt: skip
NOT_STATED = [
    ("100", "72 and not 100"), ("100", "72, not 100"), ("73", "The answer is 74, since 73+1=74."),
    ("73", "First $73$ and then $74$. Answer: $75$."),
    ("5", r"**Step 1**: $2+3=5$. **Step 2**: $5\cdot 2=10$. The answer is $10$."),
    ("73", "First $73$, then $74$. So the answer is $74$."), ("100", "72, in total, out of 100"),
    ("5", "The answer is not 5"), ("5", "The answer is 5 or 6"),
    ("5", "The answer is either 5 or 6"),
    ("5", "It is false that the answer is 5"), ("5", "the answer is 5, or maybe 6"),
    ("18", "17. I hope it is correct"),
    ("5", "The answer is between 4 and 6"), ("73", "48 + 24 = 73"), ("48", "48 + 24 = 72"),
    ("1", "9=1"), ("9", "9=1"),
    ("7", "2x+3=7"), ("3", "2x+3=7"), ("12", "she does not have 12 dollars left"),
    ("12", "she has 12 or 13 dollars"),
    ("12", "she has 12 dollars and 5 cents"), ("5", "if the answer is 5"),
    ("5", "The answer is 6 because 5 is odd"),
    ("5", "5 is wrong"), ("5", "is 5 the answer"), ("5", "5 is not the answer"),
    ("5", "I doubt the answer is 5"),
    ("5", "The answer is unknown, since 5 is missing"), ("5", "5, so the answer is 6"),
    ("5", "5, so 5+1=6"),
    ("6", "5, so we add 1 and get 6"), ("5", "The answer is 5 but it could be 6"),
    ("5", "The answer is 55"),
    ("5", "answer"), ("5", "the answer is"), ("5", "My guess is 5 or 6. 7"),
    ("5", "he has 5 apples and she has 6"),
    ("42", "The answer is 42 km^2 or 43"), ("5", "The answer is -5"), ("5", "4 = 5 - 1 = 5"),
    ("5", "x = y = 5 + 1"),
    ("no", "The answer is yes, not no"), ("5", "The answer is 5. Wait, it is 6"),
    ("42", "The answer is 42x"),
]  # fmt: skip


@pytest.mark.parametrize(("gold", "answer"), STATED)
def test_sentences_that_state(gold: str, answer: str) -> None:
    assert agrees(gold, answer)


@pytest.mark.parametrize(("gold", "answer"), NOT_STATED)
def test_sentences_that_do_not(gold: str, answer: str) -> None:
    assert not agrees(gold, answer)


FRAMES = [
    "The answer is {}.", "So the answer is {}", "Answer: {}", "{} is the answer",
    "{}. I hope it is correct",
    "The answer is {} because we counted", "{}, since the sum is even",
    "The final answer is {}, as required",
]  # fmt: skip
DENIED = [
    "The answer is not {}", "The answer is {} or 7000", "It is wrong that the answer is {}",
    "{} and not 7000", "The answer is {} or not", "the answer is 7000, not {}", "unless it is {}",
]  # fmt: skip
VALUES = [r"\frac{3}{7}", "12", "-4.5", r"\sqrt{2}", "3x^2", "(1,2)", "12 km", r"2\pi", "x=3", "5%"]


@settings(deadline=None, max_examples=120, derandomize=True)
@given(st.sampled_from(FRAMES), st.sampled_from(VALUES), st.sampled_from(VALUES))
def test_frames_state_their_value(frame: str, gold: str, value: str) -> None:
    assert agrees(gold, frame.format(value)) == agrees(gold, value)


@settings(deadline=None, max_examples=60, derandomize=True)
@given(st.sampled_from(DENIED), st.sampled_from(VALUES))
def test_denied_values_are_not_stated(frame: str, value: str) -> None:
    assert not agrees(value, frame.format(value))
