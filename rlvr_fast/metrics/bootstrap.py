"""Intervals on pass@k by resampling problems.

The estimand is the population of problems: mean pass@k of a new problem. Each problem enters with
unbiased estimates of its pass@k, which carry the sampling noise of its draws, so that resampling
problems resamples both.

The ordinary bootstrap gives the interval [0, 0] where no problem was solved, however few problems
there are. Each limit here is a quantile of a weighted mean under Dirichlet weights over the
problems and one hypothetical problem with the extreme value: the lowest value for the lower limit,
the highest for the upper limit (Gaffke 2005; Learned-Miller & Thomas, arXiv 1905.06208). For values
0 and 1 the limits equal Clopper-Pearson's. `support_intervals` treats the labels alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics.changes import Changes, changes_seen
from rlvr_fast.metrics.checks import (
    Counts,
    Floats,
    as_probability,
)
from rlvr_fast.metrics.draws import Draws, DrawsLike, paired
from rlvr_fast.metrics.intervals import CurveInterval
from rlvr_fast.metrics.pass_at_k import as_ks, pass_at_k
from rlvr_fast.metrics.resampling import (
    Exponentials,
    as_replicates,
    gathered,
    group_sums,
    quantiles,
    typical_size,
    unit_index,
    weight_blocks,
)

__all__ = [
    "mean_difference_interval",
    "pass_at_k_difference",
    "pass_at_k_interval",
]

# Chosen by simulation: with 1 the intervals cover less than 90 % where nearly all rates are near
# 1/n, with 2 they are five times as wide as necessary where all rates are about .05.
_ROOM_POWER = 1.25


@dataclass(frozen=True, slots=True)
class _Units:
    """Sums over the units that are resampled; a unit is a problem, or a group of problems.

    Attributes:
        sums: sum of the values of each unit, [units, K].
        sizes: number of problems with a value in each unit, [units, K].
        problems: number of problems with a value, [K].
    """

    sums: Floats
    sizes: Floats
    problems: Counts

    @property
    def value(self) -> Floats:
        """Mean over all problems, [K]; nan where no problem has a value."""
        with np.errstate(invalid="ignore"):
            return np.asarray(
                self.sums.sum(axis=0) / np.where(self.problems, self.problems, np.nan)
            )

    @property
    def means(self) -> Floats:
        """Mean of each unit, [units, K]; nan where none of its problems has a value."""
        return np.asarray(self.sums / np.where(self.sizes > 0, self.sizes, np.nan))


def _units(values: Floats, groups: ArrayLike | None) -> _Units:
    present = ~np.isnan(values)
    unit = unit_index(groups, np.ones(len(values), dtype=np.bool_))
    return _Units(
        group_sums(np.where(present, values, 0.0), unit),
        group_sums(present.astype(np.float64), unit),
        np.asarray(present.sum(axis=0), dtype=np.int64),
    )


def _mean_interval(
    units: _Units,
    ks: Counts,
    extremes: tuple[Floats, Floats],
    level: float,
    replicates: int,
    seed: int,
) -> CurveInterval:
    """Limits of the column means, each with a hypothetical unit.

    Args:
        units: the units that are resampled.
        ks: the k of each column.
        extremes: mean of the hypothetical unit for the lower and the upper limit, each [K].
        level: confidence level.
        replicates: number of bootstrap replicates.
        seed: seed of the random weights.
    """
    tail = (1 - as_probability("level", level)) / 2
    lowest, highest = extremes
    empty = units.problems == 0
    extra = np.where(empty, 1.0, typical_size(units.sizes))
    rng = Exponentials(seed)
    replicates = as_replicates(replicates)
    low = np.empty((replicates, len(ks)))
    high = np.empty_like(low)
    both, copies = gathered(np.concatenate([units.sums, units.sizes], axis=1))
    if copies is None:
        sums, sizes = units.sums, units.sizes
    else:
        sums, sizes = np.split(both, 2, axis=1)
    for rows, weights in weight_blocks(len(sums), replicates, rng, copies):
        total, weight = weights @ sums, weights @ sizes
        other = rng.standard_exponential((len(weights), 1)) * extra
        low[rows] = (total + lowest * other) / (weight + other)
        high[rows] = (total + highest * other) / (weight + other)
    value = units.value
    lower = np.where(empty, np.nan, quantiles(low, [tail])[0])
    upper = np.where(empty, np.nan, quantiles(high, [1 - tail])[0])
    # the quantiles carry Monte Carlo noise, which must not exclude the estimate
    return CurveInterval(
        ks, value, np.minimum(lower, value), np.maximum(upper, value), units.problems
    )


def _hull(new_units: CurveInterval, same_units: CurveInterval) -> CurveInterval:
    """Limits for new units, which bring new problems: never closer than those for new problems."""
    return new_units._replace(
        low=np.minimum(new_units.low, same_units.low),
        high=np.maximum(new_units.high, same_units.high),
    )


def _effective_number(squares: Floats) -> Floats:
    """How many values carry the sum of squares of each column; 0 where all are 0."""
    total, fourth = squares.sum(axis=0), (squares**2).sum(axis=0)
    return np.where(fourth > 0, total**2 / np.where(fourth > 0, fourth, 1.0), 0.0)


def _extreme_differences(
    units: _Units, room: Floats, ks: Counts, changes: Changes | None
) -> tuple[Floats, Floats]:
    """The difference that one unit more may have, in the lower and in the upper direction.

    The largest deviation from the mean that was seen, in both directions. Where the units show
    little of what a further unit may do, the difference moves towards -1 and 1: by the share
    exp(-e), with e the smallest of three effective numbers of units. The first is the number that
    carries the sum of squared deviations, (sum x^2)^2 / sum x^4. The second is the sum of `room`:
    where all rates lie near 0 (or 1), the differences are small whatever the models do, and say
    nothing about a problem of middling rate. The third is the number that carries the squared
    differences of the problems that changed, where one stands out of its sampling noise: few lost
    problems of low rate are not made many by the noise of the others. At k = 1 the difference
    does not move where the draws agree with two equal models.

    Args:
        units: differences of the units.
        room: how far the rates of each unit lie from 0 and 1, between 0 and 1, [units, K]; nan
            without a value.
        ks: the k of each column.
        changes: true changes of the problems, where the units are problems with counts.
    """
    value = units.value
    deviation = units.means - value
    farthest = np.nan_to_num(np.fmax.reduce(np.abs(deviation), axis=0, initial=0.0))
    carried = _effective_number(np.nan_to_num(deviation * units.sizes) ** 2)
    seen = np.minimum(carried, np.nan_to_num(room).sum(axis=0))
    if changes is not None:
        if changes.changed.any():
            true = _effective_number(units.sums[changes.changed] ** 2)
            seen = np.where(true > 0, np.minimum(seen, true), seen)
        if changes.none:
            seen = np.where(ks == 1, np.inf, seen)
    unseen = np.exp(-seen)
    lowest = np.maximum(value - farthest, -1.0)
    highest = np.minimum(value + farthest, 1.0)
    return lowest - (lowest + 1) * unseen, highest + (1 - highest) * unseen


def pass_at_k_interval(
    num_samples: ArrayLike,
    num_correct: ArrayLike,
    *,
    k: ArrayLike,
    groups: ArrayLike | None = None,
    level: float = 0.95,
    replicates: int = 1000,
    seed: int = 0,
) -> CurveInterval:
    """Mean pass@k over problems, with pointwise intervals for the population of such problems.

    The limits never exclude the estimate. They also cover the mean over the given problems,
    conservatively.

    Args:
        num_samples: number of samples, shape [problems] or one number.
        num_correct: number of correct samples, shape [problems] or one number.
        k: whole numbers >= 1: a number or shape [K].
        groups: the unit that each problem is resampled with, such as its task (whole numbers >= 0,
            shape [problems]). The interval is then for new units of the same population, and never
            closer than that for new problems, which it is without groups.
        level: confidence level.
        replicates: number of bootstrap replicates, at least 100.
        seed: seed of the random weights.

    Returns:
        Arrays of shape [K]. Problems with fewer than k samples are left out at that k; ``problems``
        counts the others. nan where no problem has k samples.

    Raises:
        InvalidInputError: counts as `Draws` refuses, k below 1, a level outside (0, 1), or too few
            replicates.

    >>> curve = pass_at_k_interval([8] * 40, [0, 2] * 20, k=[1, 8])
    >>> curve.value.tolist(), bool(curve.low[1] < 0.5 < curve.high[1])
    ([0.125, 0.5], True)
    """
    ks = np.atleast_1d(as_ks(k))
    n, c = Draws(num_samples, num_correct)
    values = pass_at_k(n, c, ks)
    extremes = np.zeros(len(ks)), np.ones(len(ks))

    def limits(unit: ArrayLike | None) -> CurveInterval:
        return _mean_interval(_units(values, unit), ks, extremes, level, replicates, seed)

    return limits(None) if groups is None else _hull(limits(groups), limits(None))


def pass_at_k_difference(
    base: DrawsLike,
    rl: DrawsLike,
    *,
    k: ArrayLike,
    groups: ArrayLike | None = None,
    level: float = 0.95,
    replicates: int = 1000,
    seed: int = 0,
) -> CurveInterval:
    """Mean over problems of pass@k of RL minus pass@k of base, with paired intervals.

    Args:
        base: counts of the base: Draws or a pair (num_samples, num_correct).
        rl: counts of the RL model, same problems.
        k: whole numbers >= 1: a number or shape [K].
        groups: the unit that each problem is resampled with, such as its task (whole numbers >= 0,
            shape [problems]). The interval is then for new units of the same population, and never
            closer than that for new problems, which it is without groups.
        level: confidence level.
        replicates: number of bootstrap replicates, at least 100.
        seed: seed of the random weights.

    Returns:
        Arrays of shape [K]. Problems that lack k samples of either model are left out at that k.

    Raises:
        InvalidInputError: as `pass_at_k_interval`, or different problems.
    """
    ks = np.atleast_1d(as_ks(k))
    base, rl = paired(base, rl)
    before, after = (pass_at_k(n, c, ks) for n, c in (base, rl))
    return _difference(before, after, ks, changes_seen(base, rl), groups, level, replicates, seed)


def mean_difference_interval(
    base: ArrayLike,
    rl: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    level: float = 0.95,
    replicates: int = 1000,
    seed: int = 0,
) -> CurveInterval:
    """Mean over problems of RL's value minus base's, with the intervals of `pass_at_k_difference`.

    For any quantity of a problem between 0 and 1, such as pass^k or maj@k.

    Args:
        base: values of the base, between 0 and 1, shape [problems, K]; nan where there is none.
        rl: values of the RL model, same shape.
        groups: as in `pass_at_k_difference`.
        level: confidence level.
        replicates: number of bootstrap replicates, at least 100.
        seed: seed of the random weights.

    Returns:
        Arrays of shape [K]; ``k`` numbers the columns from 0. A problem without a value of either
        model is left out of that column.

    Raises:
        InvalidInputError: different shapes, a value outside [0, 1], or as `pass_at_k_difference`.
    """
    before, after = np.asarray(base, dtype=np.float64), np.asarray(rl, dtype=np.float64)
    if before.ndim != 2 or before.shape != after.shape:
        raise InvalidInputError(
            "base and rl must be tables of one shape [problems, K]; got shapes "
            f"{before.shape} and {after.shape}"
        )
    for values in (before, after):
        if ((values < 0) | (values > 1)).any():
            raise InvalidInputError("values must lie between 0 and 1")
    columns = np.arange(before.shape[1])
    return _difference(before, after, columns, None, groups, level, replicates, seed)


def _difference(
    before: Floats,
    after: Floats,
    ks: Counts,
    changes: Changes | None,
    groups: ArrayLike | None,
    level: float,
    replicates: int,
    seed: int,
) -> CurveInterval:
    def limits(unit: ArrayLike | None) -> CurveInterval:
        units = _units(after - before, unit)
        middle = _units((after + before) / 2, unit).means
        room = (4 * middle * (1 - middle)) ** _ROOM_POWER
        extremes = _extreme_differences(units, room, ks, changes if unit is None else None)
        return _mean_interval(units, ks, extremes, level, replicates, seed)

    return limits(None) if groups is None else _hull(limits(groups), limits(None))
