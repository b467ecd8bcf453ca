"""Base's probability of the correct answers that the RL model gives, by importance sampling.

Completions drawn from the RL model and scored under both models estimate base's probability of a
correct answer without draws from base: the mean over draws of 1[correct] p_base/p_rl. A few large
weights can dominate the sum. So a generalised Pareto law is fitted to the largest weights, and the
estimate is refused where its shape k is too large (PSIS: Vehtari et al., arXiv 1507.02646).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import norm

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics.checks import Floats, as_probability, first_index

__all__ = ["ImportanceEstimate", "fit_generalized_pareto", "importance_estimate", "smooth_weights"]

# Least number of weights in the tail for a fit.
_LEAST_TAIL = 5
# Log weights closer than this count as equal.
_SAME = 1e-9


@dataclass(frozen=True, slots=True)
class ImportanceEstimate:
    """Base's probability of the correct completions that the RL model can produce.

    Attributes:
        value: the estimate; nan unless ``trusted``.
        low: lower limit; nan unless ``trusted``.
        high: upper limit; nan unless ``trusted``.
        log_value: natural log of the smoothed estimate, given also where the estimate is refused;
            -inf where no weight is positive.
        pareto_k: fitted shape of the largest weights; -inf where all weights are equal, nan where
            the weights are too few to fit.
        ess: effective number of correct draws.
        draws: number of draws.
        correct: number of correct draws.
        trusted: whether the estimate is given.
        reason: why the estimate is refused; empty where ``trusted``.
    """

    value: float
    low: float
    high: float
    log_value: float
    pareto_k: float
    ess: float
    draws: int
    correct: int
    trusted: bool
    reason: str


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
    log_lik = n * (np.log(-theta / k) - k - 1)
    weight = np.exp(log_lik - log_lik.max())
    weight /= weight.sum()
    best = float(theta @ weight)
    shape = float(np.log1p(-best * x).mean())
    scale = -shape / best
    prior = 10
    return (n * shape + prior * 0.5) / (n + prior), scale


def smooth_weights(log_weights: ArrayLike) -> tuple[Floats, float]:
    """Pareto-smoothed log weights and the fitted shape k of the largest weights.

    The M = min(S/5, 3 sqrt(S)) largest of S weights are replaced by the expected order statistics
    of the fitted law, at most the largest raw weight. Where k <= 0 the tail is bounded, and the
    weights stay as they are.

    Args:
        log_weights: natural logs of the weights, shape [S].

    Returns:
        The log weights, shape [S]; and k: nan where fewer than 5 weights exceed the start of the
        tail (no weight is changed then), -inf where all weights are equal.
    """
    lw = np.asarray(log_weights, dtype=np.float64)
    size = len(lw)
    tail = int(min(size / 5, 3 * math.sqrt(size)))
    if tail < _LEAST_TAIL:
        return lw, math.nan
    top = float(lw.max())
    order = np.argsort(lw, kind="stable")
    cutoff = float(lw[order[-tail - 1]])
    if np.count_nonzero(lw > cutoff + _SAME) < _LEAST_TAIL:
        # equal weights at the cutoff (few distinct completions): lower it to the next value
        below = lw[lw < cutoff - _SAME]
        cutoff = float(below.max()) if below.size and top - cutoff < _SAME else cutoff
    largest = order[lw[order] > cutoff + _SAME]
    tail = len(largest)
    if tail == 0:
        return lw, -math.inf
    if tail < _LEAST_TAIL:
        return lw, math.nan
    exceedance = np.exp(lw[largest] - top) - math.exp(cutoff - top)
    k, scale = fit_generalized_pareto(exceedance)
    if k <= 0:
        # the tail is bounded: smoothing is not needed, and would bias few distinct weights
        return lw, k
    ranks = (np.arange(tail) + 0.5) / tail
    # quantile function of the law: scale ((1-u)^-k - 1)/k
    quantile = scale * np.expm1(-k * np.log1p(-ranks)) / k
    smoothed = lw.copy()
    smoothed[largest] = np.minimum(np.log(quantile + math.exp(cutoff - top)) + top, top)
    return smoothed, k


def importance_estimate(
    *,
    base_logprob: ArrayLike,
    rl_logprob: ArrayLike,
    correct: ArrayLike,
    threshold: float | None = None,
    level: float = 0.95,
) -> ImportanceEstimate:
    """Base's probability of the correct completions of one problem, from draws of the RL model.

    Completions that the RL model never draws add nothing: the value is base's probability of the
    correct completions that the RL model can produce, a lower bound of base's probability of a
    correct answer. The interval is log-normal, from the variance of the weights.

    Args:
        base_logprob: log-probability of each completion under base, nats, shape [draws]: the sum
            over tokens, at temperature 1 or under base's own sampling distribution, which decides
            on the quantity estimated. -inf (a token outside the nucleus) is a weight of 0.
        rl_logprob: the same under the distribution the completion was drawn from (the RL model with
            its temperature and nucleus), finite.
        correct: whether each completion is correct, bool, shape [draws]; all draws of the problem.
        threshold: largest trusted Pareto k; by default min(0.7, 1 - 1/log10(correct draws)), the
            form of the later versions of arXiv 1507.02646.
        level: confidence level.

    Raises:
        InvalidInputError: unequal lengths, nan, or an rl_logprob that is not finite (such a
            completion was not scored under the distribution it was drawn from).
    """
    lb = np.asarray(base_logprob, dtype=np.float64)
    lr = np.asarray(rl_logprob, dtype=np.float64)
    right = np.asarray(correct, dtype=bool)
    if lb.ndim != 1 or lb.shape != lr.shape or lb.shape != right.shape:
        raise InvalidInputError(
            "base_logprob, rl_logprob and correct must be equally long lists; got shapes "
            f"{lb.shape}, {lr.shape}, {right.shape}"
        )
    for name, values, bad in (
        ("base_logprob", lb, np.isnan(lb) | (lb == np.inf)),
        ("rl_logprob", lr, ~np.isfinite(lr)),
    ):
        if bad.any():
            raise InvalidInputError(
                f"{name} of {first_index(bad)} is {values[bad][0]}; a completion that was drawn "
                "has a finite log-probability under the distribution it was drawn from"
            )
    draws, number = len(lb), int(right.sum())
    log_weights = lb[right] - lr[right]
    log_weights = log_weights[log_weights > -np.inf]

    def refused(reason: str, k: float, ess: float, log_value: float) -> ImportanceEstimate:
        nan = math.nan
        return ImportanceEstimate(
            nan, nan, nan, log_value, k, ess, draws, number, trusted=False, reason=reason
        )

    if number == 0:
        return refused("no draw of the RL model is correct", math.nan, 0.0, -math.inf)
    if not len(log_weights):
        return refused(
            "no correct draw of the RL model has any probability under base",
            math.nan,
            0.0,
            -math.inf,
        )
    smoothed, k = smooth_weights(log_weights)
    top = float(smoothed.max())
    weights = np.exp(smoothed - top)
    total, squares = float(weights.sum()), float((weights**2).sum())
    log_value = math.log(total / draws) + top
    ess = total * total / squares
    if math.isnan(k):
        which = "correct draws" + (" that base can make" if len(log_weights) < number else "")
        return refused(
            f"{len(log_weights)} {which} are too few to judge the weights by (25 are needed)",
            k,
            ess,
            log_value,
        )
    limit = min(0.7, 1 - 1 / math.log10(len(log_weights))) if threshold is None else threshold
    if k > limit:
        return refused(
            f"Pareto k {k:.2f} exceeds {limit:.2f}: a few completions carry the estimate",
            k,
            ess,
            log_value,
        )
    # relative standard error of a mean over all draws, the incorrect ones counting as 0
    relative = math.sqrt(max(squares / total**2 - 1 / draws, 0.0))
    factor = math.exp(float(norm.ppf(0.5 + as_probability("level", level) / 2)) * relative)
    value = math.exp(log_value)
    return ImportanceEstimate(
        value,
        value / factor,
        min(1.0, value * factor),
        log_value,
        k,
        ess,
        draws,
        number,
        trusted=True,
        reason="",
    )
