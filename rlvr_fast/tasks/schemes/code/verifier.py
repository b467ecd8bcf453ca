"""The verifier of programs, and the limits that programs run under."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from rlvr_fast.errors import InvalidInputError, closest
from rlvr_fast.tasks.base import Equivalence
from rlvr_fast.tasks.sandbox import Limits
from rlvr_fast.tasks.specs import CEILINGS, TaskSpec
from rlvr_fast.vocabulary import Verdict

__all__ = ["DOMAIN", "CodeVerifier", "limits_of"]

DOMAIN = "code"
# Options of every code task: `timeout` (processor seconds of one test) and `memory_mb`. They decide
# verdicts and so are part of the task.
LIMITS = {"timeout": 10.0, "memory_mb": 1024.0}
LEAST = {"timeout": 0.0, "memory_mb": 32.0}  # in less memory no interpreter starts
MOST_SECONDS = 3600.0  # of all tests of one program


class ProblemTests(Protocol):
    """The tests of one problem."""

    @property
    def count(self) -> int:
        """How many there are."""
        ...

    def verdict(self, answer: str, limits: Limits) -> Verdict:
        """Runs the program `answer` against the tests, each run in a sandbox of its own."""
        ...


class CodeVerifier:
    """Runs a program once against the tests of its problem, each test in a sandbox of its own.

    The first test that the program does not pass decides: the verdict is `timeout` where the
    program exceeds its time limit, `incorrect` where it fails in any other way.
    """

    equivalence: Equivalence = "exact"

    def __init__(self, grader: str, limits: Limits, tests: Sequence[ProblemTests]) -> None:
        """Takes the tests of every problem of a task, in the order of the problems.

        Args:
            grader: what `name` begins with.
            limits: of one run of a program.
            tests: the tests of each problem.
        """
        self._grader = grader
        self._limits = limits
        self._tests = tests

    @property
    def name(self) -> str:
        """The source of the tests, the sandbox and the time limit."""
        return f"{self._grader} in bubblewrap, {self._limits.cpu_seconds:g} s"

    def prepare(self, problem_id: str, metadata: Mapping[str, Any]) -> None:
        """Checks that the problem is one of the task's; see `Verifier`.

        Raises:
            InvalidInputError: the task has no such problem.
        """
        self._tests_of(problem_id, metadata)

    def limit_seconds(self, metadata: Mapping[str, Any], timeout: float) -> float:
        """Wall seconds of all tests; the caller's limit does not apply to programs.

        The number of tests is that of the task, as the metadata come with the run.
        """
        try:
            count = self._tests_of("", metadata).count
        except InvalidInputError:
            count = 1  # `prepare` refuses the problem
        return min(self._limits.wall_seconds * (count + 1), MOST_SECONDS)

    def verify(
        self, problem_id: str, gold: str | None, metadata: Mapping[str, Any], answer: str
    ) -> Verdict:
        """The verdict on the program `answer`; see `Verifier`."""
        return self._tests_of(problem_id, metadata).verdict(answer, self._limits)

    def _tests_of(self, problem_id: str, metadata: Mapping[str, Any]) -> ProblemTests:
        index = metadata.get("index")
        if isinstance(index, int) and 0 <= index < len(self._tests):
            return self._tests[index]
        raise InvalidInputError(
            f"problem {problem_id!r} is not one of its task's {len(self._tests)} problems: "
            f"its metadata have index {index!r}"
        )


def limits_of(spec: TaskSpec, others: Sequence[str] = ()) -> Limits:
    """The limits of one run of a program, from the options of a task.

    A limit above `CEILINGS` becomes that: the spec may come with a run that was made elsewhere.

    Args:
        spec: the task.
        others: the options that the task takes besides those of the limits.

    Raises:
        InvalidInputError: an unknown option, a limit that is not a positive number, or memory in
            which no program runs.
    """
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
        if not 0 < values[key] < float("inf"):
            raise InvalidInputError(f"task {str(spec)!r}: {key}={text!r} is no positive number")
        if values[key] < LEAST[key]:
            raise InvalidInputError(
                f"task {str(spec)!r}: expected {key} of at least {LEAST[key]:g}, got {text}"
            )
        values[key] = min(values[key], CEILINGS[key])
    seconds = values["timeout"]
    return Limits(seconds, 2 * seconds + 2, int(values["memory_mb"]))
