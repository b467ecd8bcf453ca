"""Exact tests of a change between base and RL model: over all problems, and for each problem."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln
from scipy.stats import binomtest, false_discovery_control

from rlvr_fast.metrics.checks import Bools, Counts, Floats, as_counts, as_probability
from rlvr_fast.metrics.draws import DrawsLike, paired

__all__ = ["FisherTests", "fisher_tests", "sign_test"]


def sign_test(*, expanded: int, shrunk: int) -> float:
    """Two-sided exact p-value of E expanded against S shrunk problems, under equal chances of both.

    Two equal models with equal numbers of samples make each discordant problem expanded or shrunk
    with probability 1/2, whatever the problem's difficulty; so the test is exact.

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
    return float(min(1.0, pmf[pmf <= observed * (1 + 1e-7)].sum() / pmf.sum()))


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
