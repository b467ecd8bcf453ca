"""Distinct correct answers of two models beside those that identical models would show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rlvr_fast.metrics import (
    ExchangeNull,
    SupportInterval,
    SupportShift,
    exchange_null,
    fisher_tests,
    support_interval,
    support_shift,
)
from rlvr_fast.metrics.draws import Draws
from rlvr_fast.metrics.pass_at_k import log_all_miss
from rlvr_fast.report.claims import PAGE_LEVEL, SHARES, adjusted
from rlvr_fast.report.columns import LEVEL
from rlvr_fast.report.depth import DepthShift, depth_shift
from rlvr_fast.report.problems import BoolArray, FloatArray, IntArray

__all__ = ["AnswerEvidence", "answer_evidence"]


@dataclass(frozen=True, slots=True)
class AnswerEvidence:
    """The distinct correct answers of one group of problems, under the rule "seen".

    Attributes:
        shift: counts at the common depth of each problem, expected ones where depths differ.
        interval: ratios at that depth, for new problems; None where no answer was seen on a
            problem drawn by both models.
        null: what two identical models would show.
        p_shrunk: adjusted p-value of at least as many lost, were the models identical.
        p_expanded: adjusted p-value of at least as many found.
        lost_singly: number of lost answers whose own loss is a claim: Fisher's test on each answer.
        found_singly: number of found answers whose own gain is a claim.
    """

    shift: SupportShift | DepthShift
    interval: SupportInterval | None
    null: ExchangeNull
    p_shrunk: float
    p_expanded: float
    lost_singly: int
    found_singly: int


def answer_evidence(
    base: Draws,
    rl: Draws,
    *,
    decided: tuple[Draws, Draws] | None = None,
    problem: IntArray,
    masks: Sequence[BoolArray | IntArray],
    independent: bool,
) -> tuple[AnswerEvidence, ...]:
    """The evidence of each group of distinct correct answers, under the rule "seen".

    Args:
        base: draws of the base model on the answer's problem, and those that gave the answer.
        rl: likewise of the RL model.
        decided: both without the draws that have no verdict; a claim has to hold for these counts
            too. None: every draw has one.
        problem: the problem of each answer.
        masks: the answers of each group, everything first: a mask, or their rows, rising.
        independent: whether the draws are independent. Where they are not, no test is valid.
    """
    groups = [np.flatnonzero(one) if one.dtype == np.bool_ else one for one in masks]
    shifts = [support_shift(base[rows], rl[rows]) for rows in groups]
    nulls = [exchange_null(base[rows], rl[rows]) for rows in groups]
    ways = [(base, rl), *([decided] if decided else [])]
    without = [exchange_null(*(side[rows] for side in ways[-1])) for rows in groups]
    p = _tests(nulls, without, [rows.size for rows in groups], independent)
    gone, come = (np.zeros(base.problems, dtype=np.bool_),) * 2
    if independent:
        singly = [_singly(*way, groups[0]) for way in ways]
        gone, come = (np.logical_and.reduce(found) for found in zip(*singly, strict=True))
    found = []
    for rows, null, shift, (lost, gained) in zip(groups, nulls, shifts, p, strict=True):
        a, b = base[rows], rl[rows]
        drawn = (a.num_samples > 0) & (b.num_samples > 0)
        equal = np.array_equal(a.num_samples[drawn], b.num_samples[drawn])
        found.append(
            AnswerEvidence(
                shift=shift if equal else depth_shift(a, b),
                interval=support_interval(a, b, groups=problem[rows], level=LEVEL)
                if drawn.any()
                else None,
                null=null,
                p_shrunk=float(lost),
                p_expanded=float(gained),
                lost_singly=int(np.count_nonzero(gone[rows])),
                found_singly=int(np.count_nonzero(come[rows])),
            )
        )
    return tuple(found)


def _tests(
    nulls: list[ExchangeNull],
    without: list[ExchangeNull],
    sizes: list[int],
    independent: bool,
) -> FloatArray:
    """Adjusted p-values of the numbers lost and found, shape [groups, 2]; nan where not valid.

    Args:
        nulls: of all draws, for each group.
        without: of the draws with a verdict; of both, the larger p-value counts.
        sizes: number of answers of each group.
        independent: whether the draws are independent.
    """
    p = np.maximum(
        *(np.array([(null.p_shrunk, null.p_expanded) for null in way]) for way in (nulls, without))
    )
    if not independent:
        return np.full(p.shape, np.nan)
    # A group that holds every answer repeats the tests of the first group.
    repeats = np.array([size == sizes[0] for size in sizes])
    repeats[0] = False
    p[repeats] = np.nan
    # One half of the family's share is for these tests, the other half for those on each answer.
    p = np.minimum(2 * adjusted(p, "answers"), 1.0)
    p[repeats] = p[0]
    return p


def _singly(base: Draws, rl: Draws, known: IntArray) -> tuple[BoolArray, BoolArray]:
    """Answers lost, and found, whose own change is a claim: Fisher's test, adjusted for all tests.

    Tests are done where the pooled count is large enough for a small p-value. The pooled counts
    carry no information about a change, so that this choice leaves the error rates valid.
    """
    rows = known[(base.num_samples[known] > 0) & (rl.num_samples[known] > 0)]
    a, b = base[rows], rl[rows]
    pooled = a.num_samples + b.num_samples, a.num_correct + b.num_correct
    ends = [log_all_miss(*pooled, side.num_samples) for side in (a, b)]
    least = np.sort(np.exp(np.minimum(*ends)))
    share = SHARES["answers"] / 2
    # the largest number of tests, each of which could reject beside the others (Tarone 1990)
    able = least <= share / np.arange(1, least.size + 1)
    tests = int(np.flatnonzero(able)[-1]) + 1 if able.any() else 0
    claimed = np.zeros(base.problems, dtype=np.bool_)
    if tests:
        tested = rows[np.exp(np.minimum(*ends)) <= least[tests - 1]]
        p = fisher_tests(base[tested], rl[tested]).p_value
        claimed[tested] = 2 * adjusted(p, "answers") <= PAGE_LEVEL
    in_base, in_rl = base.num_correct > 0, rl.num_correct > 0
    return claimed & in_base & ~in_rl, claimed & ~in_base & in_rl
