"""The k from which base's mean pass@k stays above that of the RL model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics.checks import Counts, Floats, as_probability
from rlvr_fast.metrics.draws import DrawsLike, paired
from rlvr_fast.metrics.pass_at_k import as_ks, pass_at_k
from rlvr_fast.metrics.resampling import as_replicates, weight_blocks

__all__ = ["Crossover", "crossover"]

CrossoverVerdict = Literal["crosses", "rl ahead", "base ahead", "tied"]

# Smaller differences of mean pass@k are rounding errors, and count as ties.
_TIE = 1e-12


@dataclass(frozen=True, slots=True)
class Crossover:
    """The crossing k* of two mean pass@k curves.

    Attributes:
        k: k*, from which base is ahead at every k up to max_k; None where the curves do not cross.
        low: lower limit of k*; 1 stands for "base ahead from the start".
        high: upper limit of k*; inf stands for "no crossing within max_k".
        share_crossing: share of the bootstrap replicates that cross.
        verdict: of the point estimate: "crosses", "rl ahead" (the RL model is ahead at max_k),
            "base ahead" (the RL model is ahead at no k) or "tied".
        max_k: largest k looked at.
        level: confidence level of low and high.
    """

    k: float | None
    low: float
    high: float
    share_crossing: float
    verdict: CrossoverVerdict
    max_k: int
    level: float


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


def crossover(
    base: DrawsLike,
    rl: DrawsLike,
    *,
    max_k: int | None = None,
    level: float = 0.95,
    replicates: int = 1000,
    seed: int = 0,
) -> Crossover:
    """The k from which base's mean pass@k stays above RL's, with an interval.

    The interval comes from resampled problems.

    The point estimate is the last change of sign of the unbiased curves' difference, interpolated
    between whole k. Curves that are equal at max_k do not cross.

    Args:
        base: counts of the base: Draws or a pair (num_samples, num_correct).
        rl: counts of the RL model, same problems.
        max_k: largest k, at least 1; by default the number of samples that every problem with
            samples has of both models. Problems with fewer samples are left out.
        level: confidence level.
        replicates: number of bootstrap replicates, at least 100.
        seed: seed of the random weights.

    Raises:
        InvalidInputError: counts as `Draws` refuses, different problems, no problem with max_k
            samples of both models, a level outside (0, 1), or too few replicates.

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
    drawn = np.empty(as_replicates(replicates))
    rng = np.random.default_rng(seed)
    for rows, weights in weight_blocks(len(lead), replicates, rng):
        drawn[rows] = _crossings(weights @ lead / weights.sum(axis=1, keepdims=True), ks)
    # "inverted_cdf" returns the value of a replicate: interpolation with inf would give nan
    low, high = np.quantile(drawn, [tail, 1 - tail], method="inverted_cdf")
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
    share = float(np.mean(np.isfinite(drawn) & (drawn > 1)))
    return Crossover(k if crosses else None, float(low), float(high), share, verdict, max_k, level)
