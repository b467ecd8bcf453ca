"""Problems with tests in a file: of programs that read and write, or of functions."""

from __future__ import annotations

import base64
import json
import pickletools
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlvr_fast.errors import InvalidInputError, shown
from rlvr_fast.tasks.base import Problem
from rlvr_fast.tasks.rows import file_sha256, read_rows
from rlvr_fast.tasks.sandbox import Limits, ProgramResult, run_program
from rlvr_fast.tasks.schemes.code.functions import CallTests, call_tests
from rlvr_fast.tasks.schemes.code.outputs import TOLERANCE, same_output
from rlvr_fast.tasks.schemes.code.prelude import RUNNER
from rlvr_fast.tasks.schemes.code.verifier import DOMAIN, CodeVerifier, limits_of
from rlvr_fast.tasks.specs import TaskSpec
from rlvr_fast.vocabulary import Verdict

__all__ = ["ProgramTask", "ProgramTests"]

MOST_UNPACKED = 512 << 20  # bytes of the private tests of one problem


class ProgramTask:
    """`code:PATH?timeout=10&memory_mb=1024`: a JSONL or Parquet file of problems with tests.

    Rows in LiveCodeBench's own form (question_content, question_id, public_test_cases,
    private_test_cases, these as JSON or as its compressed text), or simply {"question", "id",
    "tests": [{"input", "output"}]}. LiveCodeBench's functional tests (testtype "functional") call
    the function that `func_name` of the row's metadata names; rows that have them are left out with
    `functional=skip`.
    """

    domain = DOMAIN

    def __init__(self, spec: TaskSpec, name: str | None = None) -> None:
        limits = limits_of(spec, ("sha256", "functional"))
        functional = spec.options.get("functional", "run")
        if functional not in ("run", "skip"):
            raise InvalidInputError(f"task {str(spec)!r}: functional should be run or skip")
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
        self._tests: list[ProgramTests | CallTests] = []
        first_row: dict[str, int] = {}
        for number, row in rows:
            tests = _tests(row, f"{path}, row {number}", functional == "skip", str(path))
            if tests is None:
                continue
            problem = self._problem(row, len(self._tests), tests, path, number)
            if problem.problem_id in first_row:
                raise InvalidInputError(
                    f"{path}, row {number}: id {problem.problem_id!r} stands in row "
                    f"{first_row[problem.problem_id]} too; ids have to be unique"
                )
            first_row[problem.problem_id] = number
            self._problems.append(problem)
            self._tests.append(tests)
        if not self._tests:
            raise InvalidInputError(f"{path}: no problem whose tests are run")

    def _problem(
        self,
        row: Mapping[str, Any],
        index: int,
        tests: ProgramTests | CallTests,
        path: Path,
        number: int,
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
            question=f"{question.rstrip()}\n\n{_request(row, tests)}",
            gold=None,
            metadata={"index": index, "domain": DOMAIN, "tests": tests.count},
        )

    def problems(self) -> list[Problem]:
        """The problems, in the order of the file."""
        return list(self._problems)

    def verifier(self) -> CodeVerifier:
        """Compares what a program writes, or a function returns, with the outputs of the file."""
        grader = f"tests of a file, reals within {TOLERANCE:.0e}"
        return CodeVerifier(grader, self._limits, self._tests)


@dataclass(frozen=True, slots=True)
class ProgramTests:
    """Pairs of an input and the output that is expected for it.

    Attributes:
        cases: the pairs.
        file: where they stand; hidden from programs.
    """

    cases: tuple[tuple[str, str], ...]
    file: str

    @property
    def count(self) -> int:
        """The number of pairs."""
        return len(self.cases)

    def verdict(self, answer: str, limits: Limits) -> Verdict:
        """Correct where the program writes the expected output for every input."""
        for given, wanted in self.cases:
            stdin = given.encode("utf-8", "surrogatepass")  # a JSON text may hold half a pair
            result = run_program(
                {"main.py": RUNNER, "answer.py": answer},
                ["python", "main.py"],
                stdin=stdin,
                limits=limits,
                hidden=[self.file],
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


def _request(row: Mapping[str, Any], tests: ProgramTests | CallTests) -> str:
    """What an answer has to be, in the words that follow the question."""
    if isinstance(tests, ProgramTests):
        return (
            "Write a Python program that reads standard input and writes standard output. Give it "
            "in one fenced code block."
        )
    starter = row.get("starter_code")
    if not isinstance(starter, str) or not starter.strip():
        return f"Write the Python function `{tests.function}`. Give it in one fenced code block."
    return (
        "Complete this Python code. Give the whole of it, with its imports, in one fenced code "
        f"block.\n\n```python\n{starter.rstrip()}\n```"
    )


def _tests(
    row: Mapping[str, Any], where: str, skip_functional: bool, file: str
) -> ProgramTests | CallTests | None:
    cases: list[tuple[str, str]] = []
    kinds: set[str] = set()
    for field in ("tests", "public_test_cases", "private_test_cases"):
        for case in _cases(row.get(field), f"{where}: field {field!r}"):
            kind = case.get("testtype", "stdin")
            if kind not in ("stdin", "functional"):
                raise InvalidInputError(
                    f"{where}: has tests of type {shown(kind)}; only the types stdin and "
                    "functional are run"
                )
            kinds.add(kind)
            given, wanted = case.get("input"), case.get("output")
            if not isinstance(given, str) or not isinstance(wanted, str):
                raise InvalidInputError(f"{where}: a test in {field!r} lacks 'input' or 'output'")
            cases.append((given, wanted))
    if not cases:
        raise InvalidInputError(
            f"{where}: no tests; expected 'tests', 'public_test_cases' or 'private_test_cases'"
        )
    if "functional" not in kinds:
        return ProgramTests(tuple(cases), file)
    if skip_functional:
        return None
    function = _function(row, where)
    if len(kinds) > 1:
        raise InvalidInputError(f"{where}: has tests of type stdin and of type functional")
    try:
        return call_tests(function, cases, file)
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(
            f"{where}: a functional test is not JSON, an argument on each line: {error}"
        ) from error


def _function(row: Mapping[str, Any], where: str) -> str:
    """The name of the function that functional tests call."""
    about = row.get("metadata")
    try:
        about = json.loads(about) if isinstance(about, str) else about
    except (ValueError, RecursionError):
        about = None
    name = about.get("func_name") if isinstance(about, dict) else None
    if not isinstance(name, str) or not name.isidentifier():
        raise InvalidInputError(
            f"{where}: has functional tests, and no name of a function in 'func_name' of "
            "'metadata'; leave such rows out with ?functional=skip"
        )
    return name


def _cases(value: object, where: str) -> list[dict[str, Any]]:
    if value is None or value == "":
        return []
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except RecursionError as error:
            raise InvalidInputError(f"{where}: JSON of too many levels") from error
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
        unpacking = zlib.decompressobj()
        packed = unpacking.decompress(base64.b64decode(text, validate=True), MOST_UNPACKED)
        if not unpacking.eof:
            raise ValueError(f"they are cut off, or larger than {MOST_UNPACKED >> 20} MiB")
        texts = (
            argument for _, argument, _ in pickletools.genops(packed) if isinstance(argument, str)
        )
        return json.loads(next(texts, ""))
    except (ValueError, zlib.error, RecursionError, OverflowError, MemoryError) as error:
        raise InvalidInputError(
            f"{where}: neither JSON nor LiveCodeBench's packed tests: {error}"
        ) from error
