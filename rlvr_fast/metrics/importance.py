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
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics.checks import (
    Bools,
    Counts,
    Floats,
    as_counts,
    as_probability,
    as_samples_and_correct,
    first_index,
)
from rlvr_fast.metrics.intervals import clopper_pearson
from rlvr_fast.metrics.mean_limit import lower_mean_limits
from rlvr_fast.metrics.pareto import LEAST_TAIL, TAIL_SHARE, smooth_weights

__all__ = ["ImportanceEstimate", "importance_estimate", "importance_estimates"]

# Limits this much above another one, relatively, contradict it.
_SAME = 1e-9
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
    (estimate,) = importance_estimates(
        base_logprob=base_logprob,
        rl_logprob=rl_logprob,
        correct=correct,
        draws=[np.size(base_logprob)],
        completion=completion,
        base_draws=None if base_draws is None else ([base_draws[0]], [base_draws[1]]),
        threshold=threshold,
        level=level,
    )
    return estimate


def importance_estimates(
    *,
    base_logprob: ArrayLike,
    rl_logprob: ArrayLike,
    correct: ArrayLike,
    draws: ArrayLike,
    completion: ArrayLike | None = None,
    base_draws: tuple[ArrayLike, ArrayLike] | None = None,
    threshold: float | None = None,
    level: float = 0.95,
) -> list[ImportanceEstimate]:
    """`importance_estimate` of many problems, whose limits are computed together.

    Args:
        base_logprob: as of `importance_estimate`, problem after problem, shape [sum of ``draws``].
        rl_logprob: as of `importance_estimate`, same shape.
        correct: as of `importance_estimate`, same shape.
        draws: number of draws of each problem, shape [problems].
        completion: as of `importance_estimate`, same shape; equal numbers of one problem are equal
            completions.
        base_draws: number of samples and number correct of base's own draws on each problem, two of
            shape [problems]; None for no comparison.
        threshold: as of `importance_estimate`.
        level: one-sided confidence of each limit.

    Returns:
        One estimate a problem.

    Raises:
        InvalidInputError: as `importance_estimate`, or ``draws`` that do not add up.
    """
    lb = np.asarray(base_logprob, dtype=np.float64)
    lr = np.asarray(rl_logprob, dtype=np.float64)
    right = np.asarray(correct, dtype=bool)
    which = None if completion is None else np.asarray(completion)
    level = as_probability("level", level)
    drawn = as_counts("draws", draws)
    _check_scores(lb, lr, right, which)
    if drawn.ndim != 1 or drawn.sum() != len(lb):
        raise InvalidInputError(
            f"draws must be one number a problem that add up to the {len(lb)} completions; got "
            f"shape {drawn.shape} and the sum {drawn.sum()}"
        )
    problem = np.repeat(np.arange(len(drawn)), drawn)
    correct_draws = np.bincount(problem[right], minlength=len(drawn))
    seen_mass = np.full(len(drawn), math.nan)
    if which is not None:
        seen_mass = _seen_mass(lb[right], problem[right], which[right], len(drawn))
    kept = right & (lb > -np.inf)
    weights = _Weights.of(lb[kept] - lr[kept], problem[kept], drawn)
    low = np.fmax(weights.lower_limits(level), seen_mass)
    low[correct_draws == 0] = math.nan
    none = np.zeros_like(drawn)
    own = as_samples_and_correct(*(base_draws or (none, none)), name="base")
    least, most = clopper_pearson(*own, level=level)
    contradicts = low > most * (1 + _SAME)
    again = contradicts & (most < 1)
    if again.any():
        # two limits that fail one by one may cross by chance; those of a far smaller error rate not
        strict = 1 - (1 - level) * _STRICT
        most[again] = clopper_pearson(own[0][again], own[1][again], level=strict).high
        sure = np.fmax(weights.lower_limits(strict, again), seen_mass[again])
        contradicts[again] = sure > most[again] * (1 + _SAME)
    value, log_value, ess = weights.means()
    estimates = []
    for at in range(len(drawn)):
        facts = _Facts(
            low=float(low[at]),
            value=float(value[at]),
            shape=float(weights.shape[at]),
            correct=int(correct_draws[at]),
            positive=int(weights.number[at]),
            least=float(least[at]),
            most=float(most[at]),
            contradicts=bool(contradicts[at]),
        )
        reason = facts.reason(threshold)
        estimates.append(
            ImportanceEstimate(
                low=facts.low,
                value=math.nan if reason else facts.value,
                seen_mass=float(seen_mass[at]),
                log_value=float(log_value[at]),
                pareto_k=facts.shape,
                ess=float(ess[at]),
                draws=int(drawn[at]),
                correct=facts.correct,
                contradicts=facts.contradicts,
                reason=reason,
                level=level,
            )
        )
    return estimates


def _check_scores(lb: Floats, lr: Floats, right: Bools, which: NDArray[Any] | None) -> None:
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


