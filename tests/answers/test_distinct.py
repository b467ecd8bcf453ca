"""Distinct answers: a class does not split on what the gold answer leaves open."""

from __future__ import annotations

import pyarrow as pa
import pytest

from rlvr_fast.answers.distinct import DistinctAnswers


def classes(golds: tuple[str, ...], answers: list[str], exact: bool = False) -> list[list[str]]:
    """The answers by their ids."""
    distinct = DistinctAnswers(["p"], [exact], [golds])
    ids = distinct.add(pa.array(["p"] * len(answers)), pa.array(answers, pa.large_string()))
    found: list[list[str]] = [[] for _ in range(len(distinct))]
    for number, answer in zip(ids.tolist(), answers, strict=True):
        found[number].append(answer)
    return found


@pytest.mark.parametrize(
    ("golds", "expected"),
    [
        (("5",), [["5", "x=5", "5 cm", "5 km", r"\$5"], ["6"]]),
        (("5 km",), [["5", "x=5", "5 km"], ["5 cm"], [r"\$5"], ["6"]]),
        (("x=5",), [["5", "x=5", "5 cm", "5 km", r"\$5"], ["6"]]),
        (("y=5",), [["5", "5 cm", "5 km", r"\$5"], ["x=5"], ["6"]]),
        (("5", "10/2"), [["5", "x=5", "5 cm", "5 km", r"\$5"], ["6"]]),
        (("5", "5 km"), [["5"], ["x=5"], ["5 cm"], ["5 km"], [r"\$5"], ["6"]]),
        (("5", "five"), [["5"], ["x=5"], ["5 cm"], ["5 km"], [r"\$5"], ["6"]]),
        ((), [["5"], ["x=5"], ["5 cm"], ["5 km"], [r"\$5"], ["6"]]),
    ],
)
def test_answers_that_differ_in_dressing_are_one(
    golds: tuple[str, ...], expected: list[list[str]]
) -> None:
    answers = ["5", "x=5", "5 cm", "5 km", r"\$5", "6"]
    assert sorted(classes(golds, answers)) == sorted(expected)


def test_texts_are_compared_as_they_are_where_the_verifier_does() -> None:
    assert classes(("5",), ["5", "x=5", "5"], exact=True) == [["5", "5"], ["x=5"]]


def test_the_order_of_a_list_counts_against_a_tuple() -> None:
    assert classes(("1,2",), ["1,2", "2,1"]) == [["1,2", "2,1"]]
    assert classes(("(1,2)",), ["1,2", "2,1"]) == [["1,2"], ["2,1"]]


def test_a_long_decimal_is_exact_where_the_gold_ends() -> None:
    assert classes(("1/2",), ["0.5", "0.5000000"]) == [["0.5", "0.5000000"]]
    assert classes(("1/3",), ["0.5", "0.5000000"]) == [["0.5"], ["0.5000000"]]
