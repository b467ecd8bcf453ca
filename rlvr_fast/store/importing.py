"""The stage that makes a run directory of finished completions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.progress import Progress
from rlvr_fast.store.readers.containers import Source, container_rows, source_name
from rlvr_fast.store.readers.fields import (
    Fields,
    RowCompletion,
    check_field_names,
    read_completions,
    read_problem,
    read_problem_id,
    resolve_fields,
)
from rlvr_fast.store.run import Run
from rlvr_fast.store.schemas import SAMPLES
from rlvr_fast.tasks.schemes import GOLD_ANSWERS, gold_answers_of

__all__ = ["import_rollouts"]

ROWS_PER_PART = 20_000


def import_rollouts(
    source: Source,
    path: str | Path,
    *,
    model: str,
    revision: str | None = None,
    sampling: Mapping[str, Any] | None = None,
    fields: Fields | Mapping[str, str | None] | None = None,
    task: str = "imported",
    tasks: Sequence[Mapping[str, Any]] | None = None,
    tokenize: Callable[[str], Sequence[int]] | None = None,
    progress: Progress | None = None,
) -> Run:
    """Makes a run directory of finished completions; a problem may have any number of them.

    Args:
        source: a .jsonl or .parquet file, or an Arrow table.
        path: the run directory to make; an import that was interrupted goes on where it stopped.
        model: the model that drew the completions.
        revision: its revision.
        sampling: temperature, top_p, max_tokens, seed and stop as far as they are known; the others
            are None.
        fields: the names of the fields, see `Fields`; or a mapping of its names. A name that the
            mapping lacks is the field of the same name, where the first row has one; None leaves
            the field out.
        task: name of the task of rows that have no task field.
        tasks: [{"name", "spec"}] naming the verifier of each task; by default one
            task that compares answers with the gold field.
        tokenize: text to token ids, for rows without token ids; without it their lists are empty,
            and the run can be graded but not scored.
        progress: called as progress("import", completions done, completions in all).

    Raises:
        InvalidInputError: a row lacks a field, has a value of another type, or contradicts an
            earlier row; the message names the file and the row (from 1). Nothing is written then.
        RunDirectoryError: `path` holds something else.
        StorageError: the source cannot be read, or the run cannot be written.

    Example:
        >>> import tempfile, pyarrow as pa
        >>> rows = pa.table({"question": ["1 + 1?"], "answer": ["2"], "response": [["2", "3"]]})
        >>> fields = {"completion": "response", "gold": "answer"}
        >>> run = import_rollouts(rows, tempfile.mkdtemp(), model="m", fields=fields)
        >>> run.num_samples().tolist()
        [2]
    """
    if not isinstance(fields, Fields):
        mapping = fields or {}
        check_field_names(mapping)
        _, first_row = next(container_rows(source), ("", {}))
        fields = resolve_fields(mapping, first_row)
    problems = _check_rows(source, fields, task)
    run = Run.create(
        path,
        model={"name": model, "revision": revision},
        engine={
            "name": "imported",
            "version": None,
            "notes": [f"imported from {source_name(source)}"],
        },
        sampling={
            **dict.fromkeys(("temperature", "top_p", "max_tokens", "seed"), None),
            "stop": [],
            **(sampling or {}),
        },
        prompt_template={"name": "plain", "sha256": hashlib.sha256(b"{question}").hexdigest()},
        tasks=tasks if tasks is not None else _default_tasks(source, fields, problems),
        problems=_problem_table(problems, tokenize),
    )
    total, done = sum(problem.completions for problem in problems.values()), 0
    with run.writing():
        pending: list[_Rollout] = []

        def store() -> None:
            nonlocal done
            _store(run, pending, tokenize)
            done += len(pending)
            pending.clear()
            if progress is not None:
                progress("import", done, total)

        indices = {problem_id: _SampleIndices() for problem_id in problems}
        for where, row in container_rows(source):
            problem_id = read_problem_id(where, row, fields)
            for completion in read_completions(where, row, fields):
                index = indices[problem_id].next(where, problem_id, completion)
                pending.append(_Rollout(problem_id, index, completion))
            if len(pending) >= ROWS_PER_PART:
                store()
        if pending:
            store()
    return run


class _Rollout(NamedTuple):
    problem_id: str
    sample_index: int
    completion: RowCompletion


@dataclass(slots=True)
class _Problem:
    task: str
    question: str
    gold: str | None
    metadata: dict[str, Any]
    completions: int = 0


@dataclass(slots=True)
class _SampleIndices:
    """The sample indices of one problem: those of the rows or, without them, 0, 1, 2, ..."""

    used: set[int] = field(default_factory=set)
    count: int = 0

    def next(self, where: str, problem_id: str, completion: RowCompletion) -> int:
        index = completion.sample_index
        if index is None:
            index = self.count
            self.count += 1
        elif index in self.used:
            raise InvalidInputError(
                f"{where}: problem {problem_id!r} has sample_index {index} twice"
            )
        else:
            self.used.add(index)
        return index


def _check_rows(source: Source, fields: Fields, task: str) -> dict[str, _Problem]:
    """Every problem of the source; checks every row, so that no error comes after a write."""
    problems: dict[str, _Problem] = {}
    indices: dict[str, _SampleIndices] = {}
    for where, row in container_rows(source):
        given = read_problem(where, row, fields)
        row_task = task if given.task is None else given.task
        known = problems.get(given.problem_id)
        if known is None:
            known = _Problem(row_task, given.question, given.gold, {"index": len(problems)})
            problems[given.problem_id] = known
            indices[given.problem_id] = _SampleIndices()
        for what, old, new in (
            ("question", known.question, given.question),
            ("gold", known.gold, given.gold),
            ("task", known.task, row_task),
        ):
            if old != new:
                raise InvalidInputError(
                    f"{where}: problem {given.problem_id!r} has another {what} than in an earlier "
                    f"row ({old!r} and {new!r})"
                )
        for completion in read_completions(where, row, fields):
            indices[given.problem_id].next(where, given.problem_id, completion)
            known.completions += 1
    if not problems:
        raise InvalidInputError(f"{source_name(source)}: no rows")
    return problems


def _default_tasks(
    source: Source, fields: Fields, problems: dict[str, _Problem]
) -> list[dict[str, Any]]:
    if isinstance(source, pa.Table):
        spec = GOLD_ANSWERS
    else:
        spec = gold_answers_of(
            str(source), question=fields.question, answer=fields.gold, id=fields.problem_id
        )
    return [{"name": name, "spec": spec} for name in sorted({p.task for p in problems.values()})]


def _problem_table(
    problems: dict[str, _Problem], tokenize: Callable[[str], Sequence[int]] | None
) -> pa.Table:
    return pa.table(
        {
            "problem_id": list(problems),
            "task": [p.task for p in problems.values()],
            "prompt": [p.question for p in problems.values()],
            "prompt_token_ids": pa.array(
                [list(tokenize(p.question)) if tokenize else [] for p in problems.values()],
                pa.list_(pa.int32()),
            ),
            "gold": pa.array([p.gold for p in problems.values()], pa.string()),
            "metadata": [json.dumps(p.metadata) for p in problems.values()],
        }
    )


def _store(
    run: Run, rollouts: list[_Rollout], tokenize: Callable[[str], Sequence[int]] | None
) -> None:
    keys = pa.table(
        {
            "problem_id": pa.array([r.problem_id for r in rollouts], pa.string()),
            "sample_index": pa.array([r.sample_index for r in rollouts], pa.int32()),
        }
    )
    # An import that was interrupted has stored its first rows.
    fresh = [rollouts[i] for i in np.flatnonzero(~run.has_rows("samples", keys))]
    if not fresh:
        return

    def token_ids(completion: RowCompletion) -> list[int]:
        if completion.token_ids is not None:
            return completion.token_ids
        return list(tokenize(completion.text)) if tokenize else []

    columns = {
        "problem_id": [r.problem_id for r in fresh],
        "sample_index": [r.sample_index for r in fresh],
        "text": [r.completion.text for r in fresh],
        "token_ids": [token_ids(r.completion) for r in fresh],
        "finish_reason": [r.completion.finish_reason for r in fresh],
        "seed": [None] * len(fresh),
    }
    run.append("samples", pa.table(columns, schema=pa.schema([SAMPLES.field(n) for n in columns])))
