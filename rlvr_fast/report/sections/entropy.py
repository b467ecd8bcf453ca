"""Accuracy, length and entropies of both models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rlvr_fast.report.columns import GROUP, group_cells, known_mean, ratio
from rlvr_fast.report.comparison import Comparison, Group
from rlvr_fast.report.figures import COLOURS, most_groups, new_figure, plain_name
from rlvr_fast.report.problems import IntArray
from rlvr_fast.report.section import Context, Findings, Section
from rlvr_fast.report.sides import Side
from rlvr_fast.report.table import Column, Table

__all__ = ["SECTION", "EntropyRow", "entropy_row"]


@dataclass(frozen=True, slots=True)
class EntropyRow:
    """One model on one group of problems; nan where not measured.

    Attributes:
        token: mean token entropy over completions, nats.
        answer: mean answer entropy over problems, nats.
        answer_32: the same, as expected of 32 of the draws.
        accuracy: mean accuracy over problems.
        mean_length: mean length over completions, tokens.
        distinct_answers: mean number of distinct answers of a problem.
    """

    token: float
    answer: float
    answer_32: float
    accuracy: float
    mean_length: float
    distinct_answers: float


def entropy_row(side: Side, rows: IntArray) -> EntropyRow:
    """One model on the problems `rows`."""
    return EntropyRow(
        token=ratio(side.token_entropy_sum[rows].sum(), side.token_entropy_count[rows].sum()),
        answer=known_mean(side.answer_entropy[rows]),
        answer_32=known_mean(side.answer_entropy_32[rows]),
        accuracy=known_mean(side.accuracy[rows]),
        mean_length=ratio(side.length_sum[rows].sum(), side.length_count[rows].sum()),
        distinct_answers=known_mean(
            np.where(side.answers_known, side.num_distinct, np.nan)[rows].astype(np.float64)
        ),
    )


def _measure(context: Context) -> Findings[None]:
    comparison = context.comparison
    found = [
        {side.name: entropy_row(side, group.members) for side in comparison.sides}
        for group in comparison.groups
    ]
    table = _table(comparison, found)
    return Findings(
        measured=None,
        tables=(table,),
        summary={"entropy": {name: _cells(row) for name, row in found[0].items()}},
        figures={"entropies": lambda: _figure(comparison, context.page.groups, found)},
        view=lambda: {
            "table": table,
            "missing": [s for s in comparison.sides if not s.token_entropy_count.any()],
        },
    )


def _cells(row: EntropyRow) -> dict[str, float]:
    return {
        "token": row.token,
        "answer": row.answer,
        "answer_at_32": row.answer_32,
        "accuracy": row.accuracy,
        "mean_length": row.mean_length,
    }


def _table(comparison: Comparison, found: Sequence[dict[str, EntropyRow]]) -> Table:
    """Entropy, accuracy and length of both models, one row per group and model."""
    rows = [
        {
            **group_cells(group),
            "model": name,
            "accuracy": e.accuracy,
            "mean_length": e.mean_length,
            "token_entropy": e.token,
            "answer_entropy": e.answer,
            "answer_entropy_32": e.answer_32,
            "distinct_answers": e.distinct_answers,
        }
        for group, both in zip(comparison.groups, found, strict=True)
        for name, e in both.items()
    ]
    columns = (
        *GROUP,
        Column("model", "model"),
        Column("accuracy", "accuracy", "share", "share of correct draws, mean over problems"),
        Column("mean_length", "length", "length", "mean completion length in tokens"),
        Column("token_entropy", "token entropy", "share", "nats per position"),
        Column("answer_entropy", "answer entropy", "share", "nats, over distinct answers"),
        Column(
            "answer_entropy_32",
            "at 32 draws",
            "share",
            "answer entropy to expect of 32 of the draws, as in the published tables",
        ),
        Column("distinct_answers", "distinct answers", "length", "mean per problem"),
    )
    return Table("entropy", "Accuracy, response length and entropies.", columns, rows)


_PANELS = (
    ("accuracy", "accuracy"),
    ("mean_length", "length, tokens"),
    ("token", "token entropy, nats"),
    ("answer", "answer entropy, nats"),
)


def _figure(
    comparison: Comparison, chosen: Sequence[Group], found: Sequence[dict[str, EntropyRow]]
) -> Any:
    groups, note = most_groups(chosen, comparison.groups)
    figure = new_figure(8.0, 0.3 * len(groups) + 1.1)
    axes = figure.subplots(1, len(_PANELS), sharey=True)
    y = np.arange(len(groups))[::-1]
    for axis, (field, title) in zip(axes, _PANELS, strict=True):
        base, rl = (
            np.array([getattr(found[group.index][side.name], field) for group in groups])
            for side in comparison.sides
        )
        axis.set_title(title)
        axis.grid(axis="y", visible=False)
        if not (np.isfinite(base).any() or np.isfinite(rl).any()):
            axis.text(0.5, 0.5, "not scored", ha="center", va="center", transform=axis.transAxes)
            continue
        axis.hlines(y, base, rl, color="#c9ccd1", lw=2, zorder=1)
        axis.plot(base, y, "s", color=COLOURS["base"], ms=4.5, label="base")
        axis.plot(rl, y, "o", color=COLOURS["rl"], ms=4.5, label="RL")
        top = np.nanmax(np.concatenate([base, rl]))
        axis.set_xlim(0, 1.12 * top if top > 0 else 1)
    axes[0].set_yticks(y, [plain_name(g.name) for g in groups])
    axes[0].set_ylim(-0.6, len(groups) - 0.4)
    if note:
        figure.supxlabel(note[0], fontsize=8)
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, ncols=2, loc="outside upper left")
    return figure


SECTION = Section("entropy", _measure)
