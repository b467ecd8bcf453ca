"""Intervals on the shares of the labels and on the four ratios by resampling problems.

The estimand is SRR, NDR, SDS and NSCR of the expected labels of a new problem at depth k. The
method is that of `bootstrap`: Dirichlet weights over the problems and one hypothetical problem,
which for a share or a ratio takes the label that gives the wider limit.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from rlvr_fast.metrics.checks import Counts, Floats, as_counts, as_probability
from rlvr_fast.metrics.draws import DrawsLike, paired
from rlvr_fast.metrics.expected_shift import label_probabilities
from rlvr_fast.metrics.intervals import Estimate
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
from rlvr_fast.metrics.support import RATIO_OF

__all__ = ["SupportInterval", "ratio_interval", "support_interval"]


@dataclass(frozen=True, slots=True)
class SupportInterval:
    """Shares of the four labels among the problems, and the four ratios, each with its interval.

    Attributes:
        preserved: share of the problems that both models reach.
        expanded: share that only the RL model reaches.
        shrunk: share that only the base reaches.
        out: share that neither model reaches.
        srr: P/(P+S).
        ndr: E/(P+E).
        sds: harmonic mean of SRR and NDR.
        nscr: (E-S)/(P+E+S).
        problems: number of problems (or rows) used.
        level: confidence level.
    """

    preserved: Estimate
    expanded: Estimate
    shrunk: Estimate
    out: Estimate
    srr: Estimate
    ndr: Estimate
    sds: Estimate
    nscr: Estimate
    problems: int
    level: float


# What decides the limits where the hypothetical problem has the label P, E, S or O: the numbers of
# the shares (0 to 3), SRR, NDR, SDS and NSCR (4 to 7) whose lower, and whose upper limit it may
# give. SRR grows with P and falls with S, NDR with E and P, NSCR with E and S; SDS grows with E,
# falls with S, and with P does either.
_DECIDING: tuple[tuple[list[int], list[int]], ...] = (
    ([1, 2, 3, 5, 6], [0, 4, 6]),
    ([0, 2, 3], [1, 5, 6, 7]),
    ([0, 1, 3, 4, 6, 7], [2]),
    ([0, 1, 2], [3]),
)
_RATIOS = ("srr", "ndr", "sds", "nscr")


def _shares_and_ratios(total: Floats, wanted: Iterable[int]) -> Floats:
    """Some of the shares of P, E, S, O and of the four ratios.

    Args:
        total: the sums of P, E, S, O, shape [4, ...].
        wanted: 0 to 3 for the shares, 4 to 7 for SRR, NDR, SDS and NSCR.

    Returns:
        float64, shape [wanted, ...].
    """
    p, e, s = total[0], total[1], total[2]
    whole = total.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.stack([
            total[i] / whole if i < 4 else RATIO_OF[_RATIOS[i - 4]](p, e, s) for i in wanted
        ])  # fmt: skip


def _interval_from_sums(
    value: Floats, sums: Floats, other: Floats, problems: int, level: float
) -> SupportInterval:
    """Limits of the shares and ratios.

    Args:
        value: [4], the sums of P, E, S, O over the problems.
        sums: [replicates, 4], the same sums with random weights.
        other: [replicates], the weight of the hypothetical problem.
        problems: number of problems, for the result.
        level: confidence level.
    """
    tail = (1 - as_probability("level", level)) / 2
    low = np.full(8, np.inf)
    high = np.full(8, -np.inf)
    parts = np.ascontiguousarray(sums.T)
    for label, (lowers, uppers) in enumerate(_DECIDING):
        total = parts.copy()
        total[label] += other
        wanted = sorted({*lowers, *uppers})
        # a ratio that is 0/0 even with the hypothetical problem is nan in every replicate: fmin
        # skips nan
        found = quantiles(_shares_and_ratios(total, wanted).T, [tail, 1 - tail])
        for limit, columns, keep in ((low, lowers, np.fmin), (high, uppers, np.fmax)):
            row = found[0] if limit is low else found[1]
            limit[columns] = keep(limit[columns], row[[wanted.index(c) for c in columns]])
    point = _shares_and_ratios(value, range(8))
    low, high = np.fmin(low, point), np.fmax(high, point)
    if not value[:2].any():
        high[6] = 1.0  # one problem cannot make both P and E positive: SDS may be anything
    p, e, s, o, srr, ndr, sds, nscr = (
        Estimate(float(v), float(a), float(b)) for v, a, b in zip(point, low, high, strict=True)
    )
    return SupportInterval(p, e, s, o, srr, ndr, sds, nscr, problems=problems, level=level)


def support_interval(
    base: DrawsLike,
    rl: DrawsLike,
    *,
    k: int | None = None,
    groups: ArrayLike | None = None,
    level: float = 0.95,
    replicates: int = 4000,
    seed: int = 0,
) -> SupportInterval:
    """Label shares and SRR, NDR, SDS, NSCR at depth k, with intervals for the population.

    The values are those of `expected_support_shift`; the limits come from resampled problems (see
    the module's text). A ratio 0/0 has the value nan, and limits between which it may lie.

    Args:
        base: counts of the base: Draws or a pair (num_samples, num_correct).
        rl: counts of the RL model, same problems.
        k: number of draws of each model; None takes min(base, RL) samples of each problem.
        groups: the unit that each row is resampled with (whole numbers >= 0, shape [rows]): the
            task of a problem, for an interval for new tasks; the problem of a distinct answer,
            because the answers of one problem share its draws. The hypothetical row is then a
            whole unit of typical size. The limits are never closer than without groups.
        level: confidence level.
        replicates: number of bootstrap replicates, at least 100.
        seed: seed of the random weights.

    Raises:
        InvalidInputError: counts as `Draws` refuses, different problems, groups of another length,
            k below 1, a level outside (0, 1), or too few replicates.

    >>> s = support_interval((16, [4, 0, 1, 0] * 9), (16, [3, 0, 0, 1] * 9))
    >>> s.srr.value, bool(s.srr.low < 0.5 < s.srr.high)
    (0.5, True)
    """
    base, rl = paired(base, rl)
    probabilities, usable = label_probabilities(base, rl, k)

    def limits(unit: Counts | None) -> SupportInterval:
        sizes = group_sums(np.ones((len(probabilities), 1)), unit)
        totals = group_sums(probabilities, unit)
        found = _limits_of_few if len(totals) <= _FEW else _limits
        return found(
            np.ascontiguousarray(totals).tobytes(),
            float(typical_size(sizes)[0]),
            len(probabilities),
            level,
            as_replicates(replicates),
            seed,
        )

    alone = limits(None)
    unit = unit_index(groups, usable)
    if unit is None or np.array_equal(unit, np.arange(unit.size)):  # a row is a unit
        return alone
    return _wider(limits(unit), alone)


def _limits(
    totals: bytes, typical: float, problems: int, level: float, replicates: int, seed: int
) -> SupportInterval:
    """The interval of the sums of each unit, float64 of shape [units, 4], of a typical size."""
    values = np.frombuffer(totals).reshape(-1, 4)
    rng = Exponentials(seed)
    sums = np.empty((replicates, 4))
    distinct, copies = gathered(values)
    for rows, weights in weight_blocks(len(distinct), replicates, rng, copies):
        sums[rows] = weights @ distinct
    other = rng.standard_exponential((replicates,)) * typical
    return _interval_from_sums(values.sum(axis=0), sums, other, problems, level)


# Groups of few problems often have the same labels in the same order.
_FEW = 64
_limits_of_few = lru_cache(maxsize=4096)(_limits)


def _wider(new_units: SupportInterval, same_units: SupportInterval) -> SupportInterval:
    """The wider of two limits, for every share and ratio; the values are equal."""
    both: dict[str, Any] = {
        name: Estimate(
            one.value,
            min(one.low, getattr(same_units, name).low),
            max(one.high, getattr(same_units, name).high),
        )
        for name, one in ((f.name, getattr(new_units, f.name)) for f in fields(new_units))
        if isinstance(one, Estimate)
    }
    return replace(new_units, **both)


def ratio_interval(
    preserved: int,
    expanded: int,
    shrunk: int,
    out: int,
    *,
    level: float = 0.95,
    replicates: int = 4000,
    seed: int = 0,
) -> SupportInterval:
    """`support_interval` from the four counts alone: for a published row, or for the epsilon rule.

    Args:
        preserved: number of problems that both models reach.
        expanded: number that only the RL model reaches.
        shrunk: number that only the base reaches.
        out: number that neither model reaches.
        level: confidence level.
        replicates: number of bootstrap replicates, at least 100.
        seed: seed of the random weights.

    Raises:
        InvalidInputError: a count that is negative or fractional, a level outside (0, 1), or too
            few replicates.

    >>> ratio_interval(1355, 5, 56, 131).srr.low > 0.94
    True
    """
    counts = as_counts("preserved, expanded, shrunk, out", [preserved, expanded, shrunk, out])
    rng = np.random.default_rng(seed)
    size = (as_replicates(replicates), 4)
    # exponential weights of c equal problems sum to a Gamma(c) variable
    sums = np.where(counts > 0, rng.standard_gamma(np.maximum(counts, 1), size), 0.0)
    other = rng.standard_exponential(replicates)
    return _interval_from_sums(counts.astype(np.float64), sums, other, int(counts.sum()), level)
