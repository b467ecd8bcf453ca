"""Problems that a uniform guesser would solve in as many draws."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.stats import false_discovery_control

from rlvr_fast.metrics import above_guessing, guessing_baseline
from rlvr_fast.metrics.distinct import by_distinct
from rlvr_fast.report.claims import FDR
from rlvr_fast.report.columns import GROUP, group_cells
from rlvr_fast.report.comparison import Comparison
from rlvr_fast.report.problems import FloatArray, IntArray
from rlvr_fast.report.section import Context, Findings, Section
from rlvr_fast.report.table import Column, Table

__all__ = ["SECTION"]


def _measure(context: Context) -> Findings[None]:
    table = _table(context.comparison)
    return Findings(
        measured=None,
        tables=(table,),
        summary={"guessing": [row for row in table.rows if row["kind"] == "overall"]},
        view=lambda: {"table": table},
    )


def _answer_space(metadata: dict[str, Any]) -> float:
    """The number of possible answers of a problem; nan where unknown."""
    value = metadata.get("answer_space")
    usable = isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 1
    return float(value) if usable and value is not None else math.nan


def _table(comparison: Comparison) -> Table:
    """Only problems whose number of possible answers is known.

    One row per group and model, none where no problem's metadata holds "answer_space".
    """
    columns = (
        *GROUP,
        Column("model", "model"),
        Column("problems", "problems", "count", "whose number of possible answers is known"),
        Column("samples", "samples", "count", "draws a problem (median)"),
        Column("guesser", "a guesser solves", "length", "expected with as many draws"),
        Column("solved", "the model solves", "count", "at least one correct draw"),
        Column("above", "beyond guessing", "count", "exact test, 1 % false discoveries"),
        Column("guesser_accuracy", "accuracy of a guesser", "share"),
        Column("accuracy", "of the model", "share"),
    )
    return Table(
        "guessing",
        "Problems that guessing uniformly among the possible answers would solve.",
        columns,
        _rows(comparison),
    )


def _solved_by_guessing(guess: FloatArray, n: IntArray) -> FloatArray:
    """The chance that a guesser is right at least once in the draws of each problem."""
    found = np.zeros(n.size)
    for draws in np.unique(n[n > 0]).tolist():
        rows = n == draws
        found[rows] = guessing_baseline(guess[rows], k=draws)
    return found


def _rows(comparison: Comparison) -> list[dict[str, Any]]:
    space = np.array([_answer_space(m) for m in comparison.problems.metadata])
    known = np.isfinite(space)
    if not known.any():
        return []
    guess = np.where(known, 1 / np.where(known, space, 1), 0.0)
    by_guessing, above = {}, {}
    for side in comparison.sides:
        n = side.num_samples
        by_guessing[side.name] = by_distinct(_solved_by_guessing, guess, n)
        p = above_guessing(n[known], side.num_correct[known], guess_probability=guess[known])
        found = np.zeros(n.size, bool)
        found[known] = false_discovery_control(p) <= FDR
        above[side.name] = found
    rows = []
    for group in comparison.groups:
        members = group.members[known[group.members]]
        for side in comparison.sides if members.size else ():
            rows.append(
                {
                    **group_cells(group),
                    "model": side.name,
                    "problems": int(members.size),
                    "samples": float(np.median(side.num_samples[members])),
                    "guesser": float(by_guessing[side.name][members].sum()),
                    "solved": int(np.count_nonzero(side.num_correct[members])),
                    "above": int(np.count_nonzero(above[side.name][members])),
                    "guesser_accuracy": float(guess[members].mean()),
                    "accuracy": float(np.nanmean(side.accuracy[members]))
                    if side.num_samples[members].any()
                    else math.nan,
                }
            )
    return rows


SECTION = Section("guessing", _measure)
