"""The tilt, its distance, its ceiling and the neighbours of pass@k."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from numpy.typing import ArrayLike
from scipy.stats import binomtest, entropy, hypergeom
from scipy.stats.contingency import odds_ratio

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics import (
    TiltDistance,
    cover_at,
    fit_tilt,
    g_pass_at_k,
    pass_at_k,
    pass_hat_k,
    support_ceiling,
    tilt,
    tilt_distance,
    tilt_pass_at_k,
)
from rlvr_fast.metrics.tilt_distance import _hypergeometric_mad


def test_tilt_moves_odds_and_keeps_the_ends() -> None:
    p = np.array([0.0, 0.01, 0.5, 1.0])
    np.testing.assert_allclose(tilt(p, 0.0), p)
    moved = tilt(p, 2.0)
    np.testing.assert_allclose(moved[1:3] / (1 - moved[1:3]), math.exp(2) * p[1:3] / (1 - p[1:3]))
    assert tilt(p, np.inf).tolist() == [0, 1, 1, 1]
    assert tilt(p, -np.inf).tolist() == [0, 0, 0, 1]
    assert np.isfinite(tilt(p, 800.0)).all()


def test_overall_tilt_of_one_problem_is_scipys_conditional_odds_ratio() -> None:
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


def test_mean_deviation_of_the_hypergeometric() -> None:
    for total, marked, drawn in ((20, 7, 5), (9, 1, 4), (30, 30, 10), (12, 6, 6), (8, 3, 0)):
        x = np.arange(drawn + 1)
        law = hypergeom(total, marked, drawn)
        want = (law.pmf(x) * np.abs(x - law.mean())).sum()
        got = _hypergeometric_mad(*(np.array([float(v)]) for v in (total, marked, drawn)))
        assert got[0] == pytest.approx(want, abs=1e-12)


def distance(
    index: ArrayLike,
    base: ArrayLike,
    rl: ArrayLike,
    correct: ArrayLike,
    *,
    num_problems: int | None = None,
) -> TiltDistance:
    return tilt_distance(
        problem_index=index,
        base_counts=base,
        rl_counts=rl,
        correct=correct,
        num_problems=num_problems,
    )


def test_tilt_distance_of_an_exact_tilt_is_zero() -> None:
    # base 2:1 correct and 3:4 incorrect; RL doubles the correct ones alike
    rows = distance([0, 0, 0, 0], [20, 10, 30, 40], [40, 20, 15, 20], [1, 1, 0, 0])
    q, p = 60 / 95, 0.3
    assert rows.tv[0] == pytest.approx(0, abs=1e-12)
    assert rows.tv_base[0] > 0.3
    assert rows.kl_reweighting[0] == pytest.approx(entropy([q, 1 - q], [p, 1 - p]))
    assert rows.kl_within[0] == pytest.approx(0, abs=1e-12)
    assert rows.new_mass[0] == 0


def test_tilt_distance_splits_reweighting_from_new() -> None:
    index = [0, 0, 0, 1, 1, 3]
    base, rl = [5, 5, 10, 0, 10, 4], [10, 0, 10, 5, 5, 0]
    rows = distance(index, base, rl, [1, 1, 0, 1, 0, 1], num_problems=4)
    # problem 0: accuracy unchanged, the second correct answer vanished
    assert rows.kl_reweighting[0] == pytest.approx(0)
    total = entropy(np.array(rl[:3]) / 20, np.array(base[:3]) / 20)
    assert rows.kl_within[0] == pytest.approx(total)
    assert rows.tv[0] == rows.tv_base[0] == pytest.approx(0.25)
    # problem 1: no tilt of this base gives the new answer any mass
    assert rows.tv[1] == pytest.approx(0.5)
    assert rows.new_correct_mass[1] == rows.new_mass[1] == pytest.approx(0.5)
    assert rows.kl_within[1] == math.inf
    assert np.isnan(rows.tv[2:]).all()
    with pytest.raises(InvalidInputError, match="one table"):
        distance([0], [1, 2], [1], [True])


def test_noise_is_what_an_exact_tilt_shows_on_average() -> None:
    rng = np.random.default_rng(11)
    correct = np.arange(30) < 12
    base = rng.dirichlet(np.ones(30))
    rl = base * np.where(correct, math.exp(1.0), 1.0)
    rl /= rl.sum()
    gaps = []
    for _ in range(300):
        b, r = rng.multinomial(500, base), rng.multinomial(400, rl)
        rows = distance(np.zeros(30, dtype=int), b, r, correct)
        gaps.append(rows.tv[0] - rows.tv_noise[0])
    assert abs(np.mean(gaps)) < 4 * np.std(gaps) / math.sqrt(300) + 0.002
    assert rows.tv_noise[0] > 0.05


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
    assert limit.value.tolist() == [0.5, 0.5]  # corollary C.5: base's support, from k = 1 on
    assert limit.ceiling.tolist() == [1.0, 1.0]
    finite = tilt_pass_at_k(n, c, beta=2.0, k=[1, 64])
    assert (finite.value < finite.ceiling).all()
    upper = binomtest(0, 100, alternative="less").proportion_ci(0.95, "exact").high
    only_unseen = tilt_pass_at_k(100, [0], beta=2.0, k=1)
    assert only_unseen.ceiling[0] == pytest.approx(float(tilt(upper, 2.0)))
    assert math.isnan(support_ceiling([0], [0]).seen)


def test_g_pass_and_pass_hat_by_enumeration() -> None:
    draws = [1, 1, 1, 0, 0]
    for k, tau in itertools.product((1, 2, 3, 5), (0.2, 0.5, 0.75, 1.0)):
        subsets = list(itertools.combinations(draws, k))
        want = np.mean([sum(s) >= max(1, math.ceil(tau * k)) for s in subsets])
        assert float(g_pass_at_k(5, 3, k=k, tau=tau)) == pytest.approx(want), (k, tau)
    np.testing.assert_allclose(pass_hat_k(5, 3, k=[1, 2, 3, 4]), [0.6, 0.3, 0.1, 0])
    np.testing.assert_allclose(
        g_pass_at_k([5, 5], [3, 0], k=[2, 4], tau=0.1), pass_at_k(5, [3, 0], [2, 4])
    )
    assert np.isnan(pass_hat_k(5, 3, k=6))
    with pytest.raises(InvalidInputError, match="tau"):
        g_pass_at_k(5, 3, k=2, tau=0.0)


def test_cover_at() -> None:
    assert cover_at([10, 10, 0], [3, 10, 0], tau=[0.3, 0.31, 1.0]).tolist() == [1.0, 0.5, 0.5]
    assert float(cover_at(10, [3, 1], tau=0.2)) == 0.5
