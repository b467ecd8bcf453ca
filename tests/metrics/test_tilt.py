"""The tilt, its fit, its curves and its ceiling."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binomtest
from scipy.stats.contingency import odds_ratio

from rlvr_fast.metrics import (
    fit_tilt,
    support_ceiling,
    tilt,
    tilt_pass_at_k,
)


def test_tilt_multiplies_odds_and_keeps_0_and_1() -> None:
    p = np.array([0.0, 0.01, 0.5, 1.0])
    np.testing.assert_allclose(tilt(p, 0.0), p)
    moved = tilt(p, 2.0)
    np.testing.assert_allclose(moved[1:3] / (1 - moved[1:3]), math.exp(2) * p[1:3] / (1 - p[1:3]))
    assert tilt(p, np.inf).tolist() == [0, 1, 1, 1]
    assert tilt(p, -np.inf).tolist() == [0, 0, 0, 1]
    assert np.isfinite(tilt(p, 800.0)).all()


def test_tilt_of_one_problem_is_the_conditional_odds_ratio_of_scipy() -> None:
    fit = fit_tilt(([50], [12]), ([60], [30]))
    want = odds_ratio([[30, 30], [12, 38]], kind="conditional").statistic
    assert fit.beta == pytest.approx(math.log(want), rel=1e-6)
    assert fit.problem_beta[0] == pytest.approx(math.log((30 / 30) / (12 / 38)))


@pytest.mark.parametrize("n", [16, 256, 4096])
def test_tilt_recovers_the_planted_beta(n: int) -> None:
    rng = np.random.default_rng(n)
    p = rng.beta(0.5, 1.0, 400)
    c = rng.binomial(n, p)
    d = rng.binomial(n, tilt(p, 1.3))
    fit = fit_tilt((n, c), (n, d))
    assert fit.low < 1.3 < fit.high
    assert fit.beta == pytest.approx(1.3, abs=0.12 if n == 16 else 0.04)
    assert fit.heterogeneity_p > 1e-3
    mixed = rng.binomial(n, tilt(p, np.where(np.arange(400) % 2, 3.0, -1.0)))
    assert fit_tilt((n, c), (n, mixed)).heterogeneity_p < 1e-6


def test_tilt_at_the_edges() -> None:
    fit = fit_tilt(([4, 4, 4, 0], [0, 4, 2, 0]), (4, [0, 4, 4, 2]))
    assert math.isnan(fit.problem_beta[0])
    assert math.isnan(fit.problem_beta[1])
    assert fit.problem_beta[2] == math.inf
    assert math.isnan(fit.problem_beta[3])
    assert (fit.beta, fit.informative) == (math.inf, 1)
    assert math.isnan(fit_tilt((4, [0]), (4, [0])).beta)


def test_ceiling_and_tilted_curves() -> None:
    n, c = [100] * 4, [0, 0, 50, 1]
    ceiling = support_ceiling(n, c)
    assert (ceiling.seen, ceiling.unseen, ceiling.problems) == (0.5, 0.5, 4)
    assert ceiling.threshold == pytest.approx(1 - 0.05 ** (1 / 100))
    beta = ceiling.beta_to_reach(0.5)
    assert tilt(ceiling.threshold, beta) == pytest.approx(0.5)
    flat = tilt_pass_at_k(n, c, beta=0.0, k=[1, 7])
    np.testing.assert_allclose(
        flat.value, [np.mean(1 - (1 - np.array(c) / 100) ** k) for k in (1, 7)]
    )
    limit = tilt_pass_at_k(n, c, beta=np.inf, k=[1, 1000])
    assert limit.value.tolist() == [0.5, 0.5]  # corollary C.5: share of base's support
    assert limit.ceiling.tolist() == [1.0, 1.0]
    finite = tilt_pass_at_k(n, c, beta=2.0, k=[1, 64])
    assert (finite.value < finite.ceiling).all()
    upper = binomtest(0, 100, alternative="less").proportion_ci(0.95, "exact").high
    only_unseen = tilt_pass_at_k(100, [0], beta=2.0, k=1)
    assert only_unseen.ceiling[0] == pytest.approx(float(tilt(upper, 2.0)))
    assert math.isnan(support_ceiling([0], [0]).seen)
