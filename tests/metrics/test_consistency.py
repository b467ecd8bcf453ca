"""pass^k, G-Pass@k and Cover@tau against enumeration."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics import (
    cover_at,
    g_pass_at_k,
    pass_at_k,
    pass_hat_k,
)


def test_g_pass_and_pass_hat_by_enumeration() -> None:
    draws = [1, 1, 1, 0, 0]
    for k, tau in itertools.product((1, 2, 3, 5), (0.2, 0.5, 0.75, 1.0)):
        subsets = list(itertools.combinations(draws, k))
        want = np.mean([sum(s) >= max(1, math.ceil(tau * k)) for s in subsets])
        assert float(g_pass_at_k(5, 3, k=k, tau=tau)) == pytest.approx(want), (k, tau)
    np.testing.assert_allclose(pass_hat_k(5, 3, k=[1, 2, 3, 4]), [0.6, 0.3, 0.1, 0])
    np.testing.assert_allclose(
        g_pass_at_k([5, 5], [3, 0], k=[2, 4], tau=0.1), pass_at_k(5, [3, 0], [2, 4])
    )
    assert np.isnan(pass_hat_k(5, 3, k=6))
    with pytest.raises(InvalidInputError, match="tau"):
        g_pass_at_k(5, 3, k=2, tau=0.0)


def test_cover_at() -> None:
    assert cover_at([10, 10, 0], [3, 10, 0], tau=[0.3, 0.31, 1.0]).tolist() == [1.0, 0.5, 0.5]
    assert float(cover_at(10, [3, 1], tau=0.2)) == 0.5
