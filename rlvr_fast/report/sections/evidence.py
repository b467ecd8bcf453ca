"""Evidence of the shift: intervals, nulls, tests and bounds of each group."""

from __future__ import annotations

import math
from typing import Any

from rlvr_fast.metrics import ReachedAtLeast
from rlvr_fast.report.columns import GROUP, RATIOS, group_cells
from rlvr_fast.report.comparison import Comparison, Group
from rlvr_fast.report.evidence import TESTS, Evidence, GroupEvidence, gather
from rlvr_fast.report.section import Context, Findings, Section
from rlvr_fast.report.sentences import (
    DEPENDENT,
    luck_sentences,
    proven_sentences,
    share_sentences,
    verifier_sentence,
)
from rlvr_fast.report.table import Column, Kind, Table
from rlvr_fast.vocabulary import REGION_KEYS

__all__ = ["SECTION"]

_SHARES = {"preserved": "kept", "shrunk": "lost", "expanded": "found", "out": "reached by neither"}
# Columns of the file that the page's table leaves out.
_HIDDEN = (
    "kind",
    "p_tilt_shrunk",
    "p_tilt_expanded",
    "p_sign",
    "shrunk_by_tilt",
    "p_tilt_shrunk_adjusted",
    "shrunk_by_luck_at_depth",
    "expanded_by_luck_at_depth",
    *(
        f"{ratio}_{end}"
        for ratio in RATIOS
        for end in ("low", "high", "tasks_low", "tasks_high", "least", "most")
    ),
    *(f"{region}_share{end}" for region in REGION_KEYS for end in ("", "_low", "_high")),
    *(f"{region}_tasks{end}" for region in REGION_KEYS for end in ("_low", "_high")),
)


def _measure(context: Context) -> Findings[Evidence]:
    comparison = context.comparison
    found = gather(comparison)
    table = _table(comparison, found)
    reached = _reached_table(comparison, found.reached)
    overall = comparison.groups[0], found.groups[0]
    # Under the rule "epsilon" each label is decided by itself.
    said = (
        [
            *share_sentences(comparison, *overall),
            *luck_sentences(comparison, *overall),
            *proven_sentences(comparison, *overall),
        ]
        if comparison.rule == "seen"
        else []
    )
    return Findings(
        measured=found,
        tables=(table, reached),
        headline="\n".join(said),
        summary={"evidence": table.rows[0], "reached_at_least": reached.rows},
        view=lambda: {
            "table": table,
            "hidden": _HIDDEN,
            "reached": reached,
            "verifier": verifier_sentence(comparison, found.groups[0]),
            "refused": "" if found.independent else DEPENDENT,
        },
    )


def _table(comparison: Comparison, found: Evidence) -> Table:
    """How much of each group's shift is more than luck (rule "seen", problem level)."""
    counted = "" if comparison.equal_depth else ", counted with all draws of both models"
    return Table(
        "evidence",
        "Problem level: how much of the shift is more than luck (reached = at least one correct "
        f"draw{counted}). Adjusted p: a claim holds at 0.05 or less; all claims of the page "
        "together have a false alarm rate of at most 5 %.",
        _columns(),
        [_row(comparison, *each) for each in zip(comparison.groups, found.groups, strict=True)],
    )


def _row(comparison: Comparison, group: Group, e: GroupEvidence) -> dict[str, Any]:
    shift = comparison.group_shift(group, "seen")
    row: dict[str, Any] = {**group_cells(group), "shrunk": shift.shrunk, "expanded": shift.expanded}
    for name in ("shrunk", "expanded"):
        row[f"{name}_by_luck"] = getattr(e.exchange, name, math.nan)
        row[f"{name}_by_luck_at_depth"] = getattr(e.exchange, f"{name}_at_depth", math.nan)
        row[f"{name}_by_tilt"] = getattr(e.tilt, name, math.nan)
    for test in TESTS:
        row[f"p_{test}"], row[f"p_{test}_adjusted"] = e.p[test], e.adjusted[test]
    row |= {
        "beta": getattr(e.tilt, "beta", math.nan),
        "split_half_shrunk": getattr(e.split_half, "shrunk", math.nan),
        "worse": e.worse,
        "better": e.better,
        "proven_lost": int(e.proven_lost.size) if e.exchange is not None else None,
        "proven_found": int(e.proven_found.size) if e.exchange is not None else None,
    }
    for name in _SHARES:
        estimate = getattr(e.interval, name, None)
        row[f"{name}_share"] = getattr(estimate, "value", None)
        row[f"{name}_share_low"] = getattr(estimate, "low", None)
        row[f"{name}_share_high"] = getattr(estimate, "high", None)
        for_tasks = getattr(e.new_tasks, name, None)
        row[f"{name}_tasks_low"] = getattr(for_tasks, "low", None)
        row[f"{name}_tasks_high"] = getattr(for_tasks, "high", None)
    for name in RATIOS:
        estimate = getattr(e.interval, name, None)
        row[f"{name}_low"] = getattr(estimate, "low", None)
        row[f"{name}_high"] = getattr(estimate, "high", None)
        for_tasks = getattr(e.new_tasks, name, None)
        row[f"{name}_tasks_low"] = getattr(for_tasks, "low", None)
        row[f"{name}_tasks_high"] = getattr(for_tasks, "high", None)
        row[f"{name}_least"], row[f"{name}_most"] = getattr(e.bounds, name)
    return row


