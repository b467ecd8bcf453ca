"""Support of problems: kept, lost, found or reached by neither, task by task."""

from __future__ import annotations

from typing import Any

import numpy as np

from rlvr_fast.report.columns import GROUP, SHIFT, group_cells, rule_text, shift_cells
from rlvr_fast.report.comparison import Comparison, count_of
from rlvr_fast.report.figures import COLOURS, HATCH, new_figure, plain_name
from rlvr_fast.report.section import Context, Findings, Section
from rlvr_fast.report.table import Table
from rlvr_fast.vocabulary import LABELS, RULES, Rule

__all__ = ["SECTION"]


def _measure(context: Context) -> Findings[None]:
    comparison = context.comparison
    tables = {rule: _table(comparison, rule) for rule in RULES}
    by_kind: dict[str, dict[str, Any]] = {"overall": {}, "domain": {}, "task": {}}
    for group in comparison.groups:
        by_kind[group.kind][group.name] = shift_cells(comparison.group_shift(group))
    (overall,) = by_kind["overall"].values()
    return Findings(
        measured=None,
        tables=tuple(tables.values()),
        headline=_headline(comparison),
        summary={"overall": overall, "tasks": by_kind["task"], "domains": by_kind["domain"]},
        figures={"support": lambda: _figure(comparison)},
        view=lambda: {"tables": tables},
    )


def _table(comparison: Comparison, rule: Rule) -> Table:
    """Problem level, one row per group."""
    rows = [
        {**group_cells(g), **shift_cells(comparison.group_shift(g, rule))}
        for g in comparison.groups
    ]
    return Table(
        f"support_{rule}",
        f"Problem level: support of problems ({rule_text(rule, comparison.zeta)}).",
        GROUP + SHIFT,
        rows,
    )


def _headline(comparison: Comparison) -> str:
    s = comparison.shift
    text = (
        f"Of {count_of(s.problems, 'problem')}, RLVR kept {s.preserved}, lost {s.shrunk} and "
        f"found {s.expanded}; {s.out} {'was' if s.out == 1 else 'were'} solved by neither model"
    )
    if s.undetermined:
        text += f", and for {s.undetermined} the samples do not decide"
    return f"{text}."


def _figure(comparison: Comparison) -> Any:
    groups = list(comparison.groups)[:40]
    figure = new_figure(7.2, 0.42 * len(groups) + 1.0)
    axis = figure.subplots()
    shifts = [comparison.group_shift(g) for g in groups]
    undetermined = any(s.undetermined for s in shifts)
    labels = [label for label in LABELS if label.key != "undetermined" or undetermined]
    left = np.zeros(len(groups))
    y = np.arange(len(groups))[::-1]
    totals = np.array([max(s.problems, 1) for s in shifts])
    for label in labels:
        counts = np.array([getattr(s, label.key) for s in shifts])
        share = counts / totals
        colour = COLOURS[label.key]
        axis.barh(
            y, share, left=left, height=0.66, color=colour, hatch=HATCH[label.key],
            edgecolor="white", linewidth=0.8, label=f"{label.letter} {label.word}",
        )  # fmt: skip
        for at, start, width, count in zip(y, left, share, counts, strict=True):
            if width > 0.035:
                axis.text(
                    start + width / 2, at, str(count), ha="center", va="center", fontsize=8,
                    color="white", bbox={"facecolor": colour, "edgecolor": "none", "pad": 1},
                )  # fmt: skip
        left = left + share
    axis.set_yticks(
        y, [f"{plain_name(g.name)} ({s.problems})" for g, s in zip(groups, shifts, strict=True)]
    )
    axis.set_xlim(0, 1)
    axis.set_xlabel(f"share of problems (rule: {comparison.rule})")
    axis.grid(False)
    axis.spines["left"].set_visible(False)
    axis.tick_params(left=False)
    axis.legend(ncols=len(labels), loc="lower left", bbox_to_anchor=(0, 1.0), handlelength=1.4)
    return figure


SECTION = Section("support", _measure)
