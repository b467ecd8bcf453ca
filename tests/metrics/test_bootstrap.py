"""Intervals by resampling problems against Clopper-Pearson and limiting cases."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t as student

from rlvr_fast.errors import InvalidInputError
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


def _paired_t(d: np.ndarray) -> tuple[float, float]:
    half = student.ppf(0.975, d.size - 1) * d.std(ddof=1) / np.sqrt(d.size)
    return d.mean() - half, d.mean() + half


def test_a_small_shift_of_all_problems_is_found_as_by_the_paired_t() -> None:
    rng = np.random.default_rng(1)
    n = 1024
    p = rng.beta(0.5, 1.5, 30)
    base, rl = rng.binomial(n, p), rng.binomial(n, np.minimum(p + 0.03, 1))
    low, high = _paired_t((rl - base) / n)
    assert low > 0
    got = pass_at_k_difference((n, base), (n, rl), k=1)
    assert got.low[0] > 0
    assert high - low < got.high[0] - got.low[0] < 1.5 * (high - low)


def test_differences_cover_where_few_rates_are_large() -> None:
    # the paired t covers in 70 % of such studies: the few large rates are often all missing
    n, problems, held, t_held = 1024, 30, 0, 0

    def draw(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
        small = np.minimum(rng.gamma(0.5, 2, size) / n, 1)
        p = np.where(rng.random(size) < 0.06, rng.random(size), small)
        return p, 4 * p / (1 + 3 * p)

    p, q = draw(np.random.default_rng(9), 400_000)
    truth = (q - p).mean()
    for seed in range(80):
        rng = np.random.default_rng(seed)
        p, q = draw(rng, problems)
        base, rl = rng.binomial(n, p), rng.binomial(n, q)
        got = pass_at_k_difference((n, base), (n, rl), k=1, replicates=400)
        held += got.low[0] <= truth <= got.high[0]
        low, high = _paired_t((rl - base) / n)
        t_held += low <= truth <= high
    assert held >= 76
    assert t_held < 72


def test_differences_of_equal_extremes_keep_a_width() -> None:
    # RL solves every draw of every problem and base none; or neither ever differs
    for base, rl in ((0, 16), (16, 0), (0, 0), (16, 16)):
        got = pass_at_k_difference((16, [base] * 20), (16, [rl] * 20), k=[1, 16])
        assert (got.high - got.low > 0.1).all()
        assert (got.low <= got.value).all()
        assert (got.value <= got.high).all()


def test_intervals_for_new_tasks_are_wider_than_for_these_tasks() -> None:
    # three tasks, of which RL loses one: the problems of a task say the same thing
    tasks = np.repeat([0, 1, 2], [40, 60, 50])
    base, rl = np.full(150, 8), np.where(tasks == 1, 0, 12)
    pair = ((16, base), (16, rl))
    fixed, new = support_interval(*pair), support_interval(*pair, groups=tasks)
    assert fixed.srr.value == new.srr.value == pytest.approx(0.6)
    assert 0.5 < fixed.srr.low < fixed.srr.high < 0.7
    assert new.srr.low < 0.1
    assert new.srr.high > 0.97
    assert new.problems == 150
    close, far = (pass_at_k_difference(*pair, k=[1, 16], groups=g) for g in (None, tasks))
    np.testing.assert_allclose(close.value, far.value)
    assert (far.high - far.low > 4 * (close.high - close.low)).all()
    one, many = (pass_at_k_interval(16, rl, k=16, groups=g) for g in (None, tasks))
    assert many.high[0] - many.low[0] > 4 * (one.high[0] - one.low[0])
    assert many.problems.tolist() == [150]
    # a group of its own for each problem is no group
    alone = pass_at_k_interval(16, rl, k=16, groups=np.arange(150))
    assert (alone.low, alone.high) == (one.low, one.high)
    with pytest.raises(InvalidInputError, match="one entry for each of the 150 rows"):
        support_interval(*pair, groups=[0, 1])


def test_the_interval_for_new_tasks_holds_the_one_for_these() -> None:
    for seed in range(30):
        rng = np.random.default_rng(seed)
        tasks = rng.integers(0, 3, 12)
        pair = ((16, rng.binomial(16, 0.3, 12)), (16, rng.binomial(16, 0.2, 12)))
        fixed, new = (
            pass_at_k_difference(*pair, k=[1, 16], groups=g, replicates=200, seed=seed)
            for g in (None, tasks)
        )
        assert (new.low <= fixed.low).all()
        assert (new.high >= fixed.high).all()
        fixed, new = (
            support_interval(*pair, groups=g, replicates=200, seed=seed) for g in (None, tasks)
        )
        for name in ("preserved", "shrunk", "srr", "ndr", "nscr"):
            a, b = getattr(fixed, name), getattr(new, name)
            assert b.low <= a.low <= a.high <= b.high


def test_few_lost_problems_of_low_rate_are_not_hidden_by_the_noise_of_the_others() -> None:
    # three of thirty problems are lost, all of low rate; another may lose more than those
    n = 1024
    rng = np.random.default_rng(3)
    p = np.concatenate([[0.02, 0.03, 0.04], rng.beta(2, 4, 27)])
    base = rng.binomial(n, p)
    rl = rng.binomial(n, np.where(np.arange(30) < 3, 0, p))
    got = pass_at_k_difference((n, base), (n, rl), k=1)
    assert got.low[0] < -0.025  # the mean where one problem in ten is lost


def test_equal_models_of_low_rates_are_compared_as_closely_as_by_the_paired_t() -> None:
    n = 16384
    rng = np.random.default_rng(4)
    p = np.concatenate([[0.3], rng.gamma(0.5, 2, 29) / n])
    base, rl = rng.binomial(n, p), rng.binomial(n, p)
    got = pass_at_k_difference((n, base), (n, rl), k=1)
    low, high = _paired_t((rl - base) / n)
    assert got.high[0] - got.low[0] < 2.5 * (high - low)
