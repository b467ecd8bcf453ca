"""Intervals, exact tests and nulls against brute force, scipy and limiting cases."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, binom, binomtest, false_discovery_control, fisher_exact, hypergeom

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics import (
    above_guessing,
    accessibility,
    accessibility_bounds,
    beta_interval,
    clopper_pearson,
    exchange_null,
    expected_support_shift,
    fisher_tests,
    guessing_baseline,
    pass_at_k,
    pass_at_k_bounds,
    pass_at_k_difference,
    pass_at_k_interval,
    ratio_interval,
    sign_test,
    split_half_null,
    support_interval,
    support_shift,
    support_shift_bounds,
)
from rlvr_fast.metrics.nulls import poisson_binomial_tail
from rlvr_fast.metrics.support import support_ratios


def test_clopper_pearson_is_scipys() -> None:
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


def test_interval_of_zero_one_values_is_clopper_pearson() -> None:
    # at k = n every problem is solved or not: Gaffke's bound becomes the exact binomial one
    correct = np.array([1] * 7 + [0] * 33)
    curve = pass_at_k_interval(16, correct, k=16, replicates=40_000, seed=3)
    want = clopper_pearson(40, 7)
    assert curve.low[0] == pytest.approx(float(want.low), abs=0.004)
    assert curve.high[0] == pytest.approx(float(want.high), abs=0.004)


def test_ratio_intervals_are_clopper_pearson_of_the_discordant() -> None:
    rows = ratio_interval(30, 4, 6, 20, replicates=40_000)
    for estimate, c, n in ((rows.srr, 30, 36), (rows.ndr, 4, 34)):
        want = clopper_pearson(n, c)
        assert estimate.value == pytest.approx(c / n)
        assert estimate.low == pytest.approx(float(want.low), abs=0.01)
        assert estimate.high == pytest.approx(float(want.high), abs=0.01)
    assert rows.shrunk.value == 6 / 60


def test_nothing_seen_still_has_an_upper_limit() -> None:
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


def test_expected_shift_is_the_average_over_all_subsamples() -> None:
    base, rl = [1, 0, 0, 1, 0], [0, 0, 1, 0]
    labels = {"preserved": 0, "expanded": 0, "shrunk": 0, "out": 0}
    pairs = list(itertools.product(itertools.combinations(base, 2), itertools.combinations(rl, 2)))
    for b, r in pairs:
        shift = support_shift((2, [sum(b)]), (2, [sum(r)]))
        for name in labels:
            labels[name] += getattr(shift, name)
    expected = expected_support_shift((5, [2]), (4, [1]), k=2)
    for name, count in labels.items():
        assert getattr(expected, name) == pytest.approx(count / len(pairs)), name
    assert expected_support_shift(([5, 1], [2, 1]), (4, [1, 1]), k=2).skipped == 1


def test_curves_with_ragged_samples() -> None:
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


def test_sign_test_is_binomial() -> None:
    assert sign_test(expanded=0, shrunk=0) == 1
    assert sign_test(expanded=0, shrunk=5) == pytest.approx(2 / 32)
    assert sign_test(expanded=7, shrunk=3) == binomtest(7, 10).pvalue


def test_fisher_is_scipys_and_bh_is_scipys() -> None:
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


def test_split_half_null_is_the_average_over_all_halvings() -> None:
    draws = [1, 1, 0, 0, 0, 0]
    counts = {"preserved": 0, "expanded": 0, "shrunk": 0, "out": 0}
    halvings = list(itertools.combinations(range(6), 3))
    for half in halvings:
        a = sum(draws[i] for i in half)
        shift = support_shift((3, [a]), (3, [sum(draws) - a]))
        for name in counts:
            counts[name] += getattr(shift, name)
    null = split_half_null([6], [2])
    for name, count in counts.items():
        assert getattr(null, name) == pytest.approx(count / len(halvings)), name
    odd = split_half_null([5], [1])  # one of the five draws is left over
    assert odd.out == pytest.approx(1 / 5)
    assert odd.expanded == pytest.approx(2 / 5)
    assert split_half_null([1, 0], [1, 0]).depth.size == 0


def test_split_half_null_is_unbiased_for_the_chance_of_a_spurious_loss() -> None:
    n, h, p = 24, 12, np.log(2) / 12
    c = np.arange(n + 1)
    mean = sum(
        w * split_half_null([n], [k]).shrunk for w, k in zip(binom.pmf(c, n, p), c, strict=True)
    )
    miss = (1 - p) ** h
    assert mean == pytest.approx(miss * (1 - miss), rel=1e-9)


def test_exchange_null_against_the_hypergeometric() -> None:
    bn, rn = np.array([8, 10]), np.array([8, 6])
    bc, rc = np.array([2, 1]), np.array([0, 1])
    null = exchange_null((bn, bc), (rn, rc))
    expand = [hypergeom.pmf(0, b + r, k + m, b) for b, r, k, m in zip(bn, rn, bc, rc, strict=True)]
    shrink = [hypergeom.pmf(0, b + r, k + m, r) for b, r, k, m in zip(bn, rn, bc, rc, strict=True)]
    assert null.expanded == pytest.approx(sum(expand))
    assert null.shrunk == pytest.approx(sum(shrink))
    assert null.p_expanded == 1
    assert null.p_shrunk == pytest.approx(1 - np.prod(1 - np.array(shrink)))


@given(st.lists(st.floats(0, 1), max_size=9), st.integers(-1, 10))
def test_poisson_binomial_tail_by_enumeration(chances: list[float], least: int) -> None:
    p = np.array(chances)
    want = sum(
        float(np.prod(np.where(np.array(bits, dtype=bool), p, 1 - p)))
        for bits in itertools.product((0, 1), repeat=len(chances))
        if sum(bits) >= least
    )
    assert poisson_binomial_tail(p, least) == pytest.approx(want, abs=1e-12)


def test_poisson_binomial_tail_of_equal_chances_keeps_small_values() -> None:
    got = poisson_binomial_tail(np.full(200, 0.01), 25)
    assert got == pytest.approx(binom.sf(24, 200, 0.01), rel=1e-8)


def test_guessing() -> None:
    assert float(guessing_baseline(1e-3, k=8192)) == pytest.approx(0.9997, abs=5e-5)
    curve = guessing_baseline([0.0, 0.5, 1.0], k=[1, 2])
    assert curve.tolist() == [[0.0, 0.0], [0.5, 0.75], [1.0, 1.0]]
    assert float(above_guessing(10, 2, guess_probability=0.1)) == pytest.approx(
        1 - binom.cdf(1, 10, 0.1)
    )
    with pytest.raises(InvalidInputError, match="guess_probability"):
        guessing_baseline(1.5, k=1)


def test_pass_at_k_bounds() -> None:
    bounds = pass_at_k_bounds([10, 10], [2, 0], num_undecided=[3, 0], k=[1, 4])
    np.testing.assert_allclose(bounds.low, pass_at_k(10, [2, 0], [1, 4]))
    np.testing.assert_allclose(bounds.high, pass_at_k(10, [5, 0], [1, 4]))
    with pytest.raises(InvalidInputError, match="exceeds"):
        pass_at_k_bounds([4], [3], num_undecided=[2], k=1)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(*[st.integers(0, 1)] * 4), min_size=1, max_size=4))
def test_shift_bounds_are_attained_and_never_passed(rows: list[tuple[int, ...]]) -> None:
    bc, bu, rc, ru = np.array(rows).T
    seen: dict[str, list[float]] = {}
    for choice in itertools.product((0, 1), repeat=2 * len(rows)):
        pick = np.array(choice).reshape(2, -1)
        shift = support_shift((4, bc + bu * pick[0]), (4, rc + ru * pick[1]))
        for name, value in shift.as_dict().items():
            seen.setdefault(name, []).append(value)
    bounds = support_shift_bounds((4, bc), (4, rc), base_undecided=bu, rl_undecided=ru)
    for name in ("preserved", "expanded", "shrunk", "out", "srr", "ndr", "sds", "nscr"):
        values = np.array(seen[name], dtype=float)
        values = values[~np.isnan(values)]
        got = getattr(bounds, name)
        if values.size:
            assert got == pytest.approx((values.min(), values.max())), name
        else:
            assert np.isnan(got).all()


def test_bounds_of_the_epsilon_rule_hold_every_completion() -> None:
    base = accessibility(8192, [0, 3, 900, 2, 7], rule="epsilon")
    rl = accessibility(8192, [5, 3, 0, 40, 7], rule="epsilon")
    bounds = accessibility_bounds(base, rl)
    assert bounds.preserved == (1, 3)
    assert bounds.expanded == (0, 3)
    assert bounds.shrunk == (1, 2)
    assert bounds.out == (0, 2)
    assert bounds.srr == (1 / 3, 3 / 4)
    with pytest.raises(InvalidInputError, match="-1, 0 and 1"):
        accessibility_bounds([2], [0])


def test_ratios_of_arrays() -> None:
    ratios = support_ratios([1, 0, 0], [1, 0, 2], [2, 0, 0])
    np.testing.assert_allclose(ratios.srr, [1 / 3, np.nan, np.nan])
    np.testing.assert_allclose(ratios.sds, [2 * 1 / (1 + 2 + 2), 0, 0])
    np.testing.assert_allclose(ratios.nscr, [-1 / 4, np.nan, 1])


def test_beta_tail_identity_used_by_the_epsilon_rule() -> None:
    interval = clopper_pearson(8192, 7, level=0.9)
    assert float(interval.low) == pytest.approx(beta.ppf(0.05, 7, 8186), rel=1e-9)
    assert float(interval.low) > 3.657e-4
