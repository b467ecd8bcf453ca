"""Draws without a verdict on the answer, and the bounds on the numbers that follow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rlvr_fast.metrics import ShiftBounds
from rlvr_fast.report.columns import GROUP, group_cells, known_mean, ratio
from rlvr_fast.report.comparison import Comparison
from rlvr_fast.report.problems import IntArray
from rlvr_fast.report.section import Context, Findings, Section
from rlvr_fast.report.sections.evidence import SECTION as EVIDENCE
from rlvr_fast.report.sides import Side
from rlvr_fast.report.table import Column, Kind, Table, cell_text

__all__ = ["SECTION"]

_BOUNDED: tuple[tuple[str, str, Kind], ...] = (
    ("shrunk", "lost", "count"),
    ("expanded", "found", "count"),
    ("srr", "SRR", "share"),
    ("ndr", "NDR", "share"),
    ("sds", "SDS", "share"),
    ("nscr", "NSCR", "signed"),
)


def _measure(context: Context) -> Findings[None]:
    comparison = context.comparison
    failures = _failure_table(comparison)
    bounds = _bounds_table(comparison, [e.bounds for e in context.measured(EVIDENCE).groups])
    return Findings(
        measured=None,
        tables=(failures, bounds),
        summary={"failures": [row for row in failures.rows if row["kind"] == "overall"]},
        view=lambda: {
            "failures": failures,
            "failing": any(side.num_undecided.any() for side in comparison.sides),
            "imported": sum(side.imported_verdicts for side in comparison.sides),
            "bounds": _as_ranges(bounds),
        },
    )


def _failure_cells(side: Side, rows: IntArray) -> dict[str, float]:
    """Shares of all draws of some problems, and bounds on the mean accuracy of these problems.

    The lowest accuracy counts every timed-out, failed or unparsed draw as wrong, as pass@1 does,
    the highest as correct: the true accuracy lies between.
    """
    draws = side.num_samples[rows].sum()
    drawn = side.num_samples[rows] > 0
    n = side.num_samples[rows][drawn]
    c = side.num_correct[rows][drawn]
    undecided = side.num_undecided[rows][drawn]
    return {
        "unparsed": ratio(side.num_unparsed[rows].sum(), draws),
        "timeout": ratio(side.num_timeout[rows].sum(), draws),
        "error": ratio(side.num_error[rows].sum(), draws),
        "truncated": ratio(side.num_truncated[rows].sum(), side.num_ended[rows].sum()),
        "lowest": known_mean(c / np.maximum(n, 1)),
        "highest": known_mean((c + undecided) / np.maximum(n, 1)),
    }


def _failure_table(comparison: Comparison) -> Table:
    """Draws without a verdict, and the bounds they put on the accuracy."""
    rows = [
        {**group_cells(group), "model": side.name, **_failure_cells(side, group.members)}
        for group in comparison.groups
        for side in comparison.sides
    ]
    columns = (
        *GROUP,
        Column("model", "model"),
        Column("unparsed", "unparsed", "number", "no answer could be extracted"),
        Column("timeout", "time-out", "number", "the verifier ran out of time"),
        Column("error", "error", "number", "the verifier failed, or the file gives no verdict"),
        Column("truncated", "cut off", "number", "at the token limit; – where not recorded"),
        Column("lowest", "accuracy, if all wrong", "share"),
        Column("highest", "if all right", "share"),
    )
    return Table(
        "failures", "Share of draws without a verdict, and the bounds they leave.", columns, rows
    )


def _bounds_table(comparison: Comparison, bounds: Sequence[ShiftBounds]) -> Table:
    """Each group's shift over every way the draws without a verdict could have gone."""
    rows = [
        {
            **group_cells(group),
            **{
                f"{name}_{end}": value
                for name, _, _ in _BOUNDED
                for end, value in zip(("least", "most"), getattr(found, name), strict=True)
            },
        }
        for group, found in zip(comparison.groups, bounds, strict=True)
    ]
    columns = [*GROUP]
    for name, title, kind in _BOUNDED:
        columns += [Column(f"{name}_least", f"{title}, least", kind)]
        columns += [Column(f"{name}_most", "most", kind)]
    return Table(
        "bounds",
        "Problem level: the shift if every draw without a verdict had been right or wrong, "
        "whichever moves a number most (rule “seen once”).",
        tuple(columns),
        rows,
    )


def _as_ranges(table: Table) -> Table:
    """The bounds with one column a number, "least to most", as the page shows them."""
    columns = (*GROUP, *(Column(name, title, "range") for name, title, _ in _BOUNDED))
    rows: list[dict[str, Any]] = []
    for row in table.rows:
        cells = {column.key: row[column.key] for column in GROUP}
        for name, _, kind in _BOUNDED:
            least, most = (cell_text(row[f"{name}_{end}"], kind) for end in ("least", "most"))
            cells[name] = least if least == most else f"{least} to {most}"
        rows.append(cells)
    return Table(table.name, table.caption, columns, rows)


SECTION = Section("failures", _measure)
