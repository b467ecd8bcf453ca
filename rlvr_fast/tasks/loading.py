"""From task specs to tasks."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.tasks.base import Task, Verifier
from rlvr_fast.tasks.specs import closest, parse_spec

__all__ = ["SCHEMES", "load_task", "load_tasks", "load_verifier"]

SCHEMES = ("reasoning_gym", "math", "code")


def load_task(spec: str, name: str | None = None) -> Task:
    """The task a spec names.

    - `reasoning_gym:DATASET?size=50&seed=7&...`: any Reasoning Gym dataset and config value.
    - `math:PATH?question=FIELD&answer=FIELD&id=FIELD`: JSONL or Parquet with gold answers.
    - `code:humaneval`, `code:PATH`: HumanEval, or stdin/stdout problems as LiveCodeBench has them.

    `name` replaces the task's own name (the dataset's, or the file's without its ending).

    >>> load_task("reasoning_gym:countdown?seed=7&size=2").spec
    'reasoning_gym:countdown?seed=7&size=2'

    Raises InvalidInputError for an unknown scheme, dataset or option and for a bad file, naming
    the row; MissingDependencyError where the task's package is not installed.
    """
    parsed = parse_spec(spec)
    if parsed.scheme == "reasoning_gym":
        from rlvr_fast.tasks.gym import GymTask

        return GymTask(parsed, name)
    if parsed.scheme == "math":
        from rlvr_fast.tasks.math_file import MathTask

        return MathTask(parsed, name)
    if parsed.scheme == "code":
        from rlvr_fast.tasks.code import load_code_task

        return load_code_task(parsed, name)
    raise InvalidInputError(
        f"task {spec!r}: unknown kind {parsed.scheme!r}.{closest(parsed.scheme, SCHEMES)} "
        f"Known: {', '.join(f'{scheme}:...' for scheme in SCHEMES)}"
    )


def load_tasks(specs: Sequence[str]) -> list[Task]:
    """Several tasks, each `SPEC` or `NAME=SPEC`, as in `easy=reasoning_gym:countdown?seed=7`.

    One that bears the name of an earlier one gets -2, -3, ... behind it.

    Raises InvalidInputError where two specs name the very same problems.
    """
    if isinstance(specs, str):
        raise InvalidInputError(f"expected a list of task specs, got the text {specs!r}")
    if not specs:
        raise InvalidInputError("expected at least one task, as in 'reasoning_gym:countdown'")
    tasks: list[Task] = []
    for text in specs:
        head, colon, rest = text.partition(":")
        name, _, scheme = head.rpartition("=")
        task = load_task(scheme + colon + rest, name.strip() or None)
        if any(task.spec == other.spec for other in tasks):
            raise InvalidInputError(f"task {task.spec!r} is given twice")
        taken = {other.name for other in tasks}
        if task.name in taken:
            number = next(n for n in range(2, len(specs) + 2) if f"{task.name}-{n}" not in taken)
            task = load_task(task.spec, f"{task.name}-{number}")
        tasks.append(task)
    return tasks


@functools.lru_cache(maxsize=64)
def load_verifier(spec: str) -> Verifier:
    """The verifier of a task, without reading its problems where it can do without."""
    parsed = parse_spec(spec)
    if parsed.scheme == "math":
        from rlvr_fast.tasks.math_verifier import MathVerifier

        return MathVerifier()
    if parsed.scheme == "numeric":  # the audit's second opinion; poses no problems
        from rlvr_fast.tasks.numeric_verifier import NumericVerifier

        return NumericVerifier()
    return load_task(spec).verifier()
