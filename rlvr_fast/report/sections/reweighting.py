"""How much of RLVR is a reweighting of the base model, and how much is new."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from rlvr_fast.metrics import (
    Ceiling,
    TiltDistance,
    TiltFit,
    fit_tilt,
    support_ceiling,
    tilt_distance,
)
from rlvr_fast.report.columns import GROUP, group_cells, known_mean
from rlvr_fast.report.comparison import Comparison, Group
from rlvr_fast.report.facts import percent
from rlvr_fast.report.grades import verdict_code
from rlvr_fast.report.section import Context, Findings, Section
from rlvr_fast.report.table import Column, Table
from rlvr_fast.store.sampling_values import cuts

__all__ = ["SECTION", "GroupReweighting", "Reweighting", "ceiling_sentence"]


@dataclass(frozen=True, slots=True)
class GroupReweighting:
    """The exponential tilt q exp(beta R) of base, and the distances that it leaves to RL.

    Attributes:
        fit: the tilt, as `rlvr_fast.metrics.fit_tilt` gives it.
        before: mean total variation between the answers of the two models.
        after: the same once base was tilted to RL's accuracy.
        least: mean total variation to the closest tilt of each problem, at any strength.
        noise: distance that sampling alone would leave after the tilt to RL's accuracy; it would
            leave at most as much to the closest tilt.
        new_mass: mean share of RL's draws on answers that base never gave.
        new_correct_mass: mean share of RL's draws on correct answers that base never gave.
        ceiling: the most that pass@k of any tilt of base's sampling distribution can reach, at any
            number of draws.
        problems: number of problems whose answers of both models are known.
    """

    fit: TiltFit
    before: float
    after: float
    least: float
    noise: float
    new_mass: float
    new_correct_mass: float
    ceiling: Ceiling
    problems: int


@dataclass(frozen=True, slots=True)
class Reweighting:
    """The tilt of all problems, the distances of the answers problem by problem, and each group."""

    tilt: TiltFit
    distances: TiltDistance
    groups: tuple[GroupReweighting, ...]


def _measure(context: Context) -> Findings[Reweighting]:
    comparison = context.comparison
    distances = _distances(comparison)
    groups = tuple(_of_group(comparison, group, distances) for group in comparison.groups)
    found = Reweighting(groups[0].fit, distances, groups)
    table = _table(comparison, groups)
    return Findings(
        measured=found,
        tables=(table,),
        summary={"reweighting": table.rows[0]},
        view=lambda: {
            "tilt": _tilt_sentence(groups[0]),
            "ceiling": ceiling_sentence(groups[0].ceiling, comparison.base.sampling),
            "table": table,
        },
    )


# The distances that answers decide; that of the accuracies does without.
_OF_ANSWERS = ("tv_base", "tv", "tv_least", "tv_noise", "kl_within", "new_mass", "new_correct_mass")


def _distances(comparison: Comparison) -> TiltDistance:
    """Distances between the two models' answer distributions, problem by problem.

    "No answer" is one answer of its own, as in the answer entropy.
    """
    parts = []
    for side in comparison.sides:
        a = side.answers
        zero = np.zeros(a.problem.size, np.int64)
        parts.append(
            pa.table(
                {
                    "problem": a.problem,
                    # "no answer" is null here, which groups as a key of its own
                    "canonical": pa.array(a.canonical, pa.large_string()),
                    "right": a.verdict == verdict_code("correct"),
                    "base": a.count if side.name == "base" else zero,
                    "rl": a.count if side.name == "rl" else zero,
                }
            )
        )
    table = (
        pa.concat_tables(parts)
        # One thread: the order of the rows, and so the last digit of sums over them, is then fixed.
        .group_by(["problem", "canonical", "right"], use_threads=False)
        .aggregate([("base", "sum"), ("rl", "sum")])
    )
    found = tilt_distance(
        problem_index=table.column("problem").to_numpy(),
        base_counts=table.column("base_sum").to_numpy(),
        rl_counts=table.column("rl_sum").to_numpy(),
        correct=table.column("right").to_numpy(),
        num_problems=len(comparison.problems),
    )
    known = comparison.base.answers_known & comparison.rl.answers_known
    # Where answers are not known, right and wrong are all there is, and a tilt would explain all.
    return replace(
        found, **{name: np.where(known, getattr(found, name), np.nan) for name in _OF_ANSWERS}
    )


def _of_group(comparison: Comparison, group: Group, distances: TiltDistance) -> GroupReweighting:
    rows = group.members
    base, rl = (side.draws[rows] for side in comparison.sides)
    return GroupReweighting(
        fit=fit_tilt(base, rl),
        before=known_mean(distances.tv_base[rows]),
        after=known_mean(distances.tv[rows]),
        least=known_mean(distances.tv_least[rows]),
        noise=known_mean(distances.tv_noise[rows]),
        new_mass=known_mean(distances.new_mass[rows]),
        new_correct_mass=known_mean(distances.new_correct_mass[rows]),
        ceiling=support_ceiling(*base),
        problems=int(np.isfinite(distances.tv[rows]).sum()),
    )


def _table(comparison: Comparison, groups: tuple[GroupReweighting, ...]) -> Table:
    """How far RL is base, reweighted by correctness; one row per group."""
    rows = [
        {
            **group_cells(group),
            "beta": r.fit.beta,
            "low": r.fit.low,
            "high": r.fit.high,
            "heterogeneity_p": r.fit.heterogeneity_p,
            "before": r.before,
            "after": r.after,
            "least": r.least,
            "noise": r.noise,
            "new_mass": r.new_mass,
            "new_correct_mass": r.new_correct_mass,
            "ceiling": r.ceiling.seen,
            "problems": r.problems,
        }
        for group, r in zip(comparison.groups, groups, strict=True)
    ]
    columns = (
        *GROUP,
        Column(
            "beta",
            "β",
            "decimal",
            "the one tilt exp(βR) that fits RL’s accuracies best, by likelihood; problems solved "
            "often weigh most",
        ),
        Column("low", "low", "decimal", "95 % interval"),
        Column("high", "high", "decimal", "95 % interval"),
        Column(
            "heterogeneity_p",
            "one β for all, p",
            "p",
            "p-value of one β fitting all problems, not adjusted",
        ),
        Column("before", "distance", "share", "mean total variation of the answers, RL and base"),
        Column(
            "after",
            "after the tilt",
            "share",
            "the same once base is tilted to RL’s accuracy on each problem; of all tilts this one "
            "has the least KL divergence from RL, and not always the least distance",
        ),
        Column("least", "closest tilt", "share", "the same after the closest tilt of each problem"),
        Column(
            "noise",
            "by luck",
            "share",
            "what sampling alone would leave after the tilt to RL’s accuracy, if RL were that "
            "tilt; it would leave no more after the closest tilt",
        ),
        Column(
            "new_mass",
            "new answers",
            "share",
            "share of RL’s draws whose answer no draw of base gave, mean over problems",
        ),
        Column(
            "new_correct_mass",
            "new and right",
            "share",
            "share of RL’s draws whose answer is correct and no draw of base gave, likewise",
        ),
        Column(
            "ceiling",
            "ceiling",
            "share",
            "share of problems that base was seen to solve: what pass@k of a tilt of base’s "
            "sampling distribution can tend to on them",
        ),
        Column("problems", "problems", "count", "problems with known answers of both models"),
    )
    return Table(
        "reweighting",
        "Answer level: how much of RL is base reweighted by correctness (exponential tilt).",
        columns,
        rows,
    )


def _tilt_sentence(r: GroupReweighting) -> str:
    """The distances before and after the tilts, in plain words; "" where no tilt was fit."""
    numbers = [r.before, r.after, r.least, r.noise, r.new_mass, r.new_correct_mass]
    if not np.isfinite(numbers).all():
        return ""
    return (
        f"On the {r.problems} problems, the mean distance between RL’s answers and base’s is "
        f"{r.before:.3f}. The tilt of each problem to RL’s accuracy takes it to {r.after:.3f} (the "
        f"closest of all tilts to {r.least:.3f}); if RL were exactly that tilt, the luck of "
        f"sampling alone would leave {r.noise:.3f}. In the mean over these problems "
        f"{percent(r.new_mass)} of RL’s draws give an answer that base’s draws do not hold, and "
        f"{percent(r.new_correct_mass)} of its draws give such an answer that is right."
    )


def ceiling_sentence(ceiling: Ceiling, sampling: Mapping[str, Any]) -> str:
    """The ceiling that reweighting puts on pass@k (Leash, corollaries C.2 and C.5).

    Args:
        ceiling: of all problems.
        sampling: the sampling parameters of the base run.
    """
    if not ceiling.problems:
        return ""
    text = (
        "A tilt of base’s sampling distribution gives nothing to what that distribution excludes, "
        "and at most certainty to the right answers that it holds: however strong, and at any k, "
        f"it can solve the {percent(ceiling.seen)} of problems that base was seen to solve"
    )
    if ceiling.unseen:
        text += (
            f"; the other {percent(ceiling.unseen)} only where base’s sampling can solve them, but "
            f"too rarely to be seen (on each with a chance below {ceiling.threshold:.2g} a draw, "
            "95% confidence)"
        )
    return f"{text}. {_distribution(sampling)}"


def _distribution(sampling: Mapping[str, Any]) -> str:
    """Whose ceiling it is: that of the distribution that base's draws come from."""
    found = cuts(sampling)
    text = "The ceiling is that of the distribution which was sampled"
    if found:
        return (
            f"{text}, which {' and '.join(found)} cut{'s' if len(found) == 1 else ''} off. "
            "Training that draws at temperature 1 without such a cut reweights a wider "
            "distribution: RL may pass this ceiling and still be a tilt of the full base model."
        )
    if sampling.get("top_p") is None:
        return f"{text}; whether top-p cut it off is not recorded."
    return f"{text}, and nothing was cut off it."


SECTION = Section("reweighting", _measure)
