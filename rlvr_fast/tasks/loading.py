"""From task specs to tasks and verifiers, for every kind of task."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.tasks.base import Task, Verifier
from rlvr_fast.tasks.schemes import scheme_of
from rlvr_fast.tasks.specs import parse_spec

__all__ = ["load_task", "load_tasks", "load_verifier"]


def load_task(spec: str, name: str | None = None) -> Task:
    """The task that a spec names.

    Args:
        spec: SCHEME:SOURCE?key=value&...; `rlvr_fast.tasks.schemes.describe_schemes()` lists the
            kinds of tasks, which the README explains.
        name: replaces the task's own name (the dataset's, or the file's without its ending).

    Raises:
        InvalidInputError: an unknown kind, dataset or option, or a bad file; the message names
            the row.
        MissingDependencyError: the task's package is not installed.

    Example:
        >>> load_task("reasoning_gym:countdown?seed=7&size=2").spec
        'reasoning_gym:countdown?seed=7&size=2'
    """
    parsed = parse_spec(spec)
    scheme = scheme_of(spec)
    if scheme.load is None:
        raise InvalidInputError(f"task {spec!r}: {scheme.name!r} has no problems of its own")
    return scheme.load(parsed, name)


def load_tasks(specs: Sequence[str]) -> list[Task]:
    """Several tasks, each `SPEC` or `NAME=SPEC`, as in `easy=reasoning_gym:countdown?seed=7`.

    A task with the name of an earlier one gets -2, -3, ... behind its name.

    Raises:
        InvalidInputError: two specs name the very same problems; and as for `load_task`.
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
    """The verifier of a task, made without reading the problems where the kind of task allows.

    Raises:
        InvalidInputError: as for `load_task`.
        MissingDependencyError: the task's package is not installed.
    """
    parsed = parse_spec(spec)
    scheme = scheme_of(spec)
    return load_task(spec).verifier() if scheme.verifier is None else scheme.verifier(parsed)
