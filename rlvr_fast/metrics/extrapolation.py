"""A lower limit of pass@k up to twice the number of samples, and the Beta law of the problems.

n draws hold no evidence on what a model solves less often than once in many times n draws, so that
no law fitted to them gives pass@k far past n: laws that fit equally well differ there as they like.
What n draws do tell without any law is how many problems further draws solve *at least*. With
p = 1 - q the probability of a correct draw, k = n + m further draws solve q^n (1 - q^m) more, and
for every p

    q^n (1 - q^m) >= m p q^(n-1) - m (m+1)/2 p^2 q^(n-2)

(two terms of the Taylor series in p/q, whose remainder is positive). The two terms are
expectations: m/n times the probability of exactly one correct draw, and m (m+1)/(n (n-1)) times
that of exactly two. Good and Toulmin (Biometrika 43, 1956) use the whole series, which has a large
variance past k = 2 n.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize
from scipy.special import betaln, digamma, expit, logit

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics.checks import Counts, Floats, as_probability
from rlvr_fast.metrics.draws import Draws
from rlvr_fast.metrics.pass_at_k import as_ks, pass_at_k
from rlvr_fast.metrics.resampling import Exponentials, as_replicates, weight_blocks

__all__ = [
    "BetaBinomialFit",
    "HoldOut",
    "LowerCurve",
    "extrapolate_pass_at_k",
    "fit_beta_binomial",
    "hold_out",
]

# log alpha and log beta stay within these limits: they diverge where all p are equal
_LOG_LIMIT = 14.0


@dataclass(frozen=True, slots=True)
class BetaBinomialFit:
    """Law of a problem's probability p of a correct answer, fitted by maximum likelihood.

    p = 0 with probability ``zero``, else p ~ Beta(alpha, beta).

    Attributes:
        alpha: first parameter of the Beta law.
        beta: second parameter of the Beta law.
        zero: share of problems with p = 0.
        loglik: log-likelihood, nats, without the binomial coefficients.
        problems: number of problems with samples.
    """

    alpha: float
    beta: float
    zero: float
    loglik: float
    problems: int

    def pass_at_k(self, k: ArrayLike) -> Floats:
        """Expected pass@k of a new problem.

        Args:
            k: whole numbers >= 1: a number or shape [K].

        Returns:
            float64 of the shape of k.
        """
        ks = as_ks(k).astype(np.float64)
        miss = np.exp(betaln(self.alpha, self.beta + ks) - betaln(self.alpha, self.beta))
        return np.asarray((1 - self.zero) * (1 - miss))


def _maximise(
    n: Counts, c: Counts, weight: Floats, start: Floats, zero_inflated: bool
) -> tuple[Floats, float]:
    """Weighted maximum likelihood over distinct pairs (n, c).

    Returns:
        The parameters (log alpha, log beta, and logit zero if `zero_inflated`), and the
        log-likelihood.
    """
    none = c == 0

    def negative(x: Floats) -> tuple[float, Floats]:
        a, b = np.exp(x[:2])
        log_bb = betaln(a + c, b + n - c) - betaln(a, b)
        total = digamma(a + b) - digamma(a + b + n)
        slope_a = a * (digamma(a + c) - digamma(a) + total)
        slope_b = b * (digamma(b + n - c) - digamma(b) + total)
        if not zero_inflated:
            value = float(weight @ log_bb)
            return -value, -np.array([weight @ slope_a, weight @ slope_b])
        z = float(expit(x[2]))
        log_mix = np.log1p(-z) + log_bb
        log_lik = np.where(none, np.logaddexp(np.log(z), log_mix), log_mix)
        share = np.exp(log_mix - log_lik)  # posterior weight of the Beta part
        gradient = np.array(
            [
                weight @ (share * slope_a),
                weight @ (share * slope_b),
                weight @ ((1 - share) * (1 - z) - share * z),
            ]
        )
        return -float(weight @ log_lik), -gradient

    bounds = [(-_LOG_LIMIT, _LOG_LIMIT)] * 2 + [(-_LOG_LIMIT, _LOG_LIMIT)] * zero_inflated
    result = minimize(negative, start, jac=True, method="L-BFGS-B", bounds=bounds)
    return np.asarray(result.x, dtype=np.float64), -float(result.fun)


def _distinct(n: Counts, c: Counts) -> tuple[Counts, Counts, Counts]:
    """Distinct pairs (n, c) and the pair of each problem: equal pairs share their likelihood."""
    pairs, inverse = np.unique(np.stack([n, c], axis=1), axis=0, return_inverse=True)
    return pairs[:, 0], pairs[:, 1], inverse.ravel()


def _starts(n: Counts, c: Counts, weight: Floats, zero_inflated: bool) -> list[Floats]:
    """Starting points of the maximisation."""
    mean = float(np.clip((weight @ c) / max(float(weight @ n), 1.0), 1e-4, 1 - 1e-4))
    beta_starts = [np.log([s * mean, s * (1 - mean)]) for s in (0.3, 3.0)]
    if not zero_inflated:
        return beta_starts
    none = float(np.clip(weight[c == 0].sum() / weight.sum(), 0.02, 0.9))
    return [np.append(x, logit(z)) for x in beta_starts for z in (none / 2, 0.01)]


def _to_fit(x: Floats, loglik: float, problems: int) -> BetaBinomialFit:
    """The law of the parameters that `_maximise` returns."""
    zero = float(expit(x[2])) if len(x) == 3 else 0.0
    zero = 0.0 if zero < 1e-5 else zero
    return BetaBinomialFit(float(np.exp(x[0])), float(np.exp(x[1])), zero, loglik, problems)


def fit_beta_binomial(
    num_samples: ArrayLike, num_correct: ArrayLike, *, zero_inflated: bool = False
) -> BetaBinomialFit:
    """Maximum-likelihood law of the problems' probabilities p of a correct answer.

    The law describes the problems as far as n draws can see them. It is no means to extrapolate:
    where most p lie far below 1/n, its pass@k at 4 n is below the truth (docs/statistics.md).

    Samples cannot tell p = 0 from p far below 1/n: the share ``zero`` is the share of problems that
    cannot be told from p = 0 at this number of samples.

    Args:
        num_samples: number of samples, shape [problems] or one number. Problems without samples are
            left out.
        num_correct: number of correct samples, shape [problems] or one number.
        zero_inflated: also fit a share of problems with p = 0 exactly.

    Raises:
        InvalidInputError: counts as `Draws` refuses, or fewer than 3 problems with samples.
    """
    n, c = Draws(num_samples, num_correct)
    n, c = n[n > 0], c[n > 0]
    if len(n) < 3:
        raise InvalidInputError(f"fitting needs at least 3 problems with samples, got {len(n)}")
    dn, dc, index = _distinct(n, c)
    weight = np.bincount(index, minlength=len(dn)).astype(np.float64)
    best = max(
        (
            _maximise(dn, dc, weight, start, zero_inflated)
            for start in _starts(dn, dc, weight, zero_inflated)
        ),
        key=lambda found: found[1],
    )
    return _to_fit(best[0], best[1], len(n))


class LowerCurve(NamedTuple):
    """A curve over k that is bounded below.

    Attributes:
        k: int64, shape [K].
        value: unbiased estimate where every problem has k samples, shape [K]; nan past that.
        low: one-sided lower limits, shape [K].
        problems: number of problems with k samples, shape [K].
    """

    k: Counts
    value: Floats
    low: Floats
    problems: Counts


def _least_solved(n: Counts, c: Counts, k: int) -> Floats:
    """For each problem a number whose expectation is at most 1 - (1-p)^k; see the module's text."""
    more = np.maximum(k - n, 0).astype(np.float64)
    pairs = np.maximum(n * (n - 1), 1)
    once = np.where(c == 1, more / np.maximum(n, 1), 0.0)
    twice = np.where(c == 2, more * (more + 1) / pairs, 0.0)
    return np.where(n >= 3, (c > 0) + once - twice, c > 0)


