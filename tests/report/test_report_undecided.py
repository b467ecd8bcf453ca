"""Draws without a verdict: one model has more of them, and nothing else differs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from light import LightSide, light_comparison

from rlvr_fast.metrics import Draws, exchange_null, fisher_tests
from rlvr_fast.report.answer_evidence import answer_evidence
from rlvr_fast.report.claims import FDR, holds
from rlvr_fast.report.comparison import Comparison
from rlvr_fast.report.evidence import gather

PROBLEMS, DRAWS = 200, 64


def one_model(seed: int, missing: float) -> Comparison:
    """Both sides draw from one model; a share of RL's verdicts is missing, whatever the draw."""
    rng = np.random.default_rng(seed)
    rate = rng.beta(0.2, 1.0, PROBLEMS)
    base, rl = (rng.binomial(DRAWS, rate) for _ in range(2))
    known = rng.binomial(rl, 1 - missing)
    wrong = rng.binomial(DRAWS - rl, 1 - missing)
    comparison = light_comparison((DRAWS, base), (DRAWS, known), tasks=[0] * PROBLEMS)
    side = LightSide(**{**vars(comparison.rl), "num_error": DRAWS - known - wrong})
    return replace(comparison, rl=side)


@pytest.mark.parametrize("seed", range(3))
def test_missing_verdicts_of_one_model_make_no_claim(seed: int) -> None:
    comparison = one_model(seed, 0.6)
    draws = comparison.base.draws, comparison.rl.draws
    # counted as not correct alone, the missing verdicts are a change
    assert exchange_null(*draws).p_shrunk < 0.01
    assert fisher_tests(*draws, fdr=FDR).discovery.any()
    found = gather(comparison)
    (overall, *_) = found.groups
    assert not any(holds(p) for p in overall.adjusted.values())
    assert (overall.worse, overall.better) == (0, 0)
    assert not overall.proven_lost.size


def test_a_change_shows_though_verdicts_are_missing() -> None:
    comparison = one_model(0, 0.2)
    fallen = np.where(np.arange(PROBLEMS) < 30, 0, comparison.rl.num_correct)
    base = np.where(np.arange(PROBLEMS) < 30, 40, comparison.base.num_correct)
    sides = [
        LightSide(**{**vars(side), "num_correct": counts})
        for side, counts in ((comparison.base, base), (comparison.rl, fallen))
    ]
    found = gather(replace(comparison, base=sides[0], rl=sides[1]))
    assert holds(found.groups[0].adjusted["shrunk"])
    assert found.groups[0].worse >= 30


def test_missing_verdicts_make_no_claim_on_answers() -> None:
    rng = np.random.default_rng(3)
    problem = np.repeat(np.arange(60), 4)
    rate = rng.beta(0.3, 4.0, problem.size) / 4
    base, whole = (rng.binomial(256, rate) for _ in range(2))
    rl = rng.binomial(whole, 0.4)
    sides = Draws(256, base), Draws(256, rl)
    decided = Draws(256, base), Draws(np.full(problem.size, 102), np.minimum(rl, 102))
    masks = [np.ones(problem.size, bool)]
    (blind,) = answer_evidence(*sides, problem=problem, masks=masks, independent=True)
    (found,) = answer_evidence(
        *sides, decided=decided, problem=problem, masks=masks, independent=True
    )
    assert holds(blind.p_shrunk)
    assert not holds(found.p_shrunk)
    assert not found.lost_singly
