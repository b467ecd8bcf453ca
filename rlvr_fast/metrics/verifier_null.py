"""The support shift where single correct draws do not count, or are errors of the verifier."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import gammaln

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics.checks import Counts, Floats, as_counts
from rlvr_fast.metrics.draws import DrawsLike, paired
from rlvr_fast.metrics.expected_shift import ExpectedShift
from rlvr_fast.metrics.poisson_binomial import poisson_binomial_tail

__all__ = ["FalsePositives", "ReachedAtLeast", "false_positive_rate", "reached_at_least"]


@dataclass(frozen=True, slots=True)
class FalsePositives:
    """Verifier's false-positive rate per wrong draw that alone would show the shift.

    Attributes:
        expanded: the rate under RL that would show as many found problems as observed, on the
            problems that the base does not reach; nan where none was found.
        shrunk: the rate under the base that would show as many lost problems, on the problems that
            RL does not reach; nan where none was lost.
    """

    expanded: float
    shrunk: float


@dataclass(frozen=True, slots=True)
class ReachedAtLeast:
    """The support shift where a model reaches a problem by at least so many correct draws.

    Attributes:
        correct: the least number of correct draws that reaches a problem.
        shift: expected labels when each model is drawn min(base, RL) times on each problem;
            problems with fewer draws than `correct` are reached by neither.
        by_luck: expected labels at the same depth if the two models were equal, given the pooled
            counts.
        expanded: number of problems expanded, counted with all draws.
        shrunk: number of problems shrunk, counted with all draws.
        p_expanded: exact probability of at least as many expanded, if the two models were equal.
        p_shrunk: exact probability of at least as many shrunk, likewise.
    """

    correct: int
    shift: ExpectedShift
    by_luck: ExpectedShift
    expanded: int
    shrunk: int
    p_expanded: float
    p_shrunk: float


class _Subsample:
    """P(x correct) among d draws taken at random from n draws with c correct."""

    def __init__(self, largest: int) -> None:
        self.log_factorial = gammaln(np.arange(largest + 1) + 1.0)

    def pmf(self, n: Counts, c: Counts, d: Counts, x: int | Counts) -> Floats:
        """Elementwise; 0 where x is impossible."""
        f = self.log_factorial
        other = d - x
        ok = (x <= c) & (other >= 0) & (other <= n - c) & (x >= 0)
        n, c, d, x = (np.where(ok, a, 0) for a in np.broadcast_arrays(n, c, d, x))
        log = f[c] - f[x] - f[c - x] + f[n - c] - f[d - x] - f[n - c - d + x]
        return np.where(ok, np.exp(log - f[n] + f[d] + f[n - d]), 0.0)

    def at_least(self, n: Counts, c: Counts, d: Counts, least: int) -> Floats:
        """P(at least `least` correct)."""
        below = sum(
            (self.pmf(n, c, d, x) for x in range(least)), np.zeros(np.shape(n), dtype=np.float64)
        )
        return np.clip(1 - below, 0.0, 1.0)


def _expected(p: Floats, e: Floats, s: Floats, o: Floats, skipped: int) -> ExpectedShift:
    return ExpectedShift(float(p.sum()), float(e.sum()), float(s.sum()), float(o.sum()), skipped)


def reached_at_least(
    base: DrawsLike, rl: DrawsLike, *, correct: Sequence[int] = (1, 2, 3, 5, 10)
) -> list[ReachedAtLeast]:
    """The shift where reached means at least m correct draws, for each m, with its exchange null.

    A verifier that accepts a wrong draw now and then shows problems as reached by one or two
    correct draws. A shift that only m = 1 shows may be such errors; one that large m shows too is
    not, unless the false-positive rate is near m/n.

    Args:
        base: counts of the base: Draws or a pair (num_samples, num_correct).
        rl: counts of the RL model, same problems. Problems without samples of both models are left
            out.
        correct: the numbers m, at least 1.

    Raises:
        InvalidInputError: counts as `Draws` refuses, different problems, or an m below 1.

    >>> one, five = reached_at_least((64, [0] * 20), (64, [1] * 20), correct=(1, 5))
    >>> one.p_expanded < 0.001, five.expanded, five.p_expanded
    (True, 0, 1.0)
    """
    (bn, bc), (rn, rc) = paired(base, rl)
    numbers = [int(m) for m in as_counts("correct", list(correct))]
    if any(m < 1 for m in numbers):
        raise InvalidInputError(f"correct must hold numbers of at least 1, got {numbers}")
    drawn = (bn > 0) & (rn > 0)
    skipped = int(np.count_nonzero(~drawn))
    bn, bc, rn, rc = (a[drawn] for a in (bn, bc, rn, rc))
    n, c, depth = bn + rn, bc + rc, np.minimum(bn, rn)
    law = _Subsample(int(n.max(initial=0)))
    found = []
    for m in numbers:
        a, b = law.at_least(bn, bc, depth, m), law.at_least(rn, rc, depth, m)
        shift = _expected(a * b, (1 - a) * b, a * (1 - b), (1 - a) * (1 - b), skipped)
        found.append(_with_null(law, m, (bn, bc), (rn, rc), (n, c, depth), shift))
    return found


def _with_null(
    law: _Subsample,
    m: int,
    base: tuple[Counts, Counts],
    rl: tuple[Counts, Counts],
    pooled: tuple[Counts, Counts, Counts],
    shift: ExpectedShift,
) -> ReachedAtLeast:
    """The exchange null of one m."""
    (bn, bc), (rn, rc), (n, c, depth) = base, rl, pooled
    # all draws: the base has x < m correct, RL the other c - x, which must be at least m
    shape = np.zeros(len(n))
    expand, shrink = shape.copy(), shape.copy()
    # at the common depth: of the pooled draws the base gets x, RL y, the others neither
    neither, one = shape.copy(), law.at_least(n, c, depth, m)
    for x in range(m):
        expand += np.where(c - x >= m, law.pmf(n, c, bn, x), 0.0)
        shrink += np.where(c - x >= m, law.pmf(n, c, rn, x), 0.0)
        missed = law.pmf(n, c, depth, x)
        rest = np.maximum(c - x, 0)
        neither += missed * (1 - law.at_least(n - depth, rest, np.minimum(depth, n - depth), m))
    lost = np.clip(1 - one - neither, 0.0, None)
    both = np.clip(one - lost, 0.0, None)
    in_base, in_rl = bc >= m, rc >= m
    expanded, shrunk = int((~in_base & in_rl).sum()), int((in_base & ~in_rl).sum())
    return ReachedAtLeast(
        correct=m,
        shift=shift,
        by_luck=_expected(both, lost, lost, neither, shift.skipped),
        expanded=expanded,
        shrunk=shrunk,
        p_expanded=poisson_binomial_tail(np.minimum(expand, 1.0), expanded),
        p_shrunk=poisson_binomial_tail(np.minimum(shrink, 1.0), shrunk),
    )


def _rate(draws: Counts, seen: int) -> float:
    """The f with sum of 1 - (1 - f)^n over the problems = seen."""
    if not seen:
        return math.nan
    if seen >= len(draws):
        return 1.0

    def excess(log_miss: float) -> float:
        return float(-np.expm1(draws * log_miss).sum()) - seen

    # the mean over the problems lies between the values for the most and the fewest draws
    share = math.log1p(-seen / len(draws))
    low, high = share / int(draws.min()), share / int(draws.max())
    root = low if low == high else float(brentq(excess, 1.001 * low, 0.999 * high, xtol=1e-300))
    return -math.expm1(root)


def false_positive_rate(base: DrawsLike, rl: DrawsLike) -> FalsePositives:
    """The false-positive rate per wrong draw at which the found (lost) problems vanish.

    If RL solved none of the problems that the base does not reach, and the verifier accepted each
    wrong draw with probability f, then the sum over these problems of 1 - (1 - f)^n would be found,
    n RL's number of draws. The result is the f at which that sum is the number found. A verifier
    with this rate or a higher one explains the found problems by itself; whether the same errors
    would show on the base's draws is left out. All draws of both models count.

    Args:
        base: counts of the base: Draws or a pair (num_samples, num_correct).
        rl: counts of the RL model, same problems. Problems without samples of both models are left
            out.

    Raises:
        InvalidInputError: counts as `Draws` refuses, or different problems.

    >>> round(false_positive_rate((100, [0] * 50), (100, [1] + [0] * 49)).expanded, 6)
    0.000202
    """
    (bn, bc), (rn, rc) = paired(base, rl)
    drawn = (bn > 0) & (rn > 0)
    not_base, not_rl = drawn & (bc == 0), drawn & (rc == 0)
    return FalsePositives(
        expanded=_rate(rn[not_base], int(np.count_nonzero(rc[not_base]))),
        shrunk=_rate(bn[not_rl], int(np.count_nonzero(bc[not_rl]))),
    )
