"""pass@k of both models and the regions against the number of samples, and where curves cross."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rlvr_fast.metrics import (
    Crossover,
    CurveInterval,
    crossover,
    delta_se,
    pass_at_k,
    pass_at_k_difference,
    pass_at_k_interval,
)
from rlvr_fast.report.charts import log2_axis, pass_chart, region_chart
from rlvr_fast.report.columns import GROUP, LEVEL, group_cells
from rlvr_fast.report.comparison import Comparison, Group, count_of
from rlvr_fast.report.curve_words import crossover_sentence, difference_sentences
from rlvr_fast.report.figures import COLOURS, HATCH, log2_ticks, panel_grid, panels, plain_name
from rlvr_fast.report.problems import FloatArray, IntArray, task_codes
from rlvr_fast.report.section import Context, Findings, Section
from rlvr_fast.report.sides import curve_depth, sample_ks
from rlvr_fast.report.table import Column, Table
from rlvr_fast.vocabulary import REGION_KEYS, REGIONS

__all__ = [
    "SECTION",
    "GroupCurves",
    "PassCurves",
    "pass_curves",
]


@dataclass(frozen=True, slots=True)
class PassCurves:
    """Mean unbiased pass@k of both models over one set of problems, and the expected regions.

    Attributes:
        ks: the k, rising.
        base: mean pass@k of the base model over the problems with `depth` samples in both runs;
            nan past that depth.
        rl: the same of the RL model.
        problems: number of problems at each k: the same number up to the depth, 0 past it.
        regions: expected number of those problems in each region, had only k samples been drawn
            (rule "seen").
        depth: the largest k that at least nine of ten problems have in both runs; 0 without draws.
    """

    ks: IntArray
    base: FloatArray
    rl: FloatArray
    problems: IntArray
    regions: dict[str, FloatArray]
    depth: int

    def first(self, number: int) -> PassCurves:
        """The curves at the first `number` of the k."""
        at = slice(number)
        regions = {name: values[at] for name, values in self.regions.items()}
        return PassCurves(
            self.ks[at], self.base[at], self.rl[at], self.problems[at], regions, self.depth
        )


@dataclass(frozen=True, slots=True)
class GroupCurves:
    """The curves of one group; every number is over the same problems.

    Where the draws are not independent there are no intervals (nan) and no crossing.

    Attributes:
        asked: at every k of the comparison and of the group, nan past the group's depth.
        drawn: at those of the k where pass@k is defined.
        base_band: interval of the base model's curve for the population of such problems, the
            tasks held fixed.
        rl_band: the same of the RL model's curve.
        difference: interval of RL minus base, paired by problem, the tasks held fixed.
        new_tasks: the same for new tasks of the same kind; None for a group of one task.
        tasks: number of tasks.
        crossover: where base's curve overtakes RL's; None for fewer than two samples, and for a
            group that the page does not show.
    """

    asked: PassCurves
    drawn: PassCurves
    base_band: CurveInterval
    rl_band: CurveInterval
    difference: CurveInterval
    new_tasks: CurveInterval | None
    tasks: int
    crossover: Crossover | None


def _measure(context: Context) -> Findings[tuple[GroupCurves, ...]]:
    comparison = context.comparison
    codes = task_codes(comparison.problems)
    page = context.page
    curves = tuple(
        _of_group(comparison, group, codes, crossing=group.index in page.indices)
        for group in comparison.groups
    )
    overall = curves[0]
    powers = [(i, int(k)) for i, k in enumerate(overall.drawn.ks) if k & (k - 1) == 0]
    return Findings(
        measured=curves,
        tables=(_pass_table(comparison, curves), _region_table(comparison, curves)),
        headline=_headline(overall.drawn),
        summary={
            "pass_at_k": {
                name: {str(k): float(values[i]) for i, k in powers}
                for name, values in (("base", overall.drawn.base), ("rl", overall.drawn.rl))
            },
            "delta_se": _sampling_gap(comparison),
            "crossover": _crossover_cells(overall.crossover),
        },
        figures={
            "pass_at_k": lambda: _pass_figure(panels(page.groups, comparison.groups), curves),
            "support_at_k": lambda: _region_figure(panels(page.groups, comparison.groups), curves),
        },
        view=lambda: {"curves": [_view(group, curves[group.index]) for group in page.groups]},
        data=lambda: {
            "groups": [_data(one.drawn) for one in curves]
            if page.every_group
            else {group.index: _data(curves[group.index].drawn) for group in page.groups}
        },
    )


def pass_curves(comparison: Comparison, group: Group, ks: Sequence[int]) -> PassCurves:
    """pass@k of one group, and how its regions under the rule "seen" depend on k.

    A random k of a model's draws shows a correct one with probability pass@k (unbiased), and the
    two models are drawn independently, so the expected counts are sums of products.
    """
    at = np.asarray(ks, dtype=np.int64)
    depth = curve_depth(*comparison.sides, group.members)
    defined = at <= depth
    rows = _deep(comparison, group, depth)
    inside = np.where(defined, at, 1)
    # pass@k past the depth is masked, so that no point of a curve rests on fewer problems
    b, r = (
        pass_at_k(side.num_samples[rows], side.num_correct[rows], inside).reshape(
            rows.size, at.size
        )
        for side in comparison.sides
    )
    number = np.where(defined, rows.size, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        base, rl = (np.where(defined, v.sum(axis=0) / rows.size, np.nan) for v in (b, r))
    regions = {
        "preserved": (b * r).sum(axis=0),
        "shrunk": (b * (1 - r)).sum(axis=0),
        "expanded": ((1 - b) * r).sum(axis=0),
        "out": ((1 - b) * (1 - r)).sum(axis=0),
    }
    regions = {name: np.where(defined, values, 0.0) for name, values in regions.items()}
    return PassCurves(at, base, rl, number.astype(np.int64), regions, depth)


def _deep(comparison: Comparison, group: Group, depth: int) -> IntArray:
    """The one set of problems that a group's curves average."""
    rows = group.members
    fewest = np.minimum(comparison.base.num_samples[rows], comparison.rl.num_samples[rows])
    return rows[fewest >= depth] if depth else rows[:0]


