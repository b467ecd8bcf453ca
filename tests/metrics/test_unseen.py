"""Good-Turing and Chao's estimators by hand, and on a model with known probabilities."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics import (
    chao1,
    good_turing,
)


def test_good_turing_and_chao1_by_hand() -> None:
    counts = [10, 4, 2, 2, 1, 1, 1]
    unseen = good_turing(counts)
    assert unseen.value == pytest.approx(3 / 21)
    assert unseen.low < unseen.value < unseen.high
    half = 1.959964 * math.sqrt(3 * (1 - 3 / 21) + 4) / 21
    assert unseen.high == pytest.approx(3 / 21 + half, rel=1e-6)
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


def test_good_turing_is_unbiased_for_the_unseen_probability() -> None:
    rng = np.random.default_rng(0)
    p = np.append(np.full(40, 0.01), 0.6)
    draws = rng.multinomial(60, p, 3000)
    estimates = [good_turing(row).value for row in draws]
    unseen = ((draws == 0) * p).sum(axis=1)
    assert np.mean(estimates) == pytest.approx(unseen.mean(), rel=0.03)
