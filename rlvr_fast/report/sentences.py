"""The sentences of the headline: shares, what luck or a tilt explains, single problems.

A sentence names the problems and the number of draws that its numbers belong to. A claim, "more
than luck", is made only where the adjusted p-values of `claims` allow it.
"""

from __future__ import annotations

import math

from rlvr_fast.metrics import Estimate
from rlvr_fast.report.claims import PAGE_LEVEL, holds, p_text
from rlvr_fast.report.comparison import Comparison, Group
from rlvr_fast.report.evidence import GroupEvidence
from rlvr_fast.report.facts import percent
from rlvr_fast.report.problems import IntArray
from rlvr_fast.shown_text import visible

__all__ = [
    "DEPENDENT",
    "all_draws_sentence",
    "count_text",
    "expected_text",
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
# A verifier that accepts more of the wrong draws than this is no explanation worth a sentence.
_PLAUSIBLE = 0.05
# Problems that a sentence names one by one.
_NAMED = 3


def count_text(number: float) -> str:
    """A whole number as it is, an expected one with one decimal."""
    return f"{number:,}" if isinstance(number, int) else f"{number:,.1f}"


def expected_text(number: float) -> str:
    """An expected number that does not round to 0 unless it is: "about 1.2", "under 0.05"."""
    if number == 0:
        return "0"
    return f"about {number:,.1f}" if number >= 0.05 else "under 0.05"


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
    """Shares of problems kept, lost and found with intervals; none without an interval.

    The second sentence, on new tasks, is there where the group holds several tasks.
    """
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
        tasks = len({comparison.problems.tasks[row] for row in group.members})
        kept, lost, gained = (
            _range(percent(e.low), percent(e.high))
            for e in (found.new_tasks.preserved, found.new_tasks.shrunk, found.new_tasks.expanded)
        )
        out.append(
            f"For new tasks, of which these {tasks} are a sample, the intervals are {kept} kept, "
            f"{lost} lost and {gained} found."
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
        f"If the two models were one, the draws alone would show {expected_text(lost)} lost and "
        f"{expected_text(gained)} found{at}."
    ]
    if math.isfinite(tilt.beta):
        # Its beta bounds the weight of each problem, and is not that of the section on reweighting.
        out.append(
            "If RL were the base with one common change of its odds (a tilt), they would show "
            f"{expected_text(tilt.shrunk)} lost and {expected_text(tilt.expanded)} found"
            + ("." if equal else " with all draws.")
        )
    shift = comparison.group_shift(group, "seen")
    counted = "" if equal else " with all draws"
    rates = found.false_positives
    for count, noun, whose, p, by_tilt, rate in (
        (
            shift.shrunk,
            "lost",
            "the base’s",
            found.adjusted["shrunk"],
            found.adjusted["tilt_shrunk"],
            getattr(rates, "shrunk", math.nan),
        ),
        (
            shift.expanded,
            "found",
            "RL’s",
            found.adjusted["expanded"],
            found.adjusted["tilt_expanded"],
            getattr(rates, "expanded", math.nan),
        ),
    ):
        if count:
            out.append(_judgement(count, noun, counted, p, by_tilt))
            if holds(p) and rate <= _PLAUSIBLE:
                out.append(
                    f"A verifier that accepts {_rate(rate)} of {whose} wrong draws would by itself "
                    f"show as many {noun}."
                )
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
        f"{number} is more than luck: larger than two equal models show ({p_text(p)}), and "
        f"than one common tilt of the base shows ({p_text(by_tilt)})."
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
        return f"Of none of the {count:,} {noun} is it proven that its accuracy {moved} ({test})."
    gap = comparison.base.accuracy[rows] - comparison.rl.accuracy[rows]
    first = rows[(-abs(gap)).argsort(kind="stable")][:_NAMED]
    named = ", ".join(
        f"{visible(comparison.problems.ids[row], 60, lines=False)} "
        f"({_counts(comparison, int(row))})"
        for row in first
    )
    more = " and others" if rows.size > first.size else ""
    verb, whose = ("is", "its") if rows.size == 1 else ("are", "their")
    one = f"The problem {noun}"
    number = one if count == 1 else f"Of the {count:,} problems {noun}, {rows.size:,}"
    return (
        f"{number} {verb} proven by {whose} own draws to have an accuracy that {moved} ({test}): "
        f"{named}{more}."
    )


def _counts(comparison: Comparison, row: int) -> str:
    base, rl = (
        f"{int(side.num_correct[row]):,} of {int(side.num_samples[row]):,}"
        for side in comparison.sides
    )
    return f"{base} → {rl}"


def verifier_sentence(comparison: Comparison, found: GroupEvidence) -> str:
    """The false-positive rates of a verifier that alone would show the shift of all problems."""
    rates = found.false_positives
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
    return percent(rate) if rate >= 0.01 else f"{100 * rate:.2g} %"