def _of_group(
    comparison: Comparison, group: Group, codes: IntArray, *, crossing: bool
) -> GroupCurves:
    ks = sorted({*comparison.ks, *sample_ks(*comparison.sides, group.members)}) or [1]
    asked = pass_curves(comparison, group, ks)
    rows = _deep(comparison, group, asked.depth)
    base, rl = (side.draws[rows] for side in comparison.sides)
    # at k past the depth there is no interval either
    at = [k for k in ks if k <= asked.depth]
    tasks, task = np.unique(codes[rows], return_inverse=True)

    def curve(measure: Callable[..., CurveInterval], *counts: Any, **more: Any) -> CurveInterval:
        """The intervals at every k asked; nan past the depth, or where draws repeat each other."""
        low, high, value = np.full((3, len(ks)), np.nan)
        number = np.zeros(len(ks), dtype=np.int64)
        if at:
            found = measure(*counts, k=at, level=LEVEL, **more)
            value[: len(at)], number[: len(at)] = found.value, found.problems
            if comparison.independent:
                low[: len(at)], high[: len(at)] = found.low, found.high
        return CurveInterval(asked.ks, value, low, high, number)

    deep = crossing and asked.depth > 1 and comparison.independent
    return GroupCurves(
        asked=asked,
        drawn=asked.first(len(at)),
        base_band=curve(pass_at_k_interval, *base),
        rl_band=curve(pass_at_k_interval, *rl),
        difference=curve(pass_at_k_difference, base, rl),
        new_tasks=curve(pass_at_k_difference, base, rl, groups=task) if len(tasks) > 1 else None,
        tasks=len(tasks),
        crossover=crossover(base, rl, max_k=asked.depth, level=LEVEL) if deep else None,
    )


def _sampling_gap(comparison: Comparison) -> float:
    """delta-SE: base pass@256 minus RL pass@1; nan with fewer than 256 samples."""
    curves = pass_curves(comparison, comparison.groups[0], [1, 256])
    return float(delta_se(curves.base[1], curves.rl[0]))


