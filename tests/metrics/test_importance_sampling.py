"""Importance sampling on models with known probabilities, and its refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import ArrayLike
from scipy.stats import genpareto

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics import (
    ImportanceEstimate,
    importance_estimate,
)
from rlvr_fast.metrics.importance import fit_generalized_pareto, smooth_weights


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
    assert k == -math.inf
    assert (same == -3).all()
    assert math.isnan(smooth_weights([0.0, 1.0])[1])


def estimate(base: ArrayLike, rl: ArrayLike, correct: ArrayLike) -> ImportanceEstimate:
    return importance_estimate(base_logprob=base, rl_logprob=rl, correct=correct)


def test_importance_estimate_of_a_known_model() -> None:
    # answers 0..49 are correct; base and RL model rank them differently
    rng = np.random.default_rng(6)
    base = rng.dirichlet(np.full(200, 2.0))
    rl = rng.dirichlet(np.full(200, 2.0)) * np.where(np.arange(200) < 50, 8.0, 1.0)
    rl /= rl.sum()
    draws = rng.choice(200, p=rl, size=4000)
    got = estimate(np.log(base[draws]), np.log(rl[draws]), draws < 50)
    truth = base[:50].sum()
    assert got.trusted
    assert got.low < truth < got.high
    assert got.value == pytest.approx(truth, rel=0.1)
    assert got.ess <= got.correct == (draws < 50).sum()


def test_importance_estimate_is_refused_when_a_few_weights_dominate() -> None:
    rng = np.random.default_rng(7)
    log_w = 4 * rng.standard_exponential(2000)  # Pareto weights of shape 4
    got = estimate(log_w - 60, np.full(2000, -60.0), np.ones(2000, dtype=bool))
    assert not got.trusted
    assert got.pareto_k > 0.7
    assert math.isnan(got.value)
    assert "Pareto k" in got.reason
    few = estimate([-1.0] * 9, [-1.0] * 9, [True] * 9)
    assert "too few" in few.reason
    none = estimate([-1.0], [-1.0], [False])
    assert none.reason == "no draw of the RL model is correct"
    nowhere = estimate([-np.inf] * 40, [-1.0] * 40, [True] * 40)
    assert "under base" in nowhere.reason
    same = estimate([-5.0] * 40, [-5.0] * 40, [True] * 30 + [False] * 10)
    assert same.trusted
    assert same.value == pytest.approx(0.75)
    assert same.low < 0.75 < same.high


def test_importance_estimate_refuses_impossible_scores() -> None:
    with pytest.raises(InvalidInputError, match="drawn"):
        estimate([-1.0], [-np.inf], [True])
    with pytest.raises(InvalidInputError, match="equally long"):
        estimate([-1.0, -2.0], [-1.0], [True])
    with pytest.raises(InvalidInputError, match="base_logprob"):
        estimate([np.nan], [-1.0], [True])
