"""The generalised Pareto law of the largest importance weights, and weights smoothed by it.

PSIS: Vehtari et al., arXiv 1507.02646.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics.checks import Floats

__all__ = ["LEAST_TAIL", "TAIL_SHARE", "fit_generalized_pareto", "smooth_weights"]

# Least number of weights in the tail for a fit, and of different values among them; the tail is at
# most one in so many weights.
LEAST_TAIL = 5
TAIL_SHARE = 5
# Log weights closer than this count as equal.
_SAME = 1e-9
# Values of theta * x below this take the limit theta = 0, the exponential law.
_EXPONENTIAL = 1e-9


def fit_generalized_pareto(exceedances: ArrayLike) -> tuple[float, float]:
    """Shape k and scale of a generalised Pareto law; a larger k is a heavier tail.

    Zhang & Stephens' quasi-Bayes estimate (Technometrics 51, 2009) with the weak prior towards k =
    0.5 of arXiv 1507.02646, appendix C.

    Args:
        exceedances: at least two values >= 0, not all 0.

    Raises:
        InvalidInputError: fewer than two values, a negative value, or only zeros.
    """
    x = np.sort(np.asarray(exceedances, dtype=np.float64))
    n = len(x)
    if n < 2 or not x[0] >= 0 or not x[-1] > 0:
        raise InvalidInputError("exceedances must be at least two values of at least 0, not all 0")
    points = 30 + math.isqrt(n)
    quartile = max(float(x[int(n / 4 + 0.5) - 1]), float(np.finfo(float).tiny))
    j = np.arange(1, points + 1)
    theta = 1 / x[-1] + (1 - np.sqrt(points / (j - 0.5))) / (3 * quartile)
    k = np.log1p(-theta[:, np.newaxis] * x).mean(axis=1)
    # theta = 0 is the exponential law, k = 0: -theta/k tends to 1/mean there
    exponential = np.abs(theta) * x[-1] < _EXPONENTIAL
    rate = np.where(exponential, 1 / x.mean(), -theta / np.where(exponential, 1.0, k))
    log_lik = n * (np.log(rate) - k - 1)
    weight = np.exp(log_lik - log_lik.max())
    weight /= weight.sum()
    best = float(theta @ weight)
    shape = float(np.log1p(-best * x).mean())
    scale = float(x.mean()) if abs(best) * x[-1] < _EXPONENTIAL else -shape / best
    prior = 10
    return (n * shape + prior * 0.5) / (n + prior), scale


def smooth_weights(log_weights: ArrayLike) -> tuple[Floats, float]:
    """Pareto-smoothed log weights and the fitted shape k of the largest weights.

    The M = min(S/5, 3 sqrt(S)) largest of S weights are replaced by the expected order statistics
    of the fitted law, at most the largest raw weight. Where k <= 0 the weights stay as they are.
    Equal weights in the tail say nothing of its end: with fewer than 5 different values above its
    start no shape is fitted.

    Args:
        log_weights: natural logs of the weights, shape [S].

    Returns:
        The log weights, shape [S]; and k: nan where fewer than 5 different weights exceed the start
        of the tail (no weight is changed then).
    """
    lw = np.asarray(log_weights, dtype=np.float64)
    size = len(lw)
    tail = int(min(size / TAIL_SHARE, 3 * math.sqrt(size)))
    if tail < LEAST_TAIL:
        return lw, math.nan
    top = float(lw.max())
    order = np.argsort(lw, kind="stable")
    cutoff = float(lw[order[-tail - 1]])
    largest = order[lw[order] > cutoff + _SAME]
    tail = len(largest)
    if tail < LEAST_TAIL or 1 + np.count_nonzero(np.diff(lw[largest]) > _SAME) < LEAST_TAIL:
        return lw, math.nan
    exceedance = np.exp(lw[largest] - top) - math.exp(cutoff - top)
    k, scale = fit_generalized_pareto(exceedance)
    if k <= 0:
        # a light tail needs no smoothing
        return lw, k
    ranks = (np.arange(tail) + 0.5) / tail
    # quantile function of the law: scale ((1-u)^-k - 1)/k
    quantile = scale * np.expm1(-k * np.log1p(-ranks)) / k
    smoothed = lw.copy()
    smoothed[largest] = np.minimum(np.log(quantile + math.exp(cutoff - top)) + top, top)
    return smoothed, k
