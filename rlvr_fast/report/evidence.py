"""What supports the shift of each group: intervals, nulls, tests, and their adjusted p-values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from scipy.stats import false_discovery_control

from rlvr_fast.metrics import (
    Draws,
    ExchangeNull,
    FalsePositives,
    FisherTests,
    NullShift,
    ReachedAtLeast,
    ShiftBounds,
    SupportInterval,
    TiltNull,
    accessibility,
    accessibility_bounds,
    discordance_test,
    exchange_null,
    false_positive_rate,
    fisher_tests,
    reached_at_least,
    split_half_null,
    support_interval,
    support_shift_bounds,
    tilt_null,
)
from rlvr_fast.report.claims import FDR, PAGE_LEVEL, adjusted
from rlvr_fast.report.columns import LEVEL
from rlvr_fast.report.comparison import Comparison, Group
from rlvr_fast.report.problems import FloatArray, IntArray, task_codes

__all__ = ["TESTS", "Evidence", "GroupEvidence", "Test", "gather"]

# The tests of one group: lost and found against equal models, against one common tilt of the base,
# and found against lost.
Test = Literal["shrunk", "expanded", "tilt_shrunk", "tilt_expanded", "sign"]
TESTS: tuple[Test, ...] = get_args(Test)


@dataclass(frozen=True, slots=True)
class GroupEvidence:
    """The evidence on one group of problems, for the rule "seen" where a rule matters.

    Where the draws are not independent, everything that rests on their number is absent: intervals
    and nulls are None, p-values nan, and no problem is proven.

    Attributes:
        interval: shares and ratios at the common depth, for other problems of the same tasks.
        new_tasks: the same where the tasks are a sample too; None for fewer than two tasks.
        exchange: what two equal models would show.
        tilt: what one common tilt of the base would show.
        false_positives: error rates of a verifier that alone would show the shift.
        split_half: what two halves of the base model's own draws show.
        p: p-value of each test, unadjusted: the larger of that with the draws without a verdict
            as not correct, and that without these draws.
        adjusted: the same, adjusted for all tests of the page (`claims.adjusted`).
        proven_lost: rows of the lost problems whose accuracy fell, by Fisher's test of each problem
            with its adjusted p-value.
        proven_found: rows of the found problems whose accuracy rose, likewise.
        better: problems solved more often, at the false discovery rate `FDR` over all problems of
            the comparison; None where the draws are not independent.
        worse: problems solved less often, likewise.
        bounds: over every outcome of the draws without a verdict.
        open_labels: over every way the labels that the rule "epsilon" leaves open could turn out.
    """

    interval: SupportInterval | None
    new_tasks: SupportInterval | None
    exchange: ExchangeNull | None
    tilt: TiltNull | None
    false_positives: FalsePositives | None
    split_half: NullShift | None
    p: Mapping[Test, float]
    adjusted: Mapping[Test, float]
    proven_lost: IntArray
    proven_found: IntArray
    better: int | None
    worse: int | None
    bounds: ShiftBounds
    open_labels: ShiftBounds


@dataclass(frozen=True, slots=True)
class Evidence:
    """The evidence on all problems, one by one, and on each group of the comparison.

    Attributes:
        independent: whether every draw counts by itself.
        tests: Fisher's test of each problem; nan where the draws are not independent.
        problem_p: its p-values adjusted for all tests of the page; nan likewise.
        groups: in the order of the comparison's groups.
        reached: the shift where reached means at least m correct draws; empty likewise.
    """

    independent: bool
    tests: FisherTests
    problem_p: FloatArray
    groups: tuple[GroupEvidence, ...]
    reached: tuple[ReachedAtLeast, ...]


def gather(comparison: Comparison) -> Evidence:
    """The evidence on a comparison; the tests of all groups are adjusted together."""
    base, rl = (side.draws for side in comparison.sides)
    independent = comparison.independent
    tests = _on_problems(comparison)
    if not independent:
        nothing = np.full(base.problems, np.nan)
        tests = FisherTests(nothing, nothing, np.zeros(base.problems, bool), tests.direction)
    problem_p = adjusted(tests.p_value, "problems")
    ways = _both_ways(comparison)
    undecided = np.sum([side.num_undecided for side in comparison.sides], axis=0)
    nulls = [
        # without undecided draws the two ways are one
        _nulls(ways if undecided[group.members].any() else ways[:1], group, independent)
        for group in comparison.groups
    ]
    raw = [p for _, _, p in nulls]
    by_group = [
        *_adjusted(raw[:1], "overall"),
        *_adjusted(raw[1:], "groups"),
    ]
    states = [
        np.asarray(
            accessibility(*draws, rule="epsilon", zeta=comparison.zeta, epsilon=comparison.epsilon),
            np.int64,
        )
        for draws in (base, rl)
    ]
    tasks = task_codes(comparison.problems)
    groups = tuple(
        _of_group(comparison, group, tests, problem_p, states, tasks, null, tilt, p, q)
        for group, (null, tilt, p), q in zip(comparison.groups, nulls, by_group, strict=True)
    )
    return Evidence(
        independent=independent,
        tests=tests,
        problem_p=problem_p,
        groups=groups,
        reached=tuple(reached_at_least(base, rl)) if independent else (),
    )


def _both_ways(comparison: Comparison) -> list[tuple[Draws, Draws]]:
    """The counts that a claim has to hold for.

    A draw without a verdict counts as not correct. Where one model has more of them than the other
    (its completions are longer, its rewards are missing), that alone is a difference of accuracy,
    so that a claim has to hold without these draws too.
    """
    counts = [(comparison.base.draws, comparison.rl.draws)]
    if any(side.num_undecided.any() for side in comparison.sides):
        counts.append((comparison.base.decided, comparison.rl.decided))
    return counts


def _on_problems(comparison: Comparison) -> FisherTests:
    """Fisher's test of each problem: of both ways to count, the one with the larger p-value."""
    first, *others = (fisher_tests(*both, fdr=FDR) for both in _both_ways(comparison))
    if not others:
        return first
    (second,) = others
    p = np.maximum(first.p_value, second.p_value)
    p = np.where(first.direction * second.direction < 0, 1.0, p)
    q = np.asarray(false_discovery_control(p), dtype=np.float64) if p.size else p
    return FisherTests(p, q, q <= FDR, first.direction)


