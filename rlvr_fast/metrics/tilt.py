"""RLVR as a tilt of the base model: its size, its fit, and the problems that no tilt can solve.

With a 0/1 reward R, the optimum of the KL-regularised objective is q(y) exp(beta R(y)) / Z (Leash,
arXiv 2507.14843, proposition C.4). Base's probability p of a correct answer becomes p e^beta / (1 -
p + p e^beta); the proportions among the correct answers, and among the incorrect answers, stay
the proportions of the base.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import gammaln
from scipy.stats import chi2, norm, t

from rlvr_fast.metrics.checks import Counts, Floats, as_probability
from rlvr_fast.metrics.draws import Draws, DrawsLike, paired
from rlvr_fast.metrics.intervals import clopper_pearson
from rlvr_fast.metrics.pass_at_k import as_ks

__all__ = [
    "Ceiling",
    "TiltCurve",
    "TiltFit",
    "fit_tilt",
    "support_ceiling",
    "tilt",
    "tilt_pass_at_k",
]

# Largest number of values of RL's number correct for which its conditional law is summed exactly.
_EXACT_SUPPORT = 1025
_BETA_LIMIT = 40.0


@dataclass(frozen=True, slots=True)
class TiltFit:
    """The tilt that best explains RL's accuracies from base's.

    Attributes:
        beta: one tilt for all problems; inf or -inf where the likelihood has no maximum at a finite
            beta, nan without informative problems.
        low: lower limit of beta.
        high: upper limit of beta.
        problem_beta: maximum-likelihood tilt of each problem, shape [problems]: the difference of
            logits. inf or -inf where one model is always or never correct; nan where both are
            always, or both never, correct, and without samples.
        problem_low: lower limits of problem_beta (Gart's interval).
        problem_high: upper limits of problem_beta.
        heterogeneity_p: p-value of the hypothesis that one beta holds for all problems; nan with
            fewer than two informative problems.
        informative: number of problems that are neither always nor never solved.
    """

    beta: float
    low: float
    high: float
    problem_beta: Floats
    problem_low: Floats
    problem_high: Floats
    heterogeneity_p: float
    informative: int


def tilt(p: ArrayLike, beta: ArrayLike) -> Floats:
    """Probability of a correct answer after the tilt: p e^beta / (1 - p + p e^beta), elementwise.

    Args:
        p: probability before the tilt; 0 and 1 stay.
        beta: size of the tilt, also inf and -inf; broadcast against p.

    Returns:
        float64 of the broadcast shape.
    """
    p = np.asarray(p, dtype=np.float64)
    b = np.asarray(beta, dtype=np.float64)
    # divide through by the larger of 1 and e^beta, so that nothing overflows
    up, down = np.exp(np.minimum(b, 0)), np.exp(-np.maximum(b, 0))
    with np.errstate(invalid="ignore", divide="ignore"):
        value = p * up / ((1 - p) * down + p * up)
    return np.asarray(np.where(p <= 0, 0.0, np.where(p >= 1, 1.0, value)))


class _Conditional:
    """Mean and variance of RL's number correct given the total of both models, under one beta.

    Conditioning on the total removes each problem's own p (Fisher's noncentral hypergeometric law),
    and with it the bias of order 1/n that estimating p together with beta has. Above
    `_EXACT_SUPPORT` values, the leading approximation of the law with the profiled p is used; its
    bias of beta is below 1e-3 there.
    """

    def __init__(self, bn: Counts, rn: Counts, total: Counts) -> None:
        # the law depends on these three numbers alone: problems with equal numbers share it
        shared = np.stack([bn, rn, total], axis=1)
        shared, inverse = np.unique(shared, axis=0, return_inverse=True)
        self.index = inverse.ravel()
        bn, rn, total = shared.T
        self.bn, self.rn, self.total = (a.astype(np.float64) for a in (bn, rn, total))
        low = np.maximum(0, total - bn)
        high = np.minimum(rn, total)
        self.exact = bool(((high - low) < _EXACT_SUPPORT).all())
        if self.exact:
            x = low[:, np.newaxis] + np.arange(int((high - low).max()) + 1)
            inside = x <= high[:, np.newaxis]
            self.x = np.where(inside, x, high[:, np.newaxis]).astype(np.float64)
            n_r, n_b = self.rn[:, np.newaxis], self.bn[:, np.newaxis]
            y = self.total[:, np.newaxis] - self.x
            base = -(gammaln(self.x + 1) + gammaln(n_r - self.x + 1))
            base -= gammaln(y + 1) + gammaln(n_b - y + 1)
            self.log_base = np.where(inside, base, -np.inf)

    def __call__(self, beta: float) -> tuple[Floats, Floats]:
        """Mean and variance for each problem."""
        mean, variance = self._moments(beta)
        return mean[self.index], variance[self.index]

    def _moments(self, beta: float) -> tuple[Floats, Floats]:
        if self.exact:
            w = beta * self.x
            w += self.log_base
            w -= w.max(axis=1, keepdims=True)
            np.exp(w, out=w)
            w /= w.sum(axis=1, keepdims=True)
            mean = np.einsum("ij,ij->i", w, self.x)
            square = np.einsum("ij,ij,ij->i", w, self.x, self.x)
            return mean, np.maximum(square - mean * mean, 0.0)
        e = np.exp(beta)
        b = self.bn + self.rn * e - self.total * (e - 1)
        root = np.sqrt(np.maximum(b * b + 4 * self.bn * (e - 1) * self.total, 0))
        # the root of the quadratic, in the form without cancellation for either sign of b
        p = np.where(b >= 0, 2 * self.total / np.where(b >= 0, b + root, 1.0), 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            other = (root - b) / (2 * self.bn * (e - 1))
        p = np.clip(np.where(b >= 0, p, other), 1e-15, 1 - 1e-15)
        rl = tilt(p, beta)
        x, y = self.rn * rl, self.bn * p
        with np.errstate(divide="ignore"):
            return x, 1 / (1 / x + 1 / (self.rn - x) + 1 / y + 1 / (self.bn - y))


def fit_tilt(
    base: DrawsLike,
    rl: DrawsLike,
    *,
    level: float = 0.95,
) -> TiltFit:
    """Maximum-likelihood beta of the tilt q exp(beta R)/Z, per problem and for all problems.

    The likelihood of the common beta is that of RL's number correct given each problem's total
    (conditional logistic regression), so that no problem's p has to be known. The interval is the
    sandwich interval over problems, which covers the best common beta also where the problems' own
    betas differ.

    Args:
        base: counts of the base: Draws or a pair (num_samples, num_correct).
        rl: counts of the RL model, same problems. Problems without samples of both models are left
            out (nan).
        level: confidence level.

    Raises:
        InvalidInputError: counts as `Draws` refuses, different problems, or a level outside (0, 1).

    >>> round(float(fit_tilt((1000, [100]), (1000, [200])).problem_beta[0]), 3)
    0.811
    """
    (bn, bc), (rn, rc) = paired(base, rl)
    z = float(norm.ppf(0.5 + as_probability("level", level) / 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        per_problem = np.log(rc / (rn - rc)) - np.log(bc / (bn - bc))
        cells = np.stack([rc, rn - rc, bc, bn - bc]) + 0.5
        centre = np.log(cells[0] * cells[3] / (cells[1] * cells[2]))
        half = z * np.sqrt((1 / cells).sum(axis=0))
    drawn = (bn > 0) & (rn > 0)
    per_problem = np.where(drawn, per_problem, np.nan)
    low = np.where(drawn, np.where((bc == bn) | (rc == 0), -np.inf, centre - half), np.nan)
    high = np.where(drawn, np.where((bc == 0) | (rc == rn), np.inf, centre + half), np.nan)

    total = bc + rc
    use = drawn & (total > 0) & (total < bn + rn)
    informative = int(use.sum())

    def result(beta: float, lower: float, upper: float, p: float) -> TiltFit:
        return TiltFit(beta, lower, upper, per_problem, low, high, p, informative)

    if not informative:
        return result(np.nan, -np.inf, np.inf, np.nan)
    law = _Conditional(bn[use], rn[use], total[use])
    right = rc[use].astype(np.float64)

    def score(beta: float) -> float:
        return float((right - law(beta)[0]).sum())

    if score(_BETA_LIMIT) >= -1e-9:
        return result(np.inf, -np.inf, np.inf, np.nan)
    if score(-_BETA_LIMIT) <= 1e-9:
        return result(-np.inf, -np.inf, np.inf, np.nan)
    beta = float(brentq(score, -_BETA_LIMIT, _BETA_LIMIT, xtol=1e-10))
    mean, variance = law(beta)
    residual = right - mean
    if informative == 1:
        error = 1 / np.sqrt(variance.sum())
        return result(beta, beta - z * error, beta + z * error, np.nan)
    spread = (residual**2).sum() * informative / (informative - 1)
    # at least the variance of the model: the residuals of few problems can be small by chance
    error = np.sqrt(max(spread, variance.sum())) / variance.sum()
    quantile = float(t.ppf(0.5 + level / 2, informative - 1))
    fits = variance >= 1  # the chi-square law needs a variance of at least 1 or so in each count
    statistic = (residual[fits] ** 2 / variance[fits]).sum()
    number = int(fits.sum())
    p_value = float(chi2.sf(statistic, number - 1)) if number > 1 else np.nan
    return result(beta, beta - quantile * error, beta + quantile * error, p_value)


@dataclass(frozen=True, slots=True)
class TiltCurve:
    """Mean pass@k of the tilted base.

    Attributes:
        k: int64, shape [K].
        value: pass@k with c/n for each problem's p, shape [K].
        ceiling: pass@k with the upper limit of each problem's p, shape [K].
    """

    k: Counts
    value: Floats
    ceiling: Floats


def tilt_pass_at_k(
    num_samples: ArrayLike,
    num_correct: ArrayLike,
    *,
    beta: ArrayLike,
    k: ArrayLike,
    zeta: float = 0.05,
) -> TiltCurve:
    """Mean over problems of pass@k of the base tilted by beta.

    ``value`` puts c/n for each problem's p. ``ceiling`` puts the one-sided 1 - zeta Clopper-Pearson
    upper limit of p (for an unseen problem 1 - zeta^(1/n), the exact detection threshold): each
    problem's tilted pass@k lies below its ceiling with that confidence. At beta = inf, ``value`` is
    the share of problems that the base was seen to solve, and ``ceiling`` is 1.

    Args:
        num_samples: number of samples, shape [problems] or one number. Problems without samples are
            left out.
        num_correct: number of correct samples, shape [problems] or one number.
        beta: size of the tilt, a number or shape [problems]; inf is allowed.
        k: whole numbers >= 1: a number or shape [K].
        zeta: 1 - zeta is the one-sided confidence.

    Raises:
        InvalidInputError: counts as `Draws` refuses, k below 1, or zeta outside (0, 1).
    """
    zeta = as_probability("zeta", zeta)
    n, c = Draws(num_samples, num_correct)
    b = np.broadcast_to(np.asarray(beta, dtype=np.float64), n.shape)[n > 0]
    n, c = n[n > 0], c[n > 0]
    ks = np.atleast_1d(as_ks(k))
    upper = clopper_pearson(n, c, level=1 - 2 * zeta).high if zeta < 0.5 else c / n

    def curve(p: Floats) -> Floats:
        with np.errstate(divide="ignore"):
            log_miss = np.log1p(-tilt(p, b))[:, np.newaxis]
        return np.asarray(-np.expm1(ks * log_miss).mean(axis=0))

    return TiltCurve(ks, curve(c / n), curve(upper))


@dataclass(frozen=True, slots=True)
class Ceiling:
    """The largest mean pass@k that a tilt of the base can reach, at any k and any beta.

    It is the ceiling of the distribution that was sampled. A cut of that distribution (top-p,
    top-k) excludes answers that the model itself gives, and that training without the cut can tilt.

    Attributes:
        seen: share of problems that the base solved at least once. A large tilt brings pass@k to 1
            on them, so the ceiling is at least this share.
        unseen: share of problems that the base never solved.
        threshold: upper limit 1 - zeta^(1/n) of the probability of a correct answer on the unseen
            problems, the largest over problems. The probability may be 0, which no number of
            samples can show.
        problems: number of problems with samples.
    """

    seen: float
    unseen: float
    threshold: float
    problems: int

    def beta_to_reach(self, accuracy: float) -> float:
        """The least tilt with which an unseen problem would have this accuracy.

        Args:
            accuracy: probability of a correct answer, strictly between 0 and 1.

        Raises:
            InvalidInputError: accuracy outside (0, 1).
        """
        a = as_probability("accuracy", accuracy)
        e = self.threshold
        return float(np.log(a / (1 - a)) - np.log(e / (1 - e))) if e > 0 else float("inf")


def support_ceiling(
    num_samples: ArrayLike, num_correct: ArrayLike, *, zeta: float = 0.05
) -> Ceiling:
    """The ceiling of Leash, corollaries C.2 and C.5, as far as base's samples can tell it.

    A tilt multiplies q(y), so answers of probability 0 keep probability 0 (C.2): where base's
    probability of a correct answer is 0, pass@k of every tilt is 0 at every k. Where it is
    positive, beta -> inf gives q renormalised on the correct answers (C.5): pass@k = 1 from k = 1
    on. So over a set of problems the supremum of mean pass@k over beta, at any k, is the share of
    problems in base's support.

    Args:
        num_samples: number of samples of the base, shape [problems] or one number. Problems without
            samples are left out.
        num_correct: number of correct samples, shape [problems] or one number.
        zeta: 1 - zeta is the confidence of ``threshold``.

    Returns:
        Shares and threshold are nan where no problem has samples.

    Raises:
        InvalidInputError: counts as `Draws` refuses, or zeta outside (0, 1).
    """
    zeta = as_probability("zeta", zeta)
    n, c = Draws(num_samples, num_correct)
    n, c = n[n > 0], c[n > 0]
    if not len(n):
        return Ceiling(np.nan, np.nan, np.nan, 0)
    unseen = n[c == 0]
    threshold = float(-np.expm1(np.log(zeta) / unseen.min())) if len(unseen) else 0.0
    share = float((c > 0).mean())
    return Ceiling(share, 1 - share, threshold, len(n))
