"""The support shift that one common tilt of the base alone would show."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.optimize import brentq
from scipy.special import gammaln

from rlvr_fast.metrics.checks import Counts, Floats
from rlvr_fast.metrics.draws import DrawsLike, paired
from rlvr_fast.metrics.poisson_binomial import poisson_binomial_tail

__all__ = ["TiltNull", "tilt_null"]

# Each limit of beta fails with at most this probability, which is added to the p-value.
_MISS = 5e-4
# The estimate of beta counts each problem as at most so many correct draws.
_HEAVIEST = 4
_BETA_LIMIT = 40.0


@dataclass(frozen=True, slots=True)
class TiltNull:
    """Base against RL if one tilt multiplied the odds of a correct draw on every problem alike.

    All numbers are counted with all draws of both models, given each problem's pooled counts.

    Attributes:
        beta: the common tilt, estimated with a bounded weight for each problem; inf or -inf where
            no finite beta fits, nan where no problem tells beta.
        low: one-sided lower 99.95 % limit of beta.
        high: one-sided upper 99.95 % limit of beta.
        expanded: expected number of problems labelled expanded under beta.
        shrunk: expected number of problems labelled shrunk under beta.
        p_expanded: p-value of at least as many expanded as observed, valid under any common tilt.
        p_shrunk: p-value of at least as many shrunk as observed, likewise.
    """

    beta: float
    low: float
    high: float
    expanded: float
    shrunk: float
    p_expanded: float
    p_shrunk: float


class _Noncentral:
    """Law of RL's number correct given the total of both models, odds e^beta (Fisher).

    The sums run over the values that carry the probability: all values where they are few, else a
    window about the mode, which moves when beta does. Where the law is wide, they run over every
    h-th value, h a third of the standard deviation at most: for so smooth a law the trapezoidal
    rule has an error below 1e-15.

    Args:
        bn: number of draws of the base, shape [problems].
        rn: number of draws of the RL model.
        total: number correct of both models.
    """

    def __init__(self, bn: Counts, rn: Counts, total: Counts) -> None:
        # the law depends on these three numbers alone: problems with equal numbers share it
        rows, self.index, self.copies = np.unique(
            np.stack([bn, rn, total], axis=1), axis=0, return_inverse=True, return_counts=True
        )
        self.index = self.index.ravel()
        self.bn, self.rn, self.total = rows.T
        self.least = np.maximum(0, self.total - self.bn)
        self.most = np.minimum(self.rn, self.total)
        self.log_factorial = gammaln(np.arange(int((bn + rn).max()) + 1) + 1.0)
        self.center, self.radius = math.nan, -1.0
        self.heaviness = _weight(self.most - self.least)
        self.squared = self.heaviness * self.heaviness
        self.factors = self.copies.astype(np.float64)
        self.scores: dict[float, tuple[float, float]] = {}

    def log_weight(self, x: Counts, rows: Counts | slice = slice(None)) -> Floats:
        """Log C(rn, x) C(bn, total - x)."""
        f = self.log_factorial
        n, m, y = self.rn[rows], self.bn[rows], self.total[rows] - x
        value: Floats = f[n] - f[x] - f[n - x] + f[m] - f[y] - f[m - y]
        return value

    def _mode(self, beta: float) -> tuple[Floats, Floats]:
        """About the mean and the standard deviation of each law."""
        n, m, t = (a.astype(np.float64) for a in (self.rn, self.bn, self.total))
        up, down = math.exp(min(beta, 0.0)), math.exp(-max(beta, 0.0))
        # x (m - t + x) down = (n - x)(t - x) up, the root in [least, most]
        a, b, c = down - up, (m - t) * down + (n + t) * up, -n * t * up
        root = np.sqrt(np.maximum(b * b - 4 * a * c, 0.0))
        # the form without cancellation; b < 0 only where a > 0
        x = np.where(b < 0, root - b, -2 * c) / np.where(b < 0, 2 * a, np.maximum(b + root, 1e-300))
        x = np.clip(x, self.least, self.most)
        cells = np.stack([x, n - x, t - x, m - t + x]) + 0.5
        return x, 1 / np.sqrt((1 / cells).sum(axis=0))

    def _move(self, beta: float) -> None:
        """Places the windows about beta."""
        mean, sd = self._mode(beta)
        reach = 12 * sd + 30
        low = np.maximum(self.least, np.floor(mean - reach).astype(np.int64))
        high = np.minimum(self.most, np.ceil(mean + reach).astype(np.int64))
        step = np.maximum(sd / 3, 1).astype(np.int64)
        cut = (low > self.least) | (high < self.most) | (step > 1)
        self.center = beta
        # a change of beta by d moves the mean by d sd^2: at most 4 sd within the radius
        self.radius = float(np.min(4 / sd[cut])) if cut.any() else math.inf
        size = (high - low) // step + 1
        self.start = np.concatenate([[0], np.cumsum(size)[:-1]])
        self.row = np.repeat(np.arange(len(size)), size)
        place = np.arange(len(self.row)) - self.start[self.row]
        x = low[self.row] + step[self.row] * place
        self.log_step = np.log(step)
        self.base = self.log_weight(x, self.row)
        self.x = x.astype(np.float64)

    def _weights(self, beta: float) -> tuple[Floats, Floats, Floats]:
        """Weights over the largest of each distinct problem, its log, and their sum."""
        if not abs(beta - self.center) <= self.radius:
            self._move(beta)
        log = self.base + beta * self.x
        peak = np.maximum.reduceat(log, self.start)
        weight = np.exp(log - peak[self.row])
        return weight, peak, np.add.reduceat(weight, self.start)

    def moments(self, beta: float) -> tuple[Floats, Floats]:
        """Mean and variance of each distinct problem."""
        weight, _, total = self._weights(beta)
        mean = np.add.reduceat(weight * self.x, self.start) / total
        apart = self.x - mean[self.row]
        return mean, np.add.reduceat(weight * apart * apart, self.start) / total

    def score(self, beta: float) -> tuple[float, float]:
        """Mean and variance of the sum over all problems of weight (x - least)."""
        # searches for a root ask for their ends several times
        found = self.scores.get(beta)
        if found is None:
            mean, variance = self.moments(beta)
            total = float(self.factors @ ((mean - self.least) * self.heaviness))
            found = total, float(self.factors @ (variance * self.squared))
            if math.isinf(self.radius):  # else the last digit depends on where the windows stand
                self.scores[beta] = found
        return found

    def one_sided(self, beta: float) -> tuple[Floats, Floats]:
        """Probability that all correct draws are RL's, and that all are base's; each problem."""
        _, peak, total = self._weights(beta)
        log_total = peak + np.log(total) + self.log_step
        top = np.minimum(self.total, self.rn)
        expand = np.exp(np.minimum(self.log_weight(top) + beta * top - log_total, 0.0))
        bottom = np.maximum(self.total - self.bn, 0)
        shrink = np.exp(np.minimum(self.log_weight(bottom) + beta * bottom - log_total, 0.0))
        expand = np.where(top == self.total, expand, 0.0)
        shrink = np.where(bottom == 0, shrink, 0.0)
        return expand[self.index], shrink[self.index]


def _weight(width: Counts) -> Floats:
    """Weight of a problem's correct draws, so that weight (x - least) lies between 0 and 1."""
    return 1.0 / np.maximum(width, _HEAVIEST)


