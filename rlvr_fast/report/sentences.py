"""The sentences of the headline: shares, what luck or a tilt explains, single problems.

A sentence names the problems and the number of draws that its numbers belong to. A claim, "more
than luck", is made only where the adjusted p-values of `claims` allow it.
"""

from __future__ import annotations

import math

from rlvr_fast.metrics import Estimate
from rlvr_fast.report.claims import PAGE_LEVEL, holds, p_text
from rlvr_fast.report.comparison import Comparison, Group
from rlvr_fast.report.evidence import Evidence, GroupEvidence
from rlvr_fast.report.facts import count_of, percent
from rlvr_fast.report.problems import IntArray
from rlvr_fast.report.untrusted import visible

__all__ = [
    "DEPENDENT",
    "all_draws_sentence",
    "count_text",
    "interval_text",
    "luck_sentences",
    "proven_sentences",
    "share_sentences",
    "verifier_sentence",
]

DEPENDENT = (
    "The draws are not independent, so no interval and no test is given: both would count repeated "
    "draws as evidence."
)
# Problems that a sentence names one by one.
_NAMED = 3


def count_text(number: float) -> str:
    """A whole number as it is, an expected one with one decimal."""
    return f"{number:,}" if isinstance(number, int) else f"{number:,.1f}"


def interval_text(estimate: Estimate) -> str:
    """A share with its interval, "52 % (37 to 67 %)"; alone where the limits coincide."""
    value, low, high = (percent(x) for x in (estimate.value, estimate.low, estimate.high))
    if low == high:
        return value
    return f"{value} ({_range(low, high)})"


def _range(low: str, high: str) -> str:
    return f"{low.removesuffix(' %') if high.endswith(' %') else low} to {high}"


def all_draws_sentence(comparison: Comparison, group: Group) -> str:
    """The labels counted with all draws, where the numbers of draws differ; else ""."""
    if comparison.equal_depth:
        return ""
    shift = comparison.group_shift(group, "seen")
    return (
        f"Counted with all draws ({comparison.all_draws_text(group)}): kept {shift.preserved}, "
        f"lost {shift.shrunk}, found {shift.expanded} and {shift.out} by neither; these counts "
        "favour the model with more draws."
    )


def share_sentences(comparison: Comparison, group: Group, found: GroupEvidence) -> list[str]:
    """Shares of problems kept, lost and found with intervals; none without an interval."""
    interval = found.interval
    if interval is None:
        return []
    kept, lost, gained = (
        interval_text(e) for e in (interval.preserved, interval.shrunk, interval.expanded)
    )
    of_task = group.kind == "task" or len(set(comparison.problems.tasks)) == 1
    held = "this task" if of_task else "these tasks held fixed"
    out = [
        f"Of all problems of which these are a sample, {held}, at {comparison.depth_text(group)}: "
        f"RLVR keeps {kept}, loses {lost} and finds {gained}; {percent(interval.level)} intervals "
        "in brackets."
    ]
    if found.new_tasks is not None:
        kept, lost, gained = (
            _range(percent(e.low), percent(e.high))
            for e in (found.new_tasks.preserved, found.new_tasks.shrunk, found.new_tasks.expanded)
        )
        out.append(
            f"For new tasks, of which these are a sample, the intervals are {kept} kept, {lost} "
            f"lost and {gained} found."
        )
    return out


def luck_sentences(comparison: Comparison, group: Group, found: GroupEvidence) -> list[str]:
    """What equal models, or one common tilt of the base, would show, and what is more than that."""
    null, tilt = found.exchange, found.tilt
    if null is None or tilt is None:
        return [] if comparison.independent else [DEPENDENT]
    equal = comparison.equal_depth
    lost, gained = (
        (null.shrunk, null.expanded) if equal else (null.shrunk_at_depth, null.expanded_at_depth)
    )
    at = "" if equal else f" at {comparison.depth_text(group)}"
    out = [
        "If the two models were one, the draws alone would show about "
        f"{lost:.1f} lost and {gained:.1f} found{at}."
    ]
    if math.isfinite(tilt.beta):
        out.append(
            f"One common tilt of the base, β = {round(tilt.beta, 2) + 0.0:.2f}".replace("-", "−")
            + f", would by itself show about {tilt.shrunk:.1f} lost and {tilt.expanded:.1f} found"
            + ("." if equal else " with all draws.")
        )
    shift = comparison.group_shift(group, "seen")
    counted = "" if equal else " with all draws"
    out += [
        _judgement(count, noun, counted, p, by_tilt)
        for count, noun, p, by_tilt in (
            (shift.shrunk, "lost", found.adjusted["shrunk"], found.adjusted["tilt_shrunk"]),
            (shift.expanded, "found", found.adjusted["expanded"], found.adjusted["tilt_expanded"]),
        )
        if count
    ]
    return out


