"""What a problem is and how an answer to it is verified."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args, runtime_checkable

__all__ = ["VERDICTS", "Equivalence", "Problem", "Task", "Verdict", "Verifier"]

Verdict = Literal["correct", "incorrect", "unparsed", "timeout", "error"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)

# What makes two answers to one problem interchangeable for its verifier.
#   canonical  the same canonical form (mathematics: 1/2 and 0.5 need one verification)
#   exact      the same text (a program, or a format that its verifier may check by the letter)
Equivalence = Literal["canonical", "exact"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem of a task.

    `problem_id` is unique within a run ("TASK/..."), `gold` is None where the verifier needs no
    gold answer, and `metadata` holds JSON values only: "index" (row or index in the source),
    "domain", and whatever the task's verifier needs to verify an answer in another process.
    "answer_space", where present, is the number of answers a guesser chooses from.
    """

    problem_id: str
    task: str
    question: str
    gold: str | None
    metadata: dict[str, Any]


@runtime_checkable
class Verifier(Protocol):
    """Decides one answer. Built from a spec alone, so that it can live in a worker process."""

    @property
    def name(self) -> str:
        """Name and version of the grader, recorded beside its verdicts."""
        ...

    @property
    def equivalence(self) -> Equivalence: ...

    def prepare(self, problem_id: str, metadata: Mapping[str, Any]) -> None:
        """Loads what verifying this problem needs, so that it is not on an answer's clock.

        Raises InvalidInputError where the problem is not the one that was asked.
        """
        ...

    def limit_seconds(self, metadata: Mapping[str, Any], timeout: float) -> float:
        """Processor seconds one verification may take, where the caller asks for `timeout`."""
        ...

    def verify(
        self, problem_id: str, gold: str | None, metadata: Mapping[str, Any], answer: str
    ) -> Verdict:
        """The verdict on `answer`. May raise, hang or exhaust memory: callers isolate it."""
        ...


@runtime_checkable
class Task(Protocol):
    """A named set of problems with one verifier."""

    @property
    def name(self) -> str: ...

    @property
    def spec(self) -> str:
        """Everything that determines the problems, in canonical form."""
        ...

    @property
    def domain(self) -> str: ...

    def problems(self) -> list[Problem]: ...

    def verifier(self) -> Verifier: ...
