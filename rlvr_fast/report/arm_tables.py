"""The tables of several RL runs against one base."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.stats import t as student

from rlvr_fast.metrics import (
    CurveInterval,
    Draws,
    SharedShift,
    SupportInterval,
    pass_at_k,
    pass_at_k_difference,
    shared_shift,
)
from rlvr_fast.report.arms import recipe_of
from rlvr_fast.report.columns import LEVEL, RATIOS
from rlvr_fast.report.comparison import Comparison
from rlvr_fast.report.facts import count_of
from rlvr_fast.report.problems import FloatArray, IntArray
from rlvr_fast.report.several import (
    depth_of_curves,
    depth_text,
    fewest_draws,
    interval_columns,
    limits,
    shift_at,
    whole,
)
from rlvr_fast.report.table import Column, Kind, Table

__all__ = [
    "Arms",
    "listed_problems",
    "measure_arms",
    "pass_table",
    "problem_table",
    "seed_table",
    "support_table",
    "together_table",
    "withheld",
]

_REGIONS = ("preserved", "shrunk", "expanded", "out")
_MOST_LISTED = 40
# What the table of seeds shows, with the bounds of the numbers.
_OVER_SEEDS = (
    ("srr", "SRR", 0.0, 1.0),
    ("ndr", "NDR", 0.0, 1.0),
    ("nscr", "NSCR", -1.0, 1.0),
    ("shrunk", "S, lost", 0.0, np.inf),
    ("expanded", "E, found", 0.0, np.inf),
    ("pass_at_1", "pass@1", 0.0, 1.0),
    ("pass_at_depth", "pass@{depth}", 0.0, 1.0),
    ("base_difference_1", "pass@1 − base", -1.0, 1.0),
    ("base_difference_depth", "pass@{depth} − base", -1.0, 1.0),
)


_BY = ("lost_by", "found_by")


@dataclass(frozen=True, slots=True)
class Arms:
    """Several RL runs over the problems that the base and all of them have drawn.

    Attributes:
        names: of the runs, the RL run of the comparison first.
        rows: rows of the problems in the comparison.
        depth: draws at which each of these problems is compared: the least of all runs.
        curve_depth: the k of pass@k: at least 90 % of the problems have so many draws of all runs.
        curve_rows: the rows of those problems.
        shifts: shares of the labels and ratios of each run, with intervals.
        to_base: pass@k of each run minus base's, at k = 1 and `curve_depth`.
        to_rl: the same minus the RL run's; None for the RL run.
        passing: pass@k of each run at the two k, shape [runs, 2].
        base_passing: the same of the base, shape [2].
        luck: each run by itself beside base, with what luck gives at the same depth.
        shared: what all runs lose or find; the RL run among them.
        recipes: a recipe to the places of its seeds, where it has at least two.
        recipe_shared: the same as `shared` over the seeds of one recipe.
    """

    names: tuple[str, ...]
    rows: IntArray
    depth: IntArray
    curve_depth: int
    curve_rows: IntArray
    shifts: tuple[SupportInterval, ...]
    to_base: tuple[CurveInterval, ...]
    to_rl: tuple[CurveInterval | None, ...]
    passing: FloatArray
    base_passing: FloatArray
    luck: tuple[SharedShift, ...]
    shared: SharedShift
    recipes: Mapping[str, tuple[int, ...]]
    recipe_shared: Mapping[str, SharedShift]


def measure_arms(base: Draws, names: Sequence[str], draws: Sequence[Draws]) -> Arms | None:
    """Measures several runs against one base over the problems that all have drawn.

    Args:
        base: the counts of the base.
        names: of the runs, the RL run first.
        draws: the counts of each run, same problems as the base.

    Returns:
        None where no problem has draws of all.
    """
    fewest = fewest_draws((base, *draws))
    rows = np.flatnonzero(fewest > 0)
    if not rows.size:
        return None
    depth = fewest[rows]
    curve_depth = depth_of_curves(depth)
    curve_rows = rows[depth >= curve_depth]
    at = [1, curve_depth]
    recipes: dict[str, list[int]] = {}
    for i, name in enumerate(names):
        if recipe := recipe_of(name):
            recipes.setdefault(recipe, []).append(i)
    kept = {recipe: tuple(of) for recipe, of in recipes.items() if len(of) > 1}
    sides = [d[rows] for d in draws]
    curves = [d[curve_rows] for d in draws]
    b, bc = base[rows], base[curve_rows]
    passing = [pass_at_k(d.num_samples, d.num_correct, at).mean(axis=0) for d in (bc, *curves)]
    return Arms(
        names=tuple(names),
        rows=rows,
        depth=depth,
        curve_depth=curve_depth,
        curve_rows=curve_rows,
        shifts=tuple(shift_at(b, d, depth) for d in sides),
        to_base=tuple(pass_at_k_difference(bc, d, k=at, level=LEVEL) for d in curves),
        to_rl=(
            None,
            *(pass_at_k_difference(curves[0], d, k=at, level=LEVEL) for d in curves[1:]),
        ),
        passing=np.array(passing[1:]),
        base_passing=passing[0],
        luck=tuple(shared_shift(b, arms=[d], depth=depth) for d in sides),
        shared=shared_shift(b, arms=sides),
        recipes=kept,
        recipe_shared={
            recipe: shared_shift(b, arms=[sides[i] for i in of], depth=depth)
            for recipe, of in kept.items()
        },
    )


def withheld(table: Table) -> Table:
    """The table without what rests on independent draws: intervals, and what luck gives."""
    ends = ("_low", "_high")
    lost = {"luck_shrunk", "luck_expanded", "equal", "p"}
    rows = [
        {k: np.nan if k in lost or k.endswith(ends) else v for k, v in row.items()}
        for row in table.rows
    ]
    return replace(table, rows=rows)


def support_table(found: Arms) -> Table:
    """Support of each run, a row a run."""
    rows = []
    for i, name in enumerate(found.names):
        one, luck = found.shifts[i], found.luck[i].equal
        row: dict[str, Any] = {"run": name}
        row |= {key: getattr(one, key).value * one.problems for key in _REGIONS}
        row |= {"luck_shrunk": luck.lost_by_all, "luck_expanded": luck.found_by_all}
        for key in RATIOS:
            row |= limits(key, *getattr(one, key))
        rows.append(row)
    counts = all(whole(row[key]) for row in rows for key in _REGIONS)
    kind: Kind = "count" if counts else "length"
    columns = (
        Column("run", "run"),
        Column("preserved", "P", kind, "preserved: reached by the base and this run"),
        Column("shrunk", "S", kind, "shrunk: reached by the base only"),
        Column("expanded", "E", kind, "expanded: reached by this run only"),
        Column("out", "O", kind, "out of support: reached by neither"),
        Column("luck_shrunk", "S if equal", "length", "expected, were this run the base model"),
        Column("luck_expanded", "E if equal", "length", "expected, were this run the base model"),
        *interval_columns("srr", "SRR", "share", "support retention rate, P/(P+S); 95 % interval"),
        *interval_columns("ndr", "NDR", "share", "net discovery rate, E/(P+E); 95 % interval"),
        *interval_columns("sds", "SDS", "share", "harmonic mean of SRR and NDR; 95 % interval"),
        *interval_columns("nscr", "NSCR", "signed", "(E−S)/(P+E+S); 95 % interval"),
    )
    caption = (
        f"Problem level: support of each run against the base, {depth_text(found.depth)} "
        "(reached = at least one correct draw)."
    )
    return Table("arms", caption, columns, rows)


def pass_table(found: Arms) -> Table:
    """pass@k of each run with its differences to base and RL, a row a run."""
    depth = found.curve_depth
    rows = []
    for i, name in enumerate(found.names):
        row: dict[str, Any] = {"run": name}
        for at, what in enumerate(("1", "depth")):
            row[f"pass_at_{what}"] = float(found.passing[i, at])
            for key, curve in (("base", found.to_base[i]), ("rl", found.to_rl[i])):
                ends = (np.nan,) * 3 if curve is None else (c[at] for c in curve[1:4])
                row |= limits(f"{key}_difference_{what}", *map(float, ends))
        rows.append(row)
    ks = (("1", 1), ("depth", depth)) if depth > 1 else (("1", 1),)
    columns: list[Column] = [Column("run", "run")]
    for what, k in ks:
        columns += [
            Column(f"pass_at_{what}", f"pass@{k}", "share", "mean unbiased pass@k of the run"),
            *interval_columns(
                f"base_difference_{what}", f"pass@{k} − base", "signed",
                f"pass@{k} of the run minus the base's, paired by problem; 95 % interval",
            ),
            *interval_columns(
                f"rl_difference_{what}", f"pass@{k} − {found.names[0]}", "signed",
                f"pass@{k} of the run minus that of the RL run, paired by problem; 95 % interval",
            ),
        ]  # fmt: skip
    base = " and ".join(
        f"{value:.3f} at k = {k}" for (_, k), value in zip(ks, found.base_passing, strict=False)
    )
    caption = (
        f"Problem level: pass@k of each run, {count_of(found.curve_rows.size, 'problem')} with at "
        f"least {count_of(depth, 'draw')} of every run. The base has {base}."
    )
    return Table("arms_pass_at_k", caption, tuple(columns), rows)


def seed_table(found: Arms, rows: Sequence[Mapping[str, Any]]) -> Table:
    """Mean, spread and interval over the training seeds of each recipe."""
    out = []
    for recipe, of in found.recipes.items():
        for key, title, low, high in _OVER_SEEDS:
            values = np.array([rows[i][key] for i in of], np.float64)
            mean, spread = float(values.mean()), float(values.std(ddof=1))
            half = float(student.ppf((1 + LEVEL) / 2, len(of) - 1)) * spread / np.sqrt(len(of))
            known = spread > 0  # equal seeds give no interval: a width of 0 would claim certainty
            out.append(
                {
                    "recipe": recipe,
                    "quantity": title.format(depth=found.curve_depth),
                    "seeds": len(of),
                    "mean": mean,
                    "mean_low": max(mean - half, low) if known else np.nan,
                    "mean_high": min(mean + half, high) if known else np.nan,
                    "sd": spread,
                    "least": float(values.min()),
                    "most": float(values.max()),
                }
            )
    columns = (
        Column("recipe", "recipe"),
        Column("quantity", "quantity", "text"),
        Column("seeds", "seeds", "count", "training runs of the recipe"),
        *interval_columns(
            "mean", "mean", "number",
            "mean over the seeds; 95 % interval for the mean of such trainings on these problems "
            "and base draws, by Student's t: with 2 seeds it reaches 9 standard deviations to "
            "either side, with 3 seeds 2.5",
        ),
        Column("sd", "sd", "number", "standard deviation between the seeds, their draws included"),
        Column("least", "least", "number", "smallest value of a seed"),
        Column("most", "most", "number", "largest value of a seed"),
    )  # fmt: skip
    caption = (
        "Training seeds of one recipe: mean and spread over the seeds, the problems and the "
        "base's draws held fixed."
    )
    return Table("arms_seeds", caption, columns, out)


def together_table(found: Arms) -> Table:
    """What all runs, and all seeds of a recipe, lose and find."""
    sets = {f"all {len(found.names)} runs": found.shared}
    if len(found.recipes) > 1 or any(len(of) < len(found.names) for of in found.recipes.values()):
        sets |= {
            f"{len(of)} seeds of {r}": found.recipe_shared[r] for r, of in found.recipes.items()
        }
    what = (
        ("lost_by_all", "lost by all"),
        ("lost_by_any", "lost by at least one"),
        ("found_by_all", "found by all"),
        ("found_by_any", "found by at least one"),
    )
    rows = [
        {
            "set": name,
            "what": title,
            "problems": getattr(one.observed, key),
            "independent": getattr(one.independent, key),
            "equal": getattr(one.equal, key),
            "p": getattr(one, f"p_{key}", np.nan),
        }
        for name, one in sets.items()
        for key, title in what
    ]
    columns = (
        Column("set", "runs"),
        Column("what", "problems", "text"),
        Column("problems", "number", "length"),
        Column(
            "independent", "if independent", "length",
            "expected, had each run lost (found) its own number of problems at random among those "
            "that the base reaches (does not reach); problems of unequal difficulty give more",
        ),
        Column(
            "equal", "if equal", "length",
            "expected, were the base and these runs one model: by the luck of the draws alone",
        ),
        Column(
            "p", "p if equal", "p",
            "exact probability of at least as many, were these one model, with all draws counted; "
            "not adjusted for other tests: no statement rests on it",
        ),
    )  # fmt: skip
    caption = f"Problem level: problems lost or found by several runs, {depth_text(found.depth)}."
    return Table("arms_together", caption, columns, rows)


def problem_table(comparison: Comparison, found: Arms, draws: Sequence[Draws]) -> Table:
    """A row a problem, a column a run: correct draws of all draws."""
    base = comparison.base.draws
    keys = [f"run {name}" for name in found.names]
    rows = [
        {
            "problem": comparison.problems.ids[at],
            "task": comparison.problems.tasks[at],
            "base": _of(base, at),
            **{key: _of(d, at) for key, d in zip(keys, draws, strict=True)},
            "lost_by": float(found.shared.lost_by[i]),
            "found_by": float(found.shared.found_by[i]),
            "depth": int(found.depth[i]),
        }
        for i, at in enumerate(found.rows)
    ]
    kind: Kind = "count" if all(whole(r[k]) for r in rows for k in _BY) else "decimal"
    columns = (
        Column("problem", "problem"),
        Column("task", "task"),
        Column("base", "base", "range", "correct draws of all draws"),
        *(Column(key, name, "range") for key, name in zip(keys, found.names, strict=True)),
        Column("lost_by", "lost by", kind, "number of runs, expected at the depth"),
        Column("found_by", "found by", kind, "number of runs, expected at the depth"),
        Column("depth", "depth", "count", "draws at which the runs are compared"),
    )
    caption = f"Problem level: correct draws of every run, {depth_text(found.depth)}."
    return Table("arms_problems", caption, columns, rows)


def listed_problems(table: Table, found: Arms) -> Table | None:
    """The problems that most runs lose, for the page; None where none is lost or found."""
    total = len(found.names)
    rows = [row for row in table.rows if max(row[key] for key in _BY) >= 0.5]
    if not rows:
        return None
    rows.sort(key=lambda row: (-row["lost_by"], -row["found_by"]))
    shown = rows[:_MOST_LISTED]
    caption = f"Problems that at least one of the {total} runs lost or found, most often lost first"
    if len(rows) > len(shown):
        caption += f": {len(shown)} of {len(rows)}; tables/arms_problems.csv has all"
    return Table(table.name, f"{caption}.", table.columns, shown)


def _of(draws: Draws, at: int) -> str:
    return f"{draws.num_correct[at]} of {draws.num_samples[at]}"
