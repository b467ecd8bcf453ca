"""pass@k against the tokens drawn: what either model solves for the same cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rlvr_fast.metrics import TokenCrossover, pass_at_tokens, token_crossover
from rlvr_fast.report.charts import cost_chart
from rlvr_fast.report.columns import GROUP, LEVEL, group_cells
from rlvr_fast.report.comparison import Comparison, Group
from rlvr_fast.report.facts import percent
from rlvr_fast.report.figures import COLOURS, log2_ticks, panel_grid, panels, plain_name
from rlvr_fast.report.problems import FloatArray, IntArray
from rlvr_fast.report.section import Context, Findings, Section
from rlvr_fast.report.sides import Side, curve_depth
from rlvr_fast.report.table import Column, Table

__all__ = ["SECTION", "GroupCost"]

_POINTS = 64


@dataclass(frozen=True, slots=True)
class GroupCost:
    """What tokens buy of either model, over the problems of the group's curve.

    Attributes:
        rows: the problems: those of the curve whose lengths are known.
        crossing: where the curves cross, and the mean lengths; with limits for the groups of the
            page.
    """

    rows: IntArray
    crossing: TokenCrossover


def _measure(context: Context) -> Findings[tuple[GroupCost | None, ...]]:
    comparison = context.comparison
    page = context.page
    lengths = [mean_lengths(side) for side in comparison.sides]
    groups = tuple(
        _of_group(comparison, group, lengths, resample=group.index in page.indices)
        for group in comparison.groups
    )
    table = _table(comparison, groups)
    overall = groups[0]
    return Findings(
        measured=groups,
        tables=(table,),
        summary={"cost": None if overall is None else _summary(overall)},
        figures={"cost": lambda: _figure(comparison, page.groups, groups)}
        if overall is not None
        else {},
        view=lambda: {
            "cost": table,
            "unknown": _unknown(comparison),
            "drawings": [_view(comparison, group, groups[group.index]) for group in page.groups],
        },
    )


def mean_lengths(side: Side) -> FloatArray:
    """Mean tokens of a draw of each problem; nan where no length is known."""
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = side.length_sum / side.length_count
    return np.where((side.length_count > 0) & (side.length_sum > 0), mean, np.nan)


def _of_group(
    comparison: Comparison, group: Group, mean: Sequence[FloatArray], *, resample: bool
) -> GroupCost | None:
    base, rl = comparison.sides
    depth = curve_depth(base, rl, group.members)
    if not depth or comparison.unread(group):
        return None
    fewest = np.minimum(base.num_samples, rl.num_samples)[group.members]
    rows = group.members[fewest >= depth]
    lengths = [one[rows] for one in mean]
    known = np.isfinite(lengths[0]) & np.isfinite(lengths[1])
    if not known.any():
        return None
    rows, lengths = rows[known], [one[known] for one in lengths]
    found = token_crossover(
        base.draws[rows],
        rl.draws[rows],
        base_tokens=lengths[0],
        rl_tokens=lengths[1],
        max_k=depth,
        level=LEVEL,
        resample=resample,
    )
    return GroupCost(rows, found)


def _passes(comparison: Comparison, one: GroupCost, budgets: FloatArray) -> list[FloatArray]:
    """Pass of base and of RL at each budget, over the problems of a group."""
    lengths = one.crossing.base_tokens, one.crossing.rl_tokens
    found = []
    for side, mean in zip(comparison.sides, lengths, strict=True):
        number, correct = side.draws[one.rows]
        values = pass_at_tokens(number, correct, mean_tokens=mean, budgets=budgets)
        # Some problems may have more draws; the curve ends where all of them have.
        end = budgets / mean <= one.crossing.max_k * (1 + 1e-9)
        found.append(np.where(end, values, np.nan))
    return found


def _budgets(found: TokenCrossover) -> FloatArray:
    """Powers of two between the ends that both curves have, and these ends."""
    if found.least > found.most:
        return np.zeros(0)
    powers = 2.0 ** np.arange(np.ceil(np.log2(found.least)), np.floor(np.log2(found.most)) + 1)
    return np.unique(np.concatenate([[found.least], powers, [found.most]]))


def _table(comparison: Comparison, groups: Sequence[GroupCost | None]) -> Table:
    rows = []
    for group, one in zip(comparison.groups, groups, strict=True):
        if one is None:
            continue
        budgets, found = _budgets(one.crossing), one.crossing
        base, rl = _passes(comparison, one, budgets)
        for i, budget in enumerate(budgets.tolist()):
            rows.append(
                {
                    **group_cells(group),
                    "tokens": budget,
                    "base_k": budget / found.base_tokens,
                    "base": float(base[i]),
                    "rl_k": budget / found.rl_tokens,
                    "rl": float(rl[i]),
                    "difference": float(rl[i] - base[i]),
                    "problems": found.problems,
                }
            )
    columns = (
        *GROUP,
        Column("tokens", "tokens a problem", "length", "the mean over the problems"),
        Column("base_k", "base draws", "decimal", "draws that these tokens buy"),
        Column("base", "base", "share", "mean unbiased pass@k at these draws"),
        Column("rl_k", "RL draws", "decimal", "draws that these tokens buy"),
        Column("rl", "RL", "share", "mean unbiased pass@k at these draws"),
        Column("difference", "RL − base", "signed"),
        Column("problems", "problems", "count", "of both curves, with known lengths"),
    )
    return Table(
        "cost",
        "Problem level: mean pass@k (unbiased) of both models for the same tokens drawn: k times "
        "the mean tokens of a draw of the model.",
        columns,
        rows,
    )


def _summary(one: GroupCost) -> dict[str, Any]:
    names = (
        "tokens", "low", "high", "verdict", "ahead_after", "share_crossing", "least", "most",
        "base_tokens", "rl_tokens", "max_k", "problems",
    )  # fmt: skip
    return {name: getattr(one.crossing, name) for name in names}


def cost_sentences(found: TokenCrossover, *, independent: bool = True) -> str:
    """What a draw costs, and which model is ahead; no interval where draws repeat others."""
    text = (
        f"A draw has {found.base_tokens:,.1f} tokens of base and {found.rl_tokens:,.1f} of RL, "
        f"in the mean over {_problems(found.problems)}. "
    )
    ends = f"from {found.least:,.0f} to {found.most:,.0f} tokens a problem"
    if found.verdict == "no common budget":
        return text + (
            f"One draw of the longer model costs more than {found.max_k:,} of the other: there is "
            "no common budget."
        )
    if found.verdict == "tied":
        return text + f"For the same tokens both end level at {found.most:,.0f} tokens a problem."
    if found.verdict == "crosses" and found.tokens is not None:
        before, after = ("RL", "base") if found.ahead_after == "base" else ("base", "RL")
        low = f"{found.low:,.0f}" if found.low > 0 else "the smallest budget"
        high = (
            f"{found.high:,.0f}"
            if np.isfinite(found.high)
            else f"no crossing up to {found.most:,.0f}"
        )
        interval = f" (95% interval for new problems: {low} to {high})"
        return text + (
            f"For the same tokens, {before} is ahead in these draws up to "
            f"{found.tokens:,.0f} tokens a problem{interval if independent else ''}, and {after} "
            f"beyond, up to {found.most:,.0f}."
        )
    ahead = "RL" if found.verdict == "rl ahead" else "base"
    text += f"For the same tokens, {ahead} is ahead in these draws at every budget {ends}"
    if independent and found.share_crossing > 0:
        text += f"; {percent(found.share_crossing)} of resampled problem sets show a crossing"
    return text + "."


def _problems(number: int) -> str:
    return "1 problem" if number == 1 else f"{number:,} problems"


def _unknown(comparison: Comparison) -> str:
    """Models of which no length is known."""
    return " and ".join(s.title for s in comparison.sides if not s.length_sum.any())


def _view(comparison: Comparison, group: Group, one: GroupCost | None) -> dict[str, Any]:
    if one is None:
        return {"group": group, "chart": "", "said": ""}
    budgets, base, rl = _drawn(comparison, one)
    found = one.crossing
    return {
        "group": group,
        "chart": cost_chart(budgets, base, rl, name=group.name, crossing=found.tokens),
        "said": cost_sentences(found, independent=comparison.independent),
    }


def _drawn(comparison: Comparison, one: GroupCost) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Budgets from one draw of the shorter model to all draws of the longer, and both curves."""
    found = one.crossing
    ends = min(found.base_tokens, found.rl_tokens), max(found.base_tokens, found.rl_tokens)
    budgets = np.geomspace(ends[0], ends[1] * found.max_k * (1 + 1e-12), _POINTS)
    exact = np.array([k * mean for mean in ends for k in (1, found.max_k)])
    budgets = np.unique(np.concatenate([budgets, exact]))
    base, rl = _passes(comparison, one, budgets)
    return budgets, base, rl


def _figure(
    comparison: Comparison, chosen: Sequence[Group], groups: Sequence[GroupCost | None]
) -> Any:
    shown = panels(chosen, comparison.groups)
    figure, axes = panel_grid(shown)
    for axis, group in zip(axes, shown, strict=False):
        one = groups[group.index]
        axis.set_title(plain_name(group.name))
        axis.set_ylim(0, 1.02)
        if one is None:
            continue
        budgets, base, rl = _drawn(comparison, one)
        axis.plot(budgets, base, "--", color=COLOURS["base"], lw=1.2, label="base")
        axis.plot(budgets, rl, "-", color=COLOURS["rl"], lw=1.4, label="RL")
        powers = np.arange(np.ceil(np.log2(budgets[0])), np.log2(budgets[-1]) + 1e-9)
        log2_ticks(axis, (2**powers).astype(np.int64))
        if one.crossing.tokens is not None:
            axis.axvline(one.crossing.tokens, color="#1b1f24", lw=0.9, ls=":")
    axes[0].legend(loc="best")
    figure.supxlabel("tokens drawn per problem (mean)", fontsize=9)
    figure.supylabel("pass@k", fontsize=9)
    return figure


SECTION = Section("cost", _measure)
