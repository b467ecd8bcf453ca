"""The plan of further samples against the epsilon rule and simulated sampling."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics import (
    accessibility,
    decision_limits,
    plan,
)


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
def test_plan_for_a_problem_without_samples_of_one_model() -> None:
    made = plan(([0, 64, 64, 0, 2], [0, 0, 64, 0, 2]), ([64, 0, 64, 0, 0], [64, 0, 64, 0, 0]))
    extra = {
        int(i): (int(b), int(r))
        for i, b, r in zip(made.problem, made.base_extra, made.rl_extra, strict=True)
    }
    assert made.undetermined == 4
    assert extra.keys() == {0, 1, 3, 4}
    assert extra[0][0] > 0
    assert extra[0][1] == 0  # 64 of 64 correct decide the RL model
    assert extra[1][0] == 0  # 0 of 64 correct decide the base
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


def test_plan_without_undetermined_problems() -> None:
    made = plan((64, [64, 0]), (64, [64, 64]))
    assert made.undetermined == 0
    assert made.problem.size == 0
    with pytest.raises(InvalidInputError, match="factors"):
        plan((64, [1]), (64, [1]), factors=())
