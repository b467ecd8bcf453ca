"""Where more samples would decide the most undetermined labels of the epsilon rule."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import betabinom

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics._checks import Counts, Floats, probability
from rlvr_fast.metrics.bootstrap import paired
from rlvr_fast.metrics.support import accessibility

__all__ = ["Plan", "decision_limits", "plan"]


@dataclass(frozen=True, slots=True)
class Plan:
    """Problems worth sampling, the best first.

    ``problem``: 0-based index; ``base_extra`` and ``rl_extra``: further samples of each model (0
    where that model is decided); ``probability``: chance that the label is decided then;
    ``per_thousand``: labels decided per thousand samples; ``cumulative_samples`` and
    ``cumulative_decided``: running sums, so that a budget is a row. ``undetermined``: how many
    labels are open now.
    """

    problem: Counts
    base_extra: Counts
    rl_extra: Counts
    probability: Floats
    per_thousand: Floats
    cumulative_samples: Counts
    cumulative_decided: Floats
    undetermined: int


def decision_limits(num_samples: int, epsilon: float, *, zeta: float = 0.05) -> tuple[int, int]:
    """(most, least): "not reached" at c <= most (-1: never), "reached" at c >= least, of n samples.

    >>> decision_limits(8192, 3.657e-4)
    (0, 7)
    """
    n = int(num_samples)
    # the limits lie within a few standard deviations of n epsilon
    reach = int(n * epsilon + 12 * math.sqrt(n * epsilon + 1)) + 12
    c = np.arange(min(n, reach) + 1)
    state = accessibility(np.full_like(c, n), c, rule="epsilon", zeta=zeta, epsilon=epsilon)
    no, yes = np.flatnonzero(state == 0), np.flatnonzero(state == 1)
    return (int(no[-1]) if len(no) else -1, int(yes[0]) if len(yes) else n + 1)


def _decided(
    n: Counts, c: Counts, extra: int, epsilon: Floats, zeta: float, prior: tuple[float, float]
) -> Floats:
    """Chance that `extra` more samples decide each problem, by the posterior predictive law."""
    cache: dict[tuple[int, float], tuple[int, int]] = {}
    most = np.empty(len(n))
    least = np.empty(len(n))
    for i, (drawn, eps) in enumerate(zip(n + extra, epsilon, strict=True)):
        key = (int(drawn), float(eps))
        if key not in cache:
            cache[key] = decision_limits(*key, zeta=zeta)
        most[i], least[i] = cache[key]
    law = betabinom(extra, prior[0] + c, prior[1] + n - c)
    return np.asarray(law.cdf(most - c) + law.sf(least - c - 1))


def plan(
    base_correct: ArrayLike,
    base_samples: ArrayLike,
    rl_correct: ArrayLike,
    rl_samples: ArrayLike,
    *,
    zeta: float = 0.05,
    epsilon: ArrayLike | None = None,
    factors: tuple[float, ...] = (0.25, 0.5, 1, 2, 4, 8),
    budget: int | None = None,
    prior: tuple[float, float] = (0.5, 0.5),
) -> Plan:
    """Ranks undetermined problems by expected labels decided per further sample.

    epsilon is held where it is now (by default the depth threshold of `support_shift`): sampling
    must not move the goal. For each open problem the number of further samples is the one of
    ``factors`` times its present samples that decides most per sample; both models are sampled
    where both are open. A chance is the posterior predictive one under the ``prior`` (Jeffreys'
    by default). ``budget`` cuts the list at so many samples.

    A mass close to epsilon takes samples without end: such problems come last, as they should.
    """
    zeta = probability("zeta", zeta)
    bn, bc, rn, rc = paired(base_samples, base_correct, rl_samples, rl_correct)
    if not factors or min(factors) <= 0:
        raise InvalidInputError(f"factors must be positive numbers, got {factors}")
    drawn = np.maximum(np.minimum(bn, rn), 1)
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
        # one number of further samples per group of equal depth keeps the law vectorised
        extra_all = np.maximum(1, np.ceil(factor * drawn[index])).astype(np.int64)
        for extra in np.unique(extra_all):
            here = np.flatnonzero(extra_all == extra)
            i = index[here]
            chance = np.ones(len(i))
            for open_, n, c in ((base_open, bn, bc), (rl_open, rn, rc)):
                needs = open_[i]
                if needs.any():
                    rows = i[needs]
                    chance[needs] *= _decided(n[rows], c[rows], int(extra), eps[rows], zeta, prior)
            cost = extra * (base_open[i].astype(np.int64) + rl_open[i])
            rate = chance / cost
            better = rate > best_rate[here]
            rows = here[better]
            best_rate[rows] = rate[better]
            best[0, rows] = np.where(base_open[i[better]], extra, 0)
            best[1, rows] = np.where(rl_open[i[better]], extra, 0)
            best[2, rows] = chance[better]
    order = np.argsort(-best_rate, kind="stable")
    order = order[best_rate[order] > 0]
    cost = (best[0] + best[1])[order].astype(np.int64)
    total = np.cumsum(cost)
    if budget is not None:
        order, total = order[total <= budget], total[total <= budget]
    decided: NDArray[np.float64] = np.cumsum(best[2, order])
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
