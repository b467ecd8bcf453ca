"""The number of successes of independent trials with unequal probabilities, exactly.

Few trials are added one after another. Many trials are first gathered by their probability: the
binomial laws of equal trials are convolved, the narrowest first. Every term is positive, so that
tails keep their relative accuracy; probabilities below 1e-300 count as 0.
"""

from __future__ import annotations

import heapq

import numpy as np
from scipy.stats import binom

from rlvr_fast.metrics.checks import Floats

__all__ = ["poisson_binomial_pmf", "poisson_binomial_tail"]

# Above so many additions the trials are gathered first.
_MANY = 200_000_000
_NOTHING = 1e-300
# Up to so many successes a tail is summed up without arrays.
_SHORT = 16


def poisson_binomial_pmf(probabilities: Floats) -> Floats:
    """Probability of each number of successes of independent trials.

    Args:
        probabilities: probability of success of each trial, shape [trials].

    Returns:
        float64, shape [trials + 1].
    """
    if len(probabilities) ** 2 > 2 * _MANY:
        first, law = _gathered(probabilities)
        whole = np.zeros(len(probabilities) + 1)
        whole[first : first + len(law)] = law
        return whole
    pmf = np.zeros(len(probabilities) + 1)
    pmf[0] = 1.0
    for trials, p in enumerate(probabilities, start=1):
        pmf[1 : trials + 1] = pmf[1 : trials + 1] * (1 - p) + pmf[:trials] * p
        pmf[0] *= 1 - p
    return pmf


def poisson_binomial_tail(probabilities: Floats, at_least: int) -> float:
    """P(at least `at_least` successes) of independent trials, exactly.

    Args:
        probabilities: probability of success of each trial, shape [trials].
        at_least: number of successes; 0 or less gives 1.
    """
    if at_least <= 0:
        return 1.0
    if at_least > len(probabilities):
        return 0.0
    possible = probabilities[probabilities > 0]
    if len(possible) * at_least > _MANY:
        first, law = _gathered(possible)
        # the smallest terms first
        return float(min(1.0, law[max(at_least - first, 0) :][::-1].sum()))
    # pmf[-1] holds P(at least `at_least`), summed up directly so that small values stay accurate
    if at_least <= _SHORT:
        return _short_tail(possible.tolist(), at_least)
    pmf = np.zeros(at_least + 1)
    pmf[0] = 1.0
    for p in possible:
        absorbed = pmf[-1] + p * pmf[-2]
        pmf[1:] = pmf[1:] * (1 - p) + pmf[:-1] * p
        pmf[0] *= 1 - p
        pmf[-1] = absorbed
    return float(min(1.0, pmf[-1]))


def _short_tail(probabilities: list[float], at_least: int) -> float:
    """The tail of few successes, number by number: arrays of few numbers take longer."""
    pmf = [1.0, *[0.0] * at_least]
    between = range(at_least - 1, 0, -1)
    for p in probabilities:
        not_p = 1 - p
        pmf[-1] += p * pmf[-2]
        for i in between:
            pmf[i] = pmf[i] * not_p + pmf[i - 1] * p
        pmf[0] *= not_p
    return min(1.0, pmf[-1])


def _gathered(probabilities: Floats) -> tuple[int, Floats]:
    """(number of successes of the first entry, probability of it and of the numbers after it)."""
    # rounding may have left a probability just above 1
    values, copies = np.unique(np.minimum(probabilities, 1.0), return_counts=True)
    laws = [_binomial(float(p), int(n)) for p, n in zip(values, copies, strict=True)]
    heap = [(len(law), i, first, law) for i, (first, law) in enumerate(laws)]
    heapq.heapify(heap)
    at = len(heap)
    while len(heap) > 1:
        _, _, first, law = heapq.heappop(heap)
        _, _, second, other = heapq.heappop(heap)
        begin, joined = _trimmed(
            first + second, np.asarray(np.convolve(law, other), dtype=np.float64)
        )
        heapq.heappush(heap, (len(joined), at, begin, joined))
        at += 1
    _, _, first, law = heap[0]
    return first, law


def _binomial(p: float, n: int) -> tuple[int, Floats]:
    if n == 1:
        return _trimmed(0, np.array([1 - p, p]))
    return _trimmed(0, np.asarray(binom.pmf(np.arange(n + 1), n, p)))


def _trimmed(first: int, law: Floats) -> tuple[int, Floats]:
    kept = np.flatnonzero(law > _NOTHING)
    return first + int(kept[0]), law[kept[0] : kept[-1] + 1]
