"""pass@k of a guesser, and the test against guessing."""

from __future__ import annotations

import pytest
from scipy.stats import binom

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics import (
    above_guessing,
    guessing_baseline,
)


def test_guessing() -> None:
    assert float(guessing_baseline(1e-3, k=8192)) == pytest.approx(0.9997, abs=5e-5)
    curve = guessing_baseline([0.0, 0.5, 1.0], k=[1, 2])
    assert curve.tolist() == [[0.0, 0.0], [0.5, 0.75], [1.0, 1.0]]
    assert float(above_guessing(10, 2, guess_probability=0.1)) == pytest.approx(
        1 - binom.cdf(1, 10, 0.1)
    )
    with pytest.raises(InvalidInputError, match="guess_probability"):
        guessing_baseline(1.5, k=1)
