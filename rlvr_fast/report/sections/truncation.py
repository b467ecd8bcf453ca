"""Draws that count by themselves, completions that were cut off, and what these decide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rlvr_fast.metrics import Draws, support_ratios
from rlvr_fast.metrics.pass_at_k import log_all_miss
from rlvr_fast.report.columns import GROUP, group_cells, ratio
from rlvr_fast.report.comparison import Comparison, Group, count_of
from rlvr_fast.report.problems import FloatArray, IntArray
from rlvr_fast.report.section import Context, Findings, Section
from rlvr_fast.report.sides import Side, depth_of
from rlvr_fast.report.table import Column, Table

__all__ = ["SECTION", "Counted", "GroupTruncation"]

# A difference that is printed as 0.000 has no sign.
_NO_DIFFERENCE = 0.0005
_MOST = 0.5


@dataclass(frozen=True, slots=True)
class Counted:
    """The headline numbers over some of the completions.

    Attributes:
        regions: expected number of problems in each region at the common depth of each problem.
        problems: problems with a draw of both models.
        depth: least and greatest common depth.
        k: the depth of the curve.
        pass_1: pass@1 of base and RL, over the problems with k draws of both.
        pass_k: pass@k of base and RL over the same problems.
        curve_problems: number of those problems.
    """

    regions: dict[str, float]
    problems: int
    depth: tuple[int, int]
    k: int
    pass_1: tuple[float, float]
    pass_k: tuple[float, float]
    curve_problems: int

    @property
    def difference(self) -> float:
        """pass@k of RL minus that of base."""
        return self.pass_k[1] - self.pass_k[0]

    @property
    def difference_1(self) -> float:
        """pass@1 of RL minus that of base."""
        return self.pass_1[1] - self.pass_1[0]


@dataclass(frozen=True, slots=True)
class GroupTruncation:
    """What completions that were cut off do to one group.

    Attributes:
        all: all completions.
        at_depth: all completions, at the depths of `ended`.
        ended: completions that ended by themselves.
        sentences: what follows, in words.
    """

    all: Counted | None
    at_depth: Counted | None
    ended: Counted | None
    sentences: tuple[str, ...]


def _measure(context: Context) -> Findings[tuple[GroupTruncation, ...]]:
    comparison = context.comparison
    unknown = [side.title for side in comparison.sides if not side.num_ended.any()]
    cut = any(side.num_truncated.any() for side in comparison.sides)
    counted = cut and not unknown
    groups = tuple(
        _of_group(comparison, group) if counted else GroupTruncation(None, None, None, ())
        for group in comparison.groups
    )
    draws, table = _draws_table(comparison), _table(comparison, groups)
    flips = [s for s in groups[0].sentences if "decide" in s]
    return Findings(
        measured=groups,
        tables=(draws, table),
        headline="\n".join(flips),
        summary={
            "draws": [row for row in draws.rows if row["kind"] == "overall"],
            "truncation": {
                "recorded": not unknown,
                "completions": [row for row in table.rows if row["kind"] == "overall"],
                "sentences": list(groups[0].sentences),
            },
        },
        view=lambda: {
            "draws": draws,
            "truncation": table,
            "cut": cut,
            "unknown": " and ".join(unknown),
            "partly": _partly_unknown(comparison),
            "said": [(group, groups[group.index]) for group in context.page.groups],
        },
    )


def _partly_unknown(comparison: Comparison) -> str:
    """Sides of which only some draws are known to have ended or to have been cut off, in words."""
    found = []
    for side in comparison.sides:
        known, total = int(side.num_ended.sum()), int(side.num_samples.sum() + _ungraded(side))
        if 0 < known < total:
            found.append(f"{total - known:,} of {total:,} completions of {side.title}")
    return " and ".join(found)


def _ungraded(side: Side) -> int:
    return int(np.maximum(side.num_ungraded, 0).sum())


def _of_group(comparison: Comparison, group: Group) -> GroupTruncation:
    rows = group.members
    base, rl = comparison.base, comparison.rl
    every = base.draws[rows], rl.draws[rows]
    ended = base.ended[rows], rl.ended[rows]
    own = np.minimum(every[0].num_samples, every[1].num_samples)
    fewer = np.minimum(ended[0].num_samples, ended[1].num_samples)
    numbers = _counted(*every, own), _counted(*every, fewer), _counted(*ended, fewer)
    return GroupTruncation(*numbers, _sentences(comparison, group, numbers[1], numbers[2]))


def _counted(base: Draws, rl: Draws, depth: IntArray) -> Counted | None:
    """The headline numbers at given depths; None where no problem has a draw of both."""
    drawn = depth > 0
    if not drawn.any():
        return None
    a, b = (_pass(side, depth, drawn) for side in (base, rl))
    k = depth_of(depth)
    curve = depth >= k
    at_k = [float(_pass(side, np.full_like(depth, k), curve).mean()) for side in (base, rl)]
    at_1 = [float((s.num_correct[curve] / s.num_samples[curve]).mean()) for s in (base, rl)]
    return Counted(
        regions={
            "preserved": float((a * b).sum()),
            "shrunk": float((a * (1 - b)).sum()),
            "expanded": float(((1 - a) * b).sum()),
            "out": float(((1 - a) * (1 - b)).sum()),
        },
        problems=int(drawn.sum()),
        depth=(int(depth[drawn].min()), int(depth[drawn].max())),
        k=k,
        pass_1=(at_1[0], at_1[1]),
        pass_k=(at_k[0], at_k[1]),
        curve_problems=int(curve.sum()),
    )


def _pass(side: Draws, depth: IntArray, rows: Any) -> FloatArray:
    missed = log_all_miss(side.num_samples[rows], side.num_correct[rows], depth[rows])
    return np.asarray(-np.expm1(missed), np.float64)


def _sentences(
    comparison: Comparison, group: Group, every: Counted | None, ended: Counted | None
) -> tuple[str, ...]:
    found = []
    if every is not None and ended is not None:
        found += _flips(every, ended)
    rows = group.members
    base, rl = comparison.base, comparison.rl
    mostly = {
        side.name: side.num_truncated[rows] > _MOST * np.maximum(side.num_samples[rows], 1)
        for side in (base, rl)
    }
    if any(mask.any() for mask in mostly.values()):
        numbers = ", ".join(f"{int(mostly[s.name].sum()):,} of {s.title}" for s in (base, rl))
        found.append(
            f"Problems on which more than half of the draws were cut off: {numbers}, of "
            f"{rows.size:,}."
        )
    labels = comparison.label_array("seen")[rows]
    for label, word, side in (("shrunk", "lost", rl), ("expanded", "found", base)):
        mine = labels == label
        cut = int((mine & mostly[side.name]).sum())
        if cut:
            found.append(
                f"On {cut:,} of {count_of(int(mine.sum()), 'problem')} {word} (counted with all "
                f"draws), {side.title} was cut off in more than half of its draws: that it does "
                "not reach them is said of its completions at this length only."
            )
    changed = int(
        (_labels(base.ended, rl.ended, rows) != _labels(base.draws, rl.draws, rows)).sum()
    )
    if changed:
        found.append(
            f"{count_of(changed, 'label')} of {rows.size:,} {'is' if changed == 1 else 'are'} "
            "another where only completions that ended by themselves count: a model’s only correct "
            "completions were cut off."
        )
    return tuple(found)


def _labels(base: Draws, rl: Draws, rows: IntArray) -> IntArray:
    """0 to 3: which of the two models gave a correct completion."""
    reached = [np.asarray(side.num_correct[rows] > 0, np.int64) for side in (base, rl)]
    return reached[0] * 2 + reached[1]


def _flips(every: Counted, ended: Counted) -> list[str]:
    """Sentences on differences whose sign depends on the completions that were cut off."""
    found = []
    pairs = {
        1: (every.difference_1, ended.difference_1),
        every.k: (every.difference, ended.difference),
    }
    for k, (with_all, without) in pairs.items():
        if min(abs(with_all), abs(without)) < _NO_DIFFERENCE or (with_all > 0) == (without > 0):
            continue
        ahead, other = ("RL", "base") if with_all > 0 else ("base", "RL")
        found.append(
            f"Completions that were cut off decide which model is ahead at k = {k:,} (over "
            f"{count_of(every.curve_problems, 'problem')}): {ahead} by {abs(with_all):.3f} where "
            f"all completions count, {other} by {abs(without):.3f} where only those count that "
            "ended by themselves."
        )
    return found


def _draws_table(comparison: Comparison) -> Table:
    """Draws, those that count by themselves, and how they ended, one row a group and model."""
    rows = []
    for group in comparison.groups:
        at = group.members
        for side in comparison.sides:
            number, effective = side.num_samples[at], side.effective_draws[at]
            drawn = effective[number > 0]
            stored = int(number.sum() + np.maximum(side.num_ungraded[at], 0).sum())
            known = int(side.num_ended[at].sum())
            rows.append(
                {
                    **group_cells(group),
                    "model": side.name,
                    "draws": int(number.sum()),
                    "effective": int(effective.sum()),
                    "least": int(drawn.min()) if drawn.size else 0,
                    "most": int(drawn.max()) if drawn.size else 0,
                    "tokens": ratio(side.length_sum[at].sum(), side.length_count[at].sum()),
                    "cut_off": ratio(side.num_truncated[at].sum(), known),
                    "unknown": ratio(stored - known, stored),
                }
            )
    columns = (
        *GROUP,
        Column("model", "model"),
        Column("draws", "draws", "count", "graded draws"),
        Column("effective", "independent", "count", "draws that are no repeats of others"),
        Column("least", "a problem, least", "count", "independent draws of a problem"),
        Column("most", "most", "count", "independent draws of a problem"),
        Column("tokens", "mean tokens", "length", "of draws whose length is known"),
        Column("cut_off", "cut off", "number", "share of the draws whose end is known"),
        Column("unknown", "end unknown", "number", "share of all draws"),
    )
    return Table("draws", "Draws of each model, and how they ended.", columns, rows)


_KINDS = (
    ("all", "all"),
    ("at_depth", "all, at the depth of the next row"),
    ("ended", "ended by themselves"),
)


def _table(comparison: Comparison, groups: tuple[GroupTruncation, ...]) -> Table:
    """The headline numbers with and without the completions that were cut off."""
    rows: list[dict[str, Any]] = []
    for group, found in zip(comparison.groups, groups, strict=True):
        for name, title in _KINDS:
            one: Counted | None = getattr(found, name)
            if one is None:
                continue
            ratios = support_ratios(*(one.regions[x] for x in ("preserved", "expanded", "shrunk")))
            least, most = one.depth
            rows.append(
                {
                    **group_cells(group),
                    "completions": title,
                    "problems": one.problems,
                    "depth": f"{least:,}" if least == most else f"{least:,} to {most:,}",
                    **one.regions,
                    **{x: float(getattr(ratios, x)) for x in ("srr", "ndr", "sds", "nscr")},
                    "base_1": one.pass_1[0],
                    "rl_1": one.pass_1[1],
                    "k": one.k,
                    "base_k": one.pass_k[0],
                    "rl_k": one.pass_k[1],
                    "difference": one.difference,
                    "curve_problems": one.curve_problems,
                }
            )
    columns = (
        *GROUP,
        Column("completions", "completions"),
        Column("problems", "N", "count", "problems with such a draw of both models"),
        Column("depth", "depth", "range", "draws of each model that the counts are expected at"),
        Column("preserved", "P", "length", "expected number of problems that both reach"),
        Column("shrunk", "S", "length", "that the base model alone reaches"),
        Column("expanded", "E", "length", "that the RL model alone reaches"),
        Column("out", "O", "length", "that neither reaches"),
        Column("srr", "SRR", "share"),
        Column("ndr", "NDR", "share"),
        Column("sds", "SDS", "share"),
        Column("nscr", "NSCR", "signed"),
        Column("base_1", "base pass@1", "share"),
        Column("rl_1", "RL pass@1", "share"),
        Column("k", "k", "count", "the depth that nine of ten problems have"),
        Column("base_k", "base pass@k", "share"),
        Column("rl_k", "RL pass@k", "share"),
        Column("difference", "RL − base", "signed", "difference of pass@k"),
        Column("curve_problems", "problems", "count", "problems of pass@1 and pass@k"),
    )
    return Table(
        "truncation",
        "Problem level: the headline numbers over all completions and over those that ended by "
        "themselves (reached = at least one correct draw; expected counts at the common depth).",
        columns,
        rows,
    )


SECTION = Section("truncation", _measure)
