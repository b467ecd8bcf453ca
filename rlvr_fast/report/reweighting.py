"""How much of RLVR is a reweighting of the base model, and how much is new: one row a group."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from rlvr_fast.metrics import Ceiling, TiltDistance, fit_tilt, support_ceiling, tilt_distance
from rlvr_fast.report.sides import VERDICTS, FloatArray, IntArray, Side

__all__ = ["Reweighting", "answer_distances", "reweighting_of_group"]


@dataclass(frozen=True, slots=True)
class Reweighting:
    """The exponential tilt q exp(beta R) that best explains RL from base, and what it leaves.

    ``beta`` with its interval and ``heterogeneity_p`` as in `rlvr_fast.metrics.fit_tilt`. Mean
    total variation between the answers of the two models: ``before`` any tilt, ``after`` base was
    tilted to RL's accuracy, and what sampling ``noise`` alone would leave. ``new_mass``: mean share
    of RL's draws on answers that base never gave. ``ceiling``: the most that any tilt can reach, at
    any number of draws.
    """

    beta: float
    low: float
    high: float
    heterogeneity_p: float
    before: float
    after: float
    noise: float
    new_mass: float
    new_correct_mass: float
    ceiling: Ceiling


def answer_distances(base: Side, rl: Side) -> TiltDistance:
    """Distances between the two models' answer distributions, problem by problem.

    "No answer" is one answer of its own, as in the answer entropy.
    """
    parts = []
    for side, column in ((base, "base"), (rl, "rl")):
        a = side.answers
        zero = np.zeros(a.problem.size, np.int64)
        parts.append(
            pa.table(
                {
                    "problem": a.problem,
                    # the null of "no answer" is a key like any other
                    "canonical": pa.array(a.canonical, pa.large_string()),
                    "right": a.verdict == VERDICTS.index("correct"),
                    "base": a.count if column == "base" else zero,
                    "rl": a.count if column == "rl" else zero,
                }
            )
        )
    table = (
        pa.concat_tables(parts)
        .group_by(["problem", "canonical", "right"])
        .aggregate([("base", "sum"), ("rl", "sum")])
    )
    return tilt_distance(
        table.column("problem").to_numpy(),
        table.column("base_sum").to_numpy(),
        table.column("rl_sum").to_numpy(),
        table.column("right").to_numpy(),
        num_problems=base.num_samples.size,
    )


def reweighting_of_group(
    base: Side, rl: Side, rows: IntArray, distances: TiltDistance
) -> Reweighting:
    """The best tilt of one group's problems, and their mean distances."""
    fit = fit_tilt(
        base.num_correct[rows], base.num_samples[rows], rl.num_correct[rows], rl.num_samples[rows]
    )
    return Reweighting(
        beta=fit.beta,
        low=fit.low,
        high=fit.high,
        heterogeneity_p=fit.heterogeneity_p,
        before=_mean(distances.tv_base[rows]),
        after=_mean(distances.tv[rows]),
        noise=_mean(distances.tv_noise[rows]),
        new_mass=_mean(distances.new_mass[rows]),
        new_correct_mass=_mean(distances.new_correct_mass[rows]),
        ceiling=support_ceiling(base.num_samples[rows], base.num_correct[rows]),
    )


def _mean(values: FloatArray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")
