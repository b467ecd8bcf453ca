"""The shift that one common tilt shows: its law against scipy, its error rates by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import nchypergeom_fisher

from rlvr_fast.metrics import exchange_null, fit_tilt, tilt, tilt_null


def rates(problems: int, near: float, rng: np.random.Generator) -> np.ndarray:
    """Heavy-tailed success rates, most of them near `near`."""
    rare = np.exp(rng.normal(math.log(near), 1.5, problems))
    common = rng.beta(0.4, 1.0, problems)
    kind = rng.choice(3, problems, p=[0.55, 0.3, 0.15])
    return np.where(kind == 0, np.minimum(rare, 1), np.where(kind == 1, common, 0.0))


def test_numbers_are_those_of_the_noncentral_hypergeometric_law() -> None:
    bn, rn = np.array([8, 10, 30, 5, 7]), np.array([8, 6, 50, 9, 7])
    bc, rc = np.array([0, 3, 7, 0, 7]), np.array([5, 0, 25, 8, 7])
    null = tilt_null((bn, bc), (rn, rc))
    odds = math.exp(null.beta)
    law = [
        nchypergeom_fisher(b + r, c, r, odds)
        for b, r, c in zip(bn, rn, bc + rc, strict=True)
        if 0 < c < b + r
    ]
    totals = [c for b, r, c in zip(bn, rn, bc + rc, strict=True) if 0 < c < b + r]
    assert null.expanded == pytest.approx(sum(x.pmf(c) for x, c in zip(law, totals, strict=True)))
    assert null.shrunk == pytest.approx(sum(x.pmf(0) for x in law))
    assert null.low < null.beta < null.high


def test_wide_laws_are_cut_without_loss() -> None:
    bn, rn, bc, rc = (np.array(a) for a in ([16384] * 3, [8192] * 3, [9000, 3, 0], [6000, 1, 3]))
    null = tilt_null((bn, bc), (rn, rc))
    odds = math.exp(null.beta)
    law = [nchypergeom_fisher(b + r, c, r, odds) for b, r, c in zip(bn, rn, bc + rc, strict=True)]
    assert null.shrunk == pytest.approx(sum(x.pmf(0) for x in law[1:]), rel=1e-5)
    assert null.expanded == pytest.approx(law[1].pmf(4) + law[2].pmf(3), rel=1e-5)
    # the estimate solves its equation: the mean of the weighed counts is the observed one
    weight = 1 / np.array([8192, 4, 4])
    mean = sum(w * x.mean() for w, x in zip(weight, law, strict=True))
    assert mean == pytest.approx(float(weight @ rc), abs=1e-7)


def test_limits_of_beta_hold_at_the_edge() -> None:
    # every correct draw is RL's: no finite beta fits; the lower limit has at most its probability
    null = tilt_null((16, [0] * 5), (16, [1] * 5))
    assert null.beta == null.high == math.inf
    assert 0 < (1 / (1 + math.exp(-null.low))) ** 5 <= 5e-4
    assert null.p_expanded == 1  # an unbounded tilt explains any number found
    mirrored = tilt_null((16, [1] * 5), (16, [0] * 5))
    assert mirrored.high == pytest.approx(-null.low)
    assert mirrored.p_shrunk == 1
    for none in (((16, [16, 0]), (16, [16, 0])), (([0], [0]), ([4], [1])), (([], []), ([], []))):
        null = tilt_null(*none)
        assert math.isnan(null.beta)
        assert (null.p_expanded, null.p_shrunk) == (1, 1)


def test_beta_is_that_of_the_plain_fit_where_draws_are_few() -> None:
    # up to four correct draws a problem, every draw weighs the same in both estimates
    rng = np.random.default_rng(1)
    base, rl = (8, rng.integers(0, 3, 50)), (8, rng.integers(0, 3, 50))
    assert tilt_null(base, rl).beta == pytest.approx(fit_tilt(base, rl).beta, abs=1e-6)


def test_found_problems_with_many_correct_draws_do_not_decide_beta() -> None:
    rng = np.random.default_rng(2)
    p = rng.beta(0.5, 2, 200)
    base = 512, np.append(rng.binomial(512, p), np.zeros(20, dtype=int))
    rl = 512, np.append(rng.binomial(512, tilt(p, 0.5)), np.full(20, 250))
    null = tilt_null(base, rl)
    assert abs(null.beta - 0.5) < 0.25
    assert null.beta + 0.1 < fit_tilt(base, rl).beta
    assert null.p_expanded < 0.001


def test_truly_found_problems_are_more_than_a_tilt_shows() -> None:
    rng = np.random.default_rng(3)
    claims = []
    for _ in range(20):
        p = rates(300, 1 / 256, rng)
        found = rng.random(300) < 0.12
        base = np.where(found, 0.0, p)
        rl = np.where(found, 0.3, tilt(p, 1.0))
        null = tilt_null((256, rng.binomial(256, base)), (256, rng.binomial(256, rl)))
        claims.append(null.p_expanded <= 0.005)
    assert np.mean(claims) >= 0.9


@pytest.mark.slow
def test_level_under_one_common_tilt() -> None:
    rng = np.random.default_rng(4)
    false, equal_models = [], []
    for i in range(400):
        problems = int(rng.choice([30, 150, 600]))
        depth = int(2 ** rng.integers(4, 13))
        bn, rn = np.full(problems, depth), np.full(problems, depth)
        if i % 3 == 1:
            rn = np.maximum(rn // 8, 4)
        elif i % 3 == 2:
            bn, rn = (rng.integers(4, 2 * depth, problems) for _ in range(2))
        p, beta = rates(problems, 1 / depth, rng), rng.uniform(-2, 4)
        base, rl = (bn, rng.binomial(bn, p)), (rn, rng.binomial(rn, tilt(p, beta)))
        null = tilt_null(base, rl)
        false.append([null.p_expanded <= 0.05, null.p_shrunk <= 0.05])
        equal_models.append(
            min(exchange_null(base, rl).p_expanded, exchange_null(base, rl).p_shrunk)
        )
        assert null.low <= beta <= null.high
    assert (np.mean(false, axis=0) <= 0.05).all()
    # the null of equal models calls most mere tilts a change, as it must
    assert np.mean(np.array(equal_models) <= 0.05) > 0.5


def test_more_correct_draws_than_one_model_has() -> None:
    # 1064 correct of 335 + 1121 draws: RL has at least 729 of them, at any beta
    null = tilt_null((335, [235]), (1121, [829]))
    odds = (829 / 292) / (235 / 100)
    assert null.beta == pytest.approx(math.log(odds), abs=0.001)
    assert null.low < null.beta < null.high
    assert (null.p_expanded, null.p_shrunk) == (1.0, 1.0)
    # also where the law at one end of the range of beta is placed
    rng = np.random.default_rng(4)
    for problems in (1, 2, 5):
        for _ in range(20):
            n, m = np.exp(rng.uniform(0, np.log(16384), (2, problems))).astype(int)
            p = rng.random(problems)
            found = tilt_null((n, rng.binomial(n, p)), (m, rng.binomial(m, p)))
            assert found.low <= found.beta <= found.high or math.isnan(found.beta)
