"""Which problems to sample further, so that the epsilon rule decides the most labels per sample."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import betabinom, binom

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics.checks import Counts, Floats, as_counts, as_probability
from rlvr_fast.metrics.distinct import by_distinct
from rlvr_fast.metrics.draws import DrawsLike, paired
from rlvr_fast.metrics.support import accessibility, can_be_reached

__all__ = ["Plan", "decision_limits", "plan"]


@dataclass(frozen=True, slots=True)
class Plan:
    """Problems to sample further, the most labels per sample first.

    Attributes:
        problem: 0-based index of each problem, int64, shape [rows].
        base_extra: number of further samples of the base; 0 where the base is decided.
        rl_extra: number of further samples of the RL model; 0 where the RL model is decided.
        probability: probability that these samples decide the label.
        per_thousand: expected number of labels decided per thousand samples.
        cumulative_samples: number of samples up to and with this row.
        cumulative_decided: expected number of labels decided up to and with this row.
        undetermined: number of labels that are undetermined now.
    """

    problem: Counts
    base_extra: Counts
    rl_extra: Counts
    probability: Floats
    per_thousand: Floats
    cumulative_samples: Counts
    cumulative_decided: Floats
    undetermined: int


def decision_limits(
    num_samples: ArrayLike, *, epsilon: ArrayLike, zeta: float = 0.05
) -> tuple[Counts, Counts]:
    """The counts at which the epsilon rule decides, elementwise.

    The Clopper-Pearson limits of the epsilon rule, solved for the count: the upper limit is at most
    epsilon where P(X <= c) <= zeta for X ~ Binomial(n, epsilon), the lower limit exceeds epsilon
    where P(X >= c) < zeta. Where n correct of n would not be reached, no count decides, as in
    `accessibility`.

    Args:
        num_samples: number of samples n, any shape.
        epsilon: threshold of the rule, broadcast against num_samples.
        zeta: 1 - zeta is the one-sided confidence.

    Returns:
        most, least, int64: "not reached" where c <= most (-1: at no count), "reached" where c >=
        least (n + 1: at no count).

    Raises:
        InvalidInputError: a number of samples that is negative or fractional, or zeta outside (0,
            1).

    >>> [int(limit) for limit in decision_limits(8192, epsilon=3.657e-4)]
    [0, 7]
    """
    zeta = as_probability("zeta", zeta)
    n, eps = np.broadcast_arrays(
        as_counts("num_samples", num_samples), np.asarray(epsilon, dtype=np.float64)
    )
    low = binom.ppf(zeta, n, eps)
    # P(X <= low) may be zeta itself: none of n at epsilon = 1 - zeta^(1/n)
    most = np.where(binom.cdf(low, n, eps) <= zeta * (1 + 1e-9), low, low - 1)
    least = binom.ppf(1 - zeta, n, eps) + 1
    decides = can_be_reached(n, epsilon=eps, zeta=zeta)
    most, least = np.where(decides, most, -1), np.where(decides, least, n + 1)
    return most.astype(np.int64), least.astype(np.int64)


def _decided(
    n: Counts, c: Counts, extra: Counts, epsilon: Floats, zeta: float, prior: tuple[float, float]
) -> Floats:
    """Posterior predictive probability that `extra` more samples decide each problem."""

    def chance(n: Counts, c: Counts, extra: Counts, epsilon: Floats) -> Floats:
        most, least = decision_limits(n + extra, epsilon=epsilon, zeta=zeta)
        law = betabinom(extra, prior[0] + c, prior[1] + n - c)
        return np.asarray(law.cdf(most - c) + law.sf(least - c - 1))

    return np.asarray(by_distinct(chance, n, c, extra, epsilon))


def plan(
    base: DrawsLike,
    rl: DrawsLike,
    *,
    zeta: float = 0.05,
    epsilon: ArrayLike | None = None,
    factors: tuple[float, ...] = (0.25, 0.5, 1, 2, 4, 8),
    budget: int | None = None,
    prior: tuple[float, float] = (0.5, 0.5),
) -> Plan:
    """Ranks undetermined problems by expected number of labels decided per further sample.

    epsilon keeps its present value (by default the threshold of `support_shift`), so that further
    samples do not move the threshold. For each undetermined problem, the number of further samples
    is the multiple (of ``factors``) of the present number that decides most per sample; both models
    are sampled where both are undetermined. Problems whose probability of a correct answer is close
    to epsilon need very many samples, and come last. Problems whose epsilon is 1 or more (1 or 2
    samples at zeta = .05) are left out, because no number of samples decides them.

    The present number of samples is the smaller one of the two models; where one model has no
    samples, that of the other model; where neither has samples, the median over the other problems.

    Args:
        base: counts of the base: Draws or a pair (num_samples, num_correct).
        rl: counts of the RL model, same problems.
        zeta: 1 - zeta is the one-sided confidence of the epsilon rule.
        epsilon: threshold of the rule, a number or shape [problems].
        factors: numbers of further samples to consider, in units of the present number; positive.
        budget: largest total number of further samples.
        prior: parameters of the Beta prior (by default Jeffreys') of the posterior predictive law.

    Raises:
        InvalidInputError: counts as `Draws` refuses, different problems, factors that are not
            positive, or zeta outside (0, 1).
    """
    zeta = as_probability("zeta", zeta)
    (bn, bc), (rn, rc) = paired(base, rl)
    if not factors or min(factors) <= 0:
        raise InvalidInputError(f"factors must be positive numbers, got {factors}")
    drawn = np.where(np.minimum(bn, rn) > 0, np.minimum(bn, rn), np.maximum(bn, rn))
    if (drawn > 0).any():
        drawn = np.where(drawn > 0, drawn, np.int64(np.median(drawn[drawn > 0])))
    drawn = np.maximum(drawn, 1)
    if epsilon is None:
        eps: Floats = -math.log(zeta) / drawn
    else:
        eps = np.broadcast_to(np.asarray(epsilon, dtype=np.float64), bn.shape)
    base_open = accessibility(bn, bc, rule="epsilon", zeta=zeta, epsilon=eps) < 0
    rl_open = accessibility(rn, rc, rule="epsilon", zeta=zeta, epsilon=eps) < 0
    index = np.flatnonzero(base_open | rl_open)
    best_rate = np.zeros(len(index))
    best = np.zeros((3, len(index)))  # base_extra, rl_extra, probability
    for factor in factors:
        extra = np.maximum(1, np.ceil(factor * drawn[index])).astype(np.int64)
        chance = np.ones(len(index))
        for open_, n, c in ((base_open, bn, bc), (rl_open, rn, rc)):
            needs = open_[index]
            rows = index[needs]
            if len(rows):
                chance[needs] *= _decided(n[rows], c[rows], extra[needs], eps[rows], zeta, prior)
        rate = chance / (extra * (base_open[index].astype(np.int64) + rl_open[index]))
        better = rate > best_rate
        best_rate = np.where(better, rate, best_rate)
        found = np.stack([extra * base_open[index], extra * rl_open[index], chance])
        best = np.where(better, found, best)
    order = np.argsort(-best_rate, kind="stable")
    order = order[best_rate[order] > 0]
    cost = (best[0] + best[1])[order].astype(np.int64)
    total = np.cumsum(cost)
    if budget is not None:
        order, total = order[total <= budget], total[total <= budget]
    decided: Floats = np.cumsum(best[2, order])
    return Plan(
        problem=index[order],
        base_extra=best[0, order].astype(np.int64),
        rl_extra=best[1, order].astype(np.int64),
        probability=best[2, order],
        per_thousand=1000 * best_rate[order],
        cumulative_samples=total,
        cumulative_decided=decided,
        undetermined=len(index),
    )
