"""Evidence of the shift: intervals, nulls, tests and bounds of each group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rlvr_fast.metrics import (
    ExchangeNull,
    FisherTests,
    NullShift,
    ShiftBounds,
    SupportInterval,
    SupportShift,
    accessibility,
    accessibility_bounds,
    exchange_null,
    fisher_tests,
    sign_test,
    split_half_null,
    support_interval,
    support_shift_bounds,
)
from rlvr_fast.report.columns import FDR, GROUP, LEVEL, RATIOS, group_cells
from rlvr_fast.report.comparison import Comparison, Group
from rlvr_fast.report.section import Context, Findings, Section
from rlvr_fast.report.table import Column, Table
from rlvr_fast.vocabulary import REGION_KEYS

__all__ = ["SECTION", "Evidence", "GroupEvidence", "luck_sentences", "share_sentence"]

_SHARES = {"preserved": "kept", "shrunk": "lost", "expanded": "found", "out": "reached by neither"}
# Columns of the file that the page's table leaves out.
_HIDDEN = (
    "kind",
    *(f"{ratio}_{end}" for ratio in RATIOS for end in ("low", "high", "least", "most")),
    *(f"{region}_share{end}" for region in REGION_KEYS for end in ("", "_low", "_high")),
)


@dataclass(frozen=True, slots=True)
class GroupEvidence:
    """The evidence on one group of problems, for the rule "seen" where a rule matters.

    Attributes:
        interval: shares and ratios for the population that the problems stand for; None where no
            problem was drawn by both models.
        exchange: what relabelling the draws of both models shows.
        split_half: what two halves of the base model's own draws show.
        sign_p: p of the sign test of found against lost problems.
        better: problems solved more often, Fisher's test at the false-discovery rate `FDR` over
            all problems of the comparison.
        worse: problems solved less often, likewise.
        bounds: over every outcome of the draws without a verdict.
        open_labels: over every way the labels that the rule "epsilon" leaves open could turn out.
    """

    interval: SupportInterval | None
    exchange: ExchangeNull
    split_half: NullShift
    sign_p: float
    better: int
    worse: int
    bounds: ShiftBounds
    open_labels: ShiftBounds


@dataclass(frozen=True, slots=True)
class Evidence:
    """Fisher's test on every problem, and the evidence on each group of the comparison."""

    tests: FisherTests
    groups: tuple[GroupEvidence, ...]


def _measure(context: Context) -> Findings[Evidence]:
    comparison = context.comparison
    tests = fisher_tests(comparison.base.draws, comparison.rl.draws, fdr=FDR)
    found = Evidence(tests, tuple(_of_group(comparison, g, tests) for g in comparison.groups))
    table = _table(comparison, found)
    return Findings(
        measured=found,
        tables=(table,),
        # Under the rule "epsilon" the labels themselves are proven.
        headline=share_sentence(found.groups[0].interval) if comparison.rule == "seen" else "",
        summary={"evidence": table.rows[0]},
        view=lambda: {"table": table, "hidden": _HIDDEN},
    )


def _of_group(comparison: Comparison, group: Group, tests: FisherTests) -> GroupEvidence:
    rows = group.members
    base, rl = (side.draws[rows] for side in comparison.sides)
    shift = comparison.group_shift(group, "seen")
    drawn = bool(np.any((base.num_samples > 0) & (rl.num_samples > 0)))
    found, direction = tests.discovery[rows], tests.direction[rows]
    states = [
        np.atleast_1d(
            accessibility(*draws, rule="epsilon", zeta=comparison.zeta, epsilon=comparison.epsilon)
        )
        for draws in (base, rl)
    ]
    return GroupEvidence(
        interval=support_interval(base, rl, level=LEVEL) if drawn else None,
        exchange=exchange_null(base, rl),
        split_half=split_half_null(*base),
        sign_p=sign_test(expanded=shift.expanded, shrunk=shift.shrunk),
        better=int(np.count_nonzero(found & (direction > 0))),
        worse=int(np.count_nonzero(found & (direction < 0))),
        bounds=support_shift_bounds(
            base,
            rl,
            base_undecided=comparison.base.num_undecided[rows],
            rl_undecided=comparison.rl.num_undecided[rows],
        ),
        open_labels=accessibility_bounds(*states),
    )


