"""How sure the numbers of one group are: intervals, nulls, tests and bounds."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from rlvr_fast.metrics import (
    Crossover,
    CurveInterval,
    ExchangeNull,
    FisherTests,
    NullShift,
    ShiftBounds,
    SupportInterval,
    SupportShift,
    accessibility,
    accessibility_bounds,
    crossover,
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

__all__ = [
    "GroupEvidence",
    "crossover_sentence",
    "gather_evidence",
    "luck_sentences",
    "share_sentence",
]

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
    verdict. ``open_labels``: over every way the labels could turn out that the rule "epsilon"
    leaves open. ``crossover``: where base's curve overtakes RL's; None for fewer than two samples.
    """

    interval: SupportInterval | None
    exchange: ExchangeNull
    split_half: NullShift
    sign_p: float
    better: int
    worse: int
    bounds: ShiftBounds
    open_labels: ShiftBounds
    base_curve: CurveInterval
    rl_curve: CurveInterval
    difference: CurveInterval
    crossover: Crossover | None


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
    depths: list[int],
    zeta: float,
) -> GroupEvidence:
    """The evidence on the problems `rows`; `shift` is theirs under the rule "seen".

    Curves are taken at `ks`; they cross, if they do, up to the last of `depths`.
    """
    bn, bc, rn, rc = (
        a[rows] for a in (base.num_samples, base.num_correct, rl.num_samples, rl.num_correct)
    )
    drawn = bool(np.any((bn > 0) & (rn > 0)))
    found = tests.discovery[rows]
    direction = tests.direction[rows]
    at, depth = ks or [1], depths[-1] if depths else 1
    # the threshold of `support_shift`: what both were sampled deeply enough to show
    epsilon = -math.log(zeta) / np.maximum(np.minimum(bn, rn), 1)
    states = [
        np.atleast_1d(accessibility(n, c, rule="epsilon", zeta=zeta, epsilon=epsilon))
        for n, c in ((bn, bc), (rn, rc))
    ]
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
        open_labels=accessibility_bounds(*states),
        base_curve=pass_at_k_interval(bn, bc, at, level=LEVEL),
        rl_curve=pass_at_k_interval(rn, rc, at, level=LEVEL),
        difference=pass_at_k_difference(bn, bc, rn, rc, at, level=LEVEL),
        crossover=crossover(bn, bc, rn, rc, max_k=depth, level=LEVEL)
        if depth > 1 and np.any(np.minimum(bn, rn) >= depth)
        else None,
    )


def share_sentence(interval: SupportInterval | None) -> str:
    """What RLVR does to problems like these, as shares with their intervals; "" without any."""
    if interval is None:
        return ""
    kept, lost, found = (
        f"{e.value:.0%} ({100 * e.low:.0f} to {e.high:.0%})"
        for e in (interval.preserved, interval.shrunk, interval.expanded)
    )
    return (
        f"Of problems like these, it keeps {kept}, loses {lost} and finds {found}; "
        f"{interval.level:.0%} intervals in brackets."
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


def _round(k: float | None) -> str:
    if k is None:
        return "–"
    return f"{k:,.0f}" if k >= 10 else f"{k:.2g}"


def crossover_sentence(found: Crossover | None) -> str:
    """Where the two curves cross, in plain words."""
    if found is None:
        return ""
    if found.verdict == "rl ahead":
        text = f"RL stays ahead up to k = {found.max_k:,}"
    elif found.verdict == "base ahead":
        text = "The base model is ahead at every k"
    elif found.verdict == "tied":
        text = f"The curves end level at k = {found.max_k:,}"
    else:
        low = "the first sample" if found.low <= 1 else _round(found.low)
        high = _round(found.high) if np.isfinite(found.high) else f"beyond {found.max_k:,}"
        return (
            f"The curves cross at k* ≈ {_round(found.k)} (95% interval: {low} to {high}): with "
            "fewer samples RL solves more problems, with more the base model does."
        )
    if found.share_crossing > 0:
        share = found.share_crossing
        text += f"; {share:.0%} of resampled problem sets show a crossing within the samples"
    return text + "."
