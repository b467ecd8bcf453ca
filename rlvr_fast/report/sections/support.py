"""Support of problems: kept, lost, found or reached by neither, task by task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from rlvr_fast.report.columns import (
    GROUP,
    group_cells,
    rule_text,
    shift_cells,
    shift_columns,
    shown_counts,
)
from rlvr_fast.report.comparison import Comparison, Group, count_of
from rlvr_fast.report.figures import COLOURS, HATCH, most_groups, new_figure, plain_name
from rlvr_fast.report.section import Context, Findings, Section
from rlvr_fast.report.sentences import all_draws_sentence, count_text
from rlvr_fast.report.table import Table
from rlvr_fast.vocabulary import LABELS, RULES, Rule

__all__ = ["SECTION"]


def _measure(context: Context) -> Findings[None]:
    comparison = context.comparison
    tables = {rule: _table(comparison, rule) for rule in RULES}
    all_draws = None if comparison.equal_depth else _all_draws_table(comparison)
    by_kind: dict[str, dict[str, Any]] = {"overall": {}, "domain": {}, "task": {}}
    for group in comparison.groups:
        by_kind[group.kind][group.name] = shift_cells(comparison.counts(group))
    (overall,) = by_kind["overall"].values()
    summary = {"overall": overall, "tasks": by_kind["task"], "domains": by_kind["domain"]}
    if all_draws is not None:
        summary["overall_with_all_draws"] = shift_cells(
            comparison.group_shift(comparison.groups[0], "seen")
        )
    return Findings(
        measured=None,
        tables=(*tables.values(), *([all_draws] if all_draws is not None else [])),
        headline=_headline(comparison),
        summary=summary,
        figures={"support": lambda: _figure(comparison, context.page.groups)},
        view=lambda: {
            "tables": {
                rule: replace(table, rows=[shown_counts(row) for row in table.rows])
                for rule, table in tables.items()
            },
            "all_draws": all_draws,
        },
    )


def _table(comparison: Comparison, rule: Rule) -> Table:
    """Problem level, one row per group, at the common depth."""
    rows = [
        {**group_cells(g), **shift_cells(comparison.counts(g, rule))} for g in comparison.groups
    ]
    whole = comparison.equal_depth or rule == "epsilon"
    at = "" if whole else f"; expected at {comparison.depth_text(comparison.groups[0])}"
    reached = rule_text(rule, comparison.zeta, comparison.epsilon)
    return Table(
        f"support_{rule}",
        f"Problem level: support of problems ({reached}{at}).",
        GROUP + shift_columns(whole),
        rows,
    )


def _all_draws_table(comparison: Comparison) -> Table:
    """The counts of the rule "seen" with every draw, where the numbers of draws differ."""
    return Table(
        "support_all_draws",
        "Problem level: support of problems, counted with all draws "
        f"({comparison.all_draws_text(comparison.groups[0])}; reached = at least one correct "
        "draw). These counts favour the model with more draws.",
        GROUP + shift_columns(True),
        [
            {**group_cells(g), **shift_cells(comparison.group_shift(g, "seen"))}
            for g in comparison.groups
        ],
    )


def _headline(comparison: Comparison) -> str:
    overall = comparison.groups[0]
    s = comparison.counts(overall)
    depth = comparison.rule == "seen" and not comparison.equal_depth
    at = f", at {comparison.depth_text(overall)}" if depth else ""
    kept, lost, found, neither = (count_text(n) for n in (s.preserved, s.shrunk, s.expanded, s.out))
    text = (
        f"Of {count_of(s.problems, 'problem')}{at}, RLVR kept {kept}, lost {lost} and "
        f"found {found}; {neither} {'was' if s.out == 1 else 'were'} solved by neither model"
    )
    if s.undetermined:
        text += f", and for {s.undetermined} the samples do not decide"
    all_draws = all_draws_sentence(comparison, overall) if depth else ""
    return "\n".join(filter(None, (f"{text}.", all_draws)))


def _figure(comparison: Comparison, chosen: Sequence[Group]) -> Any:
    groups, note = most_groups(chosen, comparison.groups)
    figure = new_figure(7.2, 0.42 * len(groups) + 1.0)
    axis = figure.subplots()
    shifts = [comparison.counts(g) for g in groups]
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
                shown = f"{round(float(count), 1):g}"
                axis.text(
                    start + width / 2, at, shown, ha="center", va="center", fontsize=8,
                    color="white", bbox={"facecolor": colour, "edgecolor": "none", "pad": 1},
                )  # fmt: skip
        left = left + share
    axis.set_yticks(
        y, [f"{plain_name(g.name)} ({s.problems})" for g, s in zip(groups, shifts, strict=True)]
    )
    axis.set_xlim(0, 1)
    depth = comparison.rule == "seen" and not comparison.equal_depth
    at = ", at the common number of draws" if depth else ""
    axis.set_xlabel("\n".join([f"share of problems (rule: {comparison.rule}{at})", *note]))
    axis.grid(False)
    axis.spines["left"].set_visible(False)
    axis.tick_params(left=False)
    axis.legend(ncols=len(labels), loc="lower left", bbox_to_anchor=(0, 1.0), handlelength=1.4)
    return figure


SECTION = Section("support", _measure)
