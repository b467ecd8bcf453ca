"""Checking the files of a run directory, as `rlvr-fast doctor` does."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa

from rlvr_fast.errors import InvalidInputError, RunDirectoryError, StorageError
from rlvr_fast.store.digests import (
    Mismatch,
    audit_mismatches,
    grading_mismatches,
    scores_mismatches,
)
from rlvr_fast.store.extending import lacks_problems
from rlvr_fast.store.index import KeyIndex
from rlvr_fast.store.part_names import PART, part_order
from rlvr_fast.store.parts import Joined, may_lie_beside_parts, read_part
from rlvr_fast.store.run import Run
from rlvr_fast.store.schemas import GRADES, stage_schema

__all__ = [
    "Finding",
    "Inspected",
    "inspect_stage",
    "new_index",
    "opened_and_verified",
    "verify",
]


@dataclass(frozen=True, slots=True)
class Finding:
    """A fact about a run directory, found by `verify`.

    Attributes:
        level: "error" for damage, "warning" for rows that are missing, "info" for counts.
        path: the file or folder.
        message: the fact.
        remedy: what the user can do; empty where nothing is to be done.
    """

    level: Literal["error", "warning", "info"]
    path: Path
    message: str
    remedy: str = ""


_REPAIR = "rlvr-fast doctor RUN --repair moves it aside and keeps the rest"
_SAMPLE_AGAIN = (
    "give the sample command of the run again: it draws exactly what is missing, with its seeds"
)
_IMPORT_AGAIN = (
    "what is gone is not in this run: import the rollouts again into another folder, or go on with "
    "the draws that are here (RUN/quarantine holds what doctor moved)"
)
_RESTORE = (
    "restore the file. Without it: rlvr-fast doctor RUN --repair writes run.json again where the "
    "run was graded, and moves a damaged problems.parquet aside, so that the sample command of the "
    "run, given again, writes it anew and keeps the draws"
)
# Parts that are read together.
_TOGETHER = 1000
_READABLE = "make the file readable: permissions, the disk or the network file system"


def verify(path: str | Path) -> list[Finding]:
    """Reads every table of the run directory `path`, checksums included.

    Damage is a finding and not an exception. Without a finding of level "error" every stored row is
    readable, belongs to this run, and is stored once.
    """
    return opened_and_verified(path)[1]


def opened_and_verified(path: str | Path) -> tuple[Run | None, list[Finding]]:
    """(run, findings of `verify`); no run where the folder cannot be opened as one."""
    path = Path(path)
    try:
        run = Run.open(path, check=False)
        run.problems()
    except RunDirectoryError as error:
        return None, [Finding("error", path, str(error), _RESTORE)]
    except StorageError as error:
        return None, [Finding("error", path, str(error), _READABLE)]
    return run, _verify(run)


def _verify(run: Run) -> list[Finding]:
    path = run.path
    found: list[Finding] = []
    if lacks_problems(run.info, run.problems()):
        text = "the problems of a task that was added are not there yet"
        found.append(Finding("warning", path / "problems.parquet", text, _SAMPLE_AGAIN))
    indexes: dict[str, KeyIndex] = {"samples": new_index(run)}
    for stage in run.stages():
        try:
            stage_schema(stage)
        except InvalidInputError as error:
            found.append(Finding("error", path / stage, str(error), _REPAIR))
            continue
        index = indexes[stage] = new_index(run)
        whole: list[tuple[Path, pa.Table]] = []
        for file, keys, problem, unreadable in inspect_stage(run, stage, index):
            if unreadable is not None:
                found.append(Finding("error", file, str(unreadable), _READABLE))
            if problem is not None:
                found.append(Finding("error", file, problem, _REPAIR))
            if keys is not None and stage != "samples":
                whole.append((file, keys))
        found += _orphans(whole, indexes["samples"])
        counts = index.counts()
        least, most = counts.min(), counts.max()
        spread = f"{least}" if least == most else f"{least}-{most}"
        found.append(Finding("info", path / stage, f"{index.rows} rows, {spread} a problem"))
        gaps = index.gaps()
        if gaps and stage == "samples":
            absent = sum(n for _, n in gaps)
            text = f"{absent} draws missing in {len(gaps)} problems, first {gaps[0][0]!r}"
            remedy = _IMPORT_AGAIN if run.info.imported else _SAMPLE_AGAIN
            found.append(Finding("warning", path / stage, text, remedy))
        lacking = int(np.maximum(run.requested() - counts, 0).sum())
        if stage == "samples" and lacking:
            text = f"{lacking} of the draws asked for are missing"
            found.append(Finding("warning", path / stage, text, _SAMPLE_AGAIN))
    if (path / "grades.parquet").exists():
        try:
            read_part(path / "grades.parquet", GRADES, None, path)
        except RunDirectoryError as error:
            found.append(Finding("error", path / "grades.parquet", str(error), _REPAIR))
        except StorageError as error:
            found.append(Finding("error", path / "grades.parquet", str(error), _READABLE))
    return [*found, *_documents(run), *_mismatches(run)]


def _orphans(parts: list[tuple[Path, pa.Table]], samples: KeyIndex) -> Iterator[Finding]:
    """Rows of another stage, given by the keys of its parts, that samples/ does not hold."""
    if not parts:
        return
    missing = ~samples.contains(pa.concat_tables(keys for _, keys in parts))
    if not missing.any():
        return
    lengths = [len(keys) for _, keys in parts]
    for (file, _), rows in zip(parts, np.split(missing, np.cumsum(lengths)[:-1]), strict=True):
        if rows.any():
            text = f"{int(rows.sum())} row(s) of draws that are not in samples"
            yield Finding("error", file, text, _REPAIR)


def _documents(run: Run) -> Iterator[Finding]:
    """Faults of the JSON files of a run."""
    names = ["grading.json", "import.json", "audit.json"]
    names += [f"{stage}/scores.json" for stage in run.stages() if stage.startswith("scores/")]
    for name in names:
        try:
            run.read_json(name)
        except RunDirectoryError as error:
            yield Finding("error", run.path / name, str(error), _REPAIR)
        except StorageError as error:
            yield Finding("error", run.path / name, str(error), _READABLE)


def _mismatches(run: Run) -> Iterator[Finding]:
    """Files that are not those that grades and scores were made from."""
    tables: list[tuple[str, Callable[[], Iterator[Mismatch]]]] = [
        ("grading.json", lambda: grading_mismatches(run)),
        ("audit.json", lambda: audit_mismatches(run)),
    ]
    for stage in run.stages():
        if stage.startswith("scores/"):
            label = stage.removeprefix("scores/")
            one = functools.partial(scores_mismatches, run, label)
            tables.append((f"{stage}/scores.json", one))
    for _, mismatches in tables:
        try:
            for wrong in mismatches():
                yield Finding("error", wrong.file, wrong.message, _REPAIR)
        except (RunDirectoryError, StorageError):
            continue  # a finding by itself


def new_index(run: Run) -> KeyIndex:
    """An index of keys over the problems of a run, without any."""
    return KeyIndex(run.problems()["problem_id"].combine_chunks())


class Inspected(NamedTuple):
    """The state of a file of a stage.

    Attributes:
        file: the file.
        keys: the keys of its rows; None where the file is of no use.
        problem: its fault, None where there is none.
        unreadable: the error, where the file system refuses to read the file.
    """

    file: Path
    keys: pa.Table | None
    problem: str | None
    unreadable: StorageError | None = None


def inspect_stage(run: Run, stage: str, index: KeyIndex) -> Iterator[Inspected]:
    """The state of each file of a stage; adds the keys to `index`, repeated ones once."""
    files = [f for f in (run.path / stage).iterdir() if not f.name.startswith(".")]
    parts = sorted((f for f in files if PART.fullmatch(f.name)), key=part_order)
    for file in files:
        if not PART.fullmatch(file.name) and not may_lie_beside_parts(file):
            yield Inspected(file, None, "foreign: not a part-NNNNNN.parquet of this stage")
    for start in range(0, len(parts), _TOGETHER):
        yield from _inspect(run, stage, index, parts[start : start + _TOGETHER])


def _inspect(run: Run, stage: str, index: KeyIndex, parts: list[Path]) -> Iterator[Inspected]:
    """The state of some parts: read together, and one by one where something is wrong."""
    keys: list[pa.Table] = []
    lengths: dict[Path, int] = {}
    problem, unreadable, rows = None, None, None
    try:
        for joined in run.iter_joined(stage, None, parts):
            keys.append(joined.rows.select(["problem_id", "sample_index"]))
            for file, number in joined.files:
                lengths[file] = lengths.get(file, 0) + number
        rows = pa.concat_tables(keys)
        new = index.is_new(rows)
    except InvalidInputError as error:
        problem, rows = str(error), None
    except StorageError as error:
        unreadable, rows = error, None
    else:
        if not new.all():
            problem = f"{int((~new).sum())} row(s) that an earlier part or row has too"
    if len(parts) > 1 and (problem or unreadable):
        for part in parts:
            yield from _inspect(run, stage, index, [part])
    elif rows is None:
        yield Inspected(parts[0], None, problem, unreadable)
    else:
        index.add(rows)
        for file, own in Joined(rows, list(lengths.items())).by_file():
            yield Inspected(file, own, problem)