def _pass_table(comparison: Comparison, curves: Sequence[GroupCurves]) -> Table:
    """pass@k of both models, one row per group and k."""
    rows = []
    for group, one in zip(comparison.groups, curves, strict=True):
        c = one.asked
        for i, k in enumerate(c.ks):
            rows.append(
                {
                    **group_cells(group),
                    "k": int(k),
                    "base": float(c.base[i]),
                    "base_low": float(one.base_band.low[i]),
                    "base_high": float(one.base_band.high[i]),
                    "rl": float(c.rl[i]),
                    "rl_low": float(one.rl_band.low[i]),
                    "rl_high": float(one.rl_band.high[i]),
                    "difference": float(c.rl[i] - c.base[i]),
                    "difference_low": float(one.difference.low[i]),
                    "difference_high": float(one.difference.high[i]),
                    "new_tasks_low": _limit(one.new_tasks, "low", i),
                    "new_tasks_high": _limit(one.new_tasks, "high", i),
                    "problems": int(c.problems[i]),
                }
            )
    columns = (
        *GROUP,
        Column("k", "k", "count"),
        Column("base", "base", "share", "mean unbiased pass@k of the base model"),
        Column("base_low", "low", "share", "95 % interval"),
        Column("base_high", "high", "share", "95 % interval"),
        Column("rl", "RL", "share", "mean unbiased pass@k of the RL model"),
        Column("rl_low", "low", "share", "95 % interval"),
        Column("rl_high", "high", "share", "95 % interval"),
        Column("difference", "RL − base", "signed"),
        Column("difference_low", "low", "signed", "95 % interval, paired, tasks held fixed"),
        Column("difference_high", "high", "signed", "95 % interval, paired, tasks held fixed"),
        Column("new_tasks_low", "low, new tasks", "signed", "95 % interval for new tasks"),
        Column("new_tasks_high", "high, new tasks", "signed", "95 % interval for new tasks"),
        Column("problems", "problems", "count", "the same problems at every k of a group"),
    )
    return Table(
        "pass_at_k",
        "Problem level: mean pass@k (unbiased) of both models over the problems that have all "
        "samples of the curve, 95 % intervals for new problems of these tasks.",
        columns,
        rows,
    )


def _limit(found: CurveInterval | None, name: str, i: int) -> float:
    return float("nan") if found is None else float(getattr(found, name)[i])


def _region_table(comparison: Comparison, curves: Sequence[GroupCurves]) -> Table:
    """Expected regions had only k samples been drawn."""
    rows = [
        {
            **group_cells(group),
            "k": int(k),
            **{name: float(values[i]) for name, values in one.drawn.regions.items()},
            "problems": int(one.drawn.problems[i]),
        }
        for group, one in zip(comparison.groups, curves, strict=True)
        for i, k in enumerate(one.drawn.ks)
    ]
    columns = (
        *GROUP,
        Column("k", "k", "count"),
        *(Column(region.key, region.letter, "length") for region in REGIONS),
        Column("problems", "problems", "count"),
    )
    return Table(
        "support_at_k",
        'Problem level: expected support had only k samples been drawn (rule "seen").',
        columns,
        rows,
    )


def _crossover_cells(found: Crossover | None) -> dict[str, Any] | None:
    """k* with its interval and every crossing, as plain data."""
    if found is None:
        return None
    names = ("k", "low", "high", "share_crossing", "verdict", "max_k", "problems")
    return {name: getattr(found, name) for name in names} | {
        "crossings": [{"k": one.k, "ahead": one.ahead} for one in found.crossings]
    }


def _headline(curves: PassCurves) -> str:
    """pass@k of both models at both ends of the curves, in one sentence."""
    ks = curves.ks.tolist()
    if not ks:
        return ""
    ends = [0, len(ks) - 1] if len(ks) > 1 else [0]
    parts = [f"pass@{ks[i]} went from {curves.base[i]:.3f} to {curves.rl[i]:.3f}" for i in ends]
    number = count_of(int(curves.problems[0]), "problem")
    return f"{', '.join(parts)} (mean of {number})."


