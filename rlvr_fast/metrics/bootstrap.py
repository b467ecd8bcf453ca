"""Intervals on pass@k and on the four ratios by resampling problems.

The estimand is the population the problems were drawn from: mean pass@k of a new problem, and
SRR, NDR, SDS, NSCR of the expected labels of a new problem, at depth k. Each problem enters with
unbiased estimates u of its pass@k, which carry its sampling noise with them.

The ordinary bootstrap gives [0, 0] when no problem was expanded, however few there are. So each
limit is a quantile of a weighted mean under Dirichlet weights over the problems *and one more that
speaks for the other side* (Gaffke 2005; Learned-Miller & Thomas, arXiv 1905.06208). With 0/1 values
this is Clopper-Pearson exactly; for a ratio, the worst choice of that one more problem counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics._checks import (
    Bools,
    Counts,
    Floats,
    as_counts,
    probability,
    same_length,
)
from rlvr_fast.metrics.draws import Draws, DrawsLike, paired
from rlvr_fast.metrics.intervals import CurveInterval, Estimate
from rlvr_fast.metrics.pass_at_k import as_ks, log_all_miss, pass_at_k
from rlvr_fast.metrics.support import SupportRatios, support_ratios

__all__ = [
    "ExpectedShift",
    "SupportInterval",
    "expected_support_shift",
    "pass_at_k_difference",
    "pass_at_k_interval",
    "ratio_interval",
    "support_interval",
]

# Weights are drawn and used in blocks of this many bytes, whatever the number of replicates.
_BLOCK_BYTES = 32 << 20


def weight_blocks(
    problems: int, replicates: int, rng: np.random.Generator
) -> Iterator[tuple[slice, Floats]]:
    """Exponential weights [block, problems]: Dirichlet(1, ..., 1) up to the normalisation."""
    step = max(1, _BLOCK_BYTES // (8 * max(problems, 1)))
    for start in range(0, replicates, step):
        stop = min(start + step, replicates)
        yield slice(start, stop), rng.standard_exponential((stop - start, problems))


def check_replicates(replicates: int) -> int:
    """At least 100, below which a 95 % quantile is noise."""
    if replicates < 100:
        raise InvalidInputError(f"replicates must be at least 100, got {replicates}")
    return int(replicates)


def _mean_interval(
    values: Floats, ks: Counts, lowest: float, level: float, replicates: int, seed: int
) -> CurveInterval:
    """Gaffke limits for column means of [problems, K] values in [lowest, 1]; nan is absent."""
    tail = (1 - probability("level", level)) / 2
    present = ~np.isnan(values)
    filled = np.where(present, values, 0.0)
    number = present.sum(axis=0)
    rng = np.random.default_rng(seed)
    replicates = check_replicates(replicates)
    low = np.empty((replicates, len(ks)))
    high = np.empty_like(low)
    everywhere = bool(present.all())
    for rows, weights in weight_blocks(len(values), replicates, rng):
        total = weights @ filled
        if everywhere:
            mass = weights.sum(axis=1, keepdims=True)
        else:
            mass = weights @ present.astype(np.float64)
        other = rng.standard_exponential((len(weights), 1))
        low[rows] = (total + lowest * other) / (mass + other)
        high[rows] = (total + other) / (mass + other)
    with np.errstate(invalid="ignore"):
        value = np.where(number > 0, filled.sum(axis=0) / number, np.nan)
    empty = number == 0
    lower = np.where(empty, np.nan, np.quantile(low, tail, axis=0))
    upper = np.where(empty, np.nan, np.quantile(high, 1 - tail, axis=0))
    # the two tails are drawn, not computed: never let their noise exclude the estimate itself
    return CurveInterval(ks, value, np.minimum(lower, value), np.maximum(upper, value), number)


def pass_at_k_interval(
    num_samples: ArrayLike,
    num_correct: ArrayLike,
    *,
    k: ArrayLike,
    level: float = 0.95,
    replicates: int = 1000,
    seed: int = 0,
) -> CurveInterval:
    """Mean pass@k over problems with pointwise intervals for the population of such problems.

    num_samples, num_correct : [problems]; k : a number or [K]. Problems with fewer than k samples
    are left out at that k; ``problems`` says how many remain, and nan stands where none does. The
    limits are always outside the estimate, even for one problem, and cover the mean over *these*
    problems too, conservatively.

    >>> curve = pass_at_k_interval([8] * 40, [0, 2] * 20, k=[1, 8])
    >>> curve.value.tolist(), bool(curve.low[1] < 0.5 < curve.high[1])
    ([0.125, 0.5], True)
    """
    ks = np.atleast_1d(as_ks(k))
    n, c = Draws(num_samples, num_correct)
    values = pass_at_k(n, c, ks)
    return _mean_interval(values, ks, 0.0, level, replicates, seed)


def pass_at_k_difference(
    base: DrawsLike,
    rl: DrawsLike,
    *,
    k: ArrayLike,
    level: float = 0.95,
    replicates: int = 1000,
    seed: int = 0,
) -> CurveInterval:
    """pass@k of RL minus pass@k of base over the same problems, with paired intervals.

    Problems that lack k samples of either model are left out at that k.
    """
    ks = np.atleast_1d(as_ks(k))
    (bn, bc), (rn, rc) = paired(base, rl)
    values = pass_at_k(rn, rc, ks) - pass_at_k(bn, bc, ks)
    return _mean_interval(values, ks, -1.0, level, replicates, seed)


@dataclass(frozen=True, slots=True)
class ExpectedShift:
    """Expected numbers of problems per label at depth k, and the ratios of these expectations."""

    preserved: float
    expanded: float
    shrunk: float
    out: float
    skipped: int

    @property
    def ratios(self) -> SupportRatios:
        """SRR, NDR, SDS, NSCR of the expected numbers."""
        return support_ratios(self.preserved, self.expanded, self.shrunk)

    @property
    def srr(self) -> float:
        """P/(P+S)."""
        return float(self.ratios.srr)

    @property
    def ndr(self) -> float:
        """E/(P+E)."""
        return float(self.ratios.ndr)

    @property
    def sds(self) -> float:
        """Harmonic mean of SRR and NDR."""
        return float(self.ratios.sds)

    @property
    def nscr(self) -> float:
        """(E-S)/(P+E+S)."""
        return float(self.ratios.nscr)


def _label_masses(
    bn: Counts, bc: Counts, rn: Counts, rc: Counts, k: int | None
) -> tuple[Floats, Bools]:
    """[problems, 4] unbiased chances of P, E, S, O when each model is drawn k times (common depth).

    Rows of problems without k samples of both models are left out; the mask says which remain.
    """
    depth = np.minimum(bn, rn) if k is None else np.full_like(bn, int(as_ks(k)))
    usable = (depth > 0) & (depth <= bn) & (depth <= rn)
    bn, bc, rn, rc, depth = (a[usable] for a in (bn, bc, rn, rc, depth))
    base = -np.expm1(log_all_miss(bn, bc, depth))
    rl = -np.expm1(log_all_miss(rn, rc, depth))
    labels = [base * rl, (1 - base) * rl, base * (1 - rl), (1 - base) * (1 - rl)]
    return np.stack(labels, axis=1), usable


def expected_support_shift(
    base: DrawsLike,
    rl: DrawsLike,
    *,
    k: int | None = None,
) -> ExpectedShift:
    """The support shift ("seen" rule) to expect from k draws of each model, without bias.

    With a_i and b_i the unbiased pass@k of the two models on problem i, drawn independently, P is
    the sum of a_i b_i, S of a_i (1 - b_i), and so on: the label a subsample of k draws would show,
    averaged over all subsamples. So a shift at any depth k up to n, comparable between runs
    of different depth. ``k=None`` takes min(base, RL) samples of each problem: with equal numbers
    that is the published count itself. Problems without k samples of both models are ``skipped``.

    >>> expected_support_shift((4, [4, 1]), (4, [0, 4]), k=2).shrunk
    1.0
    """
    (bn, bc), (rn, rc) = paired(base, rl)
    masses, _ = _label_masses(bn, bc, rn, rc, k)
    p, e, s, o = (float(v) for v in masses.sum(axis=0))
    return ExpectedShift(p, e, s, o, skipped=len(bn) - len(masses))


@dataclass(frozen=True, slots=True)
class SupportInterval:
    """Shares of the four labels among problems, and the four ratios, each with its interval."""

    preserved: Estimate
    expanded: Estimate
    shrunk: Estimate
    out: Estimate
    srr: Estimate
    ndr: Estimate
    sds: Estimate
    nscr: Estimate
    problems: int
    level: float


def interval_from_sums(
    value: Floats, sums: Floats, other: Floats, problems: int, level: float
) -> SupportInterval:
    """Limits from the real problems' weighted sums [replicates, 4] and one problem's weight."""
    tail = (1 - probability("level", level)) / 2

    def metrics(total: Floats) -> Floats:
        r = support_ratios(total[..., 0], total[..., 1], total[..., 2])
        with np.errstate(invalid="ignore"):
            shares = total / total.sum(axis=-1, keepdims=True)
        return np.concatenate([shares, np.stack([r.srr, r.ndr, r.sds, r.nscr], axis=-1)], axis=-1)

    low = np.full(8, np.inf)
    high = np.full(8, -np.inf)
    for label in range(4):
        total = sums.copy()
        total[:, label] += other
        # a ratio that stays 0/0 with this one more problem is nan throughout, and fmin skips it
        lower, upper = np.quantile(metrics(total), [tail, 1 - tail], axis=0)
        low = np.fmin(low, lower)
        high = np.fmax(high, upper)
    point = metrics(value)
    low, high = np.fmin(low, point), np.fmax(high, point)
    if not value[:2].any():
        high[6] = 1.0  # one more problem cannot make both P and E positive: SDS is unknown
    p, e, s, o, srr, ndr, sds, nscr = (
        Estimate(float(v), float(a), float(b)) for v, a, b in zip(point, low, high, strict=True)
    )
    return SupportInterval(p, e, s, o, srr, ndr, sds, nscr, problems=problems, level=level)


def support_interval(
    base: DrawsLike,
    rl: DrawsLike,
    *,
    k: int | None = None,
    groups: ArrayLike | None = None,
    level: float = 0.95,
    replicates: int = 4000,
    seed: int = 0,
) -> SupportInterval:
    """Label shares and SRR, NDR, SDS, NSCR at depth k with intervals for new problems alike.

    The values are those of `expected_support_shift`; the limits come from resampled problems (see
    the module's text). A ratio that is 0/0 in the data has nan as its value and limits that say how
    little is known.

    ``groups``: where rows are not problems but distinct answers of them, the problem (0-based) of
    each row. Whole problems are then resampled, since answers of one problem compete for its draws.

    >>> s = support_interval((16, [4, 0, 1, 0] * 9), (16, [3, 0, 0, 1] * 9))
    >>> s.srr.value, bool(s.srr.low < 0.5 < s.srr.high)
    (0.5, True)
    """
    (bn, bc), (rn, rc) = paired(base, rl)
    masses, usable = _label_masses(bn, bc, rn, rc, k)
    rows_used = len(masses)
    if groups is not None:
        index = as_counts("groups", groups)
        same_length({"groups": index, "base_correct": bc})
        _, index = np.unique(index[usable], return_inverse=True)
        columns = [np.bincount(index, weights=column) for column in masses.T]
        masses = np.stack(columns, axis=1)
    rng = np.random.default_rng(seed)
    sums = np.empty((check_replicates(replicates), 4))
    for rows, weights in weight_blocks(len(masses), replicates, rng):
        sums[rows] = weights @ masses
    other = rng.standard_exponential(replicates)
    return interval_from_sums(masses.sum(axis=0), sums, other, rows_used, level)


def ratio_interval(
    preserved: int,
    expanded: int,
    shrunk: int,
    out: int,
    *,
    level: float = 0.95,
    replicates: int = 4000,
    seed: int = 0,
) -> SupportInterval:
    """`support_interval` from the four counts alone: for a published row, or the epsilon rule.

    >>> ratio_interval(1355, 5, 56, 131).srr.low > 0.94
    True
    """
    counts = as_counts("preserved, expanded, shrunk, out", [preserved, expanded, shrunk, out])
    rng = np.random.default_rng(seed)
    size = (check_replicates(replicates), 4)
    # exponential weights of c equal problems sum to a Gamma(c) variable
    sums = np.where(counts > 0, rng.standard_gamma(np.maximum(counts, 1), size), 0.0)
    other = rng.standard_exponential(replicates)
    return interval_from_sums(counts.astype(np.float64), sums, other, int(counts.sum()), level)
