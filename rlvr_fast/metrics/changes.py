"""Which problems' rates changed, beyond the sampling noise of their draws."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.stats import norm

from rlvr_fast.metrics.checks import Bools
from rlvr_fast.metrics.draws import Draws

__all__ = ["Changes", "changes_seen"]

# A problem stands out beyond the normal quantile at which one of N equal problems would do so with
# this probability. With .1 at 30 problems (3 standard errors) the intervals of equal models are
# 3.6 times as wide as the t's at n = 16384.
_STANDS_OUT = 0.01
# Standard errors from which the other changes count. Chosen by simulation.
_CHANGED = 3.0


class Changes(NamedTuple):
    """What the draws say of true changes, beyond the sampling noise of each problem.

    Attributes:
        changed: problems whose rate changed, where one stands out; otherwise none.
        none: whether the draws of all problems together agree with two equal models.
    """

    changed: Bools
    none: bool


def changes_seen(base: Draws, rl: Draws) -> Changes:
    """Problems whose difference is no sampling noise.

    A problem stands out if its difference lies beyond its noise both from 0 and from the median
    difference, on the same side: a shift of all problems makes none stand out.
    """
    both = (base.num_samples > 0) & (rl.num_samples > 0)
    (bn, bc), (rn, rc) = ((np.where(both, v, 1 - i) for i, v in enumerate(d)) for d in (base, rl))
    n, c, inverse = bn + rn, bc + rc, 1 / bn + 1 / rn
    difference = np.where(both, rc / rn - bc / bn, 0.0)
    rate = (c + 1) / (n + 2)
    noise = np.sqrt(rate * (1 - rate) * inverse)
    apart = difference - (np.median(difference[both]) if both.any() else 0.0)
    least = np.minimum(np.abs(difference), np.abs(apart))
    stands_out = (difference * apart > 0) & (
        least > norm.isf(_STANDS_OUT / 2 / max(len(n), 1)) * noise
    )
    changed = (np.abs(difference) > _CHANGED * noise) & stands_out.any()
    # under equal models the sum of squares has mean 1 a problem, and a variance of 2 at most
    variance = c / n * (1 - c / n) * inverse * both
    told = variance > 0
    squares = float((difference[told] ** 2 / variance[told]).sum())
    excess = squares - told.sum() > _CHANGED * np.sqrt(2 * told.sum())
    shifted = abs(difference.sum()) > _CHANGED * np.sqrt(variance.sum())
    return Changes(changed, not (stands_out.any() or excess or shifted) and bool(told.any()))
