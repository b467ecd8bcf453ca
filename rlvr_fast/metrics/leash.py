"""RLVR as a tilt of the base: how large a tilt, how much it explains, and what it cannot reach.

With a binary reward R the optimum of the KL-regularised objective is q(y) exp(beta R(y)) / Z
(Leash, arXiv 2507.14843, proposition C.4): base's correct mass p becomes
p e^beta / (1 - p + p e^beta), and within the correct, and within the incorrect answers, base's
proportions stay as they were.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import gammaln
from scipy.stats import chi2, norm, t

from rlvr_fast.metrics._checks import Counts, Floats, probability
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

# Largest number of distinct values of RL's count for which its conditional law is summed exactly.
_EXACT_SUPPORT = 1025
_BETA_LIMIT = 40.0


@dataclass(frozen=True, slots=True)
class TiltFit:
    """The tilt that best explains RL's accuracies from base's.

    ``beta``, ``low``, ``high``: one tilt for all problems and its interval; inf or -inf when all
    informative draws lie on one side, nan when there are none. ``problem_beta``: the
    maximum-likelihood tilt of each problem, the difference of logits (inf or -inf where a model is
    always or never right, nan where both models are always, or both never, right);
    ``problem_low``, ``problem_high``: Gart's intervals. ``heterogeneity_p``: p-value of "one
    beta fits all problems" (nan with fewer than two informative problems).
    ``informative``: problems that are neither always nor never solved.
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
    """Correct mass after the tilt: p e^beta / (1 - p + p e^beta), elementwise; 0 and 1 stay."""
    p = np.asarray(p, dtype=np.float64)
    b = np.asarray(beta, dtype=np.float64)
    # divide through by the larger of 1 and e^beta, so that nothing overflows
    up, down = np.exp(np.minimum(b, 0)), np.exp(-np.maximum(b, 0))
    with np.errstate(invalid="ignore", divide="ignore"):
        value = p * up / ((1 - p) * down + p * up)
    return np.asarray(np.where(p <= 0, 0.0, np.where(p >= 1, 1.0, value)))


class _Conditional:
    """Mean and variance of RL's correct count given both models' total, under one beta.

    Conditioning on the total removes each problem's own p (Fisher's noncentral hypergeometric law),
    and with it the bias of order 1/n that estimating p beside beta would leave. Above
    `_EXACT_SUPPORT` values the law's leading approximation by the profiled p is used, where that
    bias is below a thousandth of beta.
    """

    def __init__(self, bn: Counts, rn: Counts, total: Counts) -> None:
        # the law depends on these three alone: problems that share them share it
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
        # the quadratic's root in the form that does not cancel, whatever the sign of b
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
    """Maximum-likelihood beta of the tilt q exp(beta R)/Z, per problem and for all at once.

    Overall, the likelihood is that of RL's correct counts given each problem's total (conditional
    logistic regression), so that no problem's p needs to be known; its interval is the sandwich
    over problems, which covers the best common beta also where the problems' own betas differ.
    Problems without samples of both models are left out (nan).

    >>> round(float(fit_tilt((1000, [100]), (1000, [200])).problem_beta[0]), 3)
    0.811
    """
    (bn, bc), (rn, rc) = paired(base, rl)
    z = float(norm.ppf(0.5 + probability("level", level) / 2))
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
    # never below the model's own information: few problems can agree by chance
    error = np.sqrt(max(spread, variance.sum())) / variance.sum()
    quantile = float(t.ppf(0.5 + level / 2, informative - 1))
    fits = variance >= 1  # the chi-square form needs some spread in each count
    statistic = (residual[fits] ** 2 / variance[fits]).sum()
    number = int(fits.sum())
    p_value = float(chi2.sf(statistic, number - 1)) if number > 1 else np.nan
    return result(beta, beta - quantile * error, beta + quantile * error, p_value)


@dataclass(frozen=True, slots=True)
class TiltCurve:
    """Mean pass@k of the tilted base: plug-in ``value``, and a ``ceiling`` with confidence."""

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
    """Mean over problems of pass@k of base tilted by beta (a number or one a problem; inf too).

    ``value`` puts c/n for p. ``ceiling`` puts the one-sided 1 - zeta Clopper-Pearson upper limit of
    each problem's p (for an unseen problem 1 - zeta^(1/n), the exact detection threshold): each
    problem's tilt lies below it with that confidence. At beta = inf the ceiling is 1 as long as any
    mass is possible, and ``value`` is the share of problems that base was seen to solve.
    """
    zeta = probability("zeta", zeta)
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
    """The most that reweighting base can reach on these problems, at any k and any beta.

    ``seen``: share of problems base solved at least once: every tilt's pass@k tends to 1 there, so
    the true ceiling is at least this. ``unseen``: share never solved; there base's correct mass is
    below ``threshold`` = 1 - zeta^(1/n) each (largest over problems) with confidence 1 - zeta, and
    0 if base has no support, which no number of draws can show.
    """

    seen: float
    unseen: float
    threshold: float
    problems: int

    def beta_to_reach(self, accuracy: float) -> float:
        """The tilt an unseen problem would at least need to be right with this probability."""
        a = probability("accuracy", accuracy)
        e = self.threshold
        return float(np.log(a / (1 - a)) - np.log(e / (1 - e))) if e > 0 else float("inf")


def support_ceiling(
    num_samples: ArrayLike, num_correct: ArrayLike, *, zeta: float = 0.05
) -> Ceiling:
    """The ceiling of Leash, corollaries C.2 and C.5, as far as base's draws can tell it.

    A tilt multiplies q(y), so it gives no mass where q has none (C.2): where base's correct mass is
    0, pass@k of every tilt is 0 at every k. Where it is positive, beta -> inf gives q renormalised
    on the correct answers (C.5): pass@k = 1 from k = 1 on. So over a set of problems the supremum
    of mean pass@k over beta, at any k, is the share of problems in base's support.
    """
    zeta = probability("zeta", zeta)
    n, c = Draws(num_samples, num_correct)
    n, c = n[n > 0], c[n > 0]
    if not len(n):
        return Ceiling(np.nan, np.nan, np.nan, 0)
    unseen = n[c == 0]
    threshold = float(-np.expm1(np.log(zeta) / unseen.min())) if len(unseen) else 0.0
    share = float((c > 0).mean())
    return Ceiling(share, 1 - share, threshold, len(n))
