"""What the shift would look like if nothing had changed, and what guessing would reach."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import xlog1py
from scipy.stats import binom

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics._checks import Counts, Floats, as_samples_and_correct
from rlvr_fast.metrics.draws import Draws, DrawsLike, paired
from rlvr_fast.metrics.pass_at_k import as_ks, log_all_miss
from rlvr_fast.metrics.support import support_ratios

__all__ = [
    "ExchangeNull",
    "NullShift",
    "above_guessing",
    "exchange_null",
    "guessing_baseline",
    "split_half_null",
]


@dataclass(frozen=True, slots=True)
class NullShift:
    """Expected labels when the two halves of one model's draws play base and RL.

    ``depth`` is the number of draws in each half, a number a problem; ``sd_expanded`` is the
    standard deviation of the number expanded (and of the number shrunk) over random halves.
    """

    depth: Counts
    preserved: float
    expanded: float
    shrunk: float
    out: float
    sd_expanded: float

    @property
    def srr(self) -> float:
        """The SRR that a model shows against itself at this depth."""
        return float(support_ratios(self.preserved, self.expanded, self.shrunk).srr)

    @property
    def ndr(self) -> float:
        """The NDR that a model shows against itself at this depth."""
        return float(support_ratios(self.preserved, self.expanded, self.shrunk).ndr)


def split_half_null(
    num_samples: ArrayLike, num_correct: ArrayLike, *, depth: int | None = None
) -> NullShift:
    """The spurious expansion and shrinkage between two random halves of one model's draws.

    Averaged over all ways of halving, exactly: with m(j) = C(n-c, j)/C(n, j), a problem is shrunk
    with chance m(h) - m(2h), expanded with the same, out with m(2h). These are unbiased for
    q(1-q) and (1-q)^2 of q = pass@h, so the null at depth h needs 2h draws. ``depth`` (h) defaults
    to half of each problem's draws; problems with fewer than two are left out.

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
    """Base against RL under "the two models are one", given each problem's pooled counts.

    ``expanded`` and ``shrunk`` are expected numbers of spurious labels; the p-values are exact
    chances, under that hypothesis, of at least as many as were seen.
    """

    expanded: float
    shrunk: float
    p_expanded: float
    p_shrunk: float
    p_discordant: float


def poisson_binomial_tail(chances: Floats, at_least: int) -> float:
    """P(at least so many successes) of independent trials with these chances, exactly."""
    if at_least <= 0:
        return 1.0
    if at_least > len(chances):
        return 0.0
    # everything from `at_least` on is lumped in the last cell: small numbers stay accurate
    mass = np.zeros(at_least + 1)
    mass[0] = 1.0
    for p in chances[chances > 0]:
        absorbed = mass[-1] + p * mass[-2]
        mass[1:] = mass[1:] * (1 - p) + mass[:-1] * p
        mass[0] *= 1 - p
        mass[-1] = absorbed
    return float(min(1.0, mass[-1]))


def exchange_null(base: DrawsLike, rl: DrawsLike) -> ExchangeNull:
    """How much shrinkage and expansion would relabelling the draws of both models show?

    Each problem's correct draws are dealt anew to base and RL (hypergeometric, no Monte Carlo). The
    p-values test the sharp hypothesis that no problem's correct mass changed. A small
    ``p_shrunk`` says there is more shrinkage than luck gives, whatever the expansion.

    >>> exchange_null((64, [1] * 30), (64, [0] * 30)).p_shrunk < 1e-6
    True
    """
    (bn, bc), (rn, rc) = paired(base, rl)
    drawn = (bn > 0) & (rn > 0)
    bn, bc, rn, rc = (a[drawn] for a in (bn, bc, rn, rc))
    n, c = bn + rn, bc + rc
    any_correct = c > 0
    expand = np.where(any_correct, np.exp(log_all_miss(n, c, bn)), 0.0)
    shrink = np.where(any_correct, np.exp(log_all_miss(n, c, rn)), 0.0)
    seen_expanded = int(np.count_nonzero((bc == 0) & (rc > 0)))
    seen_shrunk = int(np.count_nonzero((bc > 0) & (rc == 0)))
    return ExchangeNull(
        expanded=float(expand.sum()),
        shrunk=float(shrink.sum()),
        p_expanded=poisson_binomial_tail(expand, seen_expanded),
        p_shrunk=poisson_binomial_tail(shrink, seen_shrunk),
        p_discordant=poisson_binomial_tail(expand + shrink, seen_expanded + seen_shrunk),
    )


def _guess(guess_probability: ArrayLike) -> Floats:
    guess = np.asarray(guess_probability, dtype=np.float64)
    if not ((guess >= 0) & (guess <= 1)).all():
        raise InvalidInputError("guess_probability must lie in [0, 1]")
    return guess


def guessing_baseline(guess_probability: ArrayLike, *, k: ArrayLike) -> Floats:
    """pass@k of a guesser that is right with the given chance a draw: 1 - (1 - g)^k.

    For answers uniform over A values g = 1/A. Shape [...] for a number k, [..., K] for a list.

    >>> round(float(guessing_baseline(1 / 1000, k=8192)), 4)
    0.9997
    """
    guess, ks = _guess(guess_probability), as_ks(k)
    if ks.ndim:
        guess = guess[..., np.newaxis]
    # + 0.0 turns the -0.0 of g = 0 into 0.0
    return np.asarray(-np.expm1(xlog1py(ks, -guess)) + 0.0)


def above_guessing(
    num_samples: ArrayLike, num_correct: ArrayLike, *, guess_probability: ArrayLike
) -> Floats:
    """One-sided exact p-value a problem: would guessing have been right this often or more?"""
    n, c = as_samples_and_correct(num_samples, num_correct)
    return np.asarray(binom.sf(c - 1, n, _guess(guess_probability)), dtype=np.float64)
