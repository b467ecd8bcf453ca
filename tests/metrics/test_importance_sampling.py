"""Importance sampling on models with known probabilities, and its refusals."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike
from scipy.stats import genpareto

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics import (
    ImportanceEstimate,
    clopper_pearson,
    importance_estimate,
    lower_mean_limit,
)
from rlvr_fast.metrics.pareto import fit_generalized_pareto, smooth_weights


def test_generalized_pareto_shape() -> None:
    rng = np.random.default_rng(4)
    for shape in (-0.3, 0.2, 0.9):
        x = genpareto.rvs(shape, scale=2.0, size=4000, random_state=rng)
        k, scale = fit_generalized_pareto(x)
        assert k == pytest.approx(shape, abs=0.08)
        assert scale == pytest.approx(2.0, rel=0.12)


def test_smoothing_changes_the_largest_weights_only() -> None:
    rng = np.random.default_rng(5)
    lw = rng.normal(0, 1.5, 1000)
    smoothed, k = smooth_weights(lw)
    changed = smoothed != lw
    assert 0 < changed.sum() <= 3 * math.sqrt(1000)
    assert smoothed.max() <= lw.max()
    assert lw[changed].min() > np.quantile(lw, 0.9)
    assert 0 < k < 1.2
    same, k = smooth_weights(np.full(100, -3.0))
    assert math.isnan(k)  # equal weights say nothing of larger ones
    assert (same == -3).all()
    assert math.isnan(smooth_weights([0.0, 1.0])[1])


@pytest.mark.filterwarnings("error")
def test_equal_weights_and_mixtures_of_few_values_are_finite() -> None:
    """100 to 120, 676 to 728, ... equal weights put a grid point of the fit at theta = 0."""
    for number in [*range(2, 200), *range(670, 735), 1500, 2000]:
        k, scale = fit_generalized_pareto(np.full(number, 0.25))
        assert math.isfinite(k), number
        assert scale > 0, number
    for number in range(1, 2001, 13):
        got = estimate(np.full(number, -5.0), np.full(number, -5.0), np.ones(number, dtype=bool))
        assert got.low == pytest.approx(0.05 ** (1 / number), rel=1e-6)
    rng = np.random.default_rng(12)
    for number in (30, 110, 700, 1400):
        for values in (2, 3, 6):
            levels = rng.normal(0, 3, values)
            lw = rng.choice(levels, number)
            got = estimate(lw - 40, np.full(number, -40.0), np.ones(number, dtype=bool))
            assert 0 < got.low <= np.exp(lw).mean()
            assert not math.isnan(got.log_value)


def test_the_law_of_a_grid_point_at_zero_is_exponential() -> None:
    x = np.full(110, 2.0)
    k, scale = fit_generalized_pareto(x)
    near, near_scale = fit_generalized_pareto(x * (1 + 1e-9 * np.arange(110)))
    assert k == pytest.approx(near, abs=1e-3)
    assert scale == pytest.approx(near_scale, rel=1e-2)


def estimate(base: ArrayLike, rl: ArrayLike, correct: ArrayLike, **more: Any) -> ImportanceEstimate:
    return importance_estimate(base_logprob=base, rl_logprob=rl, correct=correct, **more)


def test_the_limit_of_equal_weights_is_that_of_clopper_and_pearson() -> None:
    for draws, correct in ((1, 1), (9, 4), (40, 40), (512, 3), (2048, 2000)):
        low = clopper_pearson(draws, correct, level=0.9).low
        got = lower_mean_limit(np.full(correct, 0.3), draws=draws)
        assert got == pytest.approx(0.3 * float(low), rel=1e-4)
    assert lower_mean_limit([], draws=5) == 0
    with pytest.raises(InvalidInputError, match="positive"):
        lower_mean_limit([1.0, -1.0], draws=5)


def test_the_limit_is_the_quantile_of_the_weighted_mean() -> None:
    rng = np.random.default_rng(13)
    values = np.exp(1.5 * rng.standard_normal(40))
    weights = rng.dirichlet(np.ones(61), 40000)[:, :40]
    for level in (0.8, 0.95, 0.99):
        want = np.quantile(weights @ values, 1 - level)
        assert lower_mean_limit(values, draws=60, level=level) == pytest.approx(want, rel=0.03)
    # many different values are rounded down to a grid
    many = np.exp(rng.standard_normal(2500))
    fine = lower_mean_limit(many[:2000], draws=2000)
    assert fine < lower_mean_limit(np.append(many[:2000], 50.0), draws=2001)
    assert lower_mean_limit(many, draws=2500) <= many.mean()


def test_importance_estimate_of_a_known_model() -> None:
    # answers 0..49 are correct; base and RL model rank them differently
    rng = np.random.default_rng(6)
    base = rng.dirichlet(np.full(200, 2.0))
    rl = rng.dirichlet(np.full(200, 2.0)) * np.where(np.arange(200) < 50, 8.0, 1.0)
    rl /= rl.sum()
    draws = rng.choice(200, p=rl, size=4000)
    got = estimate(np.log(base[draws]), np.log(rl[draws]), draws < 50)
    truth = base[:50].sum()
    assert 0.9 * truth < got.low < truth
    assert got.value == pytest.approx(truth, rel=0.1)
    assert got.ess <= got.correct == (draws < 50).sum()
    assert math.isnan(got.seen_mass)
    known = estimate(np.log(base[draws]), np.log(rl[draws]), draws < 50, completion=draws)
    assert known.seen_mass == pytest.approx(base[np.unique(draws[draws < 50])].sum())
    assert known.low == max(got.low, known.seen_mass)


@pytest.mark.parametrize("g", [0.5, 1.5, 2.0, 4.0])
def test_the_limit_lies_below_what_rl_never_draws(g: float) -> None:
    """RL proportional to base^g: intervals of the smoothed mean covered in 3 to 64 % here."""
    rng = np.random.default_rng(14)
    base = np.arange(1, 5001.0) ** -1.1
    base /= base.sum()
    correct = rng.random(5000) < 0.3
    rl = base**g / (base**g).sum()
    truth, held, tight = base[correct].sum(), 0, 0
    for _ in range(40):
        draws = rng.choice(5000, p=rl, size=256)
        got = estimate(np.log(base[draws]), np.log(rl[draws]), correct[draws])
        held += not got.low > truth
        tight += got.low > truth / 4
    assert held >= 35  # 38 are expected; below 35 has probability .01 at 95 %
    assert tight >= (30 if g < 2 else 0)


def test_a_constant_tail_is_no_evidence_of_a_bounded_one() -> None:
    # 600 draws of one completion; another holds most of base's probability
    got = estimate(np.full(600, math.log(0.1)), np.full(600, -1e-4), np.ones(600, dtype=bool))
    assert math.isnan(got.pareto_k)
    assert math.isnan(got.value)
    assert "say nothing of larger ones" in got.reason
    assert got.low < 0.1


def test_heavy_weights_give_a_limit_and_no_value() -> None:
    rng = np.random.default_rng(7)
    log_w = 4 * rng.standard_exponential(2000)  # Pareto weights of shape 4
    got = estimate(log_w - 60, np.full(2000, -60.0), np.ones(2000, dtype=bool))
    assert got.pareto_k > 0.7
    assert math.isnan(got.value)
    assert "Pareto k" in got.reason or got.contradicts
    few = estimate([-1.0] * 9, [-1.0] * 9, [True] * 9)
    assert few.low == pytest.approx(0.05 ** (1 / 9))
    none = estimate([-1.0], [-1.0], [False])
    assert math.isnan(none.low)
    assert none.reason == "no draw of the RL model is correct"
    nowhere = estimate([-np.inf] * 40, [-1.0] * 40, [True] * 40)
    assert nowhere.low == 0
    assert "under base" in nowhere.reason


def test_what_contradicts_bases_own_draws_is_said() -> None:
    rng = np.random.default_rng(15)
    lw = rng.normal(0, 0.3, 400)
    right = rng.random(400) < 0.6
    close = estimate(lw, np.zeros(400), right, base_draws=(512, 320))
    assert not close.contradicts
    assert not math.isnan(close.value)
    # weights say .6 or more, base's own draws .1: scores and draws are of two distributions
    wrong = estimate(lw, np.zeros(400), right, base_draws=(512, 51))
    assert wrong.contradicts
    assert "contradict" in wrong.reason
    assert math.isnan(wrong.value)
    # a value below base's own draws is no contradiction of a lower limit; but it is not given
    part = estimate(lw - 1, np.zeros(400), right, base_draws=(512, 450))
    assert not part.contradicts
    assert math.isnan(part.value)
    assert "miss completions" in part.reason
    above = estimate(lw + 3, np.zeros(400), right)
    assert above.contradicts
    assert "at most 1" in above.reason


def test_importance_estimate_refuses_impossible_scores() -> None:
    with pytest.raises(InvalidInputError, match="drawn"):
        estimate([-1.0], [-np.inf], [True])
    with pytest.raises(InvalidInputError, match="equally long"):
        estimate([-1.0, -2.0], [-1.0], [True])
    with pytest.raises(InvalidInputError, match="completion"):
        estimate([-1.0], [-1.0], [True], completion=[1, 2])
    with pytest.raises(InvalidInputError, match="base_logprob"):
        estimate([np.nan], [-1.0], [True])
