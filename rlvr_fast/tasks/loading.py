"""From task specs to tasks and verifiers, for every kind of task."""

from __future__ import annotations

import functools
import hashlib
import os
import stat
from collections.abc import Sequence
from pathlib import Path

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.tasks.base import Scheme, Task, Verifier
from rlvr_fast.tasks.schemes import scheme_of
from rlvr_fast.tasks.specs import CEILINGS, TaskSpec, parse_spec

__all__ = ["load_task", "load_tasks", "load_verifier"]

# The largest file of tests that is read on behalf of a run.
MAX_FILE_BYTES = 16 << 30


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
    for key, most, given in _above_ceilings(scheme, parsed):
        raise InvalidInputError(f"task {spec!r}: expected {key} of at most {most:g}, got {given}")
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
    """The verifier of a task of a run, which may come from a stranger.

    Limits above the ceilings of `specs.py` are lowered to them. Problems are not read where the
    kind of task allows. Where its verifier needs a file, the file is read only if the spec pins its
    SHA-256 and the file has it: who wrote the spec then knew what the file holds. Sampling and
    importing record that digest.

    Raises:
        InvalidInputError: as for `load_task`; a file without its digest, or that is no longer the
            file of the run. The message says nothing of what such a file holds.
        MissingDependencyError: the task's package is not installed.
    """
    parsed = parse_spec(spec)
    scheme = scheme_of(spec)
    lowered = {key: f"{most:g}" for key, most, _ in _above_ceilings(scheme, parsed)}
    if lowered:
        parsed = parsed.with_options(**lowered)
    files = scheme.files(parsed) if scheme.files is not None else ()
    for file in files:
        _check_pinned(spec, file, parsed.options.get("sha256", ""))
    if scheme.verifier is not None:
        return scheme.verifier(parsed)
    if not files:
        return load_task(str(parsed)).verifier()
    try:
        return load_task(str(parsed)).verifier()
    except InvalidInputError:
        raise InvalidInputError(
            f"task {spec!r}: {', '.join(files)} has the SHA-256 that the task names, but makes no "
            f"such task; load the task itself to see why (rlvr_fast.tasks.load_task)"
        ) from None


def _above_ceilings(scheme: Scheme, spec: TaskSpec) -> list[tuple[str, float, str]]:
    """(option, ceiling, value) of each limit of programs that is above its ceiling."""
    if not scheme.runs_programs:
        return []
    above = []
    for key, most in CEILINGS.items():
        given = spec.options.get(key, "")
        try:
            too_much = float(given or 0) > most
        except ValueError:
            continue  # the kind of task says what it expected
        if too_much:
            above.append((key, most, given))
    return above


def _check_pinned(spec: str, file: str, digest: str) -> None:
    """Checks that a file that a run names is the one that its task was made from.

    The message is the same for every file that is not: a run learns nothing of the files of the
    machine on which it is graded.
    """
    if not digest:
        raise InvalidInputError(
            f"task {spec!r} names a file without its SHA-256 (sha256=...). Tasks of a run that is "
            f"graded may come from others, so {file} was not read. Put its digest into the task"
        )
    try:
        path = Path(file).expanduser()
        # A FIFO would wait for a writer, and a device may never end.
        if not path.is_file():
            raise FileNotFoundError(path)
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        with open(descriptor, "rb") as opened:  # noqa: PTH123  (a descriptor)
            status = os.fstat(descriptor)
            regular = stat.S_ISREG(status.st_mode) and status.st_size <= MAX_FILE_BYTES
            same = regular and hashlib.file_digest(opened, "sha256").hexdigest() == digest
    except (OSError, ValueError, RuntimeError):  # RuntimeError: ~NAME of nobody
        same = False
    if not same:
        raise InvalidInputError(
            f"task {spec!r}: {file} is missing or is not the file that the task was made from "
            f"(SHA-256 {digest[:64]}). Restore the file where the task names it, or take the "
            "verdicts that came with the rollouts (--verdicts imported)"
        )
