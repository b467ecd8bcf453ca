"""A graded run as `rlvr-fast doctor` counts it again: its answers, and what follows of verdicts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from rlvr_fast.answers.distinct import DistinctAnswers
from rlvr_fast.answers.graded_tasks import GradedTask, check_golds, graded_tasks
from rlvr_fast.answers.imported import imported_grader
from rlvr_fast.answers.outcomes import by_canonical_form, by_import, problem_golds
from rlvr_fast.answers.pairs import Outcome
from rlvr_fast.answers.run_extraction import load_answers
from rlvr_fast.errors import InvalidInputError, RlvrError, RunDirectoryError
from rlvr_fast.tasks.schemes import scheme_of
from rlvr_fast.vocabulary import NO_GOLD

if TYPE_CHECKING:
    from rlvr_fast.store import Run

__all__ = ["Graded", "read_graded"]


@dataclass(frozen=True, slots=True)
class Graded:
    """A graded run, with what follows from its answers without a verifier.

    Attributes:
        run: the run.
        grading: the contents of grading.json.
        grades: the stored table.
        tasks: its tasks.
        distinct: its distinct answers, under the ids that are stored.
        without_gold: for each problem, whether it could not be graded.
        followed: the outcome of each distinct answer, None where only a verifier knows.
        notes: what could not be counted again.
    """

    run: Run
    grading: dict[str, Any]
    grades: pa.Table
    tasks: dict[str, GradedTask]
    distinct: DistinctAnswers
    without_gold: list[bool]
    followed: list[Outcome | None]
    notes: list[str]


def read_graded(run: Run, grading: dict[str, Any], grades: pa.Table) -> Graded:
    """A graded run with its answers read again.

    Args:
        run: the run.
        grading: the contents of its grading.json.
        grades: its table of grades.

    Raises:
        RunDirectoryError: answers whose ids do not number them, or a task without a name.
    """
    notes: list[str] = []
    verdicts = grading.get("verdicts", "ours")
    try:
        tasks = graded_tasks(run, grading.get("policy", "auto"), verdicts)
    except RlvrError as error:
        notes.append(f"a verifier is not here, so grading.json is taken at its word: {error}")
        tasks = _recorded_tasks(run, grading)
    problems = run.problems()
    owners = problems["task"].to_pylist()
    lacking = [name for name in dict.fromkeys(owners) if name not in tasks]
    if lacking:
        raise RunDirectoryError(f"grading.json does not name the task {lacking[0]!r}")
    without_gold = [False] * len(owners)
    if verdicts == "ours":
        try:
            without_gold = check_golds(run, tasks, problems)
        except InvalidInputError as error:
            raise RunDirectoryError(str(error)) from None
    exact = [tasks[name].equivalence == "exact" for name in owners]
    distinct = DistinctAnswers(problems["problem_id"].to_pylist(), exact, problem_golds(problems))
    load_answers(run, distinct, {"verdicts": verdicts}, int(run.num_samples("samples").sum()))
    followed: list[Outcome | None]
    if verdicts == "imported":
        followed = list(by_import(distinct, imported_grader(run)))
    else:
        metadata = [json.loads(text or "{}") for text in problems["metadata"].to_pylist()]
        followed = by_canonical_form(distinct, metadata)
        for number, owner in enumerate(distinct.problem):
            if without_gold[owner]:
                followed[number] = Outcome("error", NO_GOLD)
    return Graded(run, grading, grades, tasks, distinct, without_gold, followed, notes)


def _recorded_tasks(run: Run, grading: dict[str, Any]) -> dict[str, GradedTask]:
    """The tasks as grading.json describes them."""
    specs = {task["name"]: task["spec"] for task in run.info.tasks}
    found = {}
    for name, task in (grading.get("tasks") or {}).items():
        try:
            programs = scheme_of(specs.get(name, "")).runs_programs
        except RlvrError:
            programs = False
        found[name] = GradedTask(
            name,
            specs.get(name, ""),
            task.get("policy", "auto"),
            task.get("equivalence", "canonical"),
            task["verifier"],
            programs,
        )
    return found
