"""Checking and repairing a run directory, as `rlvr-fast doctor` does."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa

from rlvr_fast.errors import InvalidInputError, RunDirectoryError, StorageError
from rlvr_fast.store.files import writing_to
from rlvr_fast.store.index import KeyIndex
from rlvr_fast.store.parts import PART, may_lie_beside_parts, part_number, read_part, read_pieces
from rlvr_fast.store.run import Run
from rlvr_fast.store.schemas import GRADES, stage_schema

__all__ = ["Finding", "repair", "verify"]


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
_READABLE = "make the file readable: permissions, the disk or the network file system"


def verify(path: str | Path) -> list[Finding]:
    """Reads every table of the run directory `path`, checksums included.

    Damage is a finding and not an exception. Without a finding of level "error" every stored row is
    readable, belongs to this run, and is stored once.
    """
    path = Path(path)
    try:
        run = Run.open(path, check=False)
        run.problems()
    except RunDirectoryError as error:
        return [Finding("error", path, str(error), "make the run anew, or restore the file")]
    except StorageError as error:
        return [Finding("error", path, str(error), _READABLE)]
    found: list[Finding] = []
    indexes: dict[str, KeyIndex] = {}
    for stage in run.stages():
        try:
            stage_schema(stage)
        except InvalidInputError as error:
            found.append(Finding("error", path / stage, str(error), _REPAIR))
            continue
        index = indexes[stage] = _new_index(run)
        for file, keys, problem, unreadable in _inspect(run, stage, index):
            if unreadable is not None:
                found.append(Finding("error", file, str(unreadable), _READABLE))
            if problem is not None:
                found.append(Finding("error", file, problem, _REPAIR))
            if keys is not None and stage != "samples" and "samples" in indexes:
                orphans = int((~indexes["samples"].contains(keys)).sum())
                if orphans:
                    text = f"{orphans} row(s) of draws that are not in samples"
                    found.append(Finding("error", file, text, _REPAIR))
        counts = index.counts()
        least, most = counts.min(), counts.max()
        spread = f"{least}" if least == most else f"{least}-{most}"
        found.append(Finding("info", path / stage, f"{index.rows} rows, {spread} a problem"))
        gaps = index.gaps()
        if gaps and stage == "samples":
            absent = sum(n for _, n in gaps)
            text = f"{absent} draws missing in {len(gaps)} problems, first {gaps[0][0]!r}"
            found.append(Finding("warning", path / stage, text, "sample again: it fills the gaps"))
        wanted = run.info.requested_samples
        if stage == "samples" and wanted and least < wanted:
            text = f"{int(np.maximum(wanted - counts, 0).sum())} of the draws asked for are missing"
            found.append(Finding("warning", path / stage, text, "sample again: it resumes"))
    if (path / "grades.parquet").exists():
        try:
            read_part(path / "grades.parquet", GRADES, None, path)
        except RunDirectoryError as error:
            found.append(Finding("error", path / "grades.parquet", str(error), _REPAIR))
        except StorageError as error:
            found.append(Finding("error", path / "grades.parquet", str(error), _READABLE))
    return found


def repair(path: str | Path) -> list[Path]:
    """Moves every damaged or foreign file of a run to RUN/quarantine.

    A part of which some rows repeat stored keys, or belong to draws that are gone, is moved too;
    its good rows are stored again in a new part. Afterwards the stages make again exactly what is
    missing.

    Returns:
        The new places of the files that were moved.

    Raises:
        RunDirectoryError: run.json or problems.parquet itself is damaged.
        RunLockedError: another process is writing.
        StorageError: a file cannot be read or moved. A file that cannot be read may be whole, and
            stays in its place.
    """
    path = Path(path)
    run = Run.open(path, check=False)
    run.problems()
    moved: list[Path] = []
    with run.writing():
        samples: KeyIndex | None = None
        for stage in run.stages():
            try:
                stage_schema(stage)
            except InvalidInputError:
                moved.append(_quarantine(path, path / stage))
                continue
            index = _new_index(run)
            rescued: list[pa.Table] = []
            for file, keys, problem, unreadable in list(_inspect(run, stage, index)):
                if unreadable is not None:
                    raise unreadable
                good = None if keys is None else np.ones(len(keys), np.bool_)
                if keys is not None and samples is not None:
                    good = samples.contains(keys)
                if problem or (good is not None and not good.all()):
                    if keys is not None:
                        rows = read_part(file, stage_schema(stage), None, path)
                        rescued.append(rows.filter(pa.array(good)))
                    moved.append(_quarantine(path, file))
            if stage == "samples":
                samples = index
            _store_rescued(run, stage, rescued)
        grades = path / "grades.parquet"
        if grades.exists():
            damaged = False
            try:
                read_part(grades, GRADES, None, path)
            except RunDirectoryError:
                damaged = True
            # The counts include answers that were moved; grading makes the file again.
            if damaged or any("answers" in file.parts or "samples" in file.parts for file in moved):
                moved.append(_quarantine(path, grades))
    return moved


def _new_index(run: Run) -> KeyIndex:
    return KeyIndex(run.problems()["problem_id"].combine_chunks())


class _Inspected(NamedTuple):
    file: Path
    keys: pa.Table | None  # None where the file is of no use
    problem: str | None  # the fault of the file, None where there is none
    unreadable: StorageError | None = None


def _inspect(run: Run, stage: str, index: KeyIndex) -> Iterator[_Inspected]:
    """The state of each file of a stage; adds the keys to `index`, repeated ones once."""
    schema = stage_schema(stage)
    files = [f for f in (run.path / stage).iterdir() if not f.name.startswith(".")]
    parts = sorted((f for f in files if PART.fullmatch(f.name)), key=part_number)
    for file in files:
        if not PART.fullmatch(file.name) and not may_lie_beside_parts(file):
            yield _Inspected(file, None, "foreign: not a part-NNNNNN.parquet of this stage")
    for file in parts:
        try:
            pieces = read_pieces(file, schema, None, run.path)
            keys = pa.concat_tables(p.select(["problem_id", "sample_index"]) for p in pieces)
            new = index.is_new(keys)
        except InvalidInputError as error:
            yield _Inspected(file, None, str(error))
            continue
        except StorageError as error:
            yield _Inspected(file, None, None, error)
            continue
        index.add(keys)
        repeated = int((~new).sum())
        problem = f"{repeated} row(s) that an earlier part or row has too" if repeated else None
        yield _Inspected(file, keys, problem)


def _store_rescued(run: Run, stage: str, tables: list[pa.Table]) -> None:
    for table in tables:
        table = table.filter(pa.array(run.new_rows(stage, table)))
        if len(table):
            run.append(stage, table)


def _quarantine(run: Path, file: Path) -> Path:
    goal = run / "quarantine" / file.relative_to(run)
    with writing_to(goal):
        goal.parent.mkdir(parents=True, exist_ok=True)
        name, again = goal.name, 1
        while goal.exists():
            goal = goal.with_name(f"{name}.{again}")
            again += 1
        shutil.move(file, goal)
    return goal
