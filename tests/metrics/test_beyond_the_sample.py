"""Estimates that reach past the draws, on models whose truth is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import ArrayLike
from scipy.stats import betabinom, genpareto

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics import (
    ImportanceEstimate,
    accessibility,
    chao1,
    crossover,
    decision_limits,
    extrapolate_pass_at_k,
    fit_beta_binomial,
    good_turing,
    hold_out,
    importance_estimate,
    pass_at_k,
    plan,
)
from rlvr_fast.metrics.importance import fit_generalized_pareto, smooth_weights


# -- crossover
def test_crossover_of_known_curves() -> None:
    # base solves every problem with p = .05, RL solves half of them with p = .6
    n, problems = 4096, 200
    base = np.full(problems, round(0.05 * n))
    rl = np.where(np.arange(problems) % 2, 0, round(0.6 * n))
    k = np.arange(1, 200)
    lead = 0.5 * (1 - 0.4**k) - (1 - 0.95**k)
    last = k[lead > 0][-1]
    found = crossover((n, base), (n, rl), max_k=1024)
    assert found.verdict == "crosses"
    assert found.k is not None
    assert last - 0.1 <= found.k <= last + 1.1
    assert found.low <= found.k <= found.high
    assert found.share_crossing == 1


def test_crossover_verdicts_without_a_crossing() -> None:
    n = 64
    ahead = crossover((n, [1, 2, 0]), (n, [8, 9, 3]))
    assert (ahead.verdict, ahead.k, ahead.high) == ("rl ahead", None, math.inf)
    behind = crossover((n, [8, 9, 3]), (n, [1, 2, 0]))
    assert (behind.verdict, behind.k, behind.low) == ("base ahead", None, 1.0)
    same = crossover((n, [8, 9, 3]), (n, [8, 9, 3]))
    assert (same.verdict, same.k) == ("tied", None)
    with pytest.raises(InvalidInputError, match="max_k = 65"):
        crossover((n, [1]), (n, [1]), max_k=65)


# -- unseen mass and answers
def test_good_turing_and_chao1_by_hand() -> None:
    counts = [10, 4, 2, 2, 1, 1, 1]
    mass = good_turing(counts)
    assert mass.value == pytest.approx(3 / 21)
    assert mass.low < mass.value < mass.high
    half = 1.959964 * math.sqrt(3 * (1 - 3 / 21) + 4) / 21
    assert mass.high == pytest.approx(3 / 21 + half, rel=1e-6)
    rich = chao1(counts)
    assert rich.seen == 7
    assert rich.value == pytest.approx(7 + (20 / 21) * 3 * 2 / (2 * 3))
    assert rich.seen <= rich.low <= rich.value <= rich.high
    assert good_turing([1, 0], draws=50).value == 1 / 50
    assert math.isnan(good_turing([]).value)
    assert good_turing([50]).high > 0
    assert chao1([5, 1]).value == 2
    with pytest.raises(InvalidInputError, match="add up"):
        good_turing([5], draws=4)


def test_good_turing_is_unbiased_for_the_unseen_mass() -> None:
    rng = np.random.default_rng(0)
    p = np.append(np.full(40, 0.01), 0.6)
    draws = rng.multinomial(60, p, 3000)
    estimates = [good_turing(row).value for row in draws]
    unseen = ((draws == 0) * p).sum(axis=1)
    assert np.mean(estimates) == pytest.approx(unseen.mean(), rel=0.03)


# -- extrapolation
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
    # the optimum is one: the likelihood, by scipy's own law, falls to every side
    c_small = c[:200]
    plain = fit_beta_binomial(256, c_small)
    best = betabinom(256, plain.alpha, plain.beta).logpmf(c_small).sum()
    for a, b in ((1.02, 1), (0.98, 1), (1, 1.02), (1, 0.98)):
        assert betabinom(256, plain.alpha * a, plain.beta * b).logpmf(c_small).sum() < best


def test_extrapolation_is_measured_inside_and_close_outside() -> None:
    rng = np.random.default_rng(2)
    p = rng.beta(0.3, 3.0, 400)
    c = rng.binomial(64, p)
    ks = [1, 64, 256, 1024]
    curve = extrapolate_pass_at_k(64, c, k=ks, replicates=100)
    np.testing.assert_allclose(curve.value[:2], pass_at_k(64, c, [1, 64]).mean(axis=0))
    truth = np.array([(1 - (1 - p) ** k).mean() for k in ks])
    np.testing.assert_allclose(curve.value, truth, atol=0.06)  # 16 times past the draws
    assert (curve.low <= curve.value).all()
    assert (curve.value <= curve.high).all()
    assert curve.problems.tolist() == [400, 400, 0, 0]
    held = hold_out(64, c, keep=16, replicates=100)
    assert held.k.tolist() == [32, 64]
    assert held.worst_error < 0.03


def test_hold_out_exposes_a_law_that_does_not_fit() -> None:
    # half of the problems have p = .5, the others 1/512: no Beta law has two such modes, and the
    # step of the curve lies past the draws that were kept
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


# -- importance sampling
def test_generalized_pareto_shape() -> None:
    rng = np.random.default_rng(4)
    for shape in (-0.3, 0.2, 0.9):
        x = genpareto.rvs(shape, scale=2.0, size=4000, random_state=rng)
        k, scale = fit_generalized_pareto(x)
        assert k == pytest.approx(shape, abs=0.08)
        assert scale == pytest.approx(2.0, rel=0.12)


def test_smoothing_leaves_the_bulk_and_never_exceeds_the_largest() -> None:
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
    # answers 0..49 are correct; RL prefers them in another order than base does
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


def test_importance_estimate_is_refused_when_a_few_weights_carry_it() -> None:
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


# -- planning
def test_decision_limits_are_the_epsilon_rule() -> None:
    for n, epsilon in ((64, 0.05), (1000, 0.003), (8192, 3.657e-4), (20_000, 0.01)):
        most, least = decision_limits(n, epsilon=epsilon)
        c = np.arange(min(n, least + 50) + 1)
        state = accessibility(n, c, rule="epsilon", epsilon=epsilon)
        np.testing.assert_array_equal(state == 0, c <= most)
        np.testing.assert_array_equal(state == 1, c >= least)


def test_plan_predicts_how_many_labels_get_decided() -> None:
    rng = np.random.default_rng(8)
    n, problems = 256, 400
    epsilon = 0.02
    p = rng.beta(0.5, 0.5, problems) * 0.1
    c = rng.binomial(n, p)
    solved = np.full(problems, n)
    made = plan((n, c), (n, solved), epsilon=epsilon, factors=(2,), prior=(0.5, 5.0))
    open_now = np.flatnonzero(accessibility(n, c, rule="epsilon", epsilon=epsilon) < 0)
    assert made.undetermined == len(open_now)
    assert sorted(made.problem) == list(open_now)
    assert (np.diff(made.per_thousand) <= 0).all()
    assert (made.rl_extra == 0).all()
    extra = made.base_extra
    total = c[made.problem] + rng.binomial(extra, p[made.problem], (400, len(extra)))
    decided = accessibility(n + extra, total, rule="epsilon", epsilon=epsilon) >= 0
    assert made.cumulative_decided[-1] == pytest.approx(decided.sum(axis=1).mean(), rel=0.15)
    budget = int(made.cumulative_samples[4])
    assert len(plan((n, c), (n, solved), epsilon=epsilon, factors=(2,), budget=budget).problem) <= 5


@pytest.mark.filterwarnings("error")
def test_plan_for_a_problem_one_model_has_no_samples_of() -> None:
    made = plan(([0, 64, 64, 0, 2], [0, 0, 64, 0, 2]), ([64, 0, 64, 0, 0], [64, 0, 64, 0, 0]))
    extra = {
        int(i): (int(b), int(r))
        for i, b, r in zip(made.problem, made.base_extra, made.rl_extra, strict=True)
    }
    assert made.undetermined == 4
    assert extra.keys() == {0, 1, 3, 4}
    assert extra[0][0] > 0
    assert extra[0][1] == 0  # 64 of 64 decide RL
    assert extra[1][0] == 0  # none of 64 decides base
    assert extra[1][1] > 0
    assert min(extra[3]) > 0
    assert np.isfinite(made.probability).all()
    assert ((made.probability > 0) & (made.probability <= 1)).all()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("n", [1, 2, 3])
def test_decision_limits_of_few_samples_are_the_epsilon_rule(n: int) -> None:
    epsilon = -math.log(0.05) / n
    most, least = decision_limits(n, epsilon=epsilon)
    state = accessibility(n, np.arange(n + 1), rule="epsilon", epsilon=epsilon)
    np.testing.assert_array_equal(state == 0, np.arange(n + 1) <= most)
    np.testing.assert_array_equal(state == 1, np.arange(n + 1) >= least)


def test_plan_with_nothing_open() -> None:
    made = plan((64, [64, 0]), (64, [64, 64]))
    assert made.undetermined == 0
    assert made.problem.size == 0
    with pytest.raises(InvalidInputError, match="factors"):
        plan((64, [1]), (64, [1]), factors=())
