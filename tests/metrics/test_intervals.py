"""Intervals on one proportion against scipy, and their exact coverage."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics import (
    beta_interval,
    clopper_pearson,
)


def test_clopper_pearson_equals_scipy() -> None:
    n = 37
    interval = clopper_pearson(n, np.arange(n + 1), level=0.9)
    for c in range(n + 1):
        want = binomtest(c, n).proportion_ci(0.9, "exact")
        assert interval.low[c] == pytest.approx(want.low, rel=1e-9, abs=1e-12)
        assert interval.high[c] == pytest.approx(want.high, rel=1e-9)
    empty = clopper_pearson(0, 0)
    assert (float(empty.low), float(empty.high)) == (0.0, 1.0)


@pytest.mark.parametrize("n", [1, 16, 64])
def test_clopper_pearson_covers_at_every_p_exactly(n: int) -> None:
    interval = clopper_pearson(n, np.arange(n + 1))
    for p in np.linspace(0, 1, 201):
        covered = (interval.low <= p) & (p <= interval.high)
        assert binom.pmf(np.arange(n + 1), n, p)[covered].sum() >= 0.95 - 1e-12


def test_beta_interval_covers_on_average_and_at_the_ends() -> None:
    n = 64
    interval = beta_interval(n, np.arange(n + 1))
    assert interval.low[0] == 0
    assert interval.high[n] == 1
    grid = np.linspace(0.0005, 0.9995, 1000)
    cover = [
        binom.pmf(np.arange(n + 1), n, p)[(interval.low <= p) & (p <= interval.high)].sum()
        for p in grid
    ]
    assert 0.945 < np.mean(cover) < 0.965
    with pytest.raises(InvalidInputError, match="prior"):
        beta_interval(4, 1, prior=(0, 1))
