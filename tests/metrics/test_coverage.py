"""Coverage of the intervals and error rates of the tests on planted models, in small.

bench/coverage.py holds the models, and docs/statistics.md the full figures. Seeds are fixed, so
that the results repeat; the bounds allow three standard errors of the repetitions below 93 %.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest
from planted_studies import coverage_bench

from rlvr_fast.metrics import support_interval


@pytest.fixture(scope="module")
def coverage() -> ModuleType:
    return coverage_bench()


def rates(
    coverage: ModuleType, scenario: str, repetitions: int, **config: Any
) -> dict[str, dict[str, Any]]:
    return {row["what"]: row for row in coverage.measure(scenario, config, repetitions, seed=1)}


def least(repetitions: int) -> float:
    return 0.93 - 3 * float(np.sqrt(0.93 * 0.07 / repetitions))


def test_planted_models_hold_every_region(coverage: ModuleType) -> None:
    from planted import kinds

    rng = np.random.default_rng(0)
    for n in (16, 16384):
        population = kinds.Kinds(n)
        assert population.weight.sum() == pytest.approx(1)
        np.testing.assert_allclose(population.base.sum(axis=1), 1)
        np.testing.assert_allclose(population.rl.sum(axis=1), 1)
        sample = kinds.Sample(400, n, rng)
        both = {(bool(b), bool(r)) for b, r in zip(sample.base, sample.rl, strict=True)}
        assert len(both) == 4
        # the planted borderline answer is seen with probability 1/2
        kind = population.kinds.index("borderline")
        assert population.pass_at("base", n)[kind] == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("n", [16, 16384])
def test_proportions(coverage: ModuleType, n: int) -> None:
    got = rates(coverage, "proportions.proportions", 100, n=n, problems=40)
    assert got["clopper_pearson"]["rate"] >= 0.95
    assert 0.93 <= got["beta_interval"]["rate"] <= 0.98


@pytest.mark.parametrize(("n", "problems"), [(16, 40), (1024, 40)])
def test_curves_and_ratios(coverage: ModuleType, n: int, problems: int) -> None:
    repetitions = 120
    for scenario in ("curves.curves", "support.support"):
        for what, row in rates(coverage, scenario, repetitions, n=n, problems=problems).items():
            assert row["rate"] >= least(row["repetitions"]), what


def test_tilt_and_unseen_probability(coverage: ModuleType) -> None:
    got = rates(coverage, "tilts.tilt", 150, n=64, problems=60)
    assert got["fit_tilt, one beta"]["rate"] >= least(150)
    assert got["fit_tilt, per problem"]["rate"] >= 0.93
    assert got["fit_tilt: heterogeneity falsely found (share)"]["rate"] <= 0.05 + 3 * 0.018
    got = rates(coverage, "unseen.unseen", 200, n=512, answers=60)
    assert got["good_turing"]["rate"] >= least(200)


def test_crossover(coverage: ModuleType) -> None:
    got = rates(coverage, "crossing.crossing", 60, n=64, problems=60)
    assert got["crossover"]["rate"] >= least(60)


@pytest.mark.parametrize("g", [1.5, 4.0])
def test_lower_limits_from_weights_hold(coverage: ModuleType, g: float) -> None:
    repetitions = 120
    got = rates(coverage, "importance.sharpened", repetitions, n=512, g=g)
    assert got["importance_estimate: lower limit holds"]["rate"] >= 0.95 - 3 * np.sqrt(
        0.05 * 0.95 / repetitions
    )
    assert got["importance_estimate: contradiction of true scores (false alarm)"]["rate"] <= 0.02


def test_a_constant_tail_gives_no_value(coverage: ModuleType) -> None:
    got = rates(coverage, "importance.constant_tail", 100, n=700, share=0.2 / 700)
    assert got["importance_estimate, constant tail: lower limit holds"]["rate"] >= 0.9
    assert got["importance_estimate, constant tail: a value is given (share)"]["rate"] == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scenario", "config"),
    [
        ("studies.ratios", {"n": "ragged", "problems": 60, "law": "lognormal", "change": "mixed"}),
        ("studies.ratios", {"n": "256/32", "problems": 30, "law": "power", "change": "mixed"}),
        ("studies.heavy_curves", {"n": "16", "problems": 30, "law": "beta", "change": "tilt"}),
        ("studies.tasks_fixed", {"n": "64", "problems": 60, "tasks": 3}),
        ("studies.new_tasks", {"n": "64", "problems": 60, "tasks": 5}),
        ("few_problems.crossing_heavy", {"n": "64", "problems": 30, "law": "lognormal"}),
        ("few_problems.one_draw_decides", {"n": 128, "problems": 30}),
    ],
)
def test_intervals_on_heavy_tails(
    coverage: ModuleType, scenario: str, config: dict[str, Any]
) -> None:
    repetitions = 100
    for what, row in rates(coverage, scenario, repetitions, **config).items():
        assert row["rate"] >= least(row["repetitions"]), what


@pytest.mark.parametrize(
    ("scenario", "config"),
    [
        (
            "claims.equal_models",
            {"n": n, "problems": 100, "tasks": 5, "law": "lognormal", "errors": 1e-3},
        )
        for n in ("64", "1024/128", "ragged")
    ]
    + [("claims.mere_tilt", {"n": "256/32", "problems": 100, "law": "lognormal"})],
)
def test_false_alarms_on_heavy_tails(
    coverage: ModuleType, scenario: str, config: dict[str, Any]
) -> None:
    repetitions = 100
    from planted.outcomes import kind

    for what, row in rates(coverage, scenario, repetitions, **config).items():
        if kind(what) == "alarm":
            assert row["rate"] <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / repetitions), what


@pytest.mark.parametrize("n", [1, 2, 4, 8, 32])
def test_epsilon_rule_at_few_draws(coverage: ModuleType, n: int) -> None:
    got = rates(coverage, "studies.epsilon_rule", 40, n=n, problems=100, law="even")
    for what, row in got.items():
        assert row["rate"] <= (0.0 if "all draws right" in what else 0.05), what


@pytest.mark.parametrize("n", [16, 1024])
def test_false_alarms_and_discoveries(coverage: ModuleType, n: int) -> None:
    repetitions = 150
    for what, row in rates(coverage, "errors.errors", repetitions, n=n, problems=100).items():
        assert row["rate"] <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / repetitions), what


def test_split_half_null_predicts_the_losses_of_a_fresh_pair(coverage: ModuleType) -> None:
    got = rates(coverage, "split_half.split_half", 80, n=64, problems=200)
    expected = got["split_half_null: expected losses a problem"]
    seen = got["split_half_null: losses of a fresh pair a problem"]
    assert expected["rate"] > 0.03
    assert abs(expected["rate"] - seen["rate"]) < 4 * seen["standard_error"]


def shares_covered(
    coverage: ModuleType, n: int, problems: int, repetitions: int
) -> dict[str, float]:
    """Coverage of the interval on each label's share of the population."""
    from planted import kinds

    population = kinds.Kinds(n)
    base, rl = (population.pass_at(side, n) for side in ("base", "rl"))
    truth = {
        "preserved": base * rl,
        "expanded": (1 - base) * rl,
        "shrunk": base * (1 - rl),
        "out": (1 - base) * (1 - rl),
    }
    held = dict.fromkeys(truth, 0)
    for seed in range(repetitions):
        sample = kinds.Sample(problems, n, np.random.default_rng(seed))
        got = support_interval((n, sample.base), (n, sample.rl), seed=seed, replicates=1000)
        for name, share in truth.items():
            estimate = getattr(got, name)
            held[name] += estimate.low <= population.weight @ share <= estimate.high
    return {name: count / repetitions for name, count in held.items()}


@pytest.mark.parametrize(("n", "problems"), [(16, 40), (1024, 100)])
def test_shares_of_the_labels(coverage: ModuleType, n: int, problems: int) -> None:
    for name, rate in shares_covered(coverage, n, problems, 150).items():
        assert rate >= least(150), name
