"""pass@k past the number of samples, on problems with known probabilities."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import betabinom

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics import (
    extrapolate_pass_at_k,
    fit_beta_binomial,
    hold_out,
    pass_at_k,
)


def test_fit_finds_the_planted_law() -> None:
    rng = np.random.default_rng(1)
    p = np.where(rng.random(4000) < 0.2, 0.0, rng.beta(0.4, 2.0, 4000))
    c = rng.binomial(256, p)
    fit = fit_beta_binomial(256, c, zero_inflated=True)
    assert fit.alpha == pytest.approx(0.4, rel=0.1)
    assert fit.beta == pytest.approx(2.0, rel=0.1)
    assert fit.zero == pytest.approx(0.2, abs=0.03)
    plain = fit_beta_binomial(256, c)
    assert plain.zero == 0
    assert plain.loglik < fit.loglik
    # the fit is a maximum of the likelihood, computed with scipy's law
    c_small = c[:200]
    plain = fit_beta_binomial(256, c_small)
    best = betabinom(256, plain.alpha, plain.beta).logpmf(c_small).sum()
    for a, b in ((1.02, 1), (0.98, 1), (1, 1.02), (1, 0.98)):
        assert betabinom(256, plain.alpha * a, plain.beta * b).logpmf(c_small).sum() < best


def test_extrapolation_below_and_above_the_number_of_samples() -> None:
    rng = np.random.default_rng(2)
    p = rng.beta(0.3, 3.0, 400)
    c = rng.binomial(64, p)
    ks = [1, 64, 256, 1024]
    curve = extrapolate_pass_at_k(64, c, k=ks, replicates=100)
    np.testing.assert_allclose(curve.value[:2], pass_at_k(64, c, [1, 64]).mean(axis=0))
    truth = np.array([(1 - (1 - p) ** k).mean() for k in ks])
    np.testing.assert_allclose(curve.value, truth, atol=0.06)  # up to 16 n
    assert (curve.low <= curve.value).all()
    assert (curve.value <= curve.high).all()
    assert curve.problems.tolist() == [400, 400, 0, 0]
    held = hold_out(64, c, keep=16, replicates=100)
    assert held.k.tolist() == [32, 64]
    assert held.worst_error < 0.03


def test_hold_out_shows_a_law_that_does_not_fit() -> None:
    # half of the problems have p = .5, the others 1/512: no Beta law has two such modes, and the
    # curve rises again past the samples that are kept
    rng = np.random.default_rng(3)
    p = np.where(np.arange(400) % 2, 0.5, 1 / 512)
    c = rng.binomial(2048, p)
    held = hold_out(2048, c, keep=16, zero_inflated=False, replicates=100)
    assert held.worst_error > 0.1
    assert ((held.measured < held.low) | (held.measured > held.high)).any()


def test_extrapolation_refuses() -> None:
    with pytest.raises(InvalidInputError, match="at least 3"):
        fit_beta_binomial([4, 4], [1, 2])
    with pytest.raises(InvalidInputError, match="keep"):
        hold_out([8] * 4, [1] * 4, keep=5)
