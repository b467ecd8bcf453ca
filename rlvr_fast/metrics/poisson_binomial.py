"""The number of successes of independent trials with unequal probabilities, exactly."""

from __future__ import annotations

import numpy as np

from rlvr_fast.metrics.checks import Floats

__all__ = ["poisson_binomial_pmf", "poisson_binomial_tail"]


def poisson_binomial_pmf(probabilities: Floats) -> Floats:
    """Probability of each number of successes of independent trials.

    Args:
        probabilities: probability of success of each trial, shape [trials].

    Returns:
        float64, shape [trials + 1].
    """
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
    # pmf[-1] holds P(at least `at_least`), summed up directly so that small values stay accurate
    pmf = np.zeros(at_least + 1)
    pmf[0] = 1.0
    for p in probabilities[probabilities > 0]:
        absorbed = pmf[-1] + p * pmf[-2]
        pmf[1:] = pmf[1:] * (1 - p) + pmf[:-1] * p
        pmf[0] *= 1 - p
        pmf[-1] = absorbed
    return float(min(1.0, pmf[-1]))
