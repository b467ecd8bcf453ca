"""Intervals by resampling problems against Clopper-Pearson and limiting cases."""

from __future__ import annotations

import numpy as np
import pytest

from rlvr_fast.metrics import (
    clopper_pearson,
    expected_support_shift,
    pass_at_k,
    pass_at_k_difference,
    pass_at_k_interval,
    ratio_interval,
    support_interval,
    support_shift,
)


def test_interval_on_0_1_values_is_clopper_pearson() -> None:
    # at k = n each problem's value is 0 or 1: Gaffke's limits are the exact binomial limits
    correct = np.array([1] * 7 + [0] * 33)
    curve = pass_at_k_interval(16, correct, k=16, replicates=40_000, seed=3)
    want = clopper_pearson(40, 7)
    assert curve.low[0] == pytest.approx(float(want.low), abs=0.004)
    assert curve.high[0] == pytest.approx(float(want.high), abs=0.004)


def test_ratio_intervals_are_clopper_pearson() -> None:
    rows = ratio_interval(30, 4, 6, 20, replicates=40_000)
    for estimate, c, n in ((rows.srr, 30, 36), (rows.ndr, 4, 34)):
        want = clopper_pearson(n, c)
        assert estimate.value == pytest.approx(c / n)
        assert estimate.low == pytest.approx(float(want.low), abs=0.01)
        assert estimate.high == pytest.approx(float(want.high), abs=0.01)
    assert rows.shrunk.value == 6 / 60


def test_ratio_without_observations_has_an_upper_limit() -> None:
    rows = ratio_interval(28, 0, 0, 2)
    assert rows.ndr.value == 0
    assert rows.ndr.high > 0.09
    assert rows.srr.value == 1
    assert rows.srr.low < 0.91
    assert rows.nscr.low < 0 < rows.nscr.high
    nothing = ratio_interval(0, 0, 0, 10)
    assert np.isnan(nothing.srr.value)
    assert (nothing.srr.low, nothing.srr.high) == (0.0, 1.0)
    assert (nothing.sds.low, nothing.sds.high) == (0.0, 1.0)


def test_support_interval_at_full_depth_is_the_published_count() -> None:
    rng = np.random.default_rng(5)
    n = 32
    bc, rc = rng.binomial(n, 0.04, 80), rng.binomial(n, 0.03, 80)
    shift = support_shift((n, bc), (n, rc))
    expected = expected_support_shift((n, bc), (n, rc))
    assert (expected.preserved, expected.expanded, expected.shrunk, expected.out) == (
        shift.preserved, shift.expanded, shift.shrunk, shift.out,
    )  # fmt: skip
    interval = support_interval((n, bc), (n, rc), seed=1)
    for name in ("srr", "ndr", "sds", "nscr"):
        estimate = getattr(interval, name)
        assert estimate.value == pytest.approx(getattr(shift, name))
        assert estimate.value == pytest.approx(getattr(expected, name))
        assert estimate.low < estimate.value < estimate.high
    assert support_interval((n, bc), (n, rc), seed=1) == interval
    assert support_interval((n, bc), (n, rc), seed=2) != interval


def test_curves_of_problems_with_different_numbers_of_samples() -> None:
    n = np.array([4, 4, 16, 16])
    c = np.array([1, 0, 3, 0])
    curve = pass_at_k_interval(n, c, k=[1, 4, 16, 32])
    assert curve.problems.tolist() == [4, 4, 2, 0]
    assert curve.value[2] == 0.5
    assert np.isnan([curve.value[3], curve.low[3], curve.high[3]]).all()
    np.testing.assert_allclose(
        curve.value[:2], np.mean([pass_at_k(n, c, 1), pass_at_k(n, c, 4)], axis=1)
    )
    assert (curve.low[:3] < curve.value[:3]).all()
    assert (curve.value[:3] < curve.high[:3]).all()
    difference = pass_at_k_difference((n, c), (n[::-1], c[::-1]), k=[1, 4])
    assert difference.problems.tolist() == [4, 4]
    np.testing.assert_allclose(difference.value, 0, atol=1e-12)
