"""What the draws have not shown yet: unseen probability mass and unseen distinct answers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import norm

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics._checks import as_counts, probability
from rlvr_fast.metrics.intervals import clopper_pearson

__all__ = ["Richness", "UnseenMass", "chao1", "good_turing"]


@dataclass(frozen=True, slots=True)
class UnseenMass:
    """Probability that the next draw is an answer not seen so far; nan when nothing was drawn."""

    value: float
    low: float
    high: float
    singletons: int
    draws: int


@dataclass(frozen=True, slots=True)
class Richness:
    """How many distinct answers there are: ``seen`` so far, and an estimated lower bound of all."""

    seen: int
    value: float
    low: float
    high: float


def _counts_and_draws(counts: ArrayLike, draws: int | None) -> tuple[np.ndarray, int]:
    c = as_counts("counts", counts).ravel()
    c = c[c > 0]
    total = int(c.sum())
    if draws is None:
        return c, total
    if draws < total:
        raise InvalidInputError(f"draws is {draws}, but the counts add up to {total}")
    return c, int(draws)


def good_turing(counts: ArrayLike, *, draws: int | None = None, level: float = 0.95) -> UnseenMass:
    """Good-Turing estimate f1/n of the mass of the answers of one problem that were never drawn.

    ``counts``: how often each distinct answer came. Pass the correct answers only, with ``draws``
    the number of all draws, for the unseen mass of *correct* answers. Interval: Esty's (Annals of
    Statistics 11, 1983) with variance (f1 (1 - f1/n) + 2 f2)/n^2, widened to the Clopper-Pearson
    limits of f1 out of n, without which few singletons give no width at all.
    Source: Good, Biometrika 40 (1953).

    >>> good_turing([5, 1, 1, 3]).value
    0.2
    """
    level = probability("level", level)
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
    (Biometrics 43, 1987), which never goes below what was seen. It is a *lower bound*: with many
    answers rarer than 1/n the truth is larger, and the interval is one for the bound.

    >>> chao1([10, 7, 5]).value
    3.0
    """
    level = probability("level", level)
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
        # one singleton: Chao's own fall-back, by the mean count
        spread = f1 * math.exp(-n / seen)
        return Richness(seen, float(seen), float(seen), seen + max(1.0, spread))
    ratio = math.exp(float(norm.ppf(0.5 + level / 2)) * math.sqrt(math.log1p(variance / hidden**2)))
    return Richness(seen, seen + hidden, seen + hidden / ratio, seen + hidden * ratio)
