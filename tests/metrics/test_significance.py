"""Exact tests against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest, false_discovery_control, fisher_exact

from rlvr_fast.metrics import (
    fisher_tests,
    sign_test,
)


def test_sign_test_is_binomial() -> None:
    assert sign_test(expanded=0, shrunk=0) == 1
    assert sign_test(expanded=0, shrunk=5) == pytest.approx(2 / 32)
    assert sign_test(expanded=7, shrunk=3) == binomtest(7, 10).pvalue


def test_fisher_and_benjamini_hochberg_equal_scipy() -> None:
    rng = np.random.default_rng(0)
    bn = rng.integers(1, 60, 120)
    rn = rng.integers(1, 60, 120)
    bc, rc = rng.binomial(bn, 0.3), rng.binomial(rn, 0.5)
    tests = fisher_tests((bn, bc), (rn, rc))
    want = [
        fisher_exact([[a, b - a], [c, d - c]])[1] for a, b, c, d in zip(bc, bn, rc, rn, strict=True)
    ]
    np.testing.assert_allclose(tests.p_value, want, rtol=1e-8)
    np.testing.assert_allclose(tests.q_value, false_discovery_control(want), rtol=1e-8)
    assert 0 < tests.discovery.sum() < 120
    np.testing.assert_array_equal(tests.direction, np.sign(rc / rn - bc / bn))
    assert fisher_tests(([], []), ([], [])).p_value.shape == (0,)
    deep = fisher_tests((16384, [0]), (16384, [30]))
    assert deep.p_value[0] == pytest.approx(fisher_exact([[0, 16384], [30, 16354]])[1], rel=1e-6)
