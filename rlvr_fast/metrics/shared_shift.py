"""Support of several runs against one base: what all of them lose or find, and what luck gives."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics.checks import Bools, Counts, Floats, as_counts
from rlvr_fast.metrics.draws import Draws, DrawsLike, as_draws
from rlvr_fast.metrics.pass_at_k import log_all_miss
from rlvr_fast.metrics.poisson_binomial import poisson_binomial_tail

__all__ = ["LuckOfSharing", "SharedShift", "shared_shift"]

# Inclusion and exclusion over more arms than this takes long, and adds and subtracts terms so large
# that their rounding errors show in the result.
_MOST_ARMS = 10


@dataclass(frozen=True, slots=True)
class LuckOfSharing:
    """Expected numbers of problems under one assumption about the arms.

    Attributes:
        lost_by_all: problems that the base reaches and no arm does.
        lost_by_any: problems that the base reaches and some arm does not.
        found_by_all: problems that every arm reaches and the base does not.
        found_by_any: problems that some arm reaches and the base does not.
    """

    lost_by_all: float
    lost_by_any: float
    found_by_all: float
    found_by_any: float


@dataclass(frozen=True, slots=True)
class SharedShift:
    """Which problems all arms lose or find against one base, at the common depth of each problem.

    Attributes:
        depth: number of draws at which each problem is compared.
        problems: number of problems with samples of the base and of every arm.
        reached: expected number of problems that the base reaches.
        lost: expected number that each arm loses, shape [arms].
        found: expected number that each arm finds, shape [arms].
        observed: expected numbers, over every choice of `depth` draws of each run.
        independent: the numbers, had each arm lost and found its own number of problems at random,
            independently of the other arms.
        equal: the numbers, if the base and all arms were one model: each problem's correct samples
            distributed at random over the samples of all.
        p_lost_by_all: exact probability, if all were one model, of at least as many problems
            without a correct sample of any arm and with one of the base, all samples counted.
        p_found_by_all: the same of problems with a correct sample of every arm and none of the
            base.
        lost_by: expected number of arms that lose the problem, shape [problems]; nan without
            samples of all.
        found_by: expected number of arms that find the problem.
    """

    depth: Counts
    problems: int
    reached: float
    lost: Floats
    found: Floats
    observed: LuckOfSharing
    independent: LuckOfSharing
    equal: LuckOfSharing
    p_lost_by_all: float
    p_found_by_all: float
    lost_by: Floats
    found_by: Floats


def shared_shift(
    base: DrawsLike, *, arms: Sequence[DrawsLike], depth: ArrayLike | None = None
) -> SharedShift:
    """The problems that several runs lose or find together, against one base.

    Every problem is compared at the least number of samples that any of the runs has of it. A
    random choice of so many draws reaches the problem with the unbiased pass@k; the arms and the
    base are drawn independently, so that expected numbers are sums of products. Where all runs
    have equally many samples, the numbers are counts.

    Args:
        base: counts of the base: Draws or a pair (num_samples, num_correct).
        arms: counts of each arm, same problems. Problems without samples of one of the runs are
            left out.
        depth: number of draws at which each problem is compared, at most the least of the runs:
            shape [problems] or one number; 0 leaves a problem out. By default that least number.

    Returns:
        With more than 10 arms, `equal.lost_by_any`, `equal.found_by_all` and `p_found_by_all` are
        nan.

    Raises:
        InvalidInputError: no arm, counts as `Draws` refuses, different problems, or a depth above
            the samples of a run.

    >>> both = shared_shift((8, [4, 4, 0]), arms=[(8, [0, 3, 0]), (8, [0, 0, 1])])
    >>> both.observed.lost_by_all, both.observed.lost_by_any, both.independent.lost_by_all
    (1.0, 2.0, 1.0)
    """
    base = as_draws(base, "base")
    rest = [as_draws(arm, f"arms[{i}]") for i, arm in enumerate(arms)]
    if not rest:
        raise InvalidInputError("arms is empty: give the counts of at least one run")
    for i, arm in enumerate(rest):
        if arm.problems != base.problems:
            raise InvalidInputError(
                f"base and arms must describe the same problems: base has {base.problems}, "
                f"arms[{i}] has {arm.problems}"
            )
    models = [base, *rest]
    fewest = np.min([d.num_samples for d in models], axis=0)
    at = fewest if depth is None else np.broadcast_to(as_counts("depth", depth), fewest.shape)
    if (at > fewest).any():
        first = int(np.argmax(at > fewest))
        raise InvalidInputError(
            f"depth must be at most the samples of every run; entry {first} is {at[first]}, and a "
            f"run has {fewest[first]} samples"
        )
    used = at > 0
    reach, *reaches = (_reach(d, at)[used] for d in models)
    b = np.array(reaches)  # [arms, problems]
    lost, found = reach * (1 - b), (1 - reach) * b
    number = float(reach.sum())
    every = np.full((2, base.problems), np.nan)
    every[:, used] = lost.sum(axis=0), found.sum(axis=0)
    return SharedShift(
        depth=at,
        problems=int(used.sum()),
        reached=number,
        lost=lost.sum(axis=1),
        found=found.sum(axis=1),
        observed=LuckOfSharing(
            float((reach * np.prod(1 - b, axis=0)).sum()),
            float((reach * (1 - np.prod(b, axis=0))).sum()),
            float(((1 - reach) * np.prod(b, axis=0)).sum()),
            float(((1 - reach) * (1 - np.prod(1 - b, axis=0))).sum()),
        ),
        independent=LuckOfSharing(
            *_at_random(number, lost.sum(axis=1)),
            *_at_random(float((1 - reach).sum()), found.sum(axis=1)),
        ),
        equal=_if_equal(models, at, used),
        p_lost_by_all=_p_lost(models, used),
        p_found_by_all=_p_found(models, used),
        lost_by=every[0],
        found_by=every[1],
    )


def _reach(draws: Draws, depth: Counts) -> Floats:
    """Unbiased pass@depth of each problem; no meaning where the depth is 0."""
    return -np.expm1(log_all_miss(draws.num_samples, draws.num_correct, np.maximum(depth, 1)))


def _at_random(of: float, each: Floats) -> tuple[float, float]:
    """Expected (in all, in any) of independent random sets of the sizes `each` among `of`."""
    if of <= 0:
        return 0.0, 0.0
    shares = np.minimum(each / of, 1.0)
    return float(of * np.prod(shares)), float(of * (1 - np.prod(1 - shares)))


def _pooled(models: Sequence[Draws], used: Bools) -> tuple[Counts, Counts]:
    """Samples and correct samples of all models together, for the problems that are used."""
    n = np.sum([d.num_samples for d in models], axis=0)
    c = np.sum([d.num_correct for d in models], axis=0)
    return n[used], c[used]


def _miss(n: Counts, c: Counts, draws: Counts) -> Floats:
    """Probability that `draws` of the pooled samples hold no correct one; 1 for no draws."""
    return np.where(draws > 0, np.exp(log_all_miss(n, c, np.maximum(draws, 1))), 1.0)


def _if_equal(models: Sequence[Draws], depth: Counts, used: Bools) -> LuckOfSharing:
    """The expected numbers where the pooled samples are dealt out in hands of `depth`."""
    n, c = _pooled(models, used)
    arms = len(models) - 1
    miss = [_miss(n, c, hands * depth[used]) for hands in range(arms + 2)]

    def all_hit(hands: int) -> Floats:
        total = np.zeros(n.shape)
        for j in range(hands + 1):
            total += (-1) ** j * math.comb(hands, j) * miss[j]
        return total.clip(0.0, 1.0)

    lost_by_any = found_by_all = math.nan
    if arms <= _MOST_ARMS:
        # The base hits, and not every arm; every arm hits, and not the base.
        lost_by_any = float(np.maximum(1 - miss[1] - all_hit(arms + 1), 0).sum())
        found_by_all = float(np.maximum(all_hit(arms) - all_hit(arms + 1), 0).sum())
    return LuckOfSharing(
        float((miss[arms] - miss[arms + 1]).sum()),
        lost_by_any,
        found_by_all,
        float((miss[1] - miss[arms + 1]).sum()),
    )


def _p_lost(models: Sequence[Draws], used: Bools) -> float:
    """P(at least as many problems that only the base solves), all samples counted."""
    n, c = _pooled(models, used)
    base, *arms = (Draws(d.num_samples[used], d.num_correct[used]) for d in models)
    of_arms = np.sum([d.num_samples for d in arms], axis=0)
    seen = (base.num_correct > 0) & np.all([d.num_correct == 0 for d in arms], axis=0)
    chance = np.where(c > 0, _miss(n, c, of_arms), 0.0)
    return poisson_binomial_tail(chance, int(seen.sum()))


def _p_found(models: Sequence[Draws], used: Bools) -> float:
    """P(at least as many problems that every arm solves and the base does not)."""
    if len(models) - 1 > _MOST_ARMS:
        return math.nan
    n, c = _pooled(models, used)
    base, *arms = (Draws(d.num_samples[used], d.num_correct[used]) for d in models)
    seen = (base.num_correct == 0) & np.all([d.num_correct > 0 for d in arms], axis=0)
    chance = np.zeros(n.shape)
    for size in range(len(arms) + 1):
        for chosen in itertools.combinations(arms, size):
            missing = base.num_samples + sum(d.num_samples for d in chosen)
            chance += (-1) ** size * _miss(n, c, missing)
    return poisson_binomial_tail(np.clip(chance, 0.0, 1.0), int(seen.sum()))
