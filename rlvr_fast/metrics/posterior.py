"""Intervals at any depth, past the number of draws too: problem bootstrap with the posterior of p.

`support_interval` needs no prior but speaks of depths k <= n only. Here each replicate reweights
the problems *and* draws every problem's p anew from its posterior under a law fitted to all
problems (empirical Bayes), so any k can be asked, at the price of that law. The two models' p on
one problem are drawn independently given their counts.

There is no option to keep the problems fixed: without the spread over problems the fitted law's
own error is left out, and such intervals covered 60 to 90 % instead of 95 (docs/statistics.md).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics._checks import Counts, Floats, as_samples_and_correct, probability
from rlvr_fast.metrics.bootstrap import (
    SupportInterval,
    check_replicates,
    interval_from_sums,
    paired,
    weight_blocks,
)
from rlvr_fast.metrics.extrapolation import BetaBinomialFit, fit_beta_binomial
from rlvr_fast.metrics.intervals import CurveInterval
from rlvr_fast.metrics.pass_at_k import as_ks

__all__ = ["posterior_pass_at_k", "posterior_support"]

Prior = tuple[float, float] | Literal["fitted"]


def _law(n: Counts, c: Counts, prior: Prior) -> BetaBinomialFit:
    """The fitted law, or the given Beta; Jeffreys' where too few problems leave nothing to fit."""
    if prior == "fitted":
        if np.count_nonzero(n) >= 3:
            return fit_beta_binomial(n, c, zero_inflated=True)
        prior = (0.5, 0.5)
    alpha, beta = prior
    if not (alpha > 0 and beta > 0):
        raise InvalidInputError(f'prior must be "fitted" or two positive numbers, got {prior}')
    return BetaBinomialFit(float(alpha), float(beta), 0.0, float("nan"), len(n))


def posterior_pass_at_k(
    num_samples: ArrayLike,
    num_correct: ArrayLike,
    k: ArrayLike,
    *,
    prior: Prior = "fitted",
    level: float = 0.95,
    replicates: int = 1000,
    seed: int = 0,
) -> CurveInterval:
    """Mean pass@k for the population of problems at any k, from posterior draws of p.

    ``value`` is the posterior mean. ``prior``: "fitted" (a zero-inflated Beta over the problems) or
    the two parameters of a Beta. ``problems`` of the result counts the problems with k samples;
    where it is 0 the value is wholly the law's.
    """
    tail = (1 - probability("level", level)) / 2
    ks = np.atleast_1d(as_ks(k))
    n, c = (np.atleast_1d(a) for a in as_samples_and_correct(num_samples, num_correct))
    n, c = n[n > 0], c[n > 0]
    law = _law(n, c, prior)
    rng = np.random.default_rng(seed)
    low = np.empty((check_replicates(replicates), len(ks)))
    high, middle = np.empty_like(low), np.empty_like(low)
    for rows, weights in weight_blocks(len(n), replicates, rng):
        with np.errstate(divide="ignore"):
            log_miss = np.log1p(-law.draw(n, c, len(weights), rng))
        mass = weights.sum(axis=1)
        other = rng.standard_exponential(len(weights))
        for j, depth in enumerate(ks):
            total = (weights * -np.expm1(depth * log_miss)).sum(axis=1)
            low[rows, j] = total / (mass + other)
            middle[rows, j] = total / mass
            high[rows, j] = (total + other) / (mass + other)
    number = (n[:, np.newaxis] >= ks).sum(axis=0)
    return CurveInterval(
        ks,
        middle.mean(axis=0),
        np.quantile(low, tail, axis=0),
        np.quantile(high, 1 - tail, axis=0),
        number,
    )


def posterior_support(
    base_correct: ArrayLike,
    base_samples: ArrayLike,
    rl_correct: ArrayLike,
    rl_samples: ArrayLike,
    *,
    k: int,
    prior: Prior = "fitted",
    level: float = 0.95,
    replicates: int = 1000,
    seed: int = 0,
) -> SupportInterval:
    """Label shares and ratios that k fresh draws of each model would show, at any k.

    For the population of problems, from posterior draws of both models' p. ``value`` is the ratio
    of posterior means.
    """
    bn, bc, rn, rc = paired(base_samples, base_correct, rl_samples, rl_correct)
    use = (bn > 0) & (rn > 0)
    bn, bc, rn, rc = (a[use] for a in (bn, bc, rn, rc))
    depth = int(as_ks(k))
    laws = _law(bn, bc, prior), _law(rn, rc, prior)
    rng = np.random.default_rng(seed)
    sums = np.empty((check_replicates(replicates), 4))

    def solved(law: BetaBinomialFit, n: Counts, c: Counts, size: int) -> Floats:
        with np.errstate(divide="ignore"):
            return np.asarray(-np.expm1(depth * np.log1p(-law.draw(n, c, size, rng))))

    for rows, weights in weight_blocks(len(bn), replicates, rng):
        base = solved(laws[0], bn, bc, len(weights))
        rl = solved(laws[1], rn, rc, len(weights))
        sums[rows, 0] = (weights * base * rl).sum(axis=1)
        sums[rows, 1] = (weights * (1 - base) * rl).sum(axis=1)
        sums[rows, 2] = (weights * base * (1 - rl)).sum(axis=1)
        sums[rows, 3] = (weights * (1 - base) * (1 - rl)).sum(axis=1)
    other = rng.standard_exponential(replicates)
    return interval_from_sums(sums.mean(axis=0), sums, other, len(bn), level)
