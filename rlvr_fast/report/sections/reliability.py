"""How reliably a model is right: pass^k, G-Pass@k, Cover@tau, maj@k, Bayes@N."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rlvr_fast.metrics import (
    Majority,
    at_least_correct,
    bayes_at_n,
    majority_at_k,
    mean_difference_interval,
)
from rlvr_fast.report.charts import cover_chart
from rlvr_fast.report.columns import GROUP, LEVEL, group_cells
from rlvr_fast.report.comparison import Comparison, Group
from rlvr_fast.report.figures import COLOURS, panel_grid, panels, plain_name
from rlvr_fast.report.grades import verdict_code
from rlvr_fast.report.page_choice import PageChoice
from rlvr_fast.report.problems import FloatArray, IntArray
from rlvr_fast.report.section import Context, Findings, Section
from rlvr_fast.report.sides import Side, curve_depth
from rlvr_fast.report.table import Column, Table

__all__ = ["SECTION"]

# Numbers of draws in the table, beside the common depth.
_KS = (4, 16, 64)
_TAUS = (0.25, 0.5, 0.75, 1.0)
_G_TAUS = (0.5, 0.75)
# Points of the curve of Cover@tau.
_POINTS = 128


@dataclass(frozen=True, slots=True)
class _Reliability:
    """The quantities of one group, on the problems with `depth` draws of both models.

    Attributes:
        group: the group.
        depth: the common depth of the group's problems.
        problems: number of problems that have it.
        rows: rows of the table.
        taus: where the curves of Cover@tau stand, shape [T].
        cover: Cover@tau of base and RL, each of shape [T].
    """

    group: Group
    depth: int
    problems: int
    rows: list[dict[str, Any]]
    taus: FloatArray
    cover: tuple[FloatArray, FloatArray]


def _measure(context: Context) -> Findings[None]:
    comparison = context.comparison
    base, rl = comparison.sides
    depths = [curve_depth(base, rl, group.members) for group in comparison.groups]
    ks = sorted({k for depth in depths for k in _ks_of(depth)})
    votes = [_majority(side, ks, len(comparison.problems)) for side in comparison.sides]
    found = [
        _of_group(comparison, group, depth, votes)
        for group, depth in zip(comparison.groups, depths, strict=True)
        if depth
    ]
    table = _table([row for one in found for row in one.rows])
    overall = [row for row in table.rows if row["kind"] == "overall"]
    return Findings(
        measured=None,
        tables=(table,),
        summary={
            "reliability": [
                {key: row.get(key) for key in ("quantity", "k", "tau", "base", "rl", *_DIFFERENCE)}
                for row in overall
            ]
        },
        figures={"cover": lambda: _figure(found, context.page)} if found else {},
        view=lambda: {
            "depth": found[0].depth if found else 0,
            "problems": found[0].problems if found else 0,
            "charts": [
                {
                    "group": one.group,
                    "index": i,
                    "depth": one.depth,
                    "problems": one.problems,
                    "chart": cover_chart(one.taus, *one.cover, name=one.group.name),
                }
                for i, one in enumerate(found)
                if one.group.index in context.page.indices
            ],
            "majority": all(side.answers_known.all() for side in comparison.sides),
            "table": replace(table, rows=overall),
        },
    )


_DIFFERENCE = ("difference", "difference_low", "difference_high")


def _ks_of(depth: int) -> list[int]:
    """The numbers of draws at which a group of this depth is measured."""
    return [k for k in _KS if k < depth] + ([depth] if depth > 1 else [])


def _majority(side: Side, ks: Sequence[int], problems: int) -> Majority:
    """maj@k of every problem."""
    answers = side.answers.whatever_verdict() if side.imported_verdicts else side.answers
    unparsed = answers.verdict == verdict_code("unparsed")
    votes = np.array([text is not None for text in answers.canonical], bool) & ~unparsed
    found = majority_at_k(
        problem_index=answers.problem,
        counts=answers.count,
        correct=answers.verdict == verdict_code("correct"),
        votes=votes,
        k=ks or [1],
        num_problems=problems,
    )
    unknown = ~side.answers_known[:, np.newaxis]
    return replace(
        found,
        value=np.where(unknown, np.nan, found.value),
        error=np.where(unknown, np.nan, found.error),
    )


@dataclass(frozen=True, slots=True)
class _Quantity:
    """One quantity of a group, problem by problem.

    Attributes:
        name: as the table prints it.
        k: number of draws.
        tau: least share of correct draws; nan where there is none.
        base: values of the base, shape [problems].
        rl: values of the RL model, shape [problems].
        error: standard error of the mean difference from random subsets.
    """

    name: str
    k: int
    tau: float
    base: FloatArray
    rl: FloatArray
    error: float = 0.0


def _of_group(
    comparison: Comparison, group: Group, depth: int, votes: Sequence[Majority]
) -> _Reliability:
    base, rl = comparison.sides
    fewest = np.minimum(base.num_samples[group.members], rl.num_samples[group.members])
    rows = group.members[fewest >= depth]
    quantities = _quantities(comparison, rows, depth, votes)
    sides = [np.stack([getattr(q, name) for q in quantities], axis=1) for name in ("base", "rl")]
    gap = mean_difference_interval(*sides, level=LEVEL)
    table = [_bayes_row(comparison, group, rows, depth)]
    for i, q in enumerate(quantities):
        known = ~np.isnan(q.base) & ~np.isnan(q.rl)
        if not known.any():
            continue
        table.append(
            {
                **group_cells(group),
                "quantity": q.name,
                "k": q.k,
                "tau": q.tau,
                "base": float(q.base[known].mean()),
                "rl": float(q.rl[known].mean()),
                "difference": float(gap.value[i]),
                "difference_low": float(gap.low[i]),
                "difference_high": float(gap.high[i]),
                "error": q.error,
                "problems": int(gap.problems[i]),
            }
        )
    least = np.unique(np.ceil(np.linspace(1, depth, min(depth, _POINTS))).astype(np.int64))
    cover = [
        at_least_correct(*side.draws[rows], k=depth)[:, least - 1].mean(axis=0)
        for side in comparison.sides
    ]
    return _Reliability(group, depth, rows.size, table, least / depth, (cover[0], cover[1]))


def _quantities(
    comparison: Comparison, rows: IntArray, depth: int, votes: Sequence[Majority]
) -> list[_Quantity]:
    base, rl = (side.draws[rows] for side in comparison.sides)
    mine = [replace(one, value=one.value[rows], error=one.error[rows]) for one in votes]
    out: list[_Quantity] = []

    def add(name: str, k: int, values: Sequence[FloatArray], tau: float = math.nan) -> None:
        out.append(_Quantity(name, k, tau, values[0], values[1]))

    for k in _ks_of(depth):
        # column j - 1: at least j of k draws are correct
        tails = [at_least_correct(*draws, k=k) for draws in (base, rl)]
        half = -(-k // 2)
        add("pass^k", k, [tail[:, -1] for tail in tails])
        if k < depth:  # at the common depth it is Cover@tau
            for tau in _G_TAUS:
                add("G-Pass@k", k, [tail[:, _least(tau, k) - 1] for tail in tails], tau)
        add("mG-Pass@k", k, [np.clip(2 / k * t[:, half:].sum(axis=1), 0, 1) for t in tails])
        at = int(np.flatnonzero(mine[0].k == k)[0])
        add("maj@k", k, [one.value[:, at] for one in mine])
        out[-1] = replace(out[-1], error=math.hypot(*(float(m.mean_error()[at]) for m in mine)))
    tails = [at_least_correct(*draws, k=depth) for draws in (base, rl)]
    for tau in _TAUS:
        add("Cover@tau", depth, [tail[:, _least(tau, depth) - 1] for tail in tails], tau)
    return out


def _least(tau: float, k: int) -> int:
    """The least number of correct draws that is a share tau of k."""
    return max(1, math.ceil(tau * k - 1e-9))


def _bayes_row(comparison: Comparison, group: Group, rows: IntArray, depth: int) -> dict[str, Any]:
    base, rl = (
        bayes_at_n(*side.draws[rows], draws=depth, level=LEVEL) for side in comparison.sides
    )
    reach = math.hypot(base.high - base.value, rl.high - rl.value)
    difference = rl.value - base.value
    return {
        **group_cells(group),
        "quantity": "Bayes@N",
        "k": depth,
        "tau": math.nan,
        "base": base.value,
        "base_low": base.low,
        "base_high": base.high,
        "rl": rl.value,
        "rl_low": rl.low,
        "rl_high": rl.high,
        "difference": difference,
        "difference_low": difference - reach,
        "difference_high": difference + reach,
        "error": 0.0,
        "problems": rows.size,
    }


def _table(rows: list[dict[str, Any]]) -> Table:
    columns = (
        *GROUP,
        Column("quantity", "quantity"),
        Column("k", "k", "count", "number of draws; for Cover@tau and Bayes@N the common depth"),
        Column("tau", "tau", "decimal", "least share of the draws that has to be correct"),
        Column("base", "base", "share", "mean over problems"),
        Column("base_low", "base low", "share", "Bayes@N: 95 % credible interval"),
        Column("base_high", "base high", "share", "Bayes@N: 95 % credible interval"),
        Column("rl", "RL", "share", "mean over problems"),
        Column("rl_low", "RL low", "share", "Bayes@N: 95 % credible interval"),
        Column("rl_high", "RL high", "share", "Bayes@N: 95 % credible interval"),
        Column("difference", "RL − base", "signed"),
        Column(
            "difference_low",
            "low",
            "signed",
            "95 % interval, paired, for problems like these; of Bayes@N: for these problems alone",
        ),
        Column("difference_high", "high", "signed", "likewise"),
        Column(
            "error",
            "by subsets",
            "number",
            "standard error of RL − base from the random choice of k draws; 0: exact",
        ),
        Column("problems", "problems", "count", "problems with the common depth in both runs"),
    )
    return Table(
        "reliability",
        "Problem level: how reliably a model is right, at one number of draws for both models.",
        columns,
        rows,
    )


def _figure(found: Sequence[_Reliability], page: PageChoice) -> Any:
    by_group = {one.group.index: one for one in found}
    groups = [one.group for one in found]
    shown = panels([g for g in groups if g.index in page.indices], groups)
    figure, axes = panel_grid(shown)
    for axis, group in zip(axes, shown, strict=False):
        one = by_group[group.index]
        for side, values, style in zip(("base", "rl"), one.cover, ("--", "-"), strict=True):
            axis.step(
                np.append(0, one.taus),
                np.append(values[0], values),
                where="pre",
                color=COLOURS[side],
                linestyle=style,
                label="RL" if side == "rl" else "base",
            )
        axis.set_title(plain_name(f"{group.name}, {one.problems} problems, {one.depth} draws"))
        axis.set_xlabel("tau")
        axis.set_ylabel("Cover@tau")
        axis.set_xlim(0, 1)
        axis.set_ylim(0, 1.02)
    axes[0].legend(frameon=False)
    return figure


SECTION = Section("reliability", _measure)
