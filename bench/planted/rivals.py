"""The best known method for each interval: what ours is measured beside."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import ndtr, ndtri

__all__ = ["bca", "paired_t", "wilson"]

Floats = NDArray[np.float64]
Limits = tuple[float, float]


def paired_t(values: Floats, level: float = 0.95) -> Limits:
    """Student's interval of the mean of the values, [problems]."""
    n = len(values)
    half = stats.t.ppf((1 + level) / 2, n - 1) * values.std(ddof=1) / np.sqrt(n)
    return float(values.mean() - half), float(values.mean() + half)


def clustered_t(values: Floats, groups: NDArray[np.int64], level: float = 0.95) -> Limits:
    """Student's interval of the mean over whole groups: a ratio estimate with a robust error."""
    _, index = np.unique(groups, return_inverse=True)
    number = index.max() + 1
    mean = values.mean()
    sums = np.bincount(index, weights=values - mean)
    error = np.sqrt((sums**2).sum() * number / (number - 1)) / len(values)
    half = stats.t.ppf((1 + level) / 2, number - 1) * error
    return float(mean - half), float(mean + half)


def wilson(correct: int, n: int, level: float = 0.95) -> Limits:
    """Wilson's interval of a proportion."""
    low, high = stats.binomtest(int(correct), int(n)).proportion_ci(level, method="wilson")
    return float(low), float(high)


def ratio_of(values: Floats, name: str) -> Floats:
    """A ratio from sums of P, E, S (first axis)."""
    preserved, expanded, shrunk = values
    with np.errstate(invalid="ignore", divide="ignore"):
        if name == "srr":
            return preserved / (preserved + shrunk)
        if name == "ndr":
            return expanded / (preserved + expanded)
        if name == "sds":
            below = preserved**2 + 2 * preserved * expanded + expanded * shrunk
            return 2 * preserved * expanded / below
        return (expanded - shrunk) / (preserved + expanded + shrunk)


def bca(
    labels: Floats,
    name: str,
    rng: np.random.Generator,
    *,
    level: float = 0.95,
    replicates: int = 1000,
) -> Limits:
    """BCa bootstrap interval of a ratio; [problems, 3] expected P, E, S of each problem."""
    n = len(labels)
    total = labels.sum(axis=0)
    point = ratio_of(total, name)
    counts = rng.multinomial(n, np.full(n, 1 / n), size=replicates)
    drawn = ratio_of((counts @ labels).T, name)
    drawn = drawn[np.isfinite(drawn)]
    left_out = ratio_of((total - labels).T, name)
    left_out = left_out[np.isfinite(left_out)]
    if not np.isfinite(point) or not len(drawn) or not len(left_out) or drawn.std() == 0:
        return (float("nan"), float("nan"))
    below = np.clip((drawn < point).mean() + (drawn == point).mean() / 2, 1e-4, 1 - 1e-4)
    bias = ndtri(below)
    apart = left_out.mean() - left_out
    skew = (apart**3).sum() / (6 * ((apart**2).sum() ** 1.5 + 1e-300))
    tails = []
    for z in ndtri([(1 - level) / 2, (1 + level) / 2]):
        tails.append(ndtr(bias + (bias + z) / (1 - skew * (bias + z))))
    low, high = np.quantile(drawn, tails)
    return float(low), float(high)