def _lower_limits(
    values: Floats, lowest: Floats, tail: float, replicates: int, seed: int
) -> Floats:
    """Gaffke's lower limits of means: quantiles with one hypothetical problem of lowest value.

    Args:
        values: [problems, columns].
        lowest: least possible value of each column.
        tail: error rate of each limit.
        replicates: number of bootstrap replicates.
        seed: seed of the random weights.
    """
    rng = Exponentials(seed)
    means = np.empty((as_replicates(replicates), values.shape[1]))
    for rows, weights in weight_blocks(len(values), replicates, rng):
        other = rng.standard_exponential((len(weights), 1))
        means[rows] = (weights @ values + lowest * other) / (
            weights.sum(axis=1, keepdims=True) + other
        )
    return np.asarray(np.minimum(np.quantile(means, tail, axis=0), values.mean(axis=0)))


def extrapolate_pass_at_k(
    num_samples: ArrayLike,
    num_correct: ArrayLike,
    *,
    k: ArrayLike,
    level: float = 0.95,
    replicates: int = 1000,
    seed: int = 0,
) -> LowerCurve:
    """What mean pass@k is at least, up to twice the number of samples.

    The limit holds for the population of problems, whatever the law of their probabilities. Up to n
    it is the lower end of `pass_at_k_interval`. Past n it is the larger of two limits, each with
    half of the error rate: that of pass@n, and that of the problems solved in n draws plus those
    that the next k - n draws solve at least (problems solved once tell of them). Past n
    it is so never below the limit of pass@n.

    Args:
        num_samples: number of samples, shape [problems] or one number. Problems without samples are
            left out.
        num_correct: number of correct samples, shape [problems] or one number.
        k: whole numbers from 1 to twice the smallest number of samples: a number or shape [K].
        level: probability that each limit is at most the true value.
        replicates: number of bootstrap replicates, at least 100.
        seed: seed of the random weights.

    Returns:
        Arrays of shape [K]. There is no estimate past the samples, and no upper limit: both would
        rest on a law that the samples cannot check.

    Raises:
        InvalidInputError: counts as `Draws` refuses, no problem with samples, k below 1 or above
            twice the smallest number of samples, a level outside (0, 1), or too few replicates.

    >>> at_least = extrapolate_pass_at_k(64, [0] * 30 + [1] * 30 + [9] * 40, k=[64, 128])
    >>> at_least.value.tolist(), bool(at_least.low[1] > at_least.low[0])
    ([0.7, nan], True)
    """
    tail = 1 - as_probability("level", level)
    ks = np.atleast_1d(as_ks(k))
    n, c = Draws(num_samples, num_correct)
    n, c = n[n > 0], c[n > 0]
    if not len(n):
        raise InvalidInputError("no problem has samples: draw some first")
    fewest = int(n.min())
    if ks.max() > 2 * fewest:
        raise InvalidInputError(
            f"k = {int(ks.max())} is more than twice the number of samples ({fewest}): the samples "
            f"hold no evidence on pass@k past {2 * fewest}. Draw more, or ask for a smaller k"
        )
    past = ks > fewest
    measured = pass_at_k(n, c, ks)
    # past n, a problem with k samples or more still counts as measured
    known = n[:, np.newaxis] >= ks
    solved = np.where(known, measured, (c > 0)[:, np.newaxis])
    least = np.stack([_least_solved(n, c, int(at)) for at in ks], axis=1)
    least = np.where(known, measured, least)
    worst = np.stack([_least_solved(n, np.full_like(n, 2), int(at)).min() for at in ks])
    low = _lower_limits(
        np.concatenate([solved, least], axis=1),
        np.concatenate([np.zeros(len(ks)), np.minimum(worst, 0.0)]),
        tail / 2,
        replicates,
        seed,
    )
    low = np.where(past, np.maximum(low[: len(ks)], low[len(ks) :]), low[: len(ks)])
    value = np.where(past, np.nan, measured.mean(axis=0))
    return LowerCurve(ks, value, low, known.sum(axis=0))


