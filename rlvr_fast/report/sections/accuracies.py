"""The success rate of every problem under both models, and histograms of accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rlvr_fast.metrics import AccuracyHistogram, accuracy_histogram
from rlvr_fast.report.charts import histogram_chart, taxonomy_chart
from rlvr_fast.report.columns import GROUP, group_cells
from rlvr_fast.report.comparison import Comparison, Group
from rlvr_fast.report.figures import COLOURS, MARK, new_figure, panel_grid, panels, plain_name
from rlvr_fast.report.page_choice import ALL_PROBLEMS, PageChoice
from rlvr_fast.report.section import Context, Findings, Section
from rlvr_fast.report.table import Column, Table
from rlvr_fast.shown_text import visible
from rlvr_fast.vocabulary import LABELS

__all__ = ["SECTION"]

Histograms = tuple[AccuracyHistogram, AccuracyHistogram]


def _measure(context: Context) -> Findings[None]:
    comparison = context.comparison
    histograms: list[Histograms] = []
    for group in comparison.groups:
        base, rl = (accuracy_histogram(*side.draws[group.members]) for side in comparison.sides)
        histograms.append((base, rl))
    return Findings(
        measured=None,
        tables=(_table(comparison, histograms),),
        figures={
            "accuracy_histogram": lambda: _histogram_figure(
                panels(context.page.groups, comparison.groups), histograms
            ),
            "taxonomy": lambda: _taxonomy_figure(comparison),
        },
        view=lambda: _view(comparison, context.page, histograms),
    )


def _table(comparison: Comparison, histograms: Sequence[Histograms]) -> Table:
    """Problems per accuracy bin of both models."""
    rows = [
        {**group_cells(group), "accuracy": label, "base": int(b), "rl": int(r)}
        for group, (base, rl) in zip(comparison.groups, histograms, strict=True)
        for label, b, r in zip(base.bins, base.counts, rl.counts, strict=True)
    ]
    columns = (
        *GROUP,
        Column("accuracy", "accuracy"),
        Column("base", "base", "count"),
        Column("rl", "RL", "count"),
    )
    return Table("accuracy_histogram", "Problems per accuracy bin.", columns, rows)


def _view(
    comparison: Comparison, page: PageChoice, histograms: Sequence[Histograms]
) -> dict[str, Any]:
    tasks = [g for g in comparison.groups if g.kind == "task"]
    task_of_problem = np.zeros(len(comparison.problems), dtype=np.int64)
    for i, group in enumerate(tasks):
        task_of_problem[group.members] = i
    return {
        "taxonomy": taxonomy_chart(
            comparison.base.accuracy[page.problems],
            comparison.rl.accuracy[page.problems],
            comparison.label_array("seen")[page.problems].tolist(),
            task_of_problem[page.problems].tolist(),
            [visible(comparison.problems.ids[i], 60) for i in page.problems],
            depth=_depth(comparison),
        ),
        "histograms": [
            (group, histogram_chart(*histograms[group.index], name=group.name))
            for group in page.groups
        ],
    }


def _depth(comparison: Comparison) -> int:
    """The largest number of samples of a problem."""
    return max(int(side.num_samples.max(initial=1)) for side in comparison.sides)


def _histogram_figure(groups: Sequence[Group], histograms: Sequence[Histograms]) -> Any:
    figure, axes = panel_grid(groups)
    for axis, group in zip(axes, groups, strict=False):
        base, rl = histograms[group.index]
        x = np.arange(len(base.bins))
        axis.bar(x - 0.2, base.counts, 0.38, color=COLOURS["base"], label="base", hatch="////",
                 edgecolor="white", linewidth=0.3)  # fmt: skip
        axis.bar(x + 0.2, rl.counts, 0.38, color=COLOURS["rl"], label="RL")
        axis.set_xticks([0, 5, 11], ["0", "≤.5", "1"])
        axis.set_title(plain_name(group.name))
        axis.grid(axis="x", visible=False)
    axes[0].legend()
    figure.supxlabel("accuracy of a problem: no draw, tenths, every draw", fontsize=9)
    figure.supylabel("problems", fontsize=9)
    return figure


def _taxonomy_figure(comparison: Comparison) -> Any:
    figure = new_figure(4.6, 4.6)
    axis = figure.subplots()
    labels = comparison.label_array("seen")
    floor = 1.0 / max(_depth(comparison), 2)
    zero = floor / 3
    rng = np.random.default_rng(0)
    coordinates = []
    for side in comparison.sides:
        p = np.where(side.accuracy > 0, side.accuracy, zero)
        spread = np.exp(rng.uniform(-0.35, 0.35, p.shape))
        coordinates.append(np.where(side.accuracy > 0, p, p * spread))
    low, edge = zero / 2, floor / 1.5
    axis.fill_between([edge, 1.3], low, edge, color=COLOURS["shrunk"], alpha=0.1, lw=0)
    axis.fill_between([low, edge], edge, 1.3, color=COLOURS["expanded"], alpha=0.1, lw=0)
    axis.fill_between([low, edge], low, edge, color=COLOURS["out"], alpha=0.15, lw=0)
    axis.plot([edge, 1], [edge, 1], color="#b8bcc2", lw=0.8, ls=":")
    for label in LABELS:
        mask = labels == label.key
        if mask.any():
            axis.scatter(
                coordinates[0][mask], coordinates[1][mask], s=16, marker=MARK[label.key],
                color=COLOURS[label.key], alpha=0.75, linewidths=0.7,
                label=f"{label.letter} {label.word} ({int(mask.sum())})",
                rasterized=labels.size > ALL_PROBLEMS,
            )  # fmt: skip
    axis.set_xscale("log")
    axis.set_yscale("log")
    powers = [10.0**-i for i in range(8) if 10.0**-i >= floor]
    for set_ticks in (axis.set_xticks, axis.set_yticks):
        set_ticks([zero, *powers], ["0", *(f"{p:g}" for p in powers)])
    axis.minorticks_off()
    axis.set_xlim(low, 1.3)
    axis.set_ylim(low, 1.3)
    axis.set_xlabel("success rate of the base model")
    axis.set_ylabel("success rate of the RL model")
    axis.grid(False)
    figure.legend(ncols=2, loc="outside upper left", handletextpad=0.3)
    return figure


SECTION = Section("accuracies", _measure)
