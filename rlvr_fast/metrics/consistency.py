"""Metrics of consistency: a problem counts where a model is correct in most of k draws."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln
from scipy.stats import hypergeom, norm

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics.checks import Counts, Floats, as_probability, as_samples_and_correct
from rlvr_fast.metrics.draws import Draws
from rlvr_fast.metrics.pass_at_k import as_ks

__all__ = [
    "BayesAtN",
    "at_least_correct",
    "bayes_at_n",
    "cover_at",
    "g_pass_at_k",
    "mg_pass_at_k",
    "pass_hat_k",
]

# Most cells of a table of problems and draws that are held at a time.
_BLOCK = 1 << 22


def _as_tau(tau: float) -> float:
    """The value as a float in (0, 1]."""
    if not 0 < tau <= 1:
        raise InvalidInputError(f"tau must lie in (0, 1], got {tau}")
    return float(tau)


def pass_hat_k(num_samples: ArrayLike, num_correct: ArrayLike, *, k: ArrayLike) -> Floats:
    """pass^k: the probability that all of k draws without replacement are correct, C(c, k)/C(n, k).

    Source: tau-bench, arXiv 2406.12045.

    Args:
        num_samples: number of samples, any shape.
        num_correct: number of correct samples.
        k: whole numbers >= 1: a number or shape [K].

    Returns:
        Shapes as `pass_at_k`; nan where k exceeds num_samples.

    Raises:
        InvalidInputError: counts or k as `pass_at_k` refuses.

    >>> pass_hat_k(4, 2, k=[1, 2, 3]).round(4).tolist()
    [0.5, 0.1667, 0.0]
    """
    return g_pass_at_k(num_samples, num_correct, k=k, tau=1.0)


def g_pass_at_k(
    num_samples: ArrayLike, num_correct: ArrayLike, *, k: ArrayLike, tau: float
) -> Floats:
    """G-Pass@k_tau: the probability that at least ceil(tau k) of k draws are correct.

    The draws are without replacement, so the estimate is unbiased. Source: arXiv 2412.13147, eq. 3.

    Args:
        num_samples: number of samples, any shape.
        num_correct: number of correct samples.
        k: whole numbers >= 1: a number or shape [K].
        tau: share of the k draws that has to be correct, in (0, 1].

    Returns:
        Shapes as `pass_at_k`; nan where k exceeds num_samples.

    Raises:
        InvalidInputError: counts or k as `pass_at_k` refuses, or tau outside (0, 1].
    """
    tau = _as_tau(tau)
    n, c = as_samples_and_correct(num_samples, num_correct)
    ks = as_ks(k)
    if ks.ndim:
        n, c = n[..., np.newaxis], c[..., np.newaxis]
    # the tolerance keeps 0.1 * 30 from being 4 of 30
    least = np.maximum(1, np.ceil(tau * ks - 1e-9)).astype(np.int64)
    n, c, ks, least = np.broadcast_arrays(n, c, ks, least)
    ok = (ks <= n) & (n > 0)
    k_ok = np.where(ok, ks, 1)
    if tau == 1.0:
        with np.errstate(invalid="ignore"):
            log_all = (
                gammaln(c + 1.0)
                - gammaln(np.maximum(c - k_ok, 0) + 1.0)
                - gammaln(n + 1.0)
                + gammaln(np.maximum(n - k_ok, 0) + 1.0)
            )
        value = np.where(c >= k_ok, np.exp(np.minimum(log_all, 0.0)), 0.0)
    else:
        value = hypergeom.sf(least - 1, np.maximum(n, 1), c, k_ok)
    return np.asarray(np.where(ok, value, np.nan))


def mg_pass_at_k(num_samples: ArrayLike, num_correct: ArrayLike, *, k: ArrayLike) -> Floats:
    """mG-Pass@k: the area under G-Pass@k_tau for tau from 1/2 to 1, times 2.

    2/k times the sum of G-Pass@k_(i/k) over i = ceil(k/2) + 1, ..., k: with X correct among the k
    draws, the mean of 2 max(0, X - ceil(k/2))/k. At k = 1 the sum is empty and the value 0. Source:
    arXiv 2412.13147.

    Args:
        num_samples: number of samples, any shape.
        num_correct: number of correct samples.
        k: whole numbers >= 1: a number or shape [K].

    Returns:
        Shapes as `pass_at_k`; nan where k exceeds num_samples.

    Raises:
        InvalidInputError: counts or k as `pass_at_k` refuses.

    >>> mg_pass_at_k(4, [4, 3], k=[2, 4]).round(4).tolist()
    [[1.0, 1.0], [0.5, 0.5]]
    """
    n, c = as_samples_and_correct(num_samples, num_correct)
    ks = as_ks(k)
    if ks.ndim:
        n, c = n[..., np.newaxis], c[..., np.newaxis]
    n, c, ks = np.broadcast_arrays(n, c, ks)
    ok = (ks <= n) & (n > 0)
    value = np.full(n.shape, np.nan)
    for depth in np.unique(ks[ok]).tolist():
        rows = ok & (ks == depth)
        tail = at_least_correct(n[rows], c[rows], k=depth)
        value[rows] = 2 / depth * tail[:, -(-depth // 2) :].sum(axis=1)
    return np.asarray(value)


def at_least_correct(num_samples: ArrayLike, num_correct: ArrayLike, *, k: int) -> Floats:
    """P(at least j of k draws are correct) for j = 1, ..., k: every G-Pass@k_tau at once.

    The draws are without replacement, so each column is unbiased. Column j - 1 is G-Pass@k_tau for
    tau in ((j-1)/k, j/k]; its mean over problems is Cover@tau had each problem k draws.

    Args:
        num_samples: number of samples, shape [problems] or one number.
        num_correct: number of correct samples, shape [problems] or one number.
        k: number of draws, at least 1.

    Returns:
        float64 of shape [problems, k]; nan in the rows with fewer than k samples.

    Raises:
        InvalidInputError: counts as `Draws` refuses, or k below 1.

    >>> at_least_correct([4, 2], [2, 2], k=2).round(3).tolist()
    [[0.833, 0.167], [1.0, 1.0]]
    """
    depth = int(as_ks(k))
    n, c = Draws(num_samples, num_correct)
    tail = np.full((len(n), depth), np.nan)
    whole = n == depth
    tail[whole] = c[whole, np.newaxis] >= np.arange(1, depth + 1)
    step = max(1, _BLOCK // depth)
    rest = np.flatnonzero(n > depth)
    for start in range(0, len(rest), step):
        rows = rest[start : start + step]
        total, right = n[rows, np.newaxis], c[rows, np.newaxis]
        j = np.arange(1, depth + 1)
        possible = (j <= right) & (depth - j <= total - right)
        x = np.where(possible, j, np.minimum(right, depth))
        y = np.where(possible, depth - j, np.maximum(depth - right, 0))
        with np.errstate(invalid="ignore"):
            log_pmf = (
                _log_choose(right, x)
                + _log_choose(total - right, y)
                - _log_choose(total, np.full_like(total, depth))
            )
        pmf = np.where(possible, np.exp(np.where(possible, log_pmf, 0.0)), 0.0)
        tail[rows] = np.minimum(np.cumsum(pmf[:, ::-1], axis=1)[:, ::-1], 1.0)
    return tail


def _log_choose(a: Counts, b: Counts) -> Floats:
    """Natural log of the binomial coefficients."""
    return np.asarray(gammaln(a + 1.0) - gammaln(b + 1.0) - gammaln(a - b + 1.0))


@dataclass(frozen=True, slots=True)
class BayesAtN:
    """Bayes@N: the posterior of the mean accuracy over the given problems.

    Attributes:
        value: posterior mean, the mean over problems of (c + 1)/(n + 2).
        low: lower limit, ``value`` - z ``deviation``, at least 0.
        high: upper limit, at most 1.
        deviation: posterior standard deviation.
        problems: number of problems.
        level: posterior probability of the interval, by the Normal law.
    """

    value: float
    low: float
    high: float
    deviation: float
    problems: int
    level: float


def bayes_at_n(
    num_samples: ArrayLike,
    num_correct: ArrayLike,
    *,
    draws: int | None = None,
    level: float = 0.95,
) -> BayesAtN:
    """Bayes@N of Hariri et al. (arXiv 2510.04265) for right-or-wrong outcomes.

    Each problem's probability of a correct answer has a uniform prior of its own. The interval
    stands for the luck of the draws on these very problems, not for new problems. The prior draws
    the mean towards 1/2, by (1 - 2c/n)/(n + 2) on each problem: with few draws and many hard
    problems the interval lies above the true accuracy.

    Args:
        num_samples: number of samples, shape [problems] or one number. Problems without samples are
            left out.
        num_correct: number of correct samples, shape [problems] or one number.
        draws: N, where only so many of the samples of each problem are to count: the expected
            posterior over every choice of them. Problems with fewer are left out. The values of
            models with different numbers of samples compare at one N only. None: all samples.
        level: posterior probability of the interval.

    Returns:
        nan in place of the numbers where no problem has samples.

    Raises:
        InvalidInputError: counts as `Draws` refuses, or a level outside (0, 1).

    >>> got = bayes_at_n(8, [8, 4])
    >>> round(got.value, 3), round(got.low, 3), round(got.high, 3)
    (0.7, 0.528, 0.872)
    """
    level = as_probability("level", level)
    n, c = Draws(num_samples, num_correct)
    n, c = n[n > 0], c[n > 0]
    depth = n if draws is None else np.full(len(n), int(as_ks(draws)))
    n, c, depth = n[n >= depth], c[n >= depth], depth[n >= depth]
    if not len(n):
        return BayesAtN(np.nan, np.nan, np.nan, np.nan, 0, level)
    p = c / n
    mean = (depth * p + 1) / (depth + 2)
    # the number of correct draws among `depth` is hypergeometric
    spread = depth * p * (1 - p) * (n - depth) / np.maximum(n - 1, 1) / (depth + 2) ** 2
    variance = np.maximum(mean * (1 - mean) - spread, 0) / (depth + 3)
    value = float(mean.mean())
    deviation = float(np.sqrt(variance.sum())) / len(n)
    reach = float(norm.ppf(0.5 + level / 2)) * deviation
    return BayesAtN(
        value, max(0.0, value - reach), min(1.0, value + reach), deviation, len(n), level
    )


def cover_at(num_samples: ArrayLike, num_correct: ArrayLike, *, tau: ArrayLike) -> Floats:
    """Cover@tau: the share of problems with c/n >= tau.

    c/n stands for the probability p of a correct answer, so the curve is blurred where many p lie
    within sqrt(tau/n) of tau. Source: arXiv 2510.08325.

    Args:
        num_samples: number of samples, shape [problems] or one number. Problems without samples are
            left out.
        num_correct: number of correct samples, shape [problems] or one number.
        tau: least accuracy, in (0, 1]: a number or shape [T].

    Returns:
        float64 of the shape of tau; nan where no problem has samples.

    Raises:
        InvalidInputError: counts as `Draws` refuses, or tau outside (0, 1].

    >>> cover_at(10, [0, 5, 10], tau=[0.1, 0.5, 1.0]).round(3).tolist()
    [0.667, 0.667, 0.333]
    """
    n, c = Draws(num_samples, num_correct)
    level = np.asarray(tau, dtype=np.float64)
    if not ((level > 0) & (level <= 1)).all():
        raise InvalidInputError("tau must lie in (0, 1]")
    n, c = n[n > 0], c[n > 0]
    if not len(n):
        return np.full(level.shape, np.nan)
    reached = c[:, np.newaxis] >= np.atleast_1d(level) * n[:, np.newaxis] - 1e-9
    return np.asarray(reached.mean(axis=0).reshape(level.shape))
