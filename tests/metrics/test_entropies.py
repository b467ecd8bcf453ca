"""Entropies and perplexity against scipy and enumeration."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.stats import entropy

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics import (
    answer_entropies,
    answer_entropy,
    mean_token_entropy,
    perplexity,
)


def test_answer_entropy() -> None:
    counts = [5, 3, 0, 2]
    assert answer_entropy(counts) == pytest.approx(entropy([5, 3, 2]))
    assert answer_entropy(counts, correction="miller-madow") == pytest.approx(
        entropy([5, 3, 2]) + 2 / 20
    )
    assert answer_entropy([7]) == 0
    assert math.isnan(answer_entropy([]))
    assert math.isnan(answer_entropy([0, 0]))
    many = answer_entropies(problem_index=[1, 0, 1, 3, 1], counts=[5, 4, 3, 1, 2], num_problems=5)
    np.testing.assert_allclose(many, [0, entropy([5, 3, 2]), np.nan, 0, np.nan])


def test_perplexity_and_token_entropy() -> None:
    got = perplexity([-3.0, -np.inf, 0.0, np.nan], [3, 2, 0, 1])
    assert got[0] == pytest.approx(math.e)
    assert np.isinf(got[1])
    assert np.isnan(got[2:]).all()
    assert float(mean_token_entropy([0.5, np.nan, 1.5])) == 1.0
    grouped = mean_token_entropy([0.5, np.nan, 1.5, 2.0], groups=[0, 1, 0, 2], num_groups=4)
    np.testing.assert_allclose(grouped, [1.0, np.nan, 2.0, np.nan])


def test_answer_entropy_of_fewer_draws() -> None:
    """Exactly the mean over every choice of the draws."""
    answers = [0, 0, 0, 1, 1, 2]
    for draws in (1, 2, 4, 6):
        chosen = [
            answer_entropy(np.bincount([answers[i] for i in subset]))
            for subset in itertools.combinations(range(6), draws)
        ]
        (value,) = answer_entropies(problem_index=[0, 0, 0], counts=[3, 2, 1], draws=draws)
        assert value == pytest.approx(np.mean(chosen))
    both = answer_entropies(problem_index=[0, 1, 1], counts=[3, 40, 24], num_problems=3, draws=32)
    assert np.isnan(both[0])
    assert np.isnan(both[2])
    assert both[1] < answer_entropy([40, 24])
    with pytest.raises(InvalidInputError, match="draws"):
        answer_entropies(problem_index=[0], counts=[3], draws=0)