def _drawn(base: Draws, rl: Draws) -> bool:
    return bool(np.any((base.num_samples > 0) & (rl.num_samples > 0)))


def _nulls(
    counts: list[tuple[Draws, Draws]], group: Group, independent: bool
) -> tuple[ExchangeNull | None, TiltNull | None, dict[Test, float]]:
    ways = [(base[group.members], rl[group.members]) for base, rl in counts]
    if not (independent and _drawn(*ways[0])):
        return None, None, dict.fromkeys(TESTS, math.nan)
    nulls = [(exchange_null(*way), tilt_null(*way)) for way in ways]
    p = {
        "shrunk": [null.p_shrunk for null, _ in nulls],
        "expanded": [null.p_expanded for null, _ in nulls],
        "tilt_shrunk": [tilt.p_shrunk for _, tilt in nulls],
        "tilt_expanded": [tilt.p_expanded for _, tilt in nulls],
        "sign": [discordance_test(*way) for way in ways],
    }
    return *nulls[0], {test: float(np.max(p[test])) for test in TESTS}


def _adjusted(
    groups: list[dict[Test, float]], family: Literal["overall", "groups"]
) -> list[dict[Test, float]]:
    table = np.array([[p[test] for test in TESTS] for p in groups]).reshape(len(groups), len(TESTS))
    return [
        {test: float(p) for test, p in zip(TESTS, row, strict=True)}
        for row in adjusted(table, family)
    ]


def _of_group(
    comparison: Comparison,
    group: Group,
    tests: FisherTests,
    problem_p: FloatArray,
    states: list[IntArray],
    task: IntArray,
    null: ExchangeNull | None,
    tilt: TiltNull | None,
    p: Mapping[Test, float],
    q: Mapping[Test, float],
) -> GroupEvidence:
    rows = group.members
    base, rl = (side.draws[rows] for side in comparison.sides)
    known = null is not None
    tasks = np.unique(task[rows], return_inverse=True)[1]
    several = bool(tasks.size) and int(tasks.max()) > 0
    found, direction = tests.discovery[rows], tests.direction[rows]
    labels = comparison.label_array("seen")[rows]
    shown = problem_p[rows] <= PAGE_LEVEL
    return GroupEvidence(
        interval=support_interval(base, rl, level=LEVEL) if known else None,
        new_tasks=(
            support_interval(base, rl, groups=tasks, level=LEVEL) if known and several else None
        ),
        exchange=null,
        tilt=tilt,
        false_positives=false_positive_rate(base, rl) if known else None,
        split_half=split_half_null(*base) if known else None,
        p=p,
        adjusted=q,
        proven_lost=rows[(labels == "shrunk") & shown & (direction < 0)],
        proven_found=rows[(labels == "expanded") & shown & (direction > 0)],
        better=int(np.count_nonzero(found & (direction > 0))) if known else None,
        worse=int(np.count_nonzero(found & (direction < 0))) if known else None,
        bounds=support_shift_bounds(
            base,
            rl,
            base_undecided=comparison.base.num_undecided[rows],
            rl_undecided=comparison.rl.num_undecided[rows],
        ),
        open_labels=accessibility_bounds(*(state[rows] for state in states)),
    )
