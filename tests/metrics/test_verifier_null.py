"""Reached by at least m correct draws, and the false-positive rate that explains a shift."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics import (
    exchange_null,
    expected_support_shift,
    false_positive_rate,
    reached_at_least,
)


def test_one_correct_draw_is_the_seen_rule() -> None:
    rng = np.random.default_rng(0)
    bn, rn = rng.integers(1, 40, 60), rng.integers(1, 40, 60)
    bc, rc = rng.binomial(bn, 0.06), rng.binomial(rn, 0.06)
    (one,) = reached_at_least((bn, bc), (rn, rc), correct=[1])
    shift, null = expected_support_shift((bn, bc), (rn, rc)), exchange_null((bn, bc), (rn, rc))
    for name in ("preserved", "expanded", "shrunk", "out"):
        assert getattr(one.shift, name) == pytest.approx(getattr(shift, name), abs=1e-9)
    for name in ("preserved", "expanded", "shrunk"):
        assert getattr(one.by_luck, name) == pytest.approx(getattr(null, f"{name}_at_depth"))
    assert one.p_expanded == pytest.approx(null.p_expanded)
    assert one.p_shrunk == pytest.approx(null.p_shrunk)
    assert one.shrunk == np.count_nonzero((bc > 0) & (rc == 0))


def test_null_of_two_correct_draws_by_enumeration() -> None:
    draws = [1, 1, 1, 1, 0, 0, 0, 0]  # five draws of the base, three of RL
    found, lost = [], []
    for base in itertools.combinations(range(8), 5):
        in_base = sum(draws[i] for i in base)
        found.append(in_base < 2 <= 4 - in_base)
        lost.append(4 - in_base < 2 <= in_base)
    (two,) = reached_at_least(([5], [1]), ([3], [3]), correct=[2])
    assert two.p_expanded == pytest.approx(np.mean(found))
    (two,) = reached_at_least(([5], [3]), ([3], [1]), correct=[2])
    assert two.p_shrunk == pytest.approx(np.mean(lost))
    # at the common depth: three draws of each, of the eight
    both = [
        (sum(draws[i] for i in a), sum(draws[i] for i in b))
        for a in itertools.combinations(range(8), 3)
        for b in itertools.combinations(sorted(set(range(8)) - set(a)), 3)
    ]
    assert two.by_luck.shrunk == pytest.approx(np.mean([x >= 2 > y for x, y in both]))
    assert two.by_luck.preserved == pytest.approx(np.mean([x >= 2 <= y for x, y in both]))
    # the base's 3 of 5: 7 of 10 choices of 3 draws hold at least two
    assert two.shift.shrunk == pytest.approx(0.7)


def test_reached_at_least_refuses() -> None:
    with pytest.raises(InvalidInputError, match="at least 1"):
        reached_at_least((4, [1]), (4, [1]), correct=[0])
    assert reached_at_least(([], []), ([], []), correct=[1])[0].p_shrunk == 1


def test_false_positive_rate_solves_its_equation() -> None:
    rng = np.random.default_rng(1)
    bn, rn = rng.integers(1, 400, 200), rng.integers(1, 900, 200)
    bc, rc = rng.binomial(bn, 0.004), rng.binomial(rn, 0.003)
    rate = false_positive_rate((bn, bc), (rn, rc))
    not_base, not_rl = bc == 0, rc == 0
    found = np.count_nonzero(rc[not_base])
    lost = np.count_nonzero(bc[not_rl])
    assert (1 - (1 - rate.expanded) ** rn[not_base]).sum() == pytest.approx(found)
    assert (1 - (1 - rate.shrunk) ** bn[not_rl]).sum() == pytest.approx(lost)
    none = false_positive_rate((8, [1, 0]), (8, [1, 0]))
    assert math.isnan(none.expanded)
    assert math.isnan(none.shrunk)
    assert false_positive_rate((8, [0, 0]), (8, [1, 1])).expanded == 1


@pytest.mark.parametrize("rate", [1e-4, 1e-3, 1e-2])
def test_a_verifier_with_twice_the_errors_for_rl_shows_at_one_draw_alone(rate: float) -> None:
    rng = np.random.default_rng(2)
    n = round(0.25 / rate)  # 2500 to 25 draws
    claims, rates = [], []
    for _ in range(60):
        right = rng.beta(1, 1, 300) * (rng.random(300) < 0.4)
        base = n, rng.binomial(n, np.maximum(right, rate))
        rl = n, rng.binomial(n, np.maximum(right, 2 * rate))
        claims.append([m.p_expanded <= 0.05 for m in reached_at_least(base, rl)])
        rates.append(false_positive_rate(base, rl).expanded)
    at = dict(zip((1, 2, 3, 5, 10), np.mean(claims, axis=0), strict=True))
    assert at[1] >= 0.9  # nothing was learnt, and one draw says that more was found
    assert at[5] <= 0.08
    assert at[10] <= 0.05
    assert np.mean(rates) == pytest.approx(2 * rate, rel=0.15)
