"""Answers that the draws have not shown: their probability, and the number of distinct answers."""

from __future__ import annotations

import math
from dataclasses import dataclass

from numpy.typing import ArrayLike
from scipy.stats import norm

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics.checks import Counts, as_counts, as_probability
from rlvr_fast.metrics.intervals import clopper_pearson

__all__ = ["Richness", "UnseenMass", "chao1", "good_turing"]


@dataclass(frozen=True, slots=True)
class UnseenMass:
    """Probability that the next draw gives an answer not seen so far.

    Attributes:
        value: the estimate; nan where nothing was drawn.
        low: lower limit.
        high: upper limit.
        singletons: number of answers seen exactly once.
        draws: number of draws.
    """

    value: float
    low: float
    high: float
    singletons: int
    draws: int


@dataclass(frozen=True, slots=True)
class Richness:
    """Number of distinct answers of a problem.

    Attributes:
        seen: number of distinct answers seen.
        value: estimated lower bound of the number of all answers.
        low: lower limit of that bound.
        high: upper limit of that bound.
    """

    seen: int
    value: float
    low: float
    high: float


def _counts_and_draws(counts: ArrayLike, draws: int | None) -> tuple[Counts, int]:
    """The positive counts and the number of draws."""
    c = as_counts("counts", counts).ravel()
    c = c[c > 0]
    total = int(c.sum())
    if draws is None:
        return c, total
    if draws < total:
        raise InvalidInputError(f"draws is {draws}, but the counts add up to {total}")
    return c, int(draws)


def good_turing(counts: ArrayLike, *, draws: int | None = None, level: float = 0.95) -> UnseenMass:
    """Good-Turing estimate f1/n of the probability of the answers that were never drawn.

    Interval: Esty's (Annals of Statistics 11, 1983) with variance (f1 (1 - f1/n) + 2 f2)/n^2,
    widened to the Clopper-Pearson limits of f1 of n: with few singletons Esty's interval has no
    width. f1 and f2 are the numbers of answers seen once and twice. Source: Good, Biometrika 40
    (1953).

    Args:
        counts: how often each distinct answer of one problem was given, shape [answers].
        draws: number of draws; by default the sum of the counts. The counts of the correct answers
            alone, with the number of all draws, give the unseen probability of correct answers.
        level: confidence level.

    Raises:
        InvalidInputError: a count that is negative or fractional, fewer draws than the counts add
            up to, or a level outside (0, 1).

    >>> good_turing([5, 1, 1, 3]).value
    0.2
    """
    level = as_probability("level", level)
    c, n = _counts_and_draws(counts, draws)
    if n == 0:
        return UnseenMass(math.nan, 0.0, 1.0, 0, 0)
    f1, f2 = int((c == 1).sum()), int((c == 2).sum())
    value = f1 / n
    half = float(norm.ppf(0.5 + level / 2)) * math.sqrt(f1 * (1 - f1 / n) + 2 * f2) / n
    exact = clopper_pearson(n, f1, level=level)
    low = max(0.0, min(value - half, float(exact.low)))
    high = min(1.0, max(value + half, float(exact.high)))
    return UnseenMass(value, low, high, f1, n)


def chao1(counts: ArrayLike, *, draws: int | None = None, level: float = 0.95) -> Richness:
    """Chao's estimated lower bound of the number of distinct answers of one problem.

    seen + (n-1)/n f1 (f1-1) / (2 (f2+1)), the bias-corrected form, with Chao's log-normal interval
    (Biometrics 43, 1987), whose lower limit is at least ``seen``. With many answers of probability
    below 1/n the true number is larger than the bound; the interval is one for the bound.

    Args:
        counts: how often each distinct answer of one problem was given, shape [answers].
        draws: number of draws; by default the sum of the counts.
        level: confidence level.

    Raises:
        InvalidInputError: as `good_turing`.

    >>> chao1([10, 7, 5]).value
    3.0
    """
    level = as_probability("level", level)
    c, n = _counts_and_draws(counts, draws)
    seen = int(c.size)
    f1, f2 = int((c == 1).sum()), int((c == 2).sum())
    if n == 0 or f1 == 0:
        return Richness(seen, float(seen), float(seen), float(seen))
    share = (n - 1) / n
    hidden = share * f1 * (f1 - 1) / (2 * (f2 + 1))
    variance = (
        share * f1 * (f1 - 1) / (2 * (f2 + 1))
        + share**2 * f1 * (2 * f1 - 1) ** 2 / (4 * (f2 + 1) ** 2)
        + share**2 * f1**2 * f2 * (f1 - 1) ** 2 / (4 * (f2 + 1) ** 4)
    )
    if hidden == 0:
        # one singleton: Chao's formula for this case, by the mean count
        spread = f1 * math.exp(-n / seen)
        return Richness(seen, float(seen), float(seen), seen + max(1.0, spread))
    ratio = math.exp(float(norm.ppf(0.5 + level / 2)) * math.sqrt(math.log1p(variance / hidden**2)))
    return Richness(seen, seen + hidden, seen + hidden / ratio, seen + hidden * ratio)
