"""The crossing of two pass@k curves of known models."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics import crossover, pass_at_k


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


def test_a_crossing_that_one_draw_decides_is_not_certain() -> None:
    base, rl = [64] * 15 + [0] * 14 + [1], [90] * 15 + [0] * 15
    found = crossover((128, base), (128, rl))
    assert found.verdict == "crosses"
    assert found.k == pytest.approx(7.7, abs=0.1)
    assert found.low < found.k
    assert found.high == math.inf
    assert not found.certain
    # twenty such problems settle it
    found = crossover((128, base[:15] + [3] * 20), (128, rl[:15] + [0] * 20))
    assert found.certain
    assert found.low < found.k < found.high < 128


def test_a_crossing_is_excluded_only_by_many_problems() -> None:
    few = crossover((64, [8, 0, 3] * 5), (64, [9, 1, 5] * 5))
    assert few.verdict == "rl ahead"
    assert not few.excluded
    many = crossover((64, [2, 0, 1] * 100), (64, [9, 8, 5] * 100))
    assert many.verdict == "rl ahead"
    assert many.excluded
    assert many.low == many.high == math.inf


def test_every_crossing_is_reported() -> None:
    # base: 30 problems at .4 and 40 at 30/n; RL: 70 at 20 % of it and 25 rare ones base never has
    n = 1024
    base = np.repeat([410, 0, 40, 0], [30, 20, 40, 60])
    rl = np.repeat([300, 500, 0, 2], [30, 20, 40, 60])
    found = crossover((n, base), (n, rl))
    assert [one.ahead for one in found.crossings] == ["base", "rl"]
    assert found.crossings[0].k < found.crossings[1].k
    assert found.verdict == "rl ahead"
    assert found.k is None
    for one in found.crossings:
        below, above = (
            (pass_at_k(n, rl, k) - pass_at_k(n, base, k)).mean()
            for k in (math.floor(one.k) - 2, math.ceil(one.k) + 2)
        )
        assert (below > 0, above > 0) == (one.ahead == "base", one.ahead == "rl")
    cut = crossover((n, base), (n, rl), max_k=100)
    assert cut.verdict == "crosses"
    assert cut.k == cut.crossings[-1].k


def test_the_limits_of_k_hold_at_30_problems() -> None:
    # half of the problems sharpened, one in ten lost: the lost ones decide, and may all be missing
    n, held = 128, 0
    k = np.arange(1, n + 1)
    lead = 0.5 * (0.5**k - 0.3**k) - 0.1 * (1 - 0.98**k)
    i = np.flatnonzero(lead > 0)[-1]
    truth = k[i] + lead[i] / (lead[i] - lead[i + 1])
    for seed in range(60):
        rng = np.random.default_rng(seed)
        kind = rng.random(30)
        base = rng.binomial(n, np.where(kind < 0.5, 0.5, np.where(kind < 0.6, 0.02, 0.0)))
        rl = rng.binomial(n, np.where(kind < 0.5, 0.7, 0.0))
        found = crossover((n, base), (n, rl), seed=seed, replicates=200)
        held += found.low <= truth <= found.high
    assert held >= 57


def test_a_crossing_that_rests_on_one_task_is_not_certain_for_new_tasks() -> None:
    # RL loses only problems of the last of four tasks
    base = [16] * 30 + [2] * 10
    rl = [40] * 30 + [0] * 10
    task = np.repeat(np.arange(4), 10)
    these, new = (crossover((64, base), (64, rl), groups=g) for g in (None, task))
    assert these.certain
    assert not new.certain
    assert new.low <= these.low < these.high <= new.high
