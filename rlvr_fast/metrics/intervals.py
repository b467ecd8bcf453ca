"""Intervals on one proportion, and the result types of every interval."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaincinv

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics.checks import Counts, Floats, as_probability, as_samples_and_correct
from rlvr_fast.metrics.distinct import by_distinct

__all__ = ["CurveInterval", "Estimate", "Interval", "beta_interval", "clopper_pearson"]


class Interval(NamedTuple):
    """Lower and upper limits.

    Attributes:
        low: float64.
        high: float64, same shape.
    """

    low: Floats
    high: Floats


class Estimate(NamedTuple):
    """One number with its interval.

    Attributes:
        value: the estimate; nan where it is not defined.
        low: lower limit.
        high: upper limit.
    """

    value: float
    low: float
    high: float


class CurveInterval(NamedTuple):
    """A curve over k with pointwise intervals.

    Attributes:
        k: int64, shape [K].
        value: float64, shape [K].
        low: lower limits, shape [K].
        high: upper limits, shape [K].
        problems: number of problems with k samples, shape [K].
    """

    k: Counts
    value: Floats
    low: Floats
    high: Floats
    problems: Counts


def clopper_pearson(
    num_samples: ArrayLike, num_correct: ArrayLike, *, level: float = 0.95
) -> Interval:
    """Exact two-sided interval on each problem's probability of a correct answer.

    Covers with probability at least ``level`` at every p. Source: Clopper & Pearson, Biometrika 26
    (1934).

    Args:
        num_samples: number of samples, any shape.
        num_correct: number of correct samples.
        level: confidence level.

    Returns:
        Limits of the broadcast shape; [0, 1] without samples.

    Raises:
        InvalidInputError: counts as `pass_at_k` refuses, or a level outside (0, 1).

    >>> interval = clopper_pearson(20, 0)
    >>> float(interval.low), round(float(interval.high), 4)
    (0.0, 0.1684)
    """
    level = as_probability("level", level)
    n, c = as_samples_and_correct(num_samples, num_correct)
    tail = (1 - level) / 2

    def limits(n: Counts, c: Counts) -> Floats:
        low = np.where(c > 0, betaincinv(np.maximum(c, 1), n - c + 1, tail), 0.0)
        high = np.where(c < n, betaincinv(c + 1, np.maximum(n - c, 1), 1 - tail), 1.0)
        return np.stack([low, high])

    low, high = by_distinct(limits, n, c)
    return Interval(low, high)


def beta_interval(
    num_samples: ArrayLike,
    num_correct: ArrayLike,
    *,
    level: float = 0.95,
    prior: tuple[float, float] = (0.5, 0.5),
) -> Interval:
    """Equal-tailed posterior interval on each problem's probability of a correct answer.

    The default prior is Jeffreys'. The limits are moved to 0 where no sample is correct and to 1
    where all are (Brown, Cai & DasGupta, Statistical Science 16, 2001), because the interval would
    never cover p = 0 or 1 otherwise. The interval is shorter than Clopper-Pearson's, and covers
    with probability ``level`` on average over p, not at every p.

    Args:
        num_samples: number of samples, any shape.
        num_correct: number of correct samples.
        level: probability of the interval under the posterior.
        prior: the two parameters of the Beta prior, both positive.

    Returns:
        Limits of the broadcast shape.

    Raises:
        InvalidInputError: counts as `pass_at_k` refuses, a level outside (0, 1), or a prior that is
            not positive.
    """
    level = as_probability("level", level)
    a, b = prior
    if not (a > 0 and b > 0):
        raise InvalidInputError(f"prior must be two positive numbers, got {prior}")
    n, c = as_samples_and_correct(num_samples, num_correct)
    tail = (1 - level) / 2
    low = np.where(c > 0, betaincinv(c + a, n - c + b, tail), 0.0)
    high = np.where(c < n, betaincinv(c + a, n - c + b, 1 - tail), 1.0)
    return Interval(low, high)
