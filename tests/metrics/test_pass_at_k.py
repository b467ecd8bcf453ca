"""pass@k against exact rational arithmetic."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics import (
    pass_at_k,
)


def exact_pass(n: int, c: int, k: int) -> float:
    return float(1 - Fraction(math.comb(n - c, k), math.comb(n, k)))


def test_pass_at_k_equals_rational_arithmetic_for_every_small_case() -> None:
    cases = [(n, c, k) for n in range(1, 41) for c in range(n + 1) for k in range(1, n + 1)]
    n, c, k = np.array(cases).T
    got = np.array([pass_at_k(a, b, d) for a, b, d in zip(n[::7], c[::7], k[::7], strict=True)])
    want = np.array([exact_pass(*case) for case in cases[::7]])
    np.testing.assert_allclose(got, want, rtol=1e-11, atol=1e-15)


@pytest.mark.parametrize("n", [1024, 8192, 16384, 30_011])
def test_pass_at_k_equals_rational_arithmetic_for_large_n(n: int) -> None:
    for c in (0, 1, 2, 3, 17, n // 3, n - 20, n - 1, n):
        for k in (1, 2, 5, 16, 17, 256, n // 2, n - 3, n - 1, n):
            got = float(pass_at_k(n, c, k))
            assert got == pytest.approx(exact_pass(n, c, k), rel=1e-10, abs=1e-300), (c, k)


@given(st.integers(1, 300), st.data())
def test_pass_at_k_rises_with_k_and_with_c(n: int, data: st.DataObject) -> None:
    c = data.draw(st.integers(0, n))
    ks = np.arange(1, n + 1)
    curve = pass_at_k(n, c, ks)
    assert (np.diff(curve) >= -1e-12).all()
    assert curve[0] == c / n
    assert (curve >= 0).all()
    assert (curve <= 1).all()
    if c < n:
        assert (pass_at_k(n, c + 1, ks) >= curve - 1e-12).all()


def test_pass_at_k_shapes_and_undefined_values() -> None:
    n = np.array([[4, 8, 0]])
    c = np.array([[1, 0, 0]])
    assert pass_at_k(n, c, 2).shape == (1, 3)
    assert pass_at_k(n, c, [1, 8]).shape == (1, 3, 2)
    assert np.isnan(pass_at_k(n, c, [1, 8])).tolist() == [
        [[False, True], [False, False], [True, True]]
    ]
    assert pass_at_k([], [], [1, 2]).shape == (0, 2)
    assert float(pass_at_k(10, 0, 10)) == 0.0
    assert float(pass_at_k(10, 1, 10)) == 1.0


def test_pass_at_k_is_unbiased() -> None:
    n, p = 12, 0.23
    c = np.arange(n + 1)
    weights = binom.pmf(c, n, p)
    for k in (1, 3, 12):
        mean = float((weights * pass_at_k(n, c, k)).sum())
        assert mean == pytest.approx(1 - (1 - p) ** k, rel=1e-12)


@pytest.mark.parametrize(
    ("n", "c", "k", "message"),
    [
        ([4], [5], 1, "entry 0 has 5 correct of 4"),
        ([4], [-1], 1, "negative"),
        ([4.5], [1], 1, "whole numbers"),
        ([4, 4], [1, 1, 1], 1, "shapes"),
        ([4], [1], 0, "at least 1"),
        (["4"], [1], 1, "whole numbers"),
        ([4], [np.nan], 1, "whole numbers"),
    ],
)
def test_pass_at_k_refuses(n: list[int], c: list[int], k: int, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        pass_at_k(n, c, k)
