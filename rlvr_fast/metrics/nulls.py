"""The support shift between two equal models: the null distribution of spurious labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from rlvr_fast.metrics.checks import Counts
from rlvr_fast.metrics.distinct import FEW_ROWS
from rlvr_fast.metrics.draws import Draws, DrawsLike, paired
from rlvr_fast.metrics.pass_at_k import as_ks, log_all_miss
from rlvr_fast.metrics.poisson_binomial import poisson_binomial_tail
from rlvr_fast.metrics.support import LabelRatios, support_ratios

__all__ = [
    "ExchangeNull",
    "NullShift",
    "exchange_null",
    "split_half_null",
]


@dataclass(frozen=True, slots=True)
class NullShift(LabelRatios):
    """Expected number of each label between two halves of one model's samples.

    Attributes:
        depth: number of samples in each half, one number a problem, int64.
        preserved: expected number of problems that both halves reach.
        expanded: expected number that only the second half reaches.
        shrunk: expected number that only the first half reaches.
        out: expected number that neither half reaches.
        sd_expanded: standard deviation of the number expanded (equally of the number shrunk) over
            random halves.
    """

    depth: Counts
    preserved: float
    expanded: float
    shrunk: float
    out: float
    sd_expanded: float


def split_half_null(
    num_samples: ArrayLike, num_correct: ArrayLike, *, depth: int | None = None
) -> NullShift:
    """The spurious expansion and shrinkage between two random halves of one model's samples.

    The numbers are exact means over all ways of halving. With m(j) = C(n-c, j)/C(n, j), a problem
    is shrunk with probability m(h) - m(2h), expanded with the same probability, and out with
    probability m(2h). With q = pass@h these are unbiased for q(1-q) and (1-q)^2; so the null at
    depth h needs 2h samples.

    Args:
        num_samples: number of samples, shape [problems] or one number. Problems with fewer than 2h
            samples, or with fewer than two, are left out.
        num_correct: number of correct samples, shape [problems] or one number.
        depth: h, at least 1; by default half of each problem's samples.

    Raises:
        InvalidInputError: counts as `Draws` refuses, or depth below 1.

    >>> round(split_half_null(2, [1] * 10).expanded, 9)
    5.0
    """
    n, c = Draws(num_samples, num_correct)
    h = n // 2 if depth is None else np.full_like(n, int(as_ks(depth)))
    usable = (h > 0) & (2 * h <= n)
    n, c, h = n[usable], c[usable], h[usable]
    half = np.exp(log_all_miss(n, c, h))
    both = np.exp(log_all_miss(n, c, 2 * h))
    lost = np.maximum(half - both, 0.0)
    return NullShift(
        depth=h,
        preserved=float(np.maximum(1 - 2 * half + both, 0.0).sum()),
        expanded=float(lost.sum()),
        shrunk=float(lost.sum()),
        out=float(both.sum()),
        sd_expanded=float(np.sqrt((lost * (1 - lost)).sum())),
    )


@dataclass(frozen=True, slots=True)
class ExchangeNull:
    """Base against RL if the two models were equal, given the pooled counts.

    The expected numbers and the p-values without "at depth" belong to all draws of both models. The
    numbers "at depth" belong to min(base, RL) draws of each model on each problem; where the two
    numbers of draws are equal, both are the same.

    Attributes:
        expanded: expected number of problems labelled expanded, counted with all draws.
        shrunk: expected number of problems labelled shrunk, counted with all draws.
        p_expanded: exact probability of at least as many expanded as observed.
        p_shrunk: exact probability of at least as many shrunk as observed.
        p_discordant: exact probability of at least as many expanded or shrunk as observed.
        preserved_at_depth: expected number labelled preserved at the common depth.
        expanded_at_depth: expected number labelled expanded at the common depth.
        shrunk_at_depth: expected number labelled shrunk at the common depth; it equals
            expanded_at_depth.
    """

    expanded: float
    shrunk: float
    p_expanded: float
    p_shrunk: float
    p_discordant: float
    preserved_at_depth: float
    expanded_at_depth: float
    shrunk_at_depth: float

    @property
    def srr_at_depth(self) -> float:
        """The SRR of the expected numbers at the common depth."""
        p, e, s = self.preserved_at_depth, self.expanded_at_depth, self.shrunk_at_depth
        return float(support_ratios(p, e, s).srr)

    @property
    def ndr_at_depth(self) -> float:
        """The NDR of the expected numbers at the common depth."""
        p, e, s = self.preserved_at_depth, self.expanded_at_depth, self.shrunk_at_depth
        return float(support_ratios(p, e, s).ndr)


def exchange_null(base: DrawsLike, rl: DrawsLike) -> ExchangeNull:
    """Expected spurious shrinkage and expansion if the two models were equal, and exact p-values.

    Each problem's correct samples are distributed at random over the samples of base and RL model
    (hypergeometric law, no Monte Carlo). The p-values test the hypothesis that no problem's
    probability of a correct answer changed, at any numbers of draws. A small ``p_shrunk`` says that
    there is more shrinkage than chance gives, whatever the expansion.

    A "problem" may also be a distinct (problem, answer) pair. The answers of one problem share its
    draws, so that their labels are negatively associated: the p-values, which take them as
    independent, are then conservative.

    Args:
        base: counts of the base: Draws or a pair (num_samples, num_correct).
        rl: counts of the RL model, same problems. Problems without samples of both models are left
            out.

    Raises:
        InvalidInputError: counts as `Draws` refuses, or different problems.

    >>> exchange_null((64, [1] * 30), (64, [0] * 30)).p_shrunk < 1e-6
    True
    """
    (bn, bc), (rn, rc) = paired(base, rl)
    drawn = (bn > 0) & (rn > 0)
    bn, bc, rn, rc = (a[drawn] for a in (bn, bc, rn, rc))
    n, c, depth = bn + rn, bc + rc, np.minimum(bn, rn)
    any_correct = c > 0
    missing = (bn, rn, depth, 2 * depth)
    # in one call where that takes little memory
    one_call = len(n) <= FEW_ROWS
    log_miss = (
        log_all_miss(n, c, np.stack(missing))
        if one_call
        else (log_all_miss(n, c, k) for k in missing)
    )
    by_rl, by_base, one_misses, both_miss = (np.exp(one) for one in log_miss)
    expand, shrink = np.where(any_correct, by_rl, 0.0), np.where(any_correct, by_base, 0.0)
    lost = float(np.maximum(one_misses - both_miss, 0.0).sum())
    seen_expanded = int(np.count_nonzero((bc == 0) & (rc > 0)))
    seen_shrunk = int(np.count_nonzero((bc > 0) & (rc == 0)))
    return ExchangeNull(
        expanded=float(expand.sum()),
        shrunk=float(shrink.sum()),
        p_expanded=poisson_binomial_tail(expand, seen_expanded),
        p_shrunk=poisson_binomial_tail(shrink, seen_shrunk),
        p_discordant=poisson_binomial_tail(expand + shrink, seen_expanded + seen_shrunk),
        preserved_at_depth=float(np.maximum(1 - 2 * one_misses + both_miss, 0.0).sum()),
        expanded_at_depth=lost,
        shrunk_at_depth=lost,
    )
