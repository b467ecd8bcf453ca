"""How sure the numbers of one group are: intervals, nulls, tests and bounds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rlvr_fast.metrics import (
    CurveInterval,
    ExchangeNull,
    FisherTests,
    NullShift,
    ShiftBounds,
    SupportInterval,
    SupportShift,
    exchange_null,
    fisher_tests,
    pass_at_k_difference,
    pass_at_k_interval,
    sign_test,
    split_half_null,
    support_interval,
    support_shift_bounds,
)
from rlvr_fast.report.sides import IntArray, Side

__all__ = ["GroupEvidence", "gather_evidence", "luck_sentences"]

LEVEL = 0.95
FDR = 0.05


@dataclass(frozen=True, slots=True)
class GroupEvidence:
    """The evidence on one group of problems, for the rule "seen" where a rule matters.

    ``interval``: shares and ratios for the population that the problems stand for; None where no
    problem was drawn by both models. ``exchange``: what relabelling the draws of both models
    shows. ``split_half``: what two halves of the base model's own draws show. ``better`` and
    ``worse``: problems whose accuracy changed, Fisher's test at a false-discovery rate of `FDR`
    over all problems of the comparison. ``bounds``: over every outcome of the draws without a
    verdict.
    """

    interval: SupportInterval | None
    exchange: ExchangeNull
    split_half: NullShift
    sign_p: float
    better: int
    worse: int
    bounds: ShiftBounds
    base_curve: CurveInterval
    rl_curve: CurveInterval
    difference: CurveInterval


def problem_tests(base: Side, rl: Side) -> FisherTests:
    """Fisher's test on every problem, with false-discovery control over all of them."""
    return fisher_tests(base.num_correct, base.num_samples, rl.num_correct, rl.num_samples, fdr=FDR)


def gather_evidence(
    base: Side,
    rl: Side,
    rows: IntArray,
    shift: SupportShift,
    tests: FisherTests,
    ks: list[int],
) -> GroupEvidence:
    """The evidence on the problems `rows`; `shift` is theirs under the rule "seen"."""
    bn, bc, rn, rc = (
        a[rows] for a in (base.num_samples, base.num_correct, rl.num_samples, rl.num_correct)
    )
    drawn = bool(np.any((bn > 0) & (rn > 0)))
    found = tests.discovery[rows]
    direction = tests.direction[rows]
    at = ks or [1]
    return GroupEvidence(
        interval=support_interval(bc, bn, rc, rn, level=LEVEL) if drawn else None,
        exchange=exchange_null(bc, bn, rc, rn),
        split_half=split_half_null(bn, bc),
        sign_p=sign_test(shift.expanded, shift.shrunk),
        better=int(np.count_nonzero(found & (direction > 0))),
        worse=int(np.count_nonzero(found & (direction < 0))),
        bounds=support_shift_bounds(
            bc, base.num_undecided[rows], bn, rc, rl.num_undecided[rows], rn
        ),
        base_curve=pass_at_k_interval(bn, bc, at, level=LEVEL),
        rl_curve=pass_at_k_interval(rn, rc, at, level=LEVEL),
        difference=pass_at_k_difference(bn, bc, rn, rc, at, level=LEVEL),
    )


def p_text(p: float) -> str:
    """A p-value as it stands in a sentence."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def luck_sentences(shift: SupportShift, evidence: GroupEvidence) -> list[str]:
    """In plain words: how much of the shift the luck of the draw would show by itself."""
    null = evidence.exchange
    out = [
        "Had nothing changed at all, the luck of the draw would still show about "
        f"{null.shrunk:.1f} lost and {null.expanded:.1f} found."
    ]
    parts = []
    for count, noun, p in (
        (shift.shrunk, "lost", null.p_shrunk),
        (shift.expanded, "found", null.p_expanded),
    ):
        if count:
            verb = "are" if count != 1 else "is"
            judged = "more than luck explains" if p < 0.05 else "no more than luck explains"
            parts.append(f"the {count} {noun} {verb} {judged} ({p_text(p)})")
    if parts:
        text = ", and ".join(parts)
        out.append(text[0].upper() + text[1:] + ".")
    return out