def _estimate(law: _Noncentral, observed: float) -> float:
    """The beta at which the expected score is the observed one."""
    excess = [law.score(b)[0] - observed for b in (-_BETA_LIMIT, _BETA_LIMIT)]
    if excess[0] >= 0:
        return -math.inf
    if excess[1] <= 0:
        return math.inf
    left, right, beta = -_BETA_LIMIT, _BETA_LIMIT, 0.0
    for _ in range(60):
        mean, variance = law.score(beta)
        left, right = (beta, right) if mean < observed else (left, beta)
        step = beta + (observed - mean) / variance if variance > 0 else math.nan
        new = step if left < step < right else (left + right) / 2
        if abs(new - beta) < 1e-9:
            return new
        beta = new
    return beta


def _limit(law: _Noncentral, observed: float, beta: float, side: int) -> float:
    """The limit of beta on one side (1: upper, -1: lower).

    The score is a sum of independent values between 0 and 1. It lies t or more on one side of its
    mean with a probability of at most exp(-V h(t/V)), where V is its variance and h(x) = (1 + x)
    log(1 + x) - x (Bennett's inequality). The limit is the beta at which that bound is `_MISS`: it
    holds at any number of draws and of problems.
    """
    if beta == side * math.inf:
        return beta

    def excess(b: float) -> float:
        mean, variance = law.score(b)
        apart = side * (mean - observed)
        if apart <= 0 or variance <= 0:
            return math.log(_MISS) if apart <= 0 else math.inf
        x = apart / variance
        return variance * ((1 + x) * math.log1p(x) - x) + math.log(_MISS)

    if math.isinf(beta):
        near, far = -side * _BETA_LIMIT, side * _BETA_LIMIT
    else:
        # the step of the normal law, then longer ones
        variance = law.score(beta)[1]
        near, step = beta, math.sqrt(-2.2 * math.log(_MISS) / max(variance, 1e-9))
        while (far := near + side * step) * side < _BETA_LIMIT and excess(far) <= 0:
            near, step = far, 1.5 * step
        far = side * min(side * far, _BETA_LIMIT)
    if excess(far) <= 0:
        return side * math.inf
    within = 1e-3 * min(abs(far - near), 1.0)
    return float(brentq(excess, near, far, xtol=within)) + side * within