def _judgement(count: int, noun: str, counted: str, p: float, by_tilt: float) -> str:
    number = f"The number {noun}{counted}, {count},"
    if not holds(p):
        return f"{number} is not shown to be more than the draws alone show ({p_text(p)})."
    if not holds(by_tilt):
        return (
            f"{number} is larger than two equal models show ({p_text(p)}), but not shown to be "
            f"larger than one common tilt of the base shows ({p_text(by_tilt)})."
        )
    return (
        f"{number} is more than luck: larger than two equal models show ({p_text(p)}), and than "
        f"one common tilt of the base shows ({p_text(by_tilt)})."
    )


def proven_sentences(comparison: Comparison, group: Group, found: GroupEvidence) -> list[str]:
    """Which of the lost, and of the found, problems are proven by their own draws."""
    if found.exchange is None:
        return []
    shift = comparison.group_shift(group, "seen")
    return [
        _proven(comparison, count, noun, rows)
        for count, noun, rows in (
            (shift.shrunk, "lost", found.proven_lost),
            (shift.expanded, "found", found.proven_found),
        )
        if count
    ]


def _proven(comparison: Comparison, count: int, noun: str, rows: IntArray) -> str:
    moved = "fell" if noun == "lost" else "rose"
    test = f"Fisher’s test of each problem, adjusted p ≤ {PAGE_LEVEL:g}"
    if not rows.size:
        if count == 1:
            return f"The accuracy of the {noun} problem is not proven to have moved ({test})."
        return f"None of the {count} {noun} is proven by itself ({test})."
    gap = comparison.base.accuracy[rows] - comparison.rl.accuracy[rows]
    first = rows[(-abs(gap)).argsort(kind="stable")][:_NAMED]
    named = ", ".join(
        f"{visible(comparison.problems.ids[row], 60)} ({_counts(comparison, int(row))})"
        for row in first
    )
    more = ", …" if rows.size > first.size else ""
    number = f"Of the {count_of(count, 'problem')} {noun}, {rows.size}"
    verb = "is" if rows.size == 1 else "are"
    return (
        f"{number} {verb} proven by {'its' if rows.size == 1 else 'their'} own draws to have "
        + (f"an accuracy that {moved} ({test}): {named}{more}.")
    )


def _counts(comparison: Comparison, row: int) -> str:
    base, rl = (
        f"{int(side.num_correct[row]):,} of {int(side.num_samples[row]):,}"
        for side in comparison.sides
    )
    return f"{base} → {rl}"


def verifier_sentence(comparison: Comparison, evidence: Evidence) -> str:
    """The rate of false positives of a verifier that alone would show the shift; "" for none."""
    rates = evidence.false_positives
    if rates is None:
        return ""
    shift = comparison.shifts["seen"]
    parts = [
        f"at {_rate(rate)} of {whose} wrong draws it would show {count} {noun}"
        for rate, whose, count, noun in (
            (rates.expanded, "RL’s", shift.expanded, "found"),
            (rates.shrunk, "the base’s", shift.shrunk, "lost"),
        )
        if math.isfinite(rate)
    ]
    if not parts:
        return ""
    return (
        "A verifier that accepts wrong answers shows found and lost problems by itself: "
        f"{', and '.join(parts)}, counted with all draws."
    )


def _rate(rate: float) -> str:
    return f"{100 * rate:.2g} %"
