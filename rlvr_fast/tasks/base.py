"""The types of a problem, a task, a verifier and a kind of task."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.tasks.specs import TaskSpec
from rlvr_fast.vocabulary import POLICIES, Policy, Verdict

__all__ = ["Equivalence", "Problem", "Scheme", "Task", "Verifier"]

# What makes two answers to one problem interchangeable for its verifier.
#   canonical  the same canonical form (mathematics: 1/2 and 0.5 need one verification)
#   exact      the same text (a program, or a format that its verifier may check to the letter)
Equivalence = Literal["canonical", "exact"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem of a task.

    Attributes:
        problem_id: unique within a run ("TASK/...").
        task: the name of the task.
        question: the text that is asked, before a prompt template.
        gold: the right answer, None where the verifier needs none.
        metadata: JSON values only. "index" is the row or index in the source, "domain" the domain
            of the task, "answer_space" (where present) the number of answers among which a guesser
            chooses; the rest is what the verifier needs to verify an answer in another process.
    """

    problem_id: str
    task: str
    question: str
    gold: str | None
    metadata: dict[str, Any]


@runtime_checkable
class Verifier(Protocol):
    """Decides one answer. Made from a spec alone, so that a worker process can make its own.

    A worker process calls `prepare`, then `verify`, for one answer after the other, in one thread.
    Two attributes are optional: `evaluates`, true where `verify` evaluates text as code, so that
    each answer is verified in a process of its own; and `reason`, a sentence of the verifier's own
    about the last verdict, empty where it has none.
    """

    @property
    def name(self) -> str:
        """Name and version of the grader, recorded beside its verdicts."""
        ...

    @property
    def equivalence(self) -> Equivalence:
        """Which answers to one problem need one verification between them."""
        ...

    def prepare(self, problem_id: str, metadata: Mapping[str, Any]) -> None:
        """Loads the needs of this problem, so that the loading time counts for no answer.

        Raises:
            InvalidInputError: the problem is not the problem that was asked.
        """
        ...

    def limit_seconds(self, metadata: Mapping[str, Any], timeout: float) -> float:
        """Processor seconds one verification may take, where the caller asks for `timeout`."""
        ...

    def verify(
        self, problem_id: str, gold: str | None, metadata: Mapping[str, Any], answer: str
    ) -> Verdict:
        """The verdict on `answer`. May raise, hang or exhaust memory: callers isolate the call."""
        ...


@runtime_checkable
class Task(Protocol):
    """A named set of problems with one verifier."""

    @property
    def name(self) -> str:
        """The name in tables and in problem ids."""
        ...

    @property
    def spec(self) -> str:
        """Everything that determines the problems, in canonical form."""
        ...

    @property
    def domain(self) -> str:
        """The domain of the problems ("math", "code", "games")."""
        ...

    def problems(self) -> list[Problem]:
        """The problems, the same ones in the same order at every call."""
        ...

    def verifier(self) -> Verifier:
        """The verifier of answers to these problems."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """A kind of task, which the text before the colon of a task spec names.

    Attributes:
        name: the text before the colon.
        form: how a spec of this kind is written ("math:FILE").
        help: one line on what such a task is, for the command line.
        load: makes the task of a spec; the second argument replaces the task's own name. None for
            a verifier without problems of its own, which help does not show.
        verifier: makes the verifier of a spec without reading problems. None where only the task
            itself knows its verifier.
        policy: how answers are extracted where the user leaves the policy at "auto"; the function
            `extract_answers` in `rlvr_fast/answers/extraction.py` says which mark each policy looks
            for. A completion without the mark is "unparsed" and never reaches the verifier.
        instruction: what a question needs below it so that an answer has the mark that `policy`
            looks for; sampling puts it there, for problems with a gold answer, unless the user
            says otherwise. Empty where the questions of this kind need none.
        runs_programs: whether the verifier runs answers as programs. Its worker processes may then
            start processes, and grading is refused where there is no sandbox
            (`rlvr_fast.tasks.sandbox`), in which the verifier has to run them.
        second_opinion: the spec whose verifier an audit asks about this verifier's verdicts. None:
            this verifier again, in a fresh process.
        files: the local files without which the verifier of a spec cannot be made. A run that is
            graded may come from a stranger: see `load_verifier`.
        posed_by_run: whether the run alone decides which problems were posed: questions and gold
            answers are stored there, and specs of two runs may name different files.
        packages: the packages whose versions a run records.
        extra: the extra of rlvr-fast that installs what such a task needs beyond rlvr-fast itself.
    """

    name: str
    form: str
    help: str
    load: Callable[[TaskSpec, str | None], Task] | None = None
    verifier: Callable[[TaskSpec], Verifier] | None = None
    policy: Policy = "auto"
    instruction: str = ""
    runs_programs: bool = False
    second_opinion: str | None = None
    files: Callable[[TaskSpec], tuple[str, ...]] | None = None
    posed_by_run: bool = False
    packages: tuple[str, ...] = ()
    extra: str | None = None

    def __post_init__(self) -> None:
        if self.policy not in POLICIES:
            raise InvalidInputError(
                f"kind of task {self.name!r}: unknown policy {self.policy!r}; known: "
                f"{', '.join(POLICIES)}"
            )
        if self.load is None and self.verifier is None:
            raise InvalidInputError(f"kind of task {self.name!r}: neither load nor verifier given")