def tilt_null(base: DrawsLike, rl: DrawsLike) -> TiltNull:
    """The found and lost problems that one common tilt of the base alone would show.

    Under a tilt, the odds of a correct draw on every problem are multiplied by e^beta. Given the
    total correct of both models, RL's number correct then follows Fisher's noncentral
    hypergeometric law with these odds, whatever the problem's own probability. In the estimate of
    beta a problem counts as at most four correct draws, so that a few problems with many, as truly
    found ones are, do not decide it (`fit_tilt` weighs all draws alike).

    The p-values hold although beta is estimated: each is the largest one over the betas on the one
    side of a limit of beta, plus the probability that the limit fails (Berger and Boos 1994). A
    small ``p_expanded`` says that more problems were found than any one tilt would show. Where the
    tilt differs between problems, it may be small too.

    Args:
        base: counts of the base: Draws or a pair (num_samples, num_correct).
        rl: counts of the RL model, same problems. Problems without samples of both models are left
            out.

    Raises:
        InvalidInputError: counts as `Draws` refuses, or different problems.

    >>> null = tilt_null((64, [8] * 20 + [0] * 20), (64, [16] * 20 + [20] * 20))
    >>> null.p_expanded < 0.01
    True
    """
    (bn, bc), (rn, rc) = paired(base, rl)
    total = bc + rc
    # the other problems have one possible outcome, and are neither expanded nor shrunk
    telling = (bn > 0) & (rn > 0) & (total > 0) & (total < bn + rn)
    if not telling.any():
        return TiltNull(math.nan, -math.inf, math.inf, 0.0, 0.0, 1.0, 1.0)
    counts = np.stack([a[telling] for a in (bn, bc, rn, rc)])
    found = _of_few if counts.size <= 4 * _FEW else _of_telling
    return found(counts.tobytes())


def _of_telling(counts: bytes) -> TiltNull:
    """The result for the counts of problems that tell beta: int64 of shape [4, problems]."""
    bn, bc, rn, rc = np.frombuffer(counts, dtype=np.int64).reshape(4, -1)
    total = bc + rc
    law = _Noncentral(bn, rn, total)
    least, most = np.maximum(0, total - bn), np.minimum(rn, total)
    observed = float((_weight(most - least) * (rc - least)).sum())
    beta = _estimate(law, observed)
    low, high = (_limit(law, observed, beta, side) for side in (-1, 1))

    def at(b: float) -> tuple[Floats, Floats]:
        return law.one_sided(min(max(b, -_BETA_LIMIT), _BETA_LIMIT))

    expand, shrink = at(beta)
    # both probabilities are monotone in beta, so that the limit is the worst beta
    p_expanded = poisson_binomial_tail(at(high)[0], int(np.count_nonzero(bc == 0)))
    p_shrunk = poisson_binomial_tail(at(low)[1], int(np.count_nonzero(rc == 0)))
    return TiltNull(
        beta=beta,
        low=low,
        high=high,
        expanded=float(expand.sum()),
        shrunk=float(shrink.sum()),
        p_expanded=min(1.0, p_expanded + _MISS),
        p_shrunk=min(1.0, p_shrunk + _MISS),
    )


# Groups of few problems often have the same counts.
_FEW = 16
_of_few = lru_cache(maxsize=4096)(_of_telling)
