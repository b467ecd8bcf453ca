"""Tasks that are added to a run: its problems keep their rows, and further ones come behind them.

run.json is written first, with the digest that problems.parquet is to have, and problems.parquet
after it. A process that dies in between leaves a run whose new tasks have no problems yet, which
the same command goes on with. What was made from the files before stays valid: run.json keeps the
digests of the states that the run was in (`RunInfo.states`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from rlvr_fast.store.files import parquet_bytes, write_atomically, write_json
from rlvr_fast.store.info import RunInfo, tasks_beyond
from rlvr_fast.store.problem_tables import problem_differences
from rlvr_fast.store.recorded import keep_task_files

__all__ = ["extend_run", "lacks_problems", "tasks_in_order"]


class _Extended(Protocol):
    path: Path
    info: RunInfo

    def problems(self) -> pa.Table: ...


def tasks_in_order(info: RunInfo, tasks: Sequence[Mapping[str, Any]]) -> list[int] | None:
    """The places of tasks in the order of a run: those that it has, then the others.

    None where the run has a task that is not among them.

    Args:
        info: the run.json of the run.
        tasks: [{"name", "spec"}], as run.json records specs.
    """
    places, left = [], list(range(len(tasks)))
    for known in info.tasks:
        same = [
            at
            for at in left
            if tasks_beyond(replace(info, tasks=[tasks[at]]), replace(info, tasks=[known])) == []
        ]
        if not same:
            return None
        places.append(same[0])
        left.remove(same[0])
    return [*places, *left]


def lacks_problems(info: RunInfo, problems: pa.Table) -> bool:
    """Whether problems that run.json has the digest of are not in problems.parquet yet."""
    return len(info.states) > 1 and len(problems) == info.states[-2]["problems"]


def extend_run(
    run: _Extended, wanted: RunInfo, problems: pa.Table, tasks: Sequence[Mapping[str, Any]]
) -> bool:
    """Adds tasks and their problems to a run; the caller holds its lock, and reads it again.

    Args:
        run: the run.
        wanted: its run.json with further tasks behind its own.
        problems: the problems of all tasks, those of the run first.
        tasks: the tasks of `wanted`, with the specs that the user gave.

    Returns:
        Whether anything was added; nothing is where `wanted` is not this run with further tasks.
    """
    info, present = run.info, run.problems()
    states = list(info.states) or [_state(run.path, info, present)]
    if lacks_problems(info, present):
        states.pop()
    elif len(wanted.tasks) <= len(info.tasks):
        return False
    ours = replace(wanted, tasks=wanted.tasks[: len(info.tasks)])
    known = tasks_beyond(ours, info) == [] and len(present) <= len(problems)
    if not known or problem_differences(present, problems.slice(0, len(present))):
        return False
    data = parquet_bytes(problems)
    state = {
        "tasks": len(wanted.tasks),
        "problems": len(problems),
        "problems.parquet": hashlib.sha256(data).hexdigest(),
    }
    further = wanted.tasks[len(info.tasks) :]
    # What was asked for was asked of the problems that there were.
    asked = dict(info.requested_of)
    if info.requested_samples:
        ids = present["problem_id"].to_pylist()
        asked = dict.fromkeys(ids, info.requested_samples) | asked
    extended = replace(
        info,
        tasks=[*info.tasks, *further],
        states=[*states, state],
        requested_samples=None,
        requested_of=asked,
    )
    keep_task_files(run.path, tasks)
    write_json(run.path / "run.json", extended.to_json())
    write_atomically(run.path / "problems.parquet", lambda file: file.write(data))
    return True


def _state(path: Path, info: RunInfo, problems: pa.Table) -> dict[str, Any]:
    data = (path / "problems.parquet").read_bytes()
    return {
        "tasks": len(info.tasks),
        "problems": len(problems),
        "problems.parquet": hashlib.sha256(data).hexdigest(),
    }
