"""The distance between RL's answers and the tilted base's."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import ArrayLike
from scipy.stats import entropy, hypergeom

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics import (
    TiltDistance,
    tilt_distance,
)
from rlvr_fast.metrics.tilt_distance import hypergeometric_mean_deviation


def test_mean_deviation_of_the_hypergeometric() -> None:
    for total, marked, drawn in ((20, 7, 5), (9, 1, 4), (30, 30, 10), (12, 6, 6), (8, 3, 0)):
        x = np.arange(drawn + 1)
        law = hypergeom(total, marked, drawn)
        want = (law.pmf(x) * np.abs(x - law.mean())).sum()
        got = hypergeometric_mean_deviation(*(np.array([float(v)]) for v in (total, marked, drawn)))
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
    # base gives the correct answers 2:1 and the incorrect answers 3:4; RL keeps both proportions
    rows = distance([0, 0, 0, 0], [20, 10, 30, 40], [40, 20, 15, 20], [1, 1, 0, 0])
    q, p = 60 / 95, 0.3
    assert rows.tv[0] == pytest.approx(0, abs=1e-12)
    assert rows.tv_base[0] > 0.3
    assert rows.kl_reweighting[0] == pytest.approx(entropy([q, 1 - q], [p, 1 - p]))
    assert rows.kl_within[0] == pytest.approx(0, abs=1e-12)
    assert rows.new_mass[0] == 0


def test_tilt_distance_separates_reweighting_from_new_answers() -> None:
    index = [0, 0, 0, 1, 1, 3]
    base, rl = [5, 5, 10, 0, 10, 4], [10, 0, 10, 5, 5, 0]
    rows = distance(index, base, rl, [1, 1, 0, 1, 0, 1], num_problems=4)
    # problem 0: RL has the same accuracy, but never gives the second correct answer
    assert rows.kl_reweighting[0] == pytest.approx(0)
    total = entropy(np.array(rl[:3]) / 20, np.array(base[:3]) / 20)
    assert rows.kl_within[0] == pytest.approx(total)
    assert rows.tv[0] == rows.tv_base[0] == pytest.approx(0.25)
    # problem 1: the new answer has probability 0 under every tilt of the base
    assert rows.tv[1] == pytest.approx(0.5)
    assert rows.new_correct_mass[1] == rows.new_mass[1] == pytest.approx(0.5)
    assert rows.kl_within[1] == math.inf
    assert np.isnan(rows.tv[2:]).all()
    with pytest.raises(InvalidInputError, match="one table"):
        distance([0], [1, 2], [1], [True])


def test_noise_is_the_mean_distance_of_an_exact_tilt() -> None:
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


def _random_laws(rng: np.random.Generator, problems: int) -> tuple[np.ndarray, ...]:
    size = rng.integers(2, 9, problems)
    index = np.repeat(np.arange(problems), size)
    base = np.concatenate([rng.multinomial(100, rng.dirichlet(np.full(m, 0.5))) for m in size])
    rl = np.concatenate([rng.multinomial(80, rng.dirichlet(np.full(m, 0.5))) for m in size])
    order = rng.permutation(len(index))
    return index[order], base[order], rl[order], (rng.random(len(index)) < 0.5)[order]


def test_the_closest_tilt_is_never_farther_than_no_tilt() -> None:
    """The tilt to RL's accuracy lies farther than base itself in a tenth of random laws."""
    index, base, rl, correct = _random_laws(np.random.default_rng(16), 400)
    rows = distance(index, base, rl, correct, num_problems=400)
    assert np.mean(rows.tv > rows.tv_base + 1e-12) > 0.05
    assert (rows.tv_least <= rows.tv_base).all()
    assert (rows.tv_least <= rows.tv).all()
    at = np.linspace(0, 1, 2001)[:, np.newaxis]
    for i in range(100):
        mine = index == i
        b, r, right = base[mine], rl[mine] / 80, correct[mine]
        good, bad = b[right].sum(), b[~right].sum()
        if not (good and bad):
            assert rows.tv_least[i] == rows.tv_base[i]
            continue
        tilted = np.where(right, at * b / good, (1 - at) * b / bad)
        least = 0.5 * np.abs(r - tilted).sum(axis=1).min()
        assert rows.tv_least[i] == pytest.approx(least, abs=2e-3)
        assert rows.tv_least[i] <= least + 1e-12


def test_the_accuracy_matched_tilt_has_the_least_divergence() -> None:
    base, rl, right = np.array([20, 10, 30, 40]), np.array([50, 10, 15, 25]), np.array([1, 1, 0, 0])
    rows = distance([0] * 4, base, rl, right)
    mass = np.where(right, 30, 70)
    divergence = [
        entropy(rl / 100, np.where(right, t, 1 - t) * base / mass)
        for t in np.linspace(0.01, 0.99, 99)
    ]
    assert min(divergence) == pytest.approx(rows.kl_within[0], abs=1e-9)
    assert np.argmin(divergence) == 59  # t = .6, RL's accuracy
