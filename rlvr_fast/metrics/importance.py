"""Base's probability of the correct answers that the RL model gives, by importance sampling.

Completions drawn from the RL model and scored under both models tell of base's probability of a
correct answer without draws from base: the mean over draws of 1[correct] p_base/p_rl. What RL
hardly ever draws may hold most of that mean, and no statistic of the draws shows it. So the
quantity that holds without assumption is a lower limit: the weights are at least 0, and nothing
else is used. The Pareto shape of the largest weights (PSIS: Vehtari et al., arXiv 1507.02646) is a
diagnostic.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics.checks import Floats, as_probability, first_index
from rlvr_fast.metrics.intervals import clopper_pearson
from rlvr_fast.metrics.mean_limit import lower_mean_limit

__all__ = ["ImportanceEstimate", "fit_generalized_pareto", "importance_estimate", "smooth_weights"]

# Least number of weights in the tail for a fit, and of different values among them.
_LEAST_TAIL = 5
# Log weights closer than this count as equal.
_SAME = 1e-9
# Values of theta * x below this take the limit theta = 0, the exponential law.
_EXPONENTIAL = 1e-9
# The error rate of limits that contradict each other, as a share of the one of a limit.
_STRICT = 0.02


@dataclass(frozen=True, slots=True)
class ImportanceEstimate:
    """What RL's completions tell of base's probability of a correct answer.

    Attributes:
        low: lower limit of base's probability of a correct answer, one-sided at ``level``, for any
            law of the weights; nan where no draw is correct.
        value: mean of the weights, given only where ``reason`` is empty. Its error is unknown:
            completions that RL draws too rarely to be seen are missing.
        seen_mass: base's probability of the different correct completions among the draws, which
            base's probability of a correct answer exceeds with certainty; nan where ``completion``
            is not given.
        log_value: natural log of the smoothed mean, given also where ``value`` is not; -inf where
            no weight is positive.
        pareto_k: fitted shape of the largest weights, a diagnostic; nan where too few weights, or
            too few different ones, are in the tail.
        ess: effective number of correct draws.
        draws: number of draws.
        correct: number of correct draws.
        contradicts: whether base's own draws contradict the weights: the lower limit exceeds 1, or
            the upper Clopper-Pearson limit of base's own accuracy, both at 1 - (1 - ``level``)/50.
            Scores and draws are then of different distributions.
        reason: why ``value`` is not given, or that draws and scores contradict each other.
        level: one-sided confidence of ``low``.
    """

    low: float
    value: float
    seen_mass: float
    log_value: float
    pareto_k: float
    ess: float
    draws: int
    correct: int
    contradicts: bool
    reason: str
    level: float


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
    # theta = 0 is the exponential law, k = 0: -theta/k tends to 1/mean there
    exponential = np.abs(theta) * x[-1] < _EXPONENTIAL
    rate = np.where(exponential, 1 / x.mean(), -theta / np.where(exponential, 1.0, k))
    log_lik = n * (np.log(rate) - k - 1)
    weight = np.exp(log_lik - log_lik.max())
    weight /= weight.sum()
    best = float(theta @ weight)
    shape = float(np.log1p(-best * x).mean())
    scale = float(x.mean()) if abs(best) * x[-1] < _EXPONENTIAL else -shape / best
    prior = 10
    return (n * shape + prior * 0.5) / (n + prior), scale


def smooth_weights(log_weights: ArrayLike) -> tuple[Floats, float]:
    """Pareto-smoothed log weights and the fitted shape k of the largest weights.

    The M = min(S/5, 3 sqrt(S)) largest of S weights are replaced by the expected order statistics
    of the fitted law, at most the largest raw weight. Where k <= 0 the weights stay as they are.
    Equal weights in the tail say nothing of its end: with fewer than 5 different values above its
    start no shape is fitted.

    Args:
        log_weights: natural logs of the weights, shape [S].

    Returns:
        The log weights, shape [S]; and k: nan where fewer than 5 different weights exceed the start
        of the tail (no weight is changed then).
    """
    lw = np.asarray(log_weights, dtype=np.float64)
    size = len(lw)
    tail = int(min(size / 5, 3 * math.sqrt(size)))
    if tail < _LEAST_TAIL:
        return lw, math.nan
    top = float(lw.max())
    order = np.argsort(lw, kind="stable")
    cutoff = float(lw[order[-tail - 1]])
    largest = order[lw[order] > cutoff + _SAME]
    tail = len(largest)
    if tail < _LEAST_TAIL or 1 + np.count_nonzero(np.diff(lw[largest]) > _SAME) < _LEAST_TAIL:
        return lw, math.nan
    exceedance = np.exp(lw[largest] - top) - math.exp(cutoff - top)
    k, scale = fit_generalized_pareto(exceedance)
    if k <= 0:
        # a light tail needs no smoothing
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
    completion: ArrayLike | None = None,
    base_draws: tuple[int, int] | None = None,
    threshold: float | None = None,
    level: float = 0.95,
) -> ImportanceEstimate:
    """Lower limit of base's probability of a correct answer, from draws of the RL model.

    Gaffke's limit of the mean of the weights, whose tail may be of any kind: `lower_mean_limit`.
    With ``completion``, base's probability of the different correct completions that were drawn is
    a second lower limit, a certain one; ``low`` is the larger of the two.

    Args:
        base_logprob: log-probability of each completion under base, nats, shape [draws]: the sum
            over tokens, at temperature 1 or under base's own sampling distribution, which decides
            on the quantity. -inf (a token outside the nucleus) is a weight of 0.
        rl_logprob: the same under the distribution the completion was drawn from (the RL model with
            its temperature and nucleus), finite.
        correct: whether each completion is correct, bool, shape [draws]; all draws of the problem.
        completion: which completion each draw is: equal whole numbers for equal token sequences,
            shape [draws]; None where it is not known.
        base_draws: number of samples and number correct of base's own draws under the distribution
            of ``base_logprob``, to compare with; None for no comparison.
        threshold: largest Pareto k at which ``value`` is given; by default min(0.7, 1 -
            1/log10(correct draws)), the form of the later versions of arXiv 1507.02646.
        level: one-sided confidence of ``low``.

    Raises:
        InvalidInputError: unequal lengths, nan, a level outside (0, 1), or an rl_logprob that is
            not finite (such a completion was not scored under the distribution it was drawn from).
    """
    lb = np.asarray(base_logprob, dtype=np.float64)
    lr = np.asarray(rl_logprob, dtype=np.float64)
    right = np.asarray(correct, dtype=bool)
    which = None if completion is None else np.asarray(completion)
    level = as_probability("level", level)
    shapes = [lb.shape, lr.shape, right.shape, *([] if which is None else [which.shape])]
    if lb.ndim != 1 or len(set(shapes)) > 1:
        raise InvalidInputError(
            "base_logprob, rl_logprob, correct and completion must be equally long lists; got "
            f"shapes {', '.join(map(str, shapes))}"
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
    seen_mass = math.nan if which is None else _seen_mass(lb[right], which[right])
    if not len(log_weights):
        reason = (
            "no correct draw of the RL model has any probability under base"
            if number
            else "no draw of the RL model is correct"
        )
        low = 0.0 if number else math.nan
        return ImportanceEstimate(
            low, math.nan, seen_mass, -math.inf, math.nan, 0.0, draws, number, False, reason, level
        )
    smoothed, k = smooth_weights(log_weights)
    top = float(log_weights.max())
    raw, weights = np.maximum(np.exp(log_weights - top), 1e-300), np.exp(smoothed - top)
    total, squares = float(weights.sum()), float((weights**2).sum())
    low = _scaled(lower_mean_limit(raw, draws=draws, level=level), top)
    if seen_mass > low:
        low = seen_mass
    value = _scaled(float(raw.sum()) / draws, top)
    limit = min(0.7, 1 - 1 / math.log10(max(len(log_weights), 2)))
    limit = limit if threshold is None else threshold
    reason = ""
    if math.isnan(k):
        reason = (
            f"the largest of {len(log_weights)} positive weights have fewer than {_LEAST_TAIL} "
            "different values, which say nothing of larger ones"
        )
    elif k > limit:
        reason = f"Pareto k {k:.2f} exceeds {limit:.2f}: a few completions carry the mean"
    least, most = 0.0, 1.0
    if base_draws is not None and base_draws[0] > 0:
        own = clopper_pearson(base_draws[0], base_draws[1], level=level)
        least, most = float(own.low), float(own.high)
    contradicts = low > most * (1 + _SAME)
    if contradicts and most < 1 and base_draws is not None:
        # two limits that fail one by one may cross by chance; those of a far smaller error rate not
        strict = 1 - (1 - level) * _STRICT
        most = float(clopper_pearson(base_draws[0], base_draws[1], level=strict).high)
        sure = _scaled(lower_mean_limit(raw, draws=draws, level=strict), top)
        contradicts = np.nanmax([sure, seen_mass]) > most * (1 + _SAME)
    if contradicts:
        said = "a probability is at most" if most == 1 else "base’s own draws at most"
        reason = (
            f"draws and scores contradict each other: the scores say at least {low:.3g}, "
            f"{said} {most:.3g}"
        )
    elif not reason and not least <= value <= most:
        reason = (
            f"the mean of the weights, {value:.3g}, is not what base’s own draws show "
            f"({least:.3g} to {most:.3g}): RL’s draws miss completions that base draws, or hold "
            "too many of its rare ones"
        )
    return ImportanceEstimate(
        low=low,
        value=math.nan if reason else value,
        seen_mass=seen_mass,
        log_value=math.log(total / draws) + top,
        pareto_k=k,
        ess=total * total / squares,
        draws=draws,
        correct=number,
        contradicts=contradicts,
        reason=reason,
        level=level,
    )


def _seen_mass(logprob: Floats, completion: Floats) -> float:
    """Sum of the probabilities of the different completions."""
    _, first = np.unique(completion, return_index=True)
    return float(np.exp(np.minimum(logprob[first], 0.0)).sum())


def _scaled(mean: float, log_scale: float) -> float:
    """The mean times exp(log_scale); 0 or inf where that is past the range of a float."""
    if mean <= 0:
        return 0.0
    exponent = math.log(mean) + log_scale
    return math.exp(exponent) if exponent < 700 else math.inf
