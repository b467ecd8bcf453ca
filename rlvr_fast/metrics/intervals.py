"""Intervals on one proportion, and the small records every other interval comes in."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaincinv

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics._checks import Counts, Floats, as_samples_and_correct, probability

__all__ = ["CurveInterval", "Estimate", "Interval", "beta_interval", "clopper_pearson"]


class Interval(NamedTuple):
    """Lower and upper limits, arrays of one shape."""

    low: Floats
    high: Floats


class Estimate(NamedTuple):
    """One number with its interval; nan where it is not defined."""

    value: float
    low: float
    high: float


class CurveInterval(NamedTuple):
    """A curve over k with pointwise intervals; ``problems[j]`` problems have k[j] samples."""

    k: Counts
    value: Floats
    low: Floats
    high: Floats
    problems: Counts


def clopper_pearson(
    num_samples: ArrayLike, num_correct: ArrayLike, *, level: float = 0.95
) -> Interval:
    """Exact two-sided interval of each problem's correct mass: covers at least ``level``, always.

    Nothing drawn gives [0, 1]. Source: Clopper & Pearson, Biometrika 26 (1934).

    >>> interval = clopper_pearson(20, 0)
    >>> float(interval.low), round(float(interval.high), 4)
    (0.0, 0.1684)
    """
    level = probability("level", level)
    n, c = as_samples_and_correct(num_samples, num_correct)
    tail = (1 - level) / 2
    low = np.where(c > 0, betaincinv(np.maximum(c, 1), n - c + 1, tail), 0.0)
    high = np.where(c < n, betaincinv(c + 1, np.maximum(n - c, 1), 1 - tail), 1.0)
    return Interval(low, high)


def beta_interval(
    num_samples: ArrayLike,
    num_correct: ArrayLike,
    *,
    level: float = 0.95,
    prior: tuple[float, float] = (0.5, 0.5),
) -> Interval:
    """Equal-tailed posterior interval of each problem's correct mass under a Beta prior.

    The default prior is Jeffreys'; the limits are then moved to 0 where nothing was correct and to
    1 where everything was (Brown, Cai & DasGupta, Statistical Science 16, 2001), without which the
    interval never covers p = 0 or 1. Shorter than Clopper-Pearson; covers ``level`` on average
    over p, not at every p.
    """
    level = probability("level", level)
    a, b = prior
    if not (a > 0 and b > 0):
        raise InvalidInputError(f"prior must be two positive numbers, got {prior}")
    n, c = as_samples_and_correct(num_samples, num_correct)
    tail = (1 - level) / 2
    low = np.where(c > 0, betaincinv(c + a, n - c + b, tail), 0.0)
    high = np.where(c < n, betaincinv(c + a, n - c + b, 1 - tail), 1.0)
    return Interval(low, high)
