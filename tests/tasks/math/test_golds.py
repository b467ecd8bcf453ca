"""Every gold of published benchmarks equals itself under dressings and no answer near it."""

from __future__ import annotations

import functools
import random
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable

import pytest
from gold_texts import dressings, perturbations
from grading_cases import SHARED

from rlvr_fast.answers import verify_answers
from rlvr_fast.tasks import load_task
from rlvr_fast.tasks.schemes.math.reading import one_answer, read_answer
from rlvr_fast.tasks.schemes.math.values import Unread

BENCHMARKS = SHARED / "benchmarks"
needs_benchmarks = pytest.mark.skipif(
    not BENCHMARKS.is_dir(), reason=f"no benchmarks at {BENCHMARKS} (set RLVR_SHARED)"
)
SAMPLE = 60

# Texts that a rule of `gold_texts` makes wrongly: (gold, text) -> why they are (or are not) equal.
EQUAL_ALL_THE_SAME: dict[tuple[str, str], str] = {
    (r"$\lfloor\sqrt{n-1}\rfloor$", r"\lfloor\sqrt{n-0.999999}\rfloor"): (
        "n is an integer: no square lies between n - 1 and n - 0.999999, but perhaps n - 1"
    ),
    (r"$\lfloor\frac{2 n-1}{5}\rfloor$", r"\lfloor\frac{2 n-0.999999}{5}\rfloor"): (
        "n is an integer: of 2n - 1 to 2n - 0.999999, only 2n - 1 may be a multiple of 5"
    ),
}
# The gold whose k is any integer, and what changes nothing there: -k, and whole turns more.
PERIODIC = r"$x=\frac{1}{6} \pi+\pi k,"
OF_ONE_PERIOD = ("sign changed", "number ten times", "digit changed")
DIFFERENT_ALL_THE_SAME: dict[tuple[str, str], str] = {}

# Golds that say nothing: a stray letter before an interval.
MISPRINTED = {"$t(0,4]$"}

Gold = tuple[str, bool]
Equal = Callable[[str, str], bool]


@functools.cache
def golds() -> tuple[Gold, ...]:
    """The distinct golds, and of each whether it is a list of answers that are all asked for."""
    found: dict[Gold, None] = {}
    for path in sorted(BENCHMARKS.glob("*.jsonl")):
        options = "?answer=solution" if path.stem == "minerva_math" else ""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            problems = load_task(f"math:{path}{options}").problems()
        for problem in problems:
            found[str(problem.gold), "multiple_answers" in problem.metadata] = None
    return tuple(found)


def sample() -> list[Gold]:
    plain = [gold for gold in golds() if gold[0].isdecimal()]
    others = [gold for gold in golds() if not gold[0].isdecimal()]
    draw = random.Random(12)
    return draw.sample(plain, SAMPLE // 6) + draw.sample(others, SAMPLE)


def read_and_compared(gold: str, answer: str) -> bool:
    return one_answer(read_answer(gold), read_answer(answer))


def refused(chosen: Iterable[Gold], equal: Equal) -> list[tuple[str, str, str]]:
    return [
        (name, gold, text)
        for gold, unordered in chosen
        if gold not in MISPRINTED
        for name, text in dict.fromkeys(dressings(gold, unordered))
        if (gold, text) not in DIFFERENT_ALL_THE_SAME and not equal(gold, text)
    ]


def accepted(chosen: Iterable[Gold], equal: Equal) -> list[tuple[str, str, str]]:
    return [
        (name, gold, text)
        for gold, unordered in chosen
        for name, text in dict.fromkeys(perturbations(gold, unordered))
        if (gold, text) not in EQUAL_ALL_THE_SAME
        and not (gold.startswith(PERIODIC) and name in OF_ONE_PERIOD)
        and equal(gold, text)
    ]


def listed(failures: list[tuple[str, str, str]]) -> str:
    """The failures by rule, the most frequent rule first."""
    by_rule: dict[str, list[str]] = defaultdict(list)
    for name, gold, text in failures:
        by_rule[name].append(f"{gold!r} <- {text!r}")
    return "\n".join(
        f"## {name} ({len(lines)})\n    " + "\n    ".join(lines)
        for name, lines in sorted(by_rule.items(), key=lambda item: -len(item[1]))
    )


@needs_benchmarks
def test_a_sample_of_golds_equals_itself_under_dressings():
    failures = refused(sample(), read_and_compared)
    assert not failures, listed(failures)


@needs_benchmarks
def test_a_sample_of_golds_equals_no_answer_near_it():
    failures = accepted(sample(), read_and_compared)
    assert not failures, listed(failures)


@needs_benchmarks
@pytest.mark.slow
def test_every_gold_equals_itself_under_dressings():
    assert len(golds()) > 1200
    failures = refused(golds(), read_and_compared)
    assert not failures, listed(failures)


@needs_benchmarks
@pytest.mark.slow
def test_every_gold_equals_no_answer_near_it():
    failures = accepted(golds(), read_and_compared)
    assert not failures, listed(failures)


def by_the_public_path(rule, chosen: Iterable[Gold]) -> dict[tuple[str, str], str]:
    pairs = [
        (gold, text)
        for gold, unordered in chosen
        for _, text in dict.fromkeys(rule(gold, unordered))
    ]
    return dict(zip(pairs, verify_answers(*zip(*pairs, strict=True)), strict=True))


@needs_benchmarks
@pytest.mark.slow
def test_the_public_path_says_the_same_of_dressings():
    verdicts = by_the_public_path(dressings, golds())
    failures = refused(golds(), lambda gold, text: verdicts[gold, text] == "correct")
    assert not failures, listed(failures)


@needs_benchmarks
@pytest.mark.slow
def test_the_public_path_says_the_same_of_answers_near():
    verdicts = by_the_public_path(perturbations, golds())
    failures = accepted(golds(), lambda gold, text: verdicts[gold, text] == "correct")
    assert not failures, listed(failures)


@needs_benchmarks
def test_every_gold_is_read():
    unread = [gold for gold, _ in golds() if isinstance(read_answer(gold), Unread)]
    assert set(unread) <= MISPRINTED
