"""The problems that two runs share, and the row numbers of their ids."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.store import Run, align_problems

__all__ = [
    "BoolArray",
    "FloatArray",
    "IntArray",
    "LabelArray",
    "Problems",
    "codes_of",
    "common_problems",
    "read_problems",
    "task_codes",
    "task_domains",
]

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]
LabelArray = npt.NDArray[np.str_]


@dataclass(frozen=True, slots=True)
class Problems:
    """The problems two runs share, in the order of the base run; every tuple is over problems.

    Attributes:
        ids: the ids in the base run, which name the problems in a report.
        rl_ids: the ids in the other run.
        tasks: the names of the tasks.
        domains: the domains.
        prompts: the prompts of the base run.
        golds: the gold answers, of either run.
        metadata: the metadata of the base run.
    """

    ids: tuple[str, ...]
    rl_ids: tuple[str, ...]
    tasks: tuple[str, ...]
    domains: tuple[str, ...]
    prompts: tuple[str, ...]
    golds: tuple[str | None, ...]
    metadata: tuple[dict[str, Any], ...]

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: Sequence[int]) -> Problems:
        """Some of the problems, by their places."""
        return Problems(
            **{f.name: tuple(getattr(self, f.name)[i] for i in rows) for f in fields(self)}
        )


def read_problems(run: Run, domains: dict[str, str] | None = None) -> Problems:
    """The problems of a run. A problem's domain is `metadata["domain"]`, else the task's name."""
    table = run.problems()
    columns = {name: table.column(name).to_pylist() for name in table.column_names}
    metadata = tuple(_as_dict(text) for text in columns["metadata"])
    tasks = tuple(columns["task"])
    of_task = domains or {}
    ids = tuple(columns["problem_id"])
    return Problems(
        ids=ids,
        rl_ids=ids,
        tasks=tasks,
        domains=tuple(
            str(meta.get("domain") or of_task.get(task) or task)
            for meta, task in zip(metadata, tasks, strict=True)
        ),
        prompts=tuple(columns["prompt"]),
        golds=tuple(columns["gold"]),
        metadata=metadata,
    )


def common_problems(problems: Problems, rl: Run) -> Problems:
    """The problems that the run `rl` has as well, under its own ids or by their questions.

    Raises:
        InvalidInputError: no problem is shared.
    """
    table = rl.problems()
    pairs = dict(
        align_problems(
            pa.table({"problem_id": list(problems.ids), "prompt": list(problems.prompts)}), table
        )
    )
    keep = [i for i, problem_id in enumerate(problems.ids) if problem_id in pairs]
    if not keep:
        raise InvalidInputError(
            f"no problem of the base run is in {rl.path}, by its id or by its question: nothing to "
            "compare"
        )
    golds = dict(zip(table["problem_id"].to_pylist(), table["gold"].to_pylist(), strict=True))
    taken = problems.take(keep)
    rl_ids = tuple(pairs[problem_id] for problem_id in taken.ids)
    either = zip(taken.golds, rl_ids, strict=True)
    return replace(
        taken, rl_ids=rl_ids, golds=tuple(gold or golds[problem_id] for gold, problem_id in either)
    )


def task_codes(problems: Problems) -> IntArray:
    """The number of each problem's task, in the order of the tasks' names."""
    order = {name: i for i, name in enumerate(sorted(set(problems.tasks)))}
    return np.fromiter((order[name] for name in problems.tasks), np.int64, len(problems))


def task_domains(specs: Iterable[Any]) -> dict[str, str]:
    """Task name to domain where run.json records one."""
    out: dict[str, str] = {}
    for spec in specs:
        if isinstance(spec, dict) and spec.get("domain"):
            out[str(spec["name"])] = str(spec["domain"])
    return out


def codes_of(values: pa.ChunkedArray | pa.Array, ids: pa.Array) -> IntArray:
    """Index of each value in `ids`, or -1."""
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    index = pc.fill_null(pc.index_in(values.cast(ids.type), value_set=ids), -1)
    return np.asarray(index.to_numpy(zero_copy_only=False), dtype=np.int64)


def _as_dict(text: str | None) -> dict[str, Any]:
    if not text:
        return {}
    value = json.loads(text)
    return value if isinstance(value, dict) else {}
