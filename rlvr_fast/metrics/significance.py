"""Exact tests of a change between base and RL model: over all problems, and for each problem."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, gammaln
from scipy.stats import binomtest, false_discovery_control

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics.checks import Bools, Counts, Floats, as_counts, as_probability
from rlvr_fast.metrics.draws import DrawsLike, paired
from rlvr_fast.metrics.pass_at_k import log_all_miss
from rlvr_fast.metrics.poisson_binomial import poisson_binomial_pmf

__all__ = ["FisherTests", "discordance_test", "fisher_tests", "holm", "sign_test"]

# Two probabilities that differ by less than this factor count as equal in a two-sided p-value, as
# in scipy and R.
_EQUAL = 1 + 1e-7


def sign_test(*, expanded: int, shrunk: int) -> float:
    """Two-sided exact p-value of E expanded against S shrunk: equal numbers of draws only.

    Two equal models with equal numbers of samples make each discordant problem expanded or shrunk
    with probability 1/2, whatever the problem's difficulty; so the test is exact. Where the two
    models have different numbers of draws on some problem, use `discordance_test`.

    Args:
        expanded: number of problems that only the RL model reaches.
        shrunk: number of problems that only the base reaches.

    Returns:
        1.0 when no problem is discordant.

    Raises:
        InvalidInputError: a number that is negative or fractional.

    >>> round(sign_test(expanded=2, shrunk=8), 4)
    0.1094
    """
    e, s = (int(v) for v in as_counts("expanded, shrunk", [expanded, shrunk]))
    return float(binomtest(e, e + s, 0.5).pvalue) if e + s else 1.0


def discordance_test(base: DrawsLike, rl: DrawsLike) -> float:
    """Two-sided exact p-value of found against lost problems, at any numbers of draws.

    Given the discordant problems and the pooled counts of each, two equal models make problem i
    expanded with probability e_i/(e_i + s_i), where e_i and s_i are the probabilities that all its
    correct draws fall on the RL model or on the base (see `exchange_null`). The number expanded is
    then Poisson-binomial. The p-value is the probability of all numbers that are at most as likely
    as the number observed. At equal numbers of draws, it is that of `sign_test`.

    Args:
        base: counts of the base: Draws or a pair (num_samples, num_correct).
        rl: counts of the RL model, same problems. Problems without samples of both models are left
            out.

    Returns:
        1.0 when no problem is discordant.

    Raises:
        InvalidInputError: counts as `Draws` refuses, or different problems.

    >>> round(discordance_test((64, [1] * 8 + [0] * 2), (64, [0] * 8 + [1] * 2)), 4)
    0.1094
    """
    (bn, bc), (rn, rc) = paired(base, rl)
    discordant = (bn > 0) & (rn > 0) & ((bc > 0) != (rc > 0))
    if not discordant.any():
        return 1.0
    bn, bc, rn, rc = (a[discordant] for a in (bn, bc, rn, rc))
    log_expanded = log_all_miss(bn + rn, bc + rc, bn)
    log_shrunk = log_all_miss(bn + rn, bc + rc, rn)
    pmf = poisson_binomial_pmf(expit(log_expanded - log_shrunk))
    observed = pmf[int(np.count_nonzero(rc > 0))]
    return float(min(1.0, pmf[pmf <= observed * _EQUAL].sum()))


def holm(p_values: ArrayLike) -> Floats:
    """P-values adjusted by Holm's method: at level a, some false rejection has probability <= a.

    The method holds for any dependence between the tests.

    Args:
        p_values: shape [tests]. nan stands for a test that was not done, and stays nan.

    Returns:
        float64, shape [tests]; a test rejects at level a where its adjusted p-value is at most a.

    Raises:
        InvalidInputError: a value outside [0, 1], or more than one dimension.

    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.atleast_1d(np.asarray(p_values, dtype=np.float64))
    done = ~np.isnan(p)
    if p.ndim > 1 or ((p[done] < 0) | (p[done] > 1)).any():
        raise InvalidInputError("p_values must be a list of numbers from 0 to 1, or nan")
    known = p[done]
    order = np.argsort(known, kind="stable")
    steps = known[order] * np.arange(len(known), 0, -1)
    adjusted = np.empty(len(known))
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    out = np.full(p.shape, np.nan)
    out[done] = adjusted
    return out


class FisherTests(NamedTuple):
    """Fisher's exact test of each problem; arrays of shape [problems].

    Attributes:
        p_value: two-sided p-value, float64.
        q_value: p-value after Benjamini-Hochberg, float64.
        discovery: whether q_value is at most the false discovery rate, bool.
        direction: 1 where RL's accuracy is higher, -1 where base's is, 0 where both are equal,
            int8.
    """

    p_value: Floats
    q_value: Floats
    discovery: Bools
    direction: NDArray[np.int8]


def _fisher_p(table: Counts, log_factorial: Floats) -> float:
    """Two-sided p-value: the probability of all tables that are at most as likely as this one.

    R and scipy use the same definition.
    """
    bn, bc, rn, rc = (int(v) for v in table)
    total = bc + rc
    x = np.arange(max(0, total - rn), min(bn, total) + 1)
    log_pmf = -(
        log_factorial[x]
        + log_factorial[bn - x]
        + log_factorial[total - x]
        + log_factorial[rn - total + x]
    )
    log_pmf -= log_pmf.max()
    pmf = np.exp(log_pmf)
    observed = pmf[bc - x[0]]
    return float(min(1.0, pmf[pmf <= observed * _EQUAL].sum() / pmf.sum()))


def fisher_tests(
    base: DrawsLike,
    rl: DrawsLike,
    *,
    fdr: float = 0.05,
) -> FisherTests:
    """Fisher's exact test of equal accuracy on each problem, with Benjamini-Hochberg over problems.

    The test concerns the probability p of a correct answer, not support: p may change a hundredfold
    on a problem that both models still reach.

    Args:
        base: counts of the base: Draws or a pair (num_samples, num_correct).
        rl: counts of the RL model, same problems.
        fdr: expected share of false discoveries among the problems in ``discovery``, at most.

    Raises:
        InvalidInputError: counts as `Draws` refuses, different problems, or fdr outside (0, 1).
    """
    (bn, bc), (rn, rc) = paired(base, rl)
    fdr = as_probability("fdr", fdr)
    tables = np.stack([bn, bc, rn, rc], axis=1)
    unique, inverse = np.unique(tables, axis=0, return_inverse=True)
    largest = int((bn + rn).max()) if len(bn) else 0
    log_factorial = gammaln(np.arange(largest + 1) + 1.0)
    p_unique = np.array([_fisher_p(row, log_factorial) for row in unique])
    p = p_unique[inverse.ravel()] if len(bn) else np.empty(0)
    q = np.asarray(false_discovery_control(p), dtype=np.float64) if len(p) else np.empty(0)
    # compares c_rl / n_rl with c_base / n_base in whole numbers
    direction = np.sign(rc * bn - bc * rn).astype(np.int8)
    return FisherTests(p, q, q <= fdr, direction)
