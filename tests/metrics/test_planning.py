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
    support_shift,
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
    assert extra.keys() == {0, 1, 3}  # 2 samples give an epsilon above 1, which nothing decides
    assert extra[0][0] > 0
    assert extra[0][1] == 0  # 64 of 64 correct decide the RL model
    assert extra[1][0] == 0  # 0 of 64 correct decide the base
    assert extra[1][1] > 0
    assert min(extra[3]) > 0
    assert np.isfinite(made.probability).all()
    assert ((made.probability > 0) & (made.probability <= 1)).all()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("n", range(1, 31))
@pytest.mark.parametrize("zeta", [0.001, 0.01, 0.05, 0.1, 0.3, 0.5])
def test_decision_limits_of_few_samples_are_the_epsilon_rule(n: int, zeta: float) -> None:
    count = np.arange(n + 1)
    for epsilon in (-math.log(zeta) / n, 0.9, 0.3, zeta ** (1 / n), 0.02, 1.0, 2.5):
        most, least = decision_limits(n, epsilon=epsilon, zeta=zeta)
        state = accessibility(n, count, rule="epsilon", zeta=zeta, epsilon=epsilon)
        np.testing.assert_array_equal(state == 0, count <= most, err_msg=f"{epsilon}")
        np.testing.assert_array_equal(state == 1, count >= least, err_msg=f"{epsilon}")


def test_plan_agrees_with_the_rule_on_few_samples() -> None:
    n = np.repeat(np.arange(1, 31), 3)
    c = np.array([(0, m // 2, m) for m in range(1, 31)]).ravel()
    labels = support_shift((n, c), (n, c), rule="epsilon").labels
    assert labels is not None
    assert plan((n, c), (n, c)).undetermined == np.count_nonzero(labels == "undetermined")


def test_plan_without_undetermined_problems() -> None:
    made = plan((64, [64, 0]), (64, [64, 64]))
    assert made.undetermined == 0
    assert made.problem.size == 0
    with pytest.raises(InvalidInputError, match="factors"):
        plan((64, [1]), (64, [1]), factors=())