@dataclass(frozen=True, slots=True)
class HoldOut:
    """The lower limit that half of the samples give, beside pass@k from all samples.

    Attributes:
        keep: number of samples of each problem that the limit used.
        k: twice that number.
        low: the limit of pass@k from the samples kept.
        measured: unbiased mean pass@k from all samples.
    """

    keep: int
    k: int
    low: float
    measured: float

    @property
    def holds(self) -> bool:
        """Whether the limit is at most what all samples show."""
        return self.low <= self.measured


def hold_out(
    num_samples: ArrayLike,
    num_correct: ArrayLike,
    *,
    keep: int,
    level: float = 0.95,
    replicates: int = 1000,
    seed: int = 0,
) -> HoldOut:
    """The lower limit at twice a random part of the samples, and pass@k there from all samples.

    Args:
        num_samples: number of samples, shape [problems] or one number. Problems without samples are
            left out.
        num_correct: number of correct samples, shape [problems] or one number.
        keep: number of samples of each problem to use, at most half of the smallest n.
        level: as `extrapolate_pass_at_k`.
        replicates: number of bootstrap replicates, at least 100.
        seed: seed of the random numbers.

    Raises:
        InvalidInputError: as `extrapolate_pass_at_k`, or keep too large.
    """
    n, c = Draws(num_samples, num_correct)
    n, c = n[n > 0], c[n > 0]
    keep = int(as_ks(keep))
    depth = int(n.min()) if len(n) else 0
    if depth < 2 * keep:
        raise InvalidInputError(
            f"keep must be at most half of the smallest number of samples ({depth}), got {keep}"
        )
    kept = np.random.default_rng(seed).hypergeometric(c, n - c, keep)
    limit = extrapolate_pass_at_k(
        np.full_like(n, keep), kept, k=2 * keep, level=level, replicates=replicates, seed=seed
    )
    measured = float(pass_at_k(n, c, 2 * keep).mean())
    return HoldOut(keep, 2 * keep, float(limit.low[0]), measured)