@dataclass(frozen=True, slots=True)
class _Weights:
    """The positive weights of the correct draws of many problems.

    Attributes:
        raw: weights over the largest one of their problem, problem after problem.
        smoothed: the same after Pareto smoothing.
        number: how many weights each problem has, shape [problems].
        top: natural log of the largest weight, shape [problems]; 0 where there is none.
        shape: Pareto k, shape [problems]; nan where it is not known.
        draws: number of draws, shape [problems].
    """

    raw: Floats
    smoothed: Floats
    number: Counts
    top: Floats
    shape: Floats
    draws: Counts

    @classmethod
    def of(cls, log_weights: Floats, problem: Counts, draws: Counts) -> _Weights:
        """From log weights and the problem of each, ascending."""
        number = np.bincount(problem, minlength=len(draws))
        start = np.cumsum(number) - number
        any_ = number > 0
        top = np.zeros(len(draws))
        if any_.any():
            top[any_] = np.maximum.reduceat(log_weights, start[any_])
        smoothed, shape = log_weights.copy(), np.full(len(draws), math.nan)
        for i in np.flatnonzero(number >= LEAST_TAIL * TAIL_SHARE):
            mine = slice(start[i], start[i] + number[i])
            smoothed[mine], shape[i] = smooth_weights(log_weights[mine])
        raw = np.maximum(np.exp(log_weights - top[problem]), 1e-300)
        return cls(raw, np.exp(smoothed - top[problem]), number, top, shape, draws)

    def lower_limits(self, level: float, of: Bools | slice = slice(None)) -> Floats:
        """Lower limits of the means over the draws, of some problems."""
        some = np.zeros(len(self.draws), dtype=bool)
        some[of] = True
        limits = lower_mean_limits(
            self.raw[np.repeat(some, self.number)],
            positive=self.number[some],
            draws=self.draws[some],
            level=level,
        )
        return _scaled(limits, self.top[some])

    def means(self) -> tuple[Floats, Floats, Floats]:
        """Mean of the raw weights, log of the mean of the smoothed ones, effective number."""
        problem = np.repeat(np.arange(len(self.number)), self.number)
        raw, total, squares = (
            np.bincount(problem, weights=values, minlength=len(self.number))
            for values in (self.raw, self.smoothed, self.smoothed**2)
        )
        with np.errstate(divide="ignore", invalid="ignore"):
            value = np.where(self.number > 0, _scaled(raw / self.draws, self.top), math.nan)
            log_value = np.log(total / self.draws) + self.top
            ess = np.where(self.number > 0, total * total / squares, 0.0)
        return value, np.where(self.number > 0, log_value, -math.inf), ess


@dataclass(frozen=True, slots=True)
class _Facts:
    """What the reason of an estimate depends on; `least` and `most` by base's own draws."""

    low: float
    value: float
    shape: float
    correct: int
    positive: int
    least: float
    most: float
    contradicts: bool

    def reason(self, threshold: float | None) -> str:
        """Why the value is not given, or that draws and scores contradict each other; or ""."""
        if not self.positive:
            return (
                "no correct draw of the RL model has any probability under base"
                if self.correct
                else "no draw of the RL model is correct"
            )
        if self.contradicts:
            said = "a probability is at most" if self.most == 1 else "base’s own draws at most"
            return (
                f"draws and scores contradict each other: the scores say at least {self.low:.3g}, "
                f"{said} {self.most:.3g}"
            )
        if math.isnan(self.shape):
            return (
                f"the largest of {self.positive} positive weights have fewer than {LEAST_TAIL} "
                "different values, which say nothing of larger ones"
            )
        limit = min(0.7, 1 - 1 / math.log10(max(self.positive, 2)))
        limit = limit if threshold is None else threshold
        if self.shape > limit:
            return (
                f"Pareto k {self.shape:.2f} exceeds {limit:.2f}: a few completions carry the mean"
            )
        if not self.least <= self.value <= self.most:
            return (
                f"the mean of the weights, {self.value:.3g}, is not what base’s own draws show "
                f"({self.least:.3g} to {self.most:.3g}): RL’s draws miss completions that base "
                "draws, or hold too many of its rare ones"
            )
        return ""


def _seen_mass(logprob: Floats, problem: Counts, completion: NDArray[Any], problems: int) -> Floats:
    """Sum of the probabilities of the different completions of each problem."""
    order = np.lexsort((completion, problem))
    problem, completion = problem[order], completion[order]
    first = np.ones(len(order), dtype=bool)
    first[1:] = (problem[1:] != problem[:-1]) | (completion[1:] != completion[:-1])
    mass = np.exp(np.minimum(logprob[order], 0.0))[first]
    return np.bincount(problem[first], mass, problems).astype(np.float64)


def _scaled(mean: Floats, log_scale: Floats) -> Floats:
    """The means times exp(log_scale); 0 or inf where that is past the range of a float."""
    with np.errstate(divide="ignore"):
        exponent = np.log(mean) + log_scale
    return np.where(exponent < 700, np.exp(np.minimum(exponent, 700.0)), math.inf)
