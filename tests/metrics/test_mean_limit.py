"""Gaffke's limit against exact fractions and a scalar search, and many limits at once."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from scipy.optimize import brentq

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics import importance_estimate, importance_estimates, lower_mean_limits
from rlvr_fast.metrics import lower_mean_limit as limit_of
from rlvr_fast.metrics import mean_limit as room


def exact_chance(values: np.ndarray, draws: int, limit: Fraction) -> Fraction:
    """P(a Dirichlet(1, ..., 1) mean of the values and draws + 1 - len(values) zeros <= limit).

    By partial fractions of the different knots, Lagrange's form of a divided difference: every
    value must differ, and only one zero be there.
    """
    knots = [Fraction(0), *(Fraction(float(v)) for v in values)]
    assert len(set(knots)) == draws + 1
    over = Fraction(0)
    for t in knots:
        if t > limit:
            below = math.prod(t - other for other in knots if other != t)
            over += (t - limit) ** draws / below
    return 1 - over


def scalar_limit(values: np.ndarray, draws: int, level: float) -> float:
    """The limit by a contour integral of a fine step, and a search in one variable."""
    top = values.max()
    points = np.append(values / top, np.zeros(draws + 1 - len(values)))
    u = np.arange(0, 25, 0.02)

    def excess(log_limit: float) -> float:
        a = points - math.exp(log_limit)
        # a point on the negative axis near the saddle
        grid = np.geomspace(1e-9, 1 - 1e-9, 400) / a.min()
        line = -np.log1p(-a[:, np.newaxis] * grid).sum(axis=0) - np.log(-grid)
        s, peak = grid[line.argmin()], line.min()
        width = 1 / math.sqrt(float(((a / (1 - a * s)) ** 2).sum()) + 1 / s**2)
        z = s + 1j * width * np.sinh(u)
        log_m = -np.log(1 - a[:, np.newaxis] * z).sum(axis=0) - np.log(-z) - peak
        integrand = np.exp(log_m).real * width * np.cosh(u)
        integrand[0] /= 2
        return peak + math.log(integrand.sum() * 0.02 / math.pi) - math.log1p(-level)

    high = math.log(values.sum() / top / draws)
    if excess(high - 1e-12) <= 0:
        return math.exp(high) * top
    return math.exp(brentq(excess, high - 60, high - 1e-12, xtol=1e-13)) * top


@pytest.mark.parametrize("level", [0.5, 0.95, 1 - 1e-6])
def test_the_limit_is_exact_and_not_above(level: float) -> None:
    rng = np.random.default_rng(21)
    tail = Fraction(1 - level)
    for draws in (1, 2, 3, 4, 8, 20, 60):
        for spread in (0.01, 1.0, 6.0):
            values = np.exp(spread * rng.standard_normal(draws))
            limit = Fraction(limit_of(values, draws=draws, level=level))
            if float(limit) >= values.mean() * (1 - 1e-12):
                assert exact_chance(values, draws, limit) <= tail * (1 + Fraction(1, 10**12))
                continue
            step = Fraction(1, 10**12)
            assert exact_chance(values, draws, limit * (1 - step)) < tail
            assert exact_chance(values, draws, limit * (1 + step)) > tail


@pytest.mark.parametrize("draws", [4, 40, 128, 160])
def test_the_limit_is_that_of_a_scalar_search(draws: int) -> None:
    rng = np.random.default_rng(draws)
    laws = [
        np.exp(rng.normal(0, 1, draws)),
        np.exp(8 * rng.standard_exponential(draws // 2) - 20),
        rng.choice(np.exp(8 * rng.standard_exponential(5)), draws // 3 + 1),
    ]
    for values in laws:
        want = scalar_limit(values, draws, 0.95)
        assert limit_of(values, draws=draws) == pytest.approx(want, rel=1e-10)


@pytest.mark.parametrize("draws", [129, 250, 700])
def test_recurrence_and_contour_agree_on_heavy_weights(
    draws: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Values of very different sizes need a finer step of the contour than equal ones."""
    rng = np.random.default_rng(draws)
    for kind in range(3):
        values = np.exp(8 * rng.standard_exponential(draws // 3 if kind else draws) - 20)
        if kind == 2:
            values = rng.choice(values[:6], draws // 2)
        for level in (0.5, 0.95, 1 - 1e-6):
            monkeypatch.setattr(room, "_FASTER", 10**9)
            by_recurrence = limit_of(values, draws=draws, level=level)
            monkeypatch.setattr(room, "_FASTER", 0)
            by_contour = limit_of(values, draws=draws, level=level)
            assert by_contour == pytest.approx(by_recurrence, rel=1e-11)


def test_many_limits_are_those_of_one_by_one() -> None:
    rng = np.random.default_rng(22)
    draws = rng.choice([1, 3, 4, 16, 70, 150], 100)
    positive = rng.integers(0, draws + 1)
    values = [np.exp(rng.normal(0, 2, n)) for n in positive]
    values[7] = np.full(positive[7], 0.25)
    for level in (0.2, 0.95):
        got = lower_mean_limits(np.concatenate(values), positive=positive, draws=draws, level=level)
        want = [limit_of(v, draws=int(n), level=level) for v, n in zip(values, draws, strict=True)]
        np.testing.assert_allclose(got, want, rtol=1e-13)
        means = np.array([v.sum() for v in values]) / draws
        assert (got <= means * (1 + 1e-14)).all()
        assert ((got == 0) == (positive == 0)).all()
    assert lower_mean_limits([], positive=[], draws=[]).shape == (0,)


def test_limits_of_few_at_once_are_those_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(23)
    values, positive = np.exp(rng.normal(0, 2, 400)), np.full(100, 4)
    whole = lower_mean_limits(values, positive=positive, draws=positive + 1)
    monkeypatch.setattr(room, "_AT_ONCE", 40)
    parts = lower_mean_limits(values, positive=positive, draws=positive + 1)
    np.testing.assert_allclose(parts, whole, rtol=1e-13)


def test_laws_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="got shapes"):
        lower_mean_limits([1.0, 2.0], positive=[1], draws=[4])
    with pytest.raises(InvalidInputError, match="draws = 1"):
        lower_mean_limits([1.0, 2.0, 3.0], positive=[1, 2], draws=[1, 1])
    with pytest.raises(InvalidInputError, match="finite positive"):
        lower_mean_limits([1.0, np.nan], positive=[1, 1], draws=[1, 1])


@pytest.mark.parametrize("known", [False, True])
def test_estimates_of_many_problems_are_those_of_each(known: bool) -> None:
    rng = np.random.default_rng(24)
    draws = rng.choice([0, 1, 4, 9, 64, 200], 200)
    ends = np.cumsum(draws)
    total = int(ends[-1])
    rl = -rng.exponential(30, total)
    base = rl + rng.normal(0, np.repeat(rng.choice([0.2, 1.5], 200), draws))
    base[rng.random(total) < 0.1] = -np.inf
    right = rng.random(total) < np.repeat(rng.random(200), draws)
    which = rng.integers(0, 6, total) if known else None
    samples = rng.choice([0, 4, 64], 200)
    successes = rng.binomial(samples, rng.random(200))
    many = importance_estimates(
        base_logprob=base,
        rl_logprob=rl,
        correct=right,
        draws=draws,
        completion=which,
        base_draws=(samples, successes),
    )
    assert len(many) == 200
    for i, got in enumerate(many):
        at = slice(ends[i] - draws[i], ends[i])
        one = importance_estimate(
            base_logprob=base[at],
            rl_logprob=rl[at],
            correct=right[at],
            completion=None if which is None else which[at],
            base_draws=(int(samples[i]), int(successes[i])),
        )
        for name in ("low", "value", "seen_mass", "log_value", "pareto_k", "ess"):
            assert getattr(got, name) == pytest.approx(
                getattr(one, name), rel=1e-12, nan_ok=True
            ), name
        for name in ("draws", "correct", "contradicts", "reason"):
            assert getattr(got, name) == getattr(one, name), name
    assert any(e.contradicts for e in many)
    assert any(not e.reason for e in many)


def test_draws_that_do_not_add_up_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="add up to the 2 completions"):
        importance_estimates(
            base_logprob=[-1.0, -1.0], rl_logprob=[-1.0, -1.0], correct=[True, True], draws=[1, 2]
        )
