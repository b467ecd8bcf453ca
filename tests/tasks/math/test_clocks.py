"""Times of day and dates."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlvr_fast.tasks.schemes.math.reading import one_answer, read_answer


def agrees(gold: str, answer: str) -> bool:
    return one_answer(read_answer(gold), read_answer(answer))


EQUAL = [
    (r"4:30 \text{ p.m.}", "4:30 p.m."),
    (r"4:30 \text{ p.m.}", "4:30 PM"),
    ("4:30 pm", "4:30PM"),
    (r"4:30 \text{ p.m.}", "16:30"),
    ("16:30", "4:30 p.m."),
    ("4:30", "4:30 p.m."),
    ("4:30 a.m.", "4:30"),
    ("12:00", "12:00 noon"),
    ("noon", "12:00 p.m."),
    ("midnight", "12:00 a.m."),
    ("12:15 AM", "0:15"),
    ("12:15 PM", "12:15"),
    ("5 p.m.", "5:00 PM"),
    ("5", "5 p.m."),
    ("5 pm", "17:00"),
    ("7 a.m.", "7:00"),
    ("4.30 pm", "4:30 pm"),
    ("04:30", "4:30"),
    ("5 o'clock", "5:00"),
    ("five o'clock", "5:00"),
    ("4:30 in the afternoon", "16:30"),
    ("2:30:15", "2:30:15"),
    ("noon", "12:00"),
    ("10 at night", "22:00"),
    ("2020-01-02", "January 2, 2020"),
    ("May 5, 2020", "5 May 2020"),
    ("May 5, 2020", "2020-05-05"),
    ("May 5th", "May 5"),
    ("the 5th of May", "May 5"),
    ("May 5", "May 5, 2020"),
    ("Sept. 3", "September 3"),
    ("Sunday, May 5, 2020", "May 5, 2020"),
    ("May 2020", "May, 2020"),
    ("01/02/2020", "01/02/2020"),
    ("2020/01/02", "2020-01-02"),
    ("Dec 25", "December 25th"),
]
DIFFERENT = [
    ("4:30", "16:30"),
    ("16:30", "4:30"),
    (r"4:30 \text{ p.m.}", r"4:30 \text{ a.m.}"),
    (r"4:30 \text{ p.m.}", "4:03"),
    ("7 a.m.", "7 p.m."),
    ("12:15 PM", "12:15 AM"),
    ("5 pm", "5 am"),
    ("noon", "midnight"),
    ("10:30", "30:10"),
    ("7:05", "7:50"),
    ("4:30", "4:31"),
    ("11:59", "12:00"),
    ("4:30 p.m.", "4.3"),
    ("4:30 p.m.", "2.15"),
    ("5:00", "6"),
    ("2020-01-02", "2020-02-01"),
    ("2020-01-02", "2017"),
    ("May 5, 2020", "May 5, 2021"),
    ("May 5", "May 6"),
    ("May 5", "June 5"),
    ("May 5, 2020", "May 5"),
    ("01/02/2020", "02/01/2020"),
    ("01/02/2020", "2020-01-02"),
    ("5", "May 5"),
    ("4:30 p.m.", "16:30 a.m."),
    ("2:30:15", "2:30:16"),
    ("5 p.m.", "17"),
    ("12", "12:30"),
]


@pytest.mark.parametrize(("gold", "answer"), EQUAL)
def test_one_time_or_date(gold: str, answer: str) -> None:
    assert agrees(gold, answer)


@pytest.mark.parametrize(("gold", "answer"), DIFFERENT)
def test_two_times_or_dates(gold: str, answer: str) -> None:
    assert not agrees(gold, answer)


@settings(deadline=None, max_examples=100, derandomize=True)
@given(st.integers(0, 1439), st.integers(0, 1439))
def test_clocks_by_value(first: int, second: int) -> None:
    def twelve(minutes: int) -> str:
        hour, minute = divmod(minutes, 60)
        return f"{hour % 12 or 12}:{minute:02d} {'p.m.' if hour >= 12 else 'a.m.'}"

    def four(minutes: int) -> str:
        return f"{minutes // 60:02d}:{minutes % 60:02d}"

    assert agrees(twelve(first), twelve(second)) == (first == second)
    definite = second >= 13 * 60 or second < 60
    same = first == second or (not definite and first % 720 == second % 720)
    assert agrees(twelve(first), four(second)) == same
    assert agrees(four(second), twelve(first)) == same
