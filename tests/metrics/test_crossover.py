"""The crossing of two pass@k curves of known models."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics import (
    crossover,
)


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