def _columns() -> tuple[Column, ...]:
    columns: list[Column] = [*GROUP]
    for name, word in (("shrunk", "lost"), ("expanded", "found")):
        columns += [
            Column(name, word, "count", f"problems {word} under the rule “seen once”"),
            Column(f"{name}_by_luck", "by luck", "length", "expected if the two models were one"),
            Column(
                f"{name}_by_luck_at_depth",
                "by luck at the common depth",
                "length",
                "expected if the two models were one, each drawn as often as the less drawn one",
            ),
            Column(f"p_{name}", "p", "p", f"chance of at least as many {word}, were they one"),
            Column(f"p_{name}_adjusted", "adjusted p", "p", "adjusted for all claims of the page"),
            Column(
                f"{name}_by_tilt", "by tilt", "length", "expected of one common tilt of the base"
            ),
            Column(f"p_tilt_{name}", "p", "p", f"of at least as many {word} under one tilt"),
            Column(
                f"p_tilt_{name}_adjusted",
                "tilt, adjusted p",
                "p",
                f"at least as many {word} under one common tilt of the base",
            ),
        ]
    columns += [
        Column(
            "beta",
            "β",
            "decimal",
            "common tilt of this test: no problem weighs more than 4 correct draws",
        ),
        Column("p_sign", "E vs S, p", "p", "exact test: found against lost"),
        Column("p_sign_adjusted", "E vs S, adjusted p", "p", "exact test: found against lost"),
        Column(
            "split_half_shrunk",
            "base vs itself",
            "length",
            "problems lost, and as many found, between two halves of the base model’s draws",
        ),
        Column("proven_lost", "lost, proven", "count", "lost, accuracy fell: adjusted p ≤ 0.05"),
        Column("proven_found", "found, proven", "count", "found, accuracy rose: adjusted p ≤ 0.05"),
        Column("worse", "less often", "count", "Fisher’s test, 1 % false discoveries"),
        Column("better", "more often", "count", "Fisher’s test, 1 % false discoveries"),
    ]
    for name, title in _SHARES.items():
        columns += [
            Column(f"{name}_share", f"share {title}", "share", "of such problems, at common depth"),
            Column(f"{name}_share_low", "low", "share", "95 % interval, these tasks held fixed"),
            Column(f"{name}_share_high", "high", "share", "95 % interval, these tasks held fixed"),
            Column(f"{name}_tasks_low", "new tasks, low", "share", "95 % interval for new tasks"),
            Column(f"{name}_tasks_high", "new tasks, high", "share", "95 % interval for new tasks"),
        ]
    for name in RATIOS:
        columns += [
            Column(f"{name}_low", f"{name.upper()} low", "share", "95 % interval, tasks fixed"),
            Column(f"{name}_high", "high", "share", "95 % interval, these tasks held fixed"),
            Column(f"{name}_tasks_low", "new tasks, low", "share", "95 % interval for new tasks"),
            Column(f"{name}_tasks_high", "new tasks, high", "share", "95 % interval for new tasks"),
            Column(f"{name}_least", "least", "share", "if draws without verdict went one way"),
            Column(f"{name}_most", "most", "share", "or the other"),
        ]
    return tuple(columns)


def _reached_table(comparison: Comparison, found: tuple[ReachedAtLeast, ...]) -> Table:
    """The shift where reached means at least m correct draws."""
    kind: Kind = "count" if comparison.equal_depth else "length"
    depth = comparison.depth_text(comparison.groups[0])
    return Table(
        "reached_at_least",
        "Problem level: lost and found where reached = at least m correct draws, expected at "
        f"{depth}. The p-values are not adjusted and belong to all draws.",
        (
            Column("correct", "m", "count", "correct draws that reach a problem"),
            Column("shrunk", "lost", kind, "problems lost"),
            Column("shrunk_by_luck", "by luck", "length", "expected if the two models were one"),
            Column("p_shrunk", "p", "p", "chance of at least as many lost, were they one"),
            Column("expanded", "found", kind, "problems found"),
            Column("expanded_by_luck", "by luck", "length", "expected if the two models were one"),
            Column("p_expanded", "p", "p", "chance of at least as many found, were they one"),
        ),
        [
            {
                "correct": one.correct,
                "shrunk": one.shift.shrunk,
                "shrunk_by_luck": one.by_luck.shrunk,
                "p_shrunk": one.p_shrunk,
                "expanded": one.shift.expanded,
                "expanded_by_luck": one.by_luck.expanded,
                "p_expanded": one.p_expanded,
            }
            for one in found
        ],
    )


SECTION = Section("evidence", _measure)
