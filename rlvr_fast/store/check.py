"""`rlvr-fast doctor`: what is wrong with a run directory, and setting it right."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa

from rlvr_fast.errors import InvalidInputError, RunDirectoryError
from rlvr_fast.store.index import KeyIndex
from rlvr_fast.store.info import info_differences
from rlvr_fast.store.parts import PART, is_foreign_ok, part_number, read_part
from rlvr_fast.store.problem_tables import problem_differences
from rlvr_fast.store.run import Run
from rlvr_fast.store.schemas import GRADES, stage_schema

__all__ = ["Difference", "Finding", "differences", "repair", "verify"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found in a run directory.

    `level` is "error" for what `repair` sets right or nothing can, "warning" for what is
    incomplete, "info" for counts. `path` is the file or folder meant.
    """

    level: Literal["error", "warning", "info"]
    path: Path
    message: str
    remedy: str = ""


_REPAIR = "rlvr-fast doctor RUN --repair moves it aside and keeps the rest"


def verify(path: str | Path) -> list[Finding]:
    """Reads every table of the run directory `path`, checksums included, and reports.

    Never raises for what it finds in the folder; nothing of level "error" means that every stored
    row is readable, of this run, and there once.
    """
    path = Path(path)
    try:
        run = Run.open(path, check=False)
        run.problems()
    except RunDirectoryError as error:
        return [Finding("error", path, str(error), "make the run anew, or restore the file")]
    found: list[Finding] = []
    indexes: dict[str, KeyIndex] = {}
    for stage in run.stages():
        try:
            stage_schema(stage)
        except InvalidInputError as error:
            found.append(Finding("error", path / stage, str(error), _REPAIR))
            continue
        index = indexes[stage] = _new_index(run)
        for file, keys, problem in _inspect(run, stage, index):
            if problem:
                found.append(Finding("error", file, problem, _REPAIR))
            if keys is not None and stage != "samples" and "samples" in indexes:
                orphans = int((~indexes["samples"].contains(keys)).sum())
                if orphans:
                    text = f"{orphans} row(s) of draws that are not in samples"
                    found.append(Finding("error", file, text, _REPAIR))
        counts = index.counts()
        spread = (
            f"{counts.min()}" if counts.min() == counts.max() else f"{counts.min()}-{counts.max()}"
        )
        found.append(Finding("info", path / stage, f"{index.rows} rows, {spread} a problem"))
        gaps = index.gaps()
        if gaps and stage == "samples":
            holes = sum(n for _, n in gaps)
            text = f"{holes} draws missing in {len(gaps)} problems, first {gaps[0][0]!r}"
            found.append(Finding("warning", path / stage, text, "sample again: it fills the gaps"))
        wanted = run.info.requested_samples
        if stage == "samples" and wanted and counts.min() < wanted:
            text = f"{int(np.maximum(wanted - counts, 0).sum())} of the draws asked for are missing"
            found.append(Finding("warning", path / stage, text, "sample again: it resumes"))
    if (path / "grades.parquet").exists():
        try:
            read_part(path / "grades.parquet", GRADES, None, path)
        except RunDirectoryError as error:
            found.append(Finding("error", path / "grades.parquet", str(error), _REPAIR))
    return found


def repair(path: str | Path) -> list[Path]:
    """Moves every damaged or foreign file of a run to RUN/quarantine and returns where they lie.

    Rows of a part that are good (its other rows being twice there, or of draws that are gone) are
    kept, in a new part. Afterwards the stages make again exactly what is missing.
    Raises RunDirectoryError when run.json or problems.parquet itself is damaged, or when another
    process is writing.
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
            for file, keys, problem in list(_inspect(run, stage, index)):
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
            # Counts of answers that were moved aside no longer hold; grading makes the file again.
            if damaged or any("answers" in file.parts or "samples" in file.parts for file in moved):
                moved.append(_quarantine(path, grades))
    return moved


def _new_index(run: Run) -> KeyIndex:
    return KeyIndex(run.problems()["problem_id"].combine_chunks())


def _inspect(
    run: Run, stage: str, index: KeyIndex
) -> Iterator[tuple[Path, pa.Table | None, str | None]]:
    """(file, keys or None if unusable, what is wrong or None) of each file of a stage.

    Adds the keys to `index`, those that are there twice once.
    """
    schema = stage_schema(stage)
    files = [f for f in (run.path / stage).iterdir() if not f.name.startswith(".")]
    parts = sorted((f for f in files if PART.fullmatch(f.name)), key=part_number)
    for file in files:
        if file not in parts and not is_foreign_ok(file):
            yield file, None, "foreign: not a part-NNNNNN.parquet of this stage"
    for file in parts:
        try:
            keys = read_part(file, schema, None, run.path).select(["problem_id", "sample_index"])
            new = index.is_new(keys)
        except (RunDirectoryError, InvalidInputError) as error:
            yield file, None, str(error)
            continue
        index.add(keys)
        twice = int((~new).sum())
        yield file, keys, f"{twice} row(s) that an earlier part or row has too" if twice else None


def _store_rescued(run: Run, stage: str, tables: list[pa.Table]) -> None:
    for table in tables:
        index = run._index(stage)
        table = table.filter(pa.array(index.is_new(table)))
        if len(table):
            run.append(stage, table)


def _quarantine(run: Path, file: Path) -> Path:
    goal = run / "quarantine" / file.relative_to(run)
    goal.parent.mkdir(parents=True, exist_ok=True)
    name, again = goal.name, 1
    while goal.exists():
        goal = goal.with_name(f"{name}.{again}")
        again += 1
    shutil.move(file, goal)
    return goal


@dataclass(frozen=True, slots=True)
class Difference:
    """One way in which two runs differ.

    `kind` is "problems", "tasks", "template", "sampling" or "extraction"; str() gives the message.
    """

    kind: str
    message: str

    def __str__(self) -> str:
        return self.message


def differences(a: Run, b: Run) -> list[Difference]:
    """What makes the runs of two models incomparable; empty when nothing does.

    Looked at: problems with prompts and golds, tasks, prompt template, sampling parameters (not
    their seed), and the extraction policy of grading.json. The two may differ in model, engine and
    number of samples. Prompt token ids are compared through the prompts: two models may have
    tokenizers of their own.
    """
    found = [Difference(*item) for item in info_differences(a.info, b.info, same_run=False)]
    tables = [run.problems().drop_columns(["prompt_token_ids"]) for run in (a, b)]
    found += [Difference("problems", text) for text in problem_differences(*tables, ordered=False)]
    policies = [(run.read_json("grading.json") or {}).get("policy") for run in (a, b)]
    if policies[0] != policies[1]:
        found.append(
            Difference("extraction", f"extraction policy {policies[0]!r} and {policies[1]!r}")
        )
    return found
