r"""Values with words that change them, and with conditions."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlvr_fast.tasks.schemes.math.reading import one_answer, read_answer
from rlvr_fast.tasks.schemes.math.values import Unread


def agrees(gold: str, answer: str) -> bool:
    return one_answer(read_answer(gold), read_answer(answer))


EQUAL = [
    ("at least 5", r"\ge 5"), (r"\ge 5", "at least 5"), ("at least 5", "5 or more"),
    ("5 or more", "no less than 5"), ("at least 5", "no fewer than 5"), ("at most 5", r"\le 5"),
    ("at most 5", "5 or less"), ("at most 5", "no more than 5"), ("at most 5", "up to 5"),
    ("more than 5", "> 5"), ("more than 5", "greater than 5"), ("less than 5", "< 5"),
    ("fewer than 5", "less than 5"), ("at least 5 km", "5 km or more"),
    ("5 or more apples", "at least 5 apples"), (r"x \ge 5", "x is at least 5"),
    (r"\text{at least } 5", r"5\text{ or more}"), (r"\ge 5", "greater than or equal to 5"),
    ("20% increase", r"20\% \text{ increase}"), ("20% increase", "an increase of 20%"),
    ("20% increase", "increase of 20%"), ("20% decrease", "a decrease of 20%"),
    ("5 east", "5 to the east"), ("5 km east", "5000 m east"),
    ("5 miles north", "5 miles due north"),
    (r"\$5 profit", "a profit of 5 dollars"), (r"\$5 profit", r"profit of \$5"),
    ("10 below zero", "-10"), ("10 degrees below zero", "-10 degrees"), ("-10", "10 below zero"),
    ("10 above zero", "10"), ("5 BC", "5 B.C."), ("5 BC", "5 BCE"), ("5 AD", "AD 5"), ("5 AD", "5"),
    ("5", "5 AD"), ("5 (max)", "5 (maximum)"), (r"5\text{ (max)}", "5 (max)"),
    ("n odd", "n is odd"),
    ("odd n", "n is odd"), (r"n\text{ odd}", r"\text{odd } n"), ("all even n", "n is even"),
    (r"n^2 \text{ if } n \text{ is even}", "n^2 if n is even"),
    ("n^2 if n is even", "n^2 when n is even"),
    ("n^2 for even n", "n^2 if n is even"), (r"2 \text{ for } n>3", "2 if n > 3"),
    ("2 for n>3", "2 for all n>3"),
    (r"x \text{ for all } x>0", "x for every x > 0"), ("5", "approximately 5"), ("5", r"\approx 5"),
    ("5", "about 5"), ("approximately 5", "about 5"), ("5", "exactly 5"), ("exactly 5", "5"),
    ("5 units left", "5 units to the left"), ("90° clockwise", "90 degrees clockwise"),
    ("first 5", "the first 5"), ("n^2 where n is even", "n^2 if n is even"),
    ("2n if n is odd, n if n is even", "n if n is even, 2n if n is odd"), ("12", "12 dollars left"),
    ("5 more", "5 more"), ("n is prime", "n is a prime"), ("5 (approx)", "5 (approx)"),
]  # fmt: skip
DIFFERENT = [
    ("5", "at least 5"), ("at least 5", "5"), ("5 or more", "5"), ("5", "5 or more"),
    ("5", "5 or less"),
    ("at least 5", "at most 5"), ("at least 5", "more than 5"), ("at least 5", "at least 6"),
    ("less than 5", "more than 5"), ("5 or more", "5 or less"), ("20% increase", "20% decrease"),
    ("20% increase", "30% increase"), ("20% increase", "20%"), ("20", "20% decrease"),
    ("5 east", "5 west"),
    ("5 north", "5 south"), ("5 east", "5"), ("5", "5 east"), (r"\$5 profit", r"\$5 loss"),
    ("a profit of 5 dollars", "a loss of 5 dollars"), (r"\$5 profit", r"\$5"), ("5 up", "5 down"),
    ("5 left", "5 right"), ("10 below zero", "10 above zero"), ("10", "10 below zero"),
    ("5 AD", "5 BC"),
    ("5", "5 BC"), ("5 BC", "5"), ("5 (max)", "5 (min)"), ("5", "5 (max)"), ("5 (max)", "5"),
    ("n odd", "n even"), ("n is odd", "n is even"), ("odd n", "n"), ("n", "odd n"),
    ("odd n", "odd m"),
    ("all even n", "all odd n"), ("n^2 if n is even", "n^2 if n is odd"),
    ("n^2 if n is even", "n^2"),
    ("n^2", "n^2 if n is even"), ("n^2 if n is even", "n^3 if n is even"),
    ("2 for n>3", "2 for n<3"),
    ("2 for n>3", "2"), ("2", "2 for n>3"), ("2 for even n", "2 for odd n"),
    ("2 for n>3", "2 unless n>3"),
    ("x for all x>0", "x for all x<0"), (r"\text{top } 5", r"\text{bottom } 5"), ("top 5", "5"),
    ("first 5", "last 5"), ("approximately 5", "5"), ("5", "approximately 6"), ("5", "not 5"),
    ("5", "5 (or 6)"), ("5", "5 (not 6)"), ("5", "anything but 5"), ("5", "between 4 and 6"),
    ("90° clockwise", "90° counterclockwise"), ("n is prime", "n is composite"),
    ("5", "5 more than 3"),
    ("5", "5 less"), ("5 more", "5 less"), ("n is even", "n is not even"), ("15 min", "15 (min)"),
    (r"\text{all primes } p \equiv 1", r"\text{all primes } p \equiv 3"), ("5", "5 if x"),
    ("5", "if 5"),
    ("n^2 if n is even", "n^2 unless n is even"), ("at least 5 km", "at least 5 cm"),
    ("5 km east", "5 m east"),
    ("2n if n is odd, n if n is even", "2n if n is even, n if n is odd"),
    ("x", "x such that x > 2"),
]  # fmt: skip


@pytest.mark.parametrize(("gold", "answer"), EQUAL)
def test_one_qualifier_in_several_wordings(gold: str, answer: str) -> None:
    assert agrees(gold, answer)


@pytest.mark.parametrize(("gold", "answer"), DIFFERENT)
def test_qualifiers_that_differ(gold: str, answer: str) -> None:
    assert not agrees(gold, answer)


GROUPS = [
    ["at least {}", "{} or more", "no less than {}", r"\ge {}"],
    ["at most {}", "{} or less", "no more than {}", r"\le {}"],
    ["more than {}", "greater than {}", "> {}"],
    ["less than {}", "< {}"],
    ["{} increase", "an increase of {}"],
    ["{} decrease", "a decrease of {}"],
    ["{} east", "{} to the east"],
    ["{} west", "{} due west"],
    ["{} BC", "{} BCE"],
    ["{} (max)"],
    ["top {}"],
    ["{} if n is even", "{} when n is even"],
    ["{} if n is odd"],
    ["{}"],
]


@settings(deadline=None, max_examples=250, derandomize=True)
@given(st.data(), st.integers(1, 999), st.integers(0, 1))
def test_wordings_agree_within_a_qualifier_only(
    data: st.DataObject, number: int, more: int
) -> None:
    first, second = data.draw(st.sampled_from(GROUPS)), data.draw(st.sampled_from(GROUPS))
    gold = data.draw(st.sampled_from(first)).format(number)
    answer = data.draw(st.sampled_from(second)).format(number + more)
    assert agrees(gold, answer) == (first is second and not more)


WORDS = [
    "if",
    "for",
    "at least",
    "or more",
    "5",
    "n",
    "is",
    "even",
    "increase",
    "of",
    ",",
    "(",
    ")",
    "not",
]


@settings(deadline=None, max_examples=200, derandomize=True)
@given(st.lists(st.sampled_from(WORDS), max_size=14))
def test_any_order_of_words_is_read_or_left(words: list[str]) -> None:
    text = " ".join(words)
    value = read_answer(text)
    if "not" in words or "if" in words or "at least" in words:
        assert not one_answer(read_answer("5"), value) or isinstance(value, Unread)


def test_long_texts_are_not_read_word_by_word() -> None:
    for text in ("5 if " * 900, "at least " * 500, "(" * 4000, "5 km " * 800, "a and " * 700):
        assert not agrees("5", text)
