"""Null distributions of the support shift against enumeration and scipy."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, hypergeom

from rlvr_fast.metrics import (
    exchange_null,
    split_half_null,
    support_shift,
)
from rlvr_fast.metrics.poisson_binomial import poisson_binomial_tail


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
    odd = split_half_null([5], [1])  # one of the five samples is in neither half
    assert odd.out == pytest.approx(1 / 5)
    assert odd.expanded == pytest.approx(2 / 5)
    assert split_half_null([1, 0], [1, 0]).depth.size == 0


def test_split_half_null_is_unbiased() -> None:
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


def test_exchange_null_at_the_common_depth_by_enumeration() -> None:
    draws = [1, 1, 0, 0, 0, 0, 0]  # five draws of the base, two of RL: a common depth of two
    pairs = [
        (any(draws[i] for i in a), any(draws[i] for i in b))
        for a in itertools.combinations(range(7), 2)
        for b in itertools.combinations(sorted(set(range(7)) - set(a)), 2)
    ]
    null = exchange_null(([5], [1]), ([2], [1]))
    assert null.preserved_at_depth == pytest.approx(np.mean([a and b for a, b in pairs]))
    assert null.shrunk_at_depth == pytest.approx(np.mean([a and not b for a, b in pairs]))
    assert null.expanded_at_depth == pytest.approx(null.shrunk_at_depth)
    equal = exchange_null((9, [1, 0, 4]), (9, [1, 2, 0]))
    assert equal.shrunk_at_depth == pytest.approx(equal.shrunk)


def test_spurious_numbers_at_the_common_depth_are_unbiased() -> None:
    rng = np.random.default_rng(4)
    bn, rn, p = 256, 32, np.exp(rng.normal(np.log(1 / 32), 1.5, 200)).clip(0, 1)
    got = [
        exchange_null((bn, rng.binomial(bn, p)), (rn, rng.binomial(rn, p))).shrunk_at_depth
        for _ in range(100)
    ]
    miss = (1 - p) ** 32
    assert np.mean(got) == pytest.approx((miss * (1 - miss)).sum(), rel=0.02)


@given(st.lists(st.floats(0, 1), max_size=9), st.integers(-1, 10))
def test_poisson_binomial_tail_by_enumeration(chances: list[float], least: int) -> None:
    p = np.array(chances)
    want = sum(
        float(np.prod(np.where(np.array(bits, dtype=bool), p, 1 - p)))
        for bits in itertools.product((0, 1), repeat=len(chances))
        if sum(bits) >= least
    )
    assert poisson_binomial_tail(p, least) == pytest.approx(want, abs=1e-12)


def test_poisson_binomial_tail_is_accurate_for_small_values() -> None:
    got = poisson_binomial_tail(np.full(200, 0.01), 25)
    assert got == pytest.approx(binom.sf(24, 200, 0.01), rel=1e-8)


@pytest.mark.parametrize("least", [1, 5, 16])
def test_tails_have_the_same_digits_with_and_without_arrays(
    monkeypatch: pytest.MonkeyPatch, least: int
) -> None:
    p = np.random.default_rng(least).random(60) ** 9
    short = poisson_binomial_tail(p, least)
    monkeypatch.setattr("rlvr_fast.metrics.poisson_binomial._SHORT", 0)
    assert poisson_binomial_tail(p, least) == short > 0
