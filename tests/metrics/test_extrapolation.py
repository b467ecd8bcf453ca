"""pass@k past the number of samples, on problems with known probabilities."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import betabinom, binom

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics import (
    extrapolate_pass_at_k,
    fit_beta_binomial,
    hold_out,
    pass_at_k,
    pass_at_k_interval,
)
from rlvr_fast.metrics.extrapolation import _least_solved


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


def test_the_limit_is_below_the_truth_at_every_probability() -> None:
    # the expectation of what each problem adds, over every number of correct draws
    p = np.concatenate([np.geomspace(1e-6, 0.5, 200), np.linspace(0.5, 1, 50)])[:, np.newaxis]
    for n in (1, 2, 3, 4, 17, 64):
        c = np.arange(n + 1)
        law = binom.pmf(c, n, p)
        for k in sorted({n + 1, n + max(1, n // 2), 2 * n}):
            value = law @ _least_solved(np.full(n + 1, n), c, k)
            truth = -np.expm1(k * np.log1p(-np.minimum(p[:, 0], 1 - 1e-15)))
            assert (value <= truth + 1e-9).all(), (n, k)


def test_at_least_below_and_above_the_number_of_samples() -> None:
    rng = np.random.default_rng(2)
    p = rng.beta(0.3, 30.0, 1500)
    c = rng.binomial(64, p)
    ks = [1, 64, 96, 128]
    curve = extrapolate_pass_at_k(64, c, k=ks)
    np.testing.assert_allclose(curve.value[:2], pass_at_k(64, c, [1, 64]).mean(axis=0))
    assert np.isnan(curve.value[2:]).all()
    truth = np.array([(1 - (1 - p) ** k).mean() for k in ks])
    assert (curve.low <= truth).all()
    assert (curve.low[:2] < curve.value[:2]).all()
    assert curve.low[1] == pytest.approx(pass_at_k_interval(64, c, k=64).low[0], abs=0.01)
    # more than what is seen already: problems solved once tell of others
    assert curve.low[3] > curve.low[2] > curve.low[1]
    assert curve.problems.tolist() == [1500, 1500, 0, 0]
    assert extrapolate_pass_at_k(64, c, k=128).low[0] == pytest.approx(curve.low[3], abs=0.01)


@pytest.mark.parametrize("law", ["beta", "spikes", "zipf", "lognormal"])
def test_the_limit_holds_on_heavy_tails(law: str) -> None:
    n, problems, held = 64, 150, 0
    draw = {
        "beta": lambda rng, size: rng.beta(0.1, 2, size),
        "spikes": lambda rng, size: np.where(rng.random(size) < 0.5, 0.5, 0.2 / n),
        "zipf": lambda rng, size: 0.5 / rng.zipf(1.3, size).astype(float),
        "lognormal": lambda rng, size: np.minimum(np.exp(rng.normal(-4, 2.5, size)), 1),
    }[law]
    truth = (1 - (1 - draw(np.random.default_rng(9), 200_000)) ** (2 * n)).mean()
    for seed in range(60):
        rng = np.random.default_rng(seed)
        c = rng.binomial(n, draw(rng, problems))
        held += extrapolate_pass_at_k(n, c, k=2 * n, replicates=300).low[0] <= truth
    assert held >= 55


def test_the_limit_past_n_is_never_below_that_of_pass_at_n() -> None:
    for seed in range(20):
        c = np.random.default_rng(seed).binomial(16, 0.2, 12)
        low = extrapolate_pass_at_k(16, c, k=np.arange(1, 33), replicates=200, seed=seed).low
        assert (low[16:] >= low[15] - 1e-12).all()
        assert (np.diff(low[:16]) >= -1e-12).all()


def test_hold_out_compares_the_limit_with_all_samples() -> None:
    # half of the problems have p = .5, the others 1/512: a Beta law fitted to 16 draws is off by
    # more than .1, the limit holds
    rng = np.random.default_rng(3)
    p = np.where(np.arange(400) % 2, 0.5, 1 / 512)
    c = rng.binomial(2048, p)
    for keep in (16, 256, 1024):
        held = hold_out(2048, c, keep=keep)
        assert (held.keep, held.k) == (keep, 2 * keep)
        assert held.holds
        assert held.measured == pytest.approx(pass_at_k(2048, c, 2 * keep).mean())
        assert held.measured - held.low < 0.12


def test_extrapolation_refuses() -> None:
    with pytest.raises(InvalidInputError, match="at least 3"):
        fit_beta_binomial([4, 4], [1, 2])
    with pytest.raises(InvalidInputError, match="keep"):
        hold_out([8] * 4, [1] * 4, keep=5)
    with pytest.raises(InvalidInputError, match=r"k = 17 is more than twice .* samples \(8\)"):
        extrapolate_pass_at_k([8, 64], [1, 2], k=[4, 17])
    with pytest.raises(InvalidInputError, match="no problem has samples"):
        extrapolate_pass_at_k([0, 0], [0, 0], k=1)
