"""The k from which base's mean pass@k stays above that of the RL model."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics.checks import Counts, Floats, as_probability
from rlvr_fast.metrics.draws import DrawsLike, paired
from rlvr_fast.metrics.pass_at_k import as_ks, pass_at_k
from rlvr_fast.metrics.resampling import (
    Exponentials,
    as_replicates,
    gathered,
    group_sums,
    typical_size,
    unit_index,
    weight_blocks,
)

__all__ = ["Crossing", "Crossover", "crossover"]

CrossoverVerdict = Literal["crosses", "rl ahead", "base ahead", "tied"]

# The hypothetical problem has this share of correct draws under the one model, and none under the
# other. With one draw at max_k the limits cover 82 to 90 % at 30 problems where the problems that
# RL loses are few; with every draw correct k* = 1 is never excluded at 30 problems.
_HYPOTHETICAL = 1 / 16

# Smaller differences of mean pass@k are rounding errors, and count as ties.
_TIE = 1e-12


class Crossing(NamedTuple):
    """One change of sign of the difference of two curves.

    Attributes:
        k: where the curves cross, interpolated between whole k.
        ahead: the model that is ahead past it.
    """

    k: float
    ahead: Literal["base", "rl"]


@dataclass(frozen=True, slots=True)
class Crossover:
    """The crossing k* of two mean pass@k curves.

    Attributes:
        k: k*, from which base is ahead at every k up to max_k; None where the curves do not cross
            or the RL model is ahead at max_k.
        low: lower limit of k*; 1 stands for "base ahead from the start", and inf for a RL model
            that is ahead at max_k in every case that the level admits.
        high: upper limit of k*; inf stands for "RL ahead (or level) at max_k".
        crossings: every change of sign of the point estimate's difference, in order of k.
        share_crossing: share of the resampled sets of problems, without the hypothetical problem,
            that cross.
        verdict: of the point estimate: "crosses", "rl ahead" (the RL model is ahead at max_k),
            "base ahead" (the RL model is ahead at no k) or "tied".
        max_k: largest k looked at.
        level: confidence level of low and high.
        problems: number of problems with max_k samples of both models.
    """

    k: float | None
    low: float
    high: float
    crossings: tuple[Crossing, ...]
    share_crossing: float
    verdict: CrossoverVerdict
    max_k: int
    level: float
    problems: int

    @property
    def excluded(self) -> bool:
        """Whether the limits exclude that base is ahead at max_k."""
        return bool(np.isinf(self.low))

    @property
    def certain(self) -> bool:
        """Whether the limits exclude both "base ahead from the start" and "RL ahead at max_k"."""
        return self.low > 1 and bool(np.isfinite(self.high))


def _grid(max_k: int) -> Counts:
    """Every k up to 64, then steps of 3 %, between which the curves are nearly straight."""
    steps = np.geomspace(64, max(max_k, 65), num=int(np.log(max(max_k, 65) / 64) / 0.03) + 2)
    grid = np.unique(np.concatenate([np.arange(1, 65), steps.astype(np.int64), [max_k]]))
    return grid[grid <= max_k]


def _crossings(lead: Floats, ks: Counts) -> Floats:
    """k* of each row of pass@k differences, RL minus base, [rows, K].

    1 where base is ahead at every k, inf where base is not ahead at the largest k.
    """
    ahead = lead > _TIE
    behind_at_end = lead[:, -1] < -_TIE
    last = lead.shape[1] - 1 - np.argmax(ahead[:, ::-1], axis=1)
    nxt = np.minimum(last + 1, lead.shape[1] - 1)
    rows = np.arange(len(lead))
    here, there = lead[rows, last], lead[rows, nxt]
    part = np.where(nxt > last, here / np.where(here > there, here - there, 1.0), 0.0)
    k = ks[last] + part * (ks[nxt] - ks[last])
    k = np.where(ahead.any(axis=1), k, 1.0)
    return np.where(behind_at_end, k, np.inf)


def _changes(lead: Floats, ks: Counts) -> tuple[Crossing, ...]:
    """Every change of sign of one difference, RL minus base, [K]."""
    sign = np.where(np.abs(lead) > _TIE, np.sign(lead), 0.0)
    known = np.flatnonzero(sign)
    found = []
    for i, j in pairwise(known):
        if sign[i] != sign[j]:
            part = lead[i] / (lead[i] - lead[j])
            k = float(ks[i] + part * (ks[j] - ks[i]))
            found.append(Crossing(k, "rl" if sign[j] > 0 else "base"))
    return tuple(found)


def crossover(
    base: DrawsLike,
    rl: DrawsLike,
    *,
    max_k: int | None = None,
    groups: ArrayLike | None = None,
    level: float = 0.95,
    replicates: int = 1000,
    seed: int = 0,
) -> Crossover:
    """The k from which base's mean pass@k stays above RL's, with an interval.

    The interval comes from resampled problems and one hypothetical problem, as in
    `pass_at_k_difference`: for the lower limit base solves one draw in sixteen of it and RL none,
    for the upper limit the reverse. A crossing that one more problem could undo is so not certain.

    The point estimate is the last change of sign of the unbiased curves' difference, interpolated
    between whole k. Curves that are equal at max_k do not cross.

    Args:
        base: counts of the base: Draws or a pair (num_samples, num_correct).
        rl: counts of the RL model, same problems.
        max_k: largest k, at least 1; by default the number of samples that every problem with
            samples has of both models. Problems with fewer samples are left out.
        groups: the unit that each problem is resampled with, such as its task (whole numbers >= 0,
            shape [problems]). The limits are then for new units of the same population, and never
            closer than those for new problems.
        level: confidence level.
        replicates: number of bootstrap replicates, at least 100.
        seed: seed of the random weights.

    Raises:
        InvalidInputError: counts as `Draws` refuses, different problems, no problem with max_k
            samples of both models, groups of another length, a level outside (0, 1), or too few
            replicates.

    >>> crossover((64, [32, 2]), (64, [60, 0])).verdict
    'crosses'
    """
    tail = (1 - as_probability("level", level)) / 2
    (bn, bc), (rn, rc) = paired(base, rl)
    common = np.minimum(bn, rn)
    if max_k is None:
        max_k = int(common[common > 0].min()) if (common > 0).any() else 1
    max_k = int(as_ks(max_k))
    usable = common >= max_k
    if not usable.any():
        raise InvalidInputError(f"no problem has max_k = {max_k} samples of both models")
    ks = _grid(max_k)
    lead = pass_at_k(rn[usable], rc[usable], ks) - pass_at_k(bn[usable], bc[usable], ks)
    mean = lead.mean(axis=0)
    k = float(_crossings(mean[np.newaxis], ks)[0])
    other = pass_at_k(max_k, max(1, round(_HYPOTHETICAL * max_k)), ks)

    def limits(unit: Counts | None) -> tuple[float, float, float]:
        """Lower and upper limit, and the share of the replicates that cross."""
        drawn, early, late = (np.empty(as_replicates(replicates)) for _ in range(3))
        leads = group_sums(lead, unit)
        one_more = typical_size(group_sums(np.ones((len(lead), 1)), unit)) * other
        rng = Exponentials(seed)
        distinct, copies = gathered(leads)
        for rows, weights in weight_blocks(len(distinct), replicates, rng, copies):
            total = weights @ distinct
            extra = rng.standard_exponential((len(weights), 1)) * one_more
            # only the sign of a sum of leads matters, and where it changes
            drawn[rows] = _crossings(total, ks)
            early[rows] = _crossings(total - extra, ks)
            late[rows] = _crossings(total + extra, ks)
        # "inverted_cdf" returns the value of a replicate: interpolation with inf would give nan
        low = float(np.quantile(early, tail, method="inverted_cdf"))
        high = float(np.quantile(late, 1 - tail, method="inverted_cdf"))
        return low, high, float(np.mean(np.isfinite(drawn) & (drawn > 1)))

    low, high, share = limits(None)
    unit = unit_index(groups, usable)
    if unit is not None:
        low_of_units, high_of_units, share = limits(unit)
        low, high = min(low, low_of_units), max(high, high_of_units)
    low, high = min(low, k), max(high, k)
    crosses = bool((mean > _TIE).any()) and np.isfinite(k)
    verdict: CrossoverVerdict
    if crosses:
        verdict = "crosses"
    elif mean[-1] > _TIE:
        verdict = "rl ahead"
    elif (mean > _TIE).any() or not (mean < -_TIE).any():
        verdict = "tied"
    else:
        verdict = "base ahead"
    return Crossover(
        k=k if crosses else None,
        low=low,
        high=high,
        crossings=_changes(mean, ks),
        share_crossing=share,
        verdict=verdict,
        max_k=max_k,
        level=level,
        problems=len(lead),
    )
