"""Is the shift more than luck? Exact tests, overall and problem by problem."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln
from scipy.stats import binomtest, false_discovery_control

from rlvr_fast.metrics._checks import Bools, Counts, Floats, as_counts, probability
from rlvr_fast.metrics.draws import DrawsLike, paired

__all__ = ["FisherTests", "fisher_tests", "sign_test"]


def sign_test(*, expanded: int, shrunk: int) -> float:
    """Two-sided exact p-value of E against S: would a fair coin split E + S problems so unevenly?

    Under two identical models drawn equally often, every discordant problem is as likely expanded
    as shrunk, whatever its difficulty, so the test is exact. 1.0 when no problem is discordant.

    >>> round(sign_test(expanded=2, shrunk=8), 4)
    0.1094
    """
    e, s = (int(v) for v in as_counts("expanded, shrunk", [expanded, shrunk]))
    return float(binomtest(e, e + s, 0.5).pvalue) if e + s else 1.0


class FisherTests(NamedTuple):
    """One test a problem. ``direction``: 1 where RL is more often correct, -1 base, 0 tied."""

    p_value: Floats
    q_value: Floats
    discovery: Bools
    direction: NDArray[np.int8]


def _fisher_p(table: Counts, log_factorial: Floats) -> float:
    """Two-sided Fisher: the mass of all tables no likelier than this one (R's and scipy's form)."""
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
    """Fisher's exact test of equal correct mass on each problem, Benjamini-Hochberg over problems.

    ``discovery`` marks problems whose accuracy changed, with an expected share of false discoveries
    of at most ``fdr``; ``q_value`` is the adjusted p-value. Note that this is a test of p, not of
    support: p may change a hundredfold on a problem that both models still solve.
    """
    (bn, bc), (rn, rc) = paired(base, rl)
    fdr = probability("fdr", fdr)
    tables = np.stack([bn, bc, rn, rc], axis=1)
    unique, inverse = np.unique(tables, axis=0, return_inverse=True)
    largest = int((bn + rn).max()) if len(bn) else 0
    log_factorial = gammaln(np.arange(largest + 1) + 1.0)
    p_unique = np.array([_fisher_p(row, log_factorial) for row in unique])
    p = p_unique[inverse.ravel()] if len(bn) else np.empty(0)
    q = np.asarray(false_discovery_control(p), dtype=np.float64) if len(p) else np.empty(0)
    # c_rl / n_rl against c_base / n_base in whole numbers
    direction = np.sign(rc * bn - bc * rn).astype(np.int8)
    return FisherTests(p, q, q <= fdr, direction)
