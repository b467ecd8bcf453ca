"""Hostile answers through worker processes: verdicts do not depend on neighbours or order."""

from __future__ import annotations

import pytest
from hostile_payloads import TOUCH

from rlvr_fast.answers.pairs import Pair
from rlvr_fast.answers.workers import verify_pairs
from rlvr_fast.tasks import load_task

PATCH = (
    "[setattr(c, 'score_answer', lambda *a: 1.0) for c in "
    "__import__('reasoning_gym').dataset.ProceduralDataset.__subclasses__()]"
)
HOSTILE = (
    PATCH,
    "setattr(__import__('__main__'), '_verify', lambda *a: {{'verdict': 'correct'}})",
    "open('/proc/%d/environ' % __import__('os').getppid()).read()",
    "__import__('signal').setitimer(2, 0) or [0 for _ in iter(int, 1)]",
    "__import__('os').write(1, b'{{}}')",
    "9**9**9",
    "((((9!)!)!)!)!",
    TOUCH,
)


@pytest.mark.slow  # worker processes that load Reasoning Gym
def test_hostile_answers_among_honest_ones(tmp_path):
    marker = tmp_path / "marker"
    pairs, wanted = [], []
    for name in ("countdown", "n_queens"):
        task = load_task(f"reasoning_gym:{name}?size=1&seed=3")
        (problem,) = task.problems()
        for answer in HOSTILE:
            for given in (answer.replace("{marker}", str(marker)), "banana", problem.gold):
                pairs.append(
                    Pair(task.spec, problem.problem_id, problem.gold, problem.metadata, given)
                )
                wanted.append("correct" if given == problem.gold else "incorrect")
    for order in (pairs, pairs[::-1]):
        found = {}
        verify_pairs(order, found.__setitem__, workers=1)
        verdicts = [found[place].verdict for place in range(len(order))]
        assert verdicts == (wanted if order is pairs else wanted[::-1])
    assert not marker.exists()
