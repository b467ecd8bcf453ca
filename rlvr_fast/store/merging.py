"""Runs of one model that were drawn apart become one run."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from rlvr_fast.errors import InvalidInputError, RunDirectoryError, shown
from rlvr_fast.progress import Progress
from rlvr_fast.store.completions import row_hashes
from rlvr_fast.store.index import KeyIndex
from rlvr_fast.store.info import RunInfo, info_differences, tasks_beyond
from rlvr_fast.store.problem_tables import problem_differences
from rlvr_fast.store.run import Run

__all__ = ["Merged", "merge_runs"]

Ints = npt.NDArray[np.int64]

# Draws and differences that a message names.
_NAMED = 5
# About the most bytes of rows that are gathered to one part.
_PART_BYTES = 64 << 20
_KEY = ["problem_id", "sample_index"]


@dataclass(frozen=True, slots=True)
class Merged:
    """What became of the runs.

    Attributes:
        run: the run of all draws.
        taken: number of draws that each of the runs gave, in the order of the runs.
        repeated: number of draws that an earlier run, or the folder itself, had too.
        notes: what a user should know: engines of several versions, grades and scores to make.
    """

    run: Run
    taken: list[int]
    repeated: int
    notes: list[str]


def merge_runs(
    out: str | Path,
    runs: Sequence[str | Path],
    *,
    keep_first: bool = False,
    progress: Progress | None = None,
) -> Merged:
    """Joins runs of one model, one prompt template and one set of sampling parameters.

    The runs may have draws of the same problems, of which none or some are the same draws, and
    tasks of their own. They are read and left as they are. `out` becomes a run with all tasks,
    problems and draws, the draws that were asked for of each problem, and the versions of the first
    run; it can be topped up and graded as any other. Grades and scores are not carried over.
    A call that was killed goes on where it stopped when it is given again.

    Args:
        out: the folder of the new run, or of a run that is to get the draws too.
        runs: the run directories.
        keep_first: of two runs with different completions for one draw, take that of the run named
            first; by default they are refused.
        progress: called as progress("merge", draws read, draws in all).

    Returns:
        The run, and what each of the others gave.

    Raises:
        InvalidInputError: no runs, or one that is named twice or is `out`.
        RunDirectoryError: runs of different models, parameters, prompts or problems, all
            differences named; different completions for one draw; imported rollouts; a damaged run.
            Nothing is written then.
        RunLockedError: another process is writing to `out`.
        StorageError: the file system refuses to read or write.
    """
    out = Path(out)
    places = [path.resolve() for path in (out, *map(Path, runs))]
    if not runs or len({*places}) < len(places):
        raise InvalidInputError(
            f"expected the folder of the new run and runs to join, each named once, got {out} and "
            f"{', '.join(map(str, runs)) or 'none'}"
        )
    sources = [Run.open(path) for path in runs]
    imported = [source.path for source in sources if source.info.imported]
    if imported:
        raise RunDirectoryError(
            f"{imported[0]}: imported rollouts; import all their files together instead "
            "(rlvr-fast import FILE FILE --out RUN)"
        )
    present = [Run.open(out)] if (out / "run.json").exists() else []
    every = [*present, *sources]
    tasks, problems, wrong = _joined(every)
    if wrong:
        raise RunDirectoryError(
            f"the runs cannot be joined, {len(wrong)} difference(s): {'; '.join(wrong[:50])}. A "
            "run holds draws of one model, with one set of sampling parameters and prompts"
        )
    _refuse_different(every, problems, keep_first=keep_first)
    first = every[0].info
    run = Run.create(
        out,
        model=first.model,
        engine=first.engine,
        sampling=first.sampling,
        prompt_template=first.prompt_template,
        tasks=tasks,
        problems=problems,
        versions=first.versions,
    )
    total = sum(int(source.num_samples().sum()) for source in sources)
    taken, done = [], 0
    with run.writing():
        asked = _requested(every)
        run.request(min(asked.values()) if len({*asked.values()}) == 1 else asked)
        for source in sources:
            taken.append(0)
            for rows in _gathered(source):
                done += len(rows)
                rows = rows.filter(pa.array(run.new_rows("samples", rows)))
                if len(rows):
                    run.append("samples", rows)
                    taken[-1] += len(rows)
                if progress is not None:
                    progress("merge", done, total)
    return Merged(run, taken, total - sum(taken), _notes(sources, run))


def _joined(
    sources: Sequence[Run],
) -> tuple[list[Mapping[str, Any]], pa.Table, list[str]]:
    """The tasks and the problems of all runs, and the differences that forbid to join them."""
    first = sources[0]
    tasks: list[Mapping[str, Any]] = []
    tables: list[pa.Table] = []
    wrong = []
    for source in sources:
        between = f"{first.path} and {source.path}: "
        wrong += [
            between + text
            for kind, text in info_differences(first.info, source.info, same_run=True)
            if kind != "tasks"
        ]
        table, specs = source.problems(), source.task_specs()
        for task in source.info.tasks:
            own = table.filter(pc.equal(table["task"], task["name"]))
            at = [number for number, one in enumerate(tasks) if one["name"] == task["name"]]
            if not at:
                tasks.append({"name": task["name"], "spec": specs[task["name"]], "as": task})
                tables.append(own)
            elif not _one_task(source.info, tasks[at[0]]["as"], task):
                there = tasks[at[0]]["as"]["spec"]
                wrong.append(
                    f"{source.path}: task {task['name']!r} is {shown(task['spec'])}, and "
                    f"{shown(there)} in a run before it"
                )
            else:
                wrong += [
                    f"{source.path}: task {task['name']!r}: {text} (before it, and there)"
                    for text in problem_differences(tables[at[0]], own)
                ]
    problems = pa.concat_tables(tables)
    if not wrong:
        counted = pc.value_counts(problems["problem_id"].combine_chunks())
        twice = counted.field("values").filter(pc.greater(counted.field("counts"), 1))
        wrong += [f"two tasks have a problem {shown(name)}" for name in twice.to_pylist()]
    return [{"name": t["name"], "spec": t["spec"]} for t in tasks], problems, wrong


def _one_task(info: RunInfo, a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    one, other = (dataclasses.replace(info, tasks=[task]) for task in (a, b))
    return tasks_beyond(one, other) == []


def _requested(sources: Sequence[Run]) -> dict[str, int]:
    """The largest number of samples that any run was asked for of each problem."""
    found: dict[str, int] = {}
    for source in sources:
        ids = source.problems()["problem_id"].to_pylist()
        for name, number in zip(ids, source.requested().tolist(), strict=True):
            found[name] = max(number, found.get(name, 0))
    return found


def _gathered(source: Run) -> Iterator[pa.Table]:
    """The rows of a run in tables that make parts of a good size, each of one set of columns."""
    waiting: list[pa.Table] = []
    size = 0
    for rows, _ in source.iter_joined("samples"):
        if waiting and (
            size + rows.nbytes > _PART_BYTES or waiting[0].column_names != rows.column_names
        ):
            yield pa.concat_tables(waiting)
            waiting, size = [], 0
        waiting.append(rows)
        size += rows.nbytes
    if waiting:
        yield pa.concat_tables(waiting)


def _refuse_different(sources: Sequence[Run], problems: pa.Table, *, keep_first: bool) -> None:
    """Raises for draws that several runs have with different completions.

    Keys of all draws are held at 2 bits each; of draws that come twice, 16 bytes for each time.
    """
    ids = problems["problem_id"].combine_chunks()
    shared = None if keep_first else _shared(sources, ids)
    if shared is None:
        return
    index = KeyIndex(ids)
    found: list[tuple[Ints, Ints, Ints]] = []
    for number, source in enumerate(sources):
        for rows, _ in source.iter_joined("samples", [*_KEY, "text", "token_ids", "finish_reason"]):
            rows = rows.filter(pa.array(shared.contains(rows)))
            if len(rows):
                problem, sample = index.rows_of(rows)
                texts, _ = row_hashes(rows["text"], width=1)
                tokens, _ = row_hashes(rows["token_ids"], width=4)
                ends = rows["finish_reason"].to_pylist()
                mixed = map(hash, zip(texts.tolist(), tokens.tolist(), ends, strict=True))
                marks = np.fromiter(mixed, np.int64, len(rows))
                found.append((problem << 32 | sample, marks, np.full(len(rows), number)))
    keys, marks, numbers = (np.concatenate(column) for column in zip(*found, strict=True))
    order = np.lexsort((numbers, keys))
    keys, marks, numbers = keys[order], marks[order], numbers[order]
    first = np.flatnonzero(np.diff(keys, prepend=-1))
    of_first = np.repeat(first, np.diff(np.append(first, len(keys))))
    other = np.flatnonzero(marks != marks[of_first])
    if not len(other):
        return
    named = ", ".join(
        f"{shown(ids[int(keys[at] >> 32)].as_py())} sample {int(keys[at] & 0xFFFFFFFF)} "
        f"({sources[int(numbers[of_first[at]])].path} and {sources[int(numbers[at])].path})"
        for at in other[:_NAMED]
    )
    raise RunDirectoryError(
        f"{len(other)} of {len(first)} draws that several runs have differ: {named}"
        f"{', ...' if len(other) > _NAMED else ''}. Nothing was written. Leave a run out, or take "
        "each draw from the run that is named first (--keep-first)"
    )


def _shared(sources: Sequence[Run], ids: pa.Array) -> KeyIndex | None:
    """The draws that more than one run has; None where there are none."""
    every, shared = KeyIndex(ids), KeyIndex(ids)
    for source in sources:
        for rows, _ in source.iter_joined("samples", _KEY):
            new = every.add(rows)
            if not new.all():
                shared.add(rows.filter(pa.array(~new)))
    return shared if shared.rows else None


def _notes(sources: Sequence[Run], run: Run) -> list[str]:
    notes = []
    drawn = {
        (str(source.info.engine.get("version")), str(source.info.engine.get("arguments") or {}))
        for source in sources
    }
    if len(drawn) > 1:
        kinds = "; ".join(
            f"version {version}, arguments {given}" for version, given in sorted(drawn)
        )
        notes.append(f"drawn by the engine in several ways ({kinds}); run.json names the first")
    graded = [source.path for source in sources if (source.path / "grades.parquet").exists()]
    if graded:
        notes.append(f"grades are not carried over: rlvr-fast grade {run.path}")
    labels = sorted({s for source in sources for s in source.stages() if s.startswith("scores/")})
    if labels:
        names = ", ".join(label.removeprefix("scores/") for label in labels)
        notes.append(f"scores are not carried over ({names}): rlvr-fast score {run.path}")
    return notes
