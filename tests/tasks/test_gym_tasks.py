from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys

import pytest

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.tasks import Task, Verifier, load_task


def verdict(task, problem, answer):
    return task.verifier().verify(problem.problem_id, problem.gold, problem.metadata, answer)


def test_problems_are_those_of_the_dataset_and_its_config():
    import reasoning_gym

    task = load_task("reasoning_gym:chain_sum?size=4&seed=7&min_terms=3&max_terms=3")
    dataset = reasoning_gym.create_dataset("chain_sum", size=4, seed=7, min_terms=3, max_terms=3)
    assert isinstance(task, Task)
    assert isinstance(task.verifier(), Verifier)
    assert [(p.question, p.gold) for p in task.problems()] == [
        (dataset[i]["question"], dataset[i]["answer"]) for i in range(4)
    ]
    assert task.domain == "arithmetic"
    assert [p.metadata["index"] for p in task.problems()] == [0, 1, 2, 3]
    json.dumps([dataclasses.asdict(p) for p in task.problems()])


def test_only_a_full_score_is_correct():
    task = load_task("reasoning_gym:countdown?size=2&seed=7")
    problem = task.problems()[0]
    verifier = task.verifier()
    assert verdict(task, problem, problem.gold) == "correct"
    assert 0 < verifier.score(problem.problem_id, problem.metadata, "1 + 1") < 1
    assert verdict(task, problem, "1 + 1") == "incorrect"
    assert verifier.name.startswith("reasoning-gym ")
    assert verifier.name.endswith(" countdown")


def test_one_problem_may_have_many_correct_answers():
    task = load_task("reasoning_gym:countdown?size=1&seed=7&min_numbers=3&max_numbers=3")
    problem = task.problems()[0]
    assert verdict(task, problem, problem.gold) == "correct"
    assert verdict(task, problem, f"({problem.gold})") == "correct"


def test_config_values_are_read_as_the_config_types_them():
    made = load_task("reasoning_gym:countdown?operators=+,-&shuffle=false&size=3&seed=1").problems()
    assert len(made) == 3
    assert all("*" not in p.gold and "/" not in p.gold for p in made)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("reasoning_gym:countdwn", "Did you mean 'countdown'"),
        ("reasoning_gym:countdown?sizes=3", "Did you mean 'size'.*max_numbers"),
        ("reasoning_gym:countdown?size=many", "size='many' is not of type int"),
        ("reasoning_gym:countdown?shuffle=perhaps", "shuffle='perhaps' is not of type bool"),
        ("reasoning_gym:countdown?size=0", "size should be at least 1"),
        ("reasoning_gym:countdown?min_numbers=5&max_numbers=2", "refuses this config"),
    ],
)
def test_an_error_in_a_spec_names_the_known_values(spec, said):
    with pytest.raises(InvalidInputError, match=said):
        load_task(spec)


def test_a_regenerated_problem_that_differs_is_an_error_naming_both_versions():
    task = load_task("reasoning_gym:chain_sum?size=1&seed=7")
    problem = task.problems()[0]
    drifted = {**problem.metadata, "question_sha256": "0" * 64, "generator": "reasoning-gym 0.0.1"}
    with pytest.raises(InvalidInputError, match=r"by reasoning-gym 0\.0\.1 .*by reasoning-gym 0"):
        task.verifier().verify(problem.problem_id, problem.gold, drifted, "1")


def test_datasets_that_iterate_over_sets_give_the_same_problems_in_every_process():
    code = (
        "from rlvr_fast.tasks import load_task\n"
        "t = load_task('reasoning_gym:ransom_note?size=2&seed=7')\n"
        "print([p.question for p in t.problems()])"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(seen) == 1


@pytest.mark.slow
def test_every_dataset_loads_and_scores_its_own_gold():
    from reasoning_gym.factory import DATASETS

    without_gold = {"boxnet", "graph_color", "propositional_logic", "rubiks_cube", "rush_hour"}
    hash_dependent = {"isomorphic_strings", "polynomial_multiplication", "ransom_note"}
    for name in sorted(set(DATASETS) - {"composite"}):
        task = load_task(f"reasoning_gym:{name}?size=1&seed=7")
        problem = task.problems()[0]
        assert json.loads(json.dumps(problem.metadata)) == problem.metadata
        if name in without_gold:
            assert problem.gold is None, name
        elif name not in hash_dependent:  # these datasets need a process with PYTHONHASHSEED=0
            assert verdict(task, problem, problem.gold) == "correct", name


# Answers in a form that the dataset refuses and the paper accepts.
IN_ANOTHER_FORM = [
    ("power_function", lambda gold: rf"{scientific(gold)[0]} \times 10^{{{scientific(gold)[1]}}}"),
    ("power_function", lambda gold: f"${scientific(gold)[0]} \u00d7 10^{scientific(gold)[1]}$"),
    ("palindrome_generation", " ".join),
    ("palindrome_generation", lambda gold: f"{gold[:2]}\n{gold[2:]}"),
    ("arc_1d", lambda gold: gold.replace(" ", "")),
    ("arc_1d", lambda gold: gold.replace(" ", "  ")),
]


def scientific(gold):
    mantissa, _, exponent = f"{float(gold):.2e}".partition("e")
    return mantissa, int(exponent)


@pytest.mark.parametrize(("dataset", "write"), IN_ANOTHER_FORM)
def test_leash_fixes_change_the_form_of_an_answer_alone(dataset, write):
    for options, expected in (("", "incorrect"), ("&fixes=leash", "correct")):
        task = load_task(f"reasoning_gym:{dataset}?size=3&seed=7{options}")
        for problem in task.problems():
            assert verdict(task, problem, write(problem.gold)) == expected
            assert verdict(task, problem, problem.gold) == "correct"
            assert verdict(task, problem, write(problem.gold)[:-1] + "7") == "incorrect"
        assert task.verifier().name.endswith("leash fixes") == bool(options)


def test_fixes_are_part_of_the_task_and_change_no_problem():
    plain, mended = (
        load_task(f"reasoning_gym:leg_counting?size=2&seed=7{options}")
        for options in ("", "&fixes=leash")
    )
    assert plain.problems() == mended.problems()
    assert "fixes=leash" in mended.spec
    assert "fixes" not in plain.spec
    problem = mended.problems()[0]
    assert verdict(mended, problem, f" {problem.gold} ") == verdict(
        plain, problem, f" {problem.gold} "
    )
    with pytest.raises(InvalidInputError, match="fixes should be none or leash, got 'all'"):
        load_task("reasoning_gym:leg_counting?fixes=all")


@pytest.mark.parametrize(
    ("dataset", "answer", "read"),
    [
        ("power_function", "1.23e+4", "1.23e+4"),
        ("power_function", r"\(1.23\)", r"\(1.23\)"),
        ("power_function", "\u22121.5*10**(-3)", "-1.5e-3"),
        ("power_function", "2.5 x 10^2", "2.5e2"),
        ("power_function", "1.2 x 10^3 x 10^4", "1.2 x 10^3 x 10^4"),
        ("palindrome_generation", " a b\u00a0a ", "aba"),
        ("arc_1d", "0 1\n2", "0 1 2"),
        ("arc_1d", "[0, 1, 2]", "[0, 1, 2]"),
        ("arc_1d", "\u0661\u0662", "\u0661\u0662"),
        ("arc_1d", "", ""),
        ("chain_sum", "1 2", "1 2"),
    ],
)
def test_a_fix_leaves_other_answers_as_they_are(dataset, answer, read):
    from rlvr_fast.tasks.schemes.reasoning_gym.fixes import fixed

    assert fixed(dataset, answer) == read