def _table(comparison: Comparison, found: Evidence) -> Table:
    """How much of each group's shift is more than luck (rule "seen", problem level)."""
    rows = []
    for group, e in zip(comparison.groups, found.groups, strict=True):
        shift = comparison.group_shift(group, "seen")
        row: dict[str, Any] = {
            **group_cells(group),
            "shrunk": shift.shrunk,
            "shrunk_by_luck": e.exchange.shrunk,
            "p_shrunk": e.exchange.p_shrunk,
            "expanded": shift.expanded,
            "expanded_by_luck": e.exchange.expanded,
            "p_expanded": e.exchange.p_expanded,
            "p_sign": e.sign_p,
            "split_half_shrunk": e.split_half.shrunk,
            "worse": e.worse,
            "better": e.better,
        }
        for name in _SHARES:
            estimate = getattr(e.interval, name) if e.interval is not None else None
            row[f"{name}_share"] = estimate.value if estimate else None
            row[f"{name}_share_low"] = estimate.low if estimate else None
            row[f"{name}_share_high"] = estimate.high if estimate else None
        for name in RATIOS:
            estimate = getattr(e.interval, name) if e.interval is not None else None
            row[f"{name}_low"] = estimate.low if estimate else None
            row[f"{name}_high"] = estimate.high if estimate else None
            row[f"{name}_least"], row[f"{name}_most"] = getattr(e.bounds, name)
        rows.append(row)
    columns = (
        *GROUP,
        Column("shrunk", "lost", "count", "problems lost under the rule “seen once”"),
        Column("shrunk_by_luck", "by luck", "length", "expected if the two models were one"),
        Column("p_shrunk", "p", "p", "chance of at least as many lost, were the models one"),
        Column("expanded", "found", "count", "problems found under the rule “seen once”"),
        Column("expanded_by_luck", "by luck", "length", "expected if the two models were one"),
        Column("p_expanded", "p", "p", "chance of at least as many found, were the models one"),
        Column("p_sign", "E vs S, p", "p", "exact sign test: found against lost"),
        Column(
            "split_half_shrunk",
            "base vs itself",
            "length",
            "problems lost, and as many found, between two halves of the base model’s draws",
        ),
        Column("worse", "less often", "count", "Fisher’s test, 5 % false discoveries"),
        Column("better", "more often", "count", "Fisher’s test, 5 % false discoveries"),
        *(
            column
            for name, title in _SHARES.items()
            for column in (
                Column(f"{name}_share", f"share {title}", "share", "of problems like these"),
                Column(f"{name}_share_low", "low", "share", "95 % interval"),
                Column(f"{name}_share_high", "high", "share", "95 % interval"),
            )
        ),
        *(
            column
            for name in RATIOS
            for column in (
                Column(f"{name}_low", f"{name.upper()} low", "share", "95 % interval"),
                Column(f"{name}_high", "high", "share", "95 % interval"),
                Column(f"{name}_least", "least", "share", "if draws without verdict went one way"),
                Column(f"{name}_most", "most", "share", "or the other"),
            )
        ),
    )
    return Table(
        "evidence",
        "Problem level: how much of the shift is more than luck (reached = at least one correct "
        "draw). Intervals are for the population of such problems.",
        columns,
        rows,
    )


def share_sentence(interval: SupportInterval | None) -> str:
    """Shares of problems kept, lost and found with intervals; "" where there is no interval."""
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


def luck_sentences(shift: SupportShift, evidence: GroupEvidence) -> list[str]:
    """The shift that chance alone would show, in plain words."""
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
            parts.append(f"the {count} {noun} {verb} {judged} ({_p_text(p)})")
    if parts:
        text = ", and ".join(parts)
        out.append(text[0].upper() + text[1:] + ".")
    return out


def _p_text(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


SECTION = Section("evidence", _measure)