def _view(group: Group, one: GroupCurves) -> dict[str, Any]:
    drawn, found = one.drawn, one.crossover
    return {
        "group": group,
        "sentences": [
            *filter(None, [crossover_sentence(found)]),
            *difference_sentences(one.difference, one.new_tasks, tasks=one.tasks),
        ],
        "depth": drawn.depth,
        "number": int(drawn.problems[0]) if drawn.ks.size else 0,
        "passing": pass_chart(
            drawn.ks,
            drawn.base,
            drawn.rl,
            name=group.name,
            bands={
                name: (band.low[: drawn.ks.size], band.high[: drawn.ks.size])
                for name, band in (("base", one.base_band), ("rl", one.rl_band))
            },
            crossover=None if found is None else found.k,
        ),
        "regions": region_chart(drawn.ks, drawn.regions, problems=drawn.problems, name=group.name),
    }


def _data(curves: PassCurves) -> dict[str, Any]:
    """What the slider shows: both curves and the regions at each k, and where k is drawn."""
    ks = curves.ks
    return {
        "ks": ks.tolist(),
        "x": [round(log2_axis(ks)(int(k)), 1) for k in ks],
        "base": [round(float(v), 4) for v in curves.base],
        "rl": [round(float(v), 4) for v in curves.rl],
        "regions": [
            [round(float(curves.regions[name][i]), 2) for name in REGION_KEYS]
            for i in range(ks.size)
        ],
    }


def _pass_figure(groups: Sequence[Group], curves: Sequence[GroupCurves]) -> Any:
    figure, axes = panel_grid(groups)
    for axis, group in zip(axes, groups, strict=False):
        one = curves[group.index]
        drawn = one.drawn
        for side, band in (("base", one.base_band), ("rl", one.rl_band)):
            if drawn.ks.size:
                colour = COLOURS[side]
                axis.fill_between(band.k, band.low, band.high, color=colour, alpha=0.12, lw=0)
        axis.plot(drawn.ks, drawn.base, "s--", color=COLOURS["base"], ms=3, lw=1.2, label="base")
        axis.plot(drawn.ks, drawn.rl, "o-", color=COLOURS["rl"], ms=3, lw=1.4, label="RL")
        found = one.crossover
        if found is not None and found.k is not None:
            axis.axvline(found.k, color="#1b1f24", lw=0.9, ls=":")
            axis.annotate("k*", (found.k, 0), (3, 3), textcoords="offset points", style="italic")
        axis.set_title(plain_name(group.name))
        axis.set_ylim(0, 1.02)
        if drawn.ks.size:
            log2_ticks(axis, drawn.ks)
    axes[0].legend(loc="lower right")
    figure.supxlabel("k, samples per problem", fontsize=9)
    figure.supylabel("pass@k", fontsize=9)
    return figure


def _region_figure(groups: Sequence[Group], curves: Sequence[GroupCurves]) -> Any:
    figure, axes = panel_grid(groups)
    for axis, group in zip(axes, groups, strict=False):
        drawn = curves[group.index].drawn
        number = np.maximum(drawn.problems, 1)
        stacks = axis.stackplot(
            drawn.ks,
            *[drawn.regions[region.key] / number for region in REGIONS],
            colors=[COLOURS[region.key] for region in REGIONS],
            labels=[f"{region.letter} {region.word}" for region in REGIONS],
            edgecolor="white",
            linewidth=0.4,
        )
        for stack, region in zip(stacks, REGIONS, strict=True):
            stack.set_hatch(HATCH[region.key])
        axis.set_title(plain_name(group.name))
        axis.set_ylim(0, 1)
        axis.grid(False)
        if drawn.ks.size > 1:
            axis.set_xlim(drawn.ks[0], drawn.ks[-1])
        if drawn.ks.size:
            log2_ticks(axis, drawn.ks)
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, ncols=4, loc="outside upper left")
    figure.supxlabel("k, samples per problem", fontsize=9)
    figure.supylabel("expected share of problems", fontsize=9)
    return figure


SECTION = Section("curves", _measure)
