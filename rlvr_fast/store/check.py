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
from rlvr_fast.store.index import KeyIndex
from rlvr_fast.store.parts import PART, may_lie_beside_parts, part_number, read_part, read_pieces
from rlvr_fast.store.run import Run
from rlvr_fast.store.schemas import GRADES, stage_schema

__all__ = ["Finding", "Inspected", "inspect_stage", "new_index", "verify"]


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
        return [Finding("error", path, str(error), _RESTORE)]
    except StorageError as error:
        return [Finding("error", path, str(error), _READABLE)]
    found: list[Finding] = []
    indexes: dict[str, KeyIndex] = {"samples": new_index(run)}
    for stage in run.stages():
        try:
            stage_schema(stage)
        except InvalidInputError as error:
            found.append(Finding("error", path / stage, str(error), _REPAIR))
            continue
        index = indexes[stage] = new_index(run)
        for file, keys, problem, unreadable in inspect_stage(run, stage, index):
            if unreadable is not None:
                found.append(Finding("error", file, str(unreadable), _READABLE))
            if problem is not None:
                found.append(Finding("error", file, problem, _REPAIR))
            if keys is not None and stage != "samples":
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
            remedy = _IMPORT_AGAIN if run.info.imported else _SAMPLE_AGAIN
            found.append(Finding("warning", path / stage, text, remedy))
        wanted = run.info.requested_samples
        if stage == "samples" and wanted and least < wanted:
            text = f"{int(np.maximum(wanted - counts, 0).sum())} of the draws asked for are missing"
            found.append(Finding("warning", path / stage, text, _SAMPLE_AGAIN))
    if (path / "grades.parquet").exists():
        try:
            read_part(path / "grades.parquet", GRADES, None, path)
        except RunDirectoryError as error:
            found.append(Finding("error", path / "grades.parquet", str(error), _REPAIR))
        except StorageError as error:
            found.append(Finding("error", path / "grades.parquet", str(error), _READABLE))
    return [*found, *_documents(run), *_mismatches(run)]


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
    schema = stage_schema(stage)
    files = [f for f in (run.path / stage).iterdir() if not f.name.startswith(".")]
    parts = sorted((f for f in files if PART.fullmatch(f.name)), key=part_number)
    for file in files:
        if not PART.fullmatch(file.name) and not may_lie_beside_parts(file):
            yield Inspected(file, None, "foreign: not a part-NNNNNN.parquet of this stage")
    for file in parts:
        try:
            pieces = read_pieces(file, schema, None, run.path)
            keys = pa.concat_tables(p.select(["problem_id", "sample_index"]) for p in pieces)
            new = index.is_new(keys)
            index.add(keys)
        except InvalidInputError as error:
            yield Inspected(file, None, str(error))
            continue
        except StorageError as error:
            yield Inspected(file, None, None, error)
            continue
        repeated = int((~new).sum())
        problem = f"{repeated} row(s) that an earlier part or row has too" if repeated else None
        yield Inspected(file, keys, problem)
