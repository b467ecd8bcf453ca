"""Code of Reasoning Gym's datasets changes nothing for the process that calls the verifier."""

import decimal

import numpy as np
import pytest

from rlvr_fast.tasks import load_task

SPEC = "reasoning_gym:decimal_arithmetic?size=3&seed=3&precision=8"


@pytest.mark.parametrize(
    "spec", [SPEC, "reasoning_gym:pool_matrix?size=2&seed=1", "reasoning_gym:gcd?size=2&seed=1"]
)
def test_precision_and_random_numbers_of_the_caller_stay(spec):
    task = load_task(spec)
    verifier = task.verifier()
    with decimal.localcontext(decimal.Context(prec=11)):
        wanted = np.random.get_state()[1].copy()  # noqa: NPY002 - that generator is the matter
        for problem in task.problems():
            verifier.prepare(problem.problem_id, problem.metadata)
            given = verifier.verify(
                problem.problem_id, problem.gold, problem.metadata, problem.gold
            )
            assert given == "correct"
        assert decimal.getcontext().prec == 11
        assert np.array_equal(np.random.get_state()[1], wanted)  # noqa: NPY002


def test_a_score_depends_neither_on_the_caller_nor_on_the_problems_before():
    task = load_task(SPEC + "&max_num_decimal_places=6")
    problem, *_ = task.problems()
    # One unit in the sixth place and a little: within it only where differences are rounded.
    with decimal.localcontext(decimal.Context(prec=60)):
        answer = str(decimal.Decimal(problem.gold) + decimal.Decimal("1.0000000001e-6"))
    found = set()
    for precision in (3, 28, 60):
        verifier = load_task(SPEC + "&max_num_decimal_places=6&guards=off").verifier()
        with decimal.localcontext(decimal.Context(prec=precision)):
            found.add(verifier.score(problem.problem_id, problem.metadata, answer))
    assert found == {0.0}
