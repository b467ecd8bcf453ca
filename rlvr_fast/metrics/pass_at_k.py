"""pass@k: the probability that at least one of k draws without replacement is correct.

The unbiased estimator of Chen et al. (arXiv 2107.03374, eq. 1), 1 - C(n-c, k) / C(n, k). The ratio
of binomials is computed from Stirling's formula, with its large terms cancelled algebraically:
differences of log-gamma values lose five digits at n = 16 384 and nine at a million.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import xlog1py

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics.checks import Counts, Floats, as_counts, as_samples_and_correct

__all__ = ["as_ks", "log_all_miss", "pass_at_k"]

# log x! - (x + 1/2) log max(x, 1) + x - log(2 pi)/2 for x = 0..15, where the series is too coarse.
_EXACT = np.array(
    [
        math.lgamma(x + 1) - ((x + 0.5) * math.log(max(x, 1)) - x) - 0.5 * math.log(2 * math.pi)
        for x in range(16)
    ]
)


def _stirling_error(x: Floats) -> Floats:
    """Error of Stirling's formula for log x!; exact below 16, absolute error 2e-14 from 16 on."""
    small = x < len(_EXACT)
    inverse = 1.0 / np.where(small, 1.0, x)
    square = inverse * inverse
    series = inverse * (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square / 1680)))
    exact = _EXACT[np.where(small, x, 0).astype(np.int64)]
    return np.where(small, exact, series)


# Values of small arrays are remembered: a report of many groups asks for the same counts again and
# again, a few at a time, where the calls cost more than the numbers.
_FEW = 64
_MOST_REMEMBERED = 1 << 16
_remembered: dict[tuple[int, int, int], float] = {}


def log_all_miss(num_samples: Counts, num_correct: Counts, k: Counts) -> Floats:
    """Log C(n-c, k) / C(n, k), the log-probability that none of k draws is correct; elementwise.

    Args:
        num_samples: n, any shape.
        num_correct: c.
        k: number of draws, at least 1.

    Returns:
        float64 of the broadcast shape; -inf where n - c < k. Entries with k > n or n = 0 have no
        meaning, and no check: the caller masks them.
    """
    entries = np.broadcast(num_samples, num_correct, k)
    if entries.size > _FEW:
        return _log_all_miss(num_samples, num_correct, k)
    found = [_remembered.get(entry) for entry in entries]
    if None not in found:
        return np.array(found, dtype=np.float64).reshape(entries.shape)
    value = _log_all_miss(num_samples, num_correct, k)
    if len(_remembered) > _MOST_REMEMBERED:
        _remembered.clear()
    entries.reset()
    _remembered.update(zip(entries, value.ravel().tolist(), strict=True))
    return value


def _log_all_miss(num_samples: Counts, num_correct: Counts, k: Counts) -> Floats:
    n, c, kk = (np.asarray(a, dtype=np.float64) for a in (num_samples, num_correct, k))
    n, c, kk = np.broadcast_arrays(n, c, kk)
    left = n - c - kk
    ok = (left >= 0) & (n > 0) & (c > 0)
    n, c, kk, left = (np.where(ok, a, b) for a, b in ((n, 4.0), (c, 1.0), (kk, 1.0), (left, 2.0)))
    value = xlog1py(n - c, -c / n) + xlog1py(n - kk, -kk / n) - xlog1py(left, -(c + kk) / n)
    # (n-c)(n-k) = n (n-c-k) + ck: the half-logs of the four factorials join into one log1p
    with np.errstate(divide="ignore"):
        half_logs = np.where(
            left > 0,
            np.log1p(c * kk / (np.maximum(left, 1) * n)),
            np.log((n - c) / n) + np.log(np.maximum(n - kk, 1)),
        )
    value = value + 0.5 * half_logs
    value = value + _stirling_error(n - c) + _stirling_error(n - kk)
    value = value - _stirling_error(left) - _stirling_error(n)
    trivial = np.where(np.asarray(num_correct) == 0, 0.0, -np.inf)
    return np.where(ok, np.minimum(value, 0.0), trivial)


def as_ks(k: ArrayLike) -> Counts:
    """The k of pass@k as int64.

    Args:
        k: whole numbers >= 1: a number or a list.

    Raises:
        InvalidInputError: a value below 1, fractional, or more than one dimension.
    """
    ks = as_counts("k", k)
    if ks.ndim > 1:
        raise InvalidInputError(f"k must be a number or a list of numbers, got shape {ks.shape}")
    if (ks < 1).any():
        raise InvalidInputError(f"k must be at least 1, got {int(ks.min())}")
    return ks


def pass_at_k(num_samples: ArrayLike, num_correct: ArrayLike, k: ArrayLike) -> Floats:
    """Unbiased pass@k of each problem.

    Source: Chen et al., arXiv 2107.03374, eq. 1.

    Args:
        num_samples: number of samples of each problem: whole numbers, any shape.
        num_correct: number of correct samples: whole numbers, broadcast against num_samples.
        k: whole numbers >= 1: a number or shape [K].

    Returns:
        float64 of the shape of the counts for a number k, [..., K] for a list. nan where k >
        num_samples (no unbiased estimate exists) and where nothing was sampled; no curve is padded.
        Relative error below 1e-10 up to n = 1e6. ``numpy.nanmean(..., axis=0)`` over problems
        leaves out the problems that lack samples: say so where you print such a mean.

    Raises:
        InvalidInputError: a count that is negative or fractional, more correct than sampled, shapes
            that do not broadcast, or k below 1.

    >>> pass_at_k([4, 4, 2], [0, 1, 2], [1, 2, 4]).tolist()
    [[0.0, 0.0, 0.0], [0.25, 0.5, 1.0], [1.0, 1.0, nan]]
    """
    n, c = as_samples_and_correct(num_samples, num_correct)
    ks = as_ks(k)
    if ks.ndim:
        n, c = n[..., np.newaxis], c[..., np.newaxis]
    value = -np.expm1(log_all_miss(n, c, ks))
    # c = 1 and k = 1 give simple fractions: compute them without a rounding error
    fraction = np.where(n > 0, np.where(ks == 1, c, np.where(c == 1, ks, 0)), 0) / np.maximum(n, 1)
    value = np.where((ks == 1) | (c == 1), fraction, value)
    return np.where((ks > n) | (n == 0), np.nan, value) + 0.0
