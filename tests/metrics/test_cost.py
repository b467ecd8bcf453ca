"""pass@k against tokens: by hand, limits, invariants, invalid input."""

from __future__ import annotations

import numpy as np
import pytest

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics import crossover, pass_at_k, pass_at_tokens, token_crossover


def study(seed: int, problems: int = 60, n: int = 64) -> tuple:
    rng = np.random.default_rng(seed)
    p = rng.beta(0.4, 1.2, problems)
    # RL is sharper: better on what base often solves, worse on the rest
    q = np.where(p > 0.3, p**0.4, p**1.6)
    return (n, rng.binomial(n, p)), (n, rng.binomial(n, q)), rng.uniform(50, 150, problems)


def test_between_whole_draws_the_curve_is_straight() -> None:
    n, c = [8, 8], [1, 4]
    curve = pass_at_k(n, c, np.arange(1, 9)).mean(axis=0)
    found = pass_at_tokens(n, c, mean_tokens=10, budgets=[9.9, 10, 25, 30, 79, 80, 81])
    want = [
        curve[0],
        (curve[1] + curve[2]) / 2,
        curve[2],
        0.1 * curve[6] + 0.9 * curve[7],
        curve[7],
    ]
    assert np.isnan(found[[0, 6]]).all()
    assert found[1:6] == pytest.approx(want)


def test_a_whole_number_of_draws_survives_rounding() -> None:
    tokens = 1.1
    budgets = tokens * np.arange(1, 65)
    found = pass_at_tokens([64], [3], mean_tokens=tokens, budgets=budgets)
    assert found == pytest.approx(pass_at_k([64], [3], np.arange(1, 65))[0])


def test_equal_lengths_cross_where_the_curves_do() -> None:
    base, rl, _ = study(1)
    lengths = np.full(60, 100.0)
    found = token_crossover(base, rl, base_tokens=lengths, rl_tokens=lengths)
    curves = crossover(base, rl)
    assert found.verdict == curves.verdict == "crosses"
    assert found.tokens == pytest.approx(100 * curves.k, rel=0.02)
    assert (found.least, found.most, found.ahead_after) == (100, 6400, "base")


@pytest.mark.parametrize("seed", range(6))
def test_exchanging_the_models_exchanges_the_words(seed: int) -> None:
    base, rl, lengths = study(seed)
    one = token_crossover(base, rl, base_tokens=lengths, rl_tokens=2 * lengths)
    other = token_crossover(rl, base, base_tokens=2 * lengths, rl_tokens=lengths)
    assert one.tokens == other.tokens
    assert (one.low, one.high) == (other.low, other.high)
    words = {"rl": "base", "base": "rl", "": ""}
    assert other.ahead_after == words[one.ahead_after]
    assert one.low <= one.high
    if one.tokens is not None:
        assert one.low <= one.tokens <= one.high


def test_units_of_length_do_not_matter() -> None:
    base, rl, lengths = study(3)
    one = token_crossover(base, rl, base_tokens=lengths, rl_tokens=lengths[::-1])
    other = token_crossover(base, rl, base_tokens=8 * lengths, rl_tokens=8 * lengths[::-1])
    assert [8 * v for v in (one.tokens, one.low, one.high)] == pytest.approx(
        [other.tokens, other.low, other.high]
    )


def test_identical_models_do_not_cross() -> None:
    base, _, lengths = study(4)
    found = token_crossover(base, base, base_tokens=lengths, rl_tokens=lengths)
    assert (found.verdict, found.tokens, found.ahead_after) == ("tied", None, "")


def test_the_interval_spans_every_budget_where_one_draw_decides() -> None:
    """One extra problem like those not drawn could move the crossing anywhere."""
    base = (128, [64] * 15 + [0] * 14 + [1])
    rl = (128, [90] * 15 + [0] * 15)
    lengths = np.full(30, 10.0)
    found = token_crossover(base, rl, base_tokens=lengths, rl_tokens=lengths)
    assert found.verdict == "crosses"
    assert found.high == np.inf


def test_no_common_budget() -> None:
    found = token_crossover((4, [1]), (4, [2]), base_tokens=[1], rl_tokens=[5])
    assert (found.verdict, found.tokens) == ("no common budget", None)
    assert np.isnan([found.low, found.high]).all()


def test_problems_without_lengths_are_left_out() -> None:
    base, rl, lengths = study(5)
    lengths[:10] = np.nan
    found = token_crossover(base, rl, base_tokens=lengths, rl_tokens=lengths)
    assert found.problems == 50
    assert found.base_tokens == pytest.approx(lengths[10:].mean())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"base_tokens": [1.0], "rl_tokens": [1.0, 1.0]}, "one mean length a problem"),
        ({"base_tokens": [0.0, 1.0], "rl_tokens": [1.0, 1.0]}, "above 0 tokens"),
        ({"base_tokens": [np.nan] * 2, "rl_tokens": [1.0, 1.0]}, "known lengths"),
        ({"base_tokens": [1, 1], "rl_tokens": [1, 1], "max_k": 9}, "max_k = 9"),
    ],
)
def test_invalid_lengths(arguments: dict, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        token_crossover((4, [1, 2]), (4, [2, 3]), **arguments)


def test_invalid_budget() -> None:
    with pytest.raises(InvalidInputError, match="above 0"):
        pass_at_tokens([4], [1], mean_tokens=0, budgets=[1])
    with pytest.raises(InvalidInputError, match="at least one problem"):
        pass_at_tokens([], [], mean_tokens=1, budgets=[1])
