"""pass@k past the number of samples, by a Beta law of the problems' probabilities of being solved.

Source: Kazdan et al., arXiv 2510.05197 (Beta-binomial law). The law here may also give probability
0 to a share of the problems, for problems that a model never solves. The data hold no evidence on k
past the number of samples: `hold_out` measures how well the law extrapolates below that number.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize
from scipy.special import betaln, digamma, expit, logit

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics.checks import Counts, Floats, as_probability, as_samples_and_correct
from rlvr_fast.metrics.draws import Draws
from rlvr_fast.metrics.intervals import CurveInterval
from rlvr_fast.metrics.pass_at_k import as_ks, pass_at_k
from rlvr_fast.metrics.resampling import as_replicates, weight_blocks

__all__ = [
    "BetaBinomialFit",
    "HoldOut",
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

    def zero_weight(self, num_samples: ArrayLike, num_correct: ArrayLike) -> Floats:
        """Posterior probability that p = 0, of each problem; 0 where a sample is correct.

        Args:
            num_samples: number of samples, any shape.
            num_correct: number of correct samples.

        Returns:
            float64 of the shape of the counts.
        """
        n, c = as_samples_and_correct(num_samples, num_correct)
        miss = np.exp(betaln(self.alpha, self.beta + n) - betaln(self.alpha, self.beta))
        weight = self.zero / (self.zero + (1 - self.zero) * miss) if self.zero > 0 else 0.0 * miss
        return np.where(c == 0, weight, 0.0)

    def predict(self, num_samples: ArrayLike, num_correct: ArrayLike, *, k: ArrayLike) -> Floats:
        """Posterior mean of 1 - (1-p)^k of each problem, given the problem's own samples.

        Args:
            num_samples: number of samples, shape [problems].
            num_correct: number of correct samples, shape [problems].
            k: whole numbers >= 1: a number or shape [K].

        Returns:
            float64 of shape [problems, K].
        """
        n, c = as_samples_and_correct(num_samples, num_correct)
        ks = np.atleast_1d(as_ks(k)).astype(np.float64)
        a = (self.alpha + c)[..., np.newaxis]
        b = (self.beta + n - c)[..., np.newaxis]
        solved = -np.expm1(betaln(a, b + ks) - betaln(a, b))
        return np.asarray((1 - self.zero_weight(n, c))[..., np.newaxis] * solved)

    def draw(
        self, num_samples: ArrayLike, num_correct: ArrayLike, *, rng: np.random.Generator
    ) -> Floats:
        """One draw of each problem's p from its posterior.

        Args:
            num_samples: number of samples, shape [problems].
            num_correct: number of correct samples, shape [problems].
            rng: source of the random numbers.

        Returns:
            float64 of shape [problems].
        """
        n, c = as_samples_and_correct(num_samples, num_correct)
        p = rng.beta(self.alpha + c, self.beta + n - c)
        return np.where(rng.random(p.shape) < self.zero_weight(n, c), 0.0, p)


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


def _per_pair(index: Counts, weight: Floats, pairs: int) -> Floats:
    """Total weight of the problems that share each distinct pair."""
    return np.asarray(np.bincount(index, weights=weight, minlength=pairs), dtype=np.float64)


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


def extrapolate_pass_at_k(
    num_samples: ArrayLike,
    num_correct: ArrayLike,
    *,
    k: ArrayLike,
    zero_inflated: bool = True,
    level: float = 0.95,
    replicates: int = 200,
    seed: int = 0,
) -> CurveInterval:
    """Mean pass@k over problems: measured up to the smallest n, by the fitted law past it.

    Up to the smallest number of samples n, the value is the unbiased estimate. Past it, each
    problem contributes the posterior mean of 1 - (1-p)^k given its own samples. The interval comes
    from resampled problems, a new fit and a draw of each p from its posterior: it holds every error
    but that of the assumed law, which `hold_out` shows.

    Args:
        num_samples: number of samples, shape [problems] or one number. Problems without samples are
            left out.
        num_correct: number of correct samples, shape [problems] or one number.
        k: whole numbers >= 1: a number or shape [K].
        zero_inflated: as `fit_beta_binomial`.
        level: confidence level.
        replicates: number of bootstrap replicates, at least 100.
        seed: seed of the random numbers.

    Returns:
        Arrays of shape [K]. ``problems`` counts the problems that have k samples: 0 marks a value
        that is an extrapolation for every problem.

    Raises:
        InvalidInputError: as `fit_beta_binomial`, k below 1, a level outside (0, 1), or too few
            replicates.
    """
    tail = (1 - as_probability("level", level)) / 2
    ks = np.atleast_1d(as_ks(k))
    n, c = Draws(num_samples, num_correct)
    n, c = n[n > 0], c[n > 0]
    fit = fit_beta_binomial(n, c, zero_inflated=zero_inflated)
    dn, dc, index = _distinct(n, c)
    beyond = ks > int(n.min())
    unbiased = pass_at_k(n, c, ks)
    values = np.where(beyond, fit.predict(n, c, k=ks), unbiased)
    start = np.array([np.log(fit.alpha), np.log(fit.beta)])
    if zero_inflated:
        start = np.append(start, logit(np.clip(fit.zero, 1e-4, 0.99)))
    low = np.empty((as_replicates(replicates), len(ks)))
    high = np.empty_like(low)
    rng = np.random.default_rng(seed)
    for rows, weights in weight_blocks(len(n), replicates, rng):
        for row, weight in zip(range(rows.start, rows.stop), weights, strict=True):
            x, loglik = _maximise(dn, dc, _per_pair(index, weight, len(dn)), start, zero_inflated)
            with np.errstate(divide="ignore"):
                log_miss = np.log1p(-_to_fit(x, loglik, len(n)).draw(n, c, rng=rng))
            solved = -np.expm1(log_miss[:, np.newaxis] * ks)
            total = weight @ np.where(beyond, solved, unbiased)
            # the hypothetical problem of `pass_at_k_interval`
            size, other = weight.sum(), rng.standard_exponential()
            low[row], high[row] = total / (size + other), (total + other) / (size + other)
    value = values.mean(axis=0)
    lower, upper = np.quantile(low, tail, axis=0), np.quantile(high, 1 - tail, axis=0)
    number = (n[:, np.newaxis] >= ks).sum(axis=0)
    return CurveInterval(ks, value, np.fmin(lower, value), np.fmax(upper, value), number)


@dataclass(frozen=True, slots=True)
class HoldOut:
    """pass@k extrapolated from ``keep`` samples of each problem, beside pass@k from all samples.

    Attributes:
        keep: number of samples of each problem that the extrapolation used.
        k: int64, shape [K].
        predicted: extrapolated mean pass@k, shape [K].
        low: lower limits of the extrapolation, shape [K].
        high: upper limits of the extrapolation, shape [K].
        measured: unbiased mean pass@k from all samples, shape [K].
    """

    keep: int
    k: Counts
    predicted: Floats
    low: Floats
    high: Floats
    measured: Floats

    @property
    def worst_error(self) -> float:
        """Largest absolute difference of predicted and measured pass@k."""
        return float(np.abs(self.predicted - self.measured).max())


def hold_out(
    num_samples: ArrayLike,
    num_correct: ArrayLike,
    *,
    keep: int,
    zero_inflated: bool = True,
    replicates: int = 200,
    seed: int = 0,
) -> HoldOut:
    """Extrapolates from a random part of the samples, and compares with all samples.

    k runs over doublings of ``keep`` up to the smallest number of samples n. A misfit that shows
    only past n stays hidden.

    Args:
        num_samples: number of samples, shape [problems] or one number. Problems without samples are
            left out.
        num_correct: number of correct samples, shape [problems] or one number.
        keep: number of samples of each problem to extrapolate from, at most half of the smallest n.
        zero_inflated: as `fit_beta_binomial`.
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
    rng = np.random.default_rng(seed)
    kept = rng.hypergeometric(c, n - c, keep)
    ks = np.unique(np.append(keep * 2 ** np.arange(1, int(np.log2(depth / keep)) + 1), depth))
    predicted = extrapolate_pass_at_k(
        np.full_like(n, keep),
        kept,
        k=ks,
        zero_inflated=zero_inflated,
        replicates=replicates,
        seed=seed,
    )
    measured = pass_at_k(n, c, ks).mean(axis=0)
    return HoldOut(keep, ks, predicted.value, predicted.low, predicted.high, measured)
