"""Where the two pass@k curves cross: RL ahead at small k, base ahead from k* on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics._checks import Counts, Floats, probability
from rlvr_fast.metrics.bootstrap import check_replicates, weight_blocks
from rlvr_fast.metrics.draws import DrawsLike, paired
from rlvr_fast.metrics.pass_at_k import as_ks, pass_at_k

__all__ = ["Crossover", "crossover"]

# Differences of mean pass@k below this are ties, not leads: they are rounding.
_TIE = 1e-12


@dataclass(frozen=True, slots=True)
class Crossover:
    """``k`` is where base draws level for good within ``max_k`` draws, or None.

    ``verdict`` of the point estimate: "crosses", "rl ahead" (RL leads at max_k), "base ahead" (RL
    leads at no k) or "tied". ``low`` and ``high`` bound k* at ``level``: 1 stands for "base ahead
    from the start", inf for "not within max_k". ``share_crossing`` is the share of bootstrap
    replicates that cross.
    """

    k: float | None
    low: float
    high: float
    share_crossing: float
    verdict: Literal["crosses", "rl ahead", "base ahead", "tied"]
    max_k: int
    level: float


def _grid(max_k: int) -> Counts:
    """Every k to 64, then 3 % steps, between which the curves are all but straight."""
    steps = np.geomspace(64, max(max_k, 65), num=int(np.log(max(max_k, 65) / 64) / 0.03) + 2)
    grid = np.unique(np.concatenate([np.arange(1, 65), steps.astype(np.int64), [max_k]]))
    return grid[grid <= max_k]


def _crossings(lead: Floats, ks: Counts) -> Floats:
    """k* of each row of RL-minus-base [rows, K]: 1 base always ahead, inf RL ahead at the end."""
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
    """The k from which base's mean pass@k stays above RL's, with a problem-bootstrap interval.

    ``max_k`` defaults to the samples that every problem has of both models; problems with fewer
    are left out. The point estimate is the last change of sign of the unbiased curves' difference,
    interpolated between whole k. Curves that end level (no lead at max_k) do not cross.

    Raises InvalidInputError when no problem has max_k samples of both models.

    >>> crossover((64, [32, 2]), (64, [60, 0])).verdict
    'crosses'
    """
    tail = (1 - probability("level", level)) / 2
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
    drawn = np.empty(check_replicates(replicates))
    rng = np.random.default_rng(seed)
    for rows, weights in weight_blocks(len(lead), replicates, rng):
        drawn[rows] = _crossings(weights @ lead / weights.sum(axis=1, keepdims=True), ks)
    # "inverted_cdf" takes a replicate's own value: nothing is interpolated towards infinity
    low, high = np.quantile(drawn, [tail, 1 - tail], method="inverted_cdf")
    crosses = bool((mean > _TIE).any()) and np.isfinite(k)
    verdict: Literal["crosses", "rl ahead", "base ahead", "tied"]
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
