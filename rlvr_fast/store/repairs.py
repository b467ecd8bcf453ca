"""Repair of a run directory, as `rlvr-fast doctor --repair` does: what is damaged moves aside."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from rlvr_fast.errors import InvalidInputError, RunDirectoryError
from rlvr_fast.store.check import inspect_stage, new_index
from rlvr_fast.store.digests import (
    audit_mismatches,
    file_sha256,
    graded_run_info,
    grading_mismatches,
    journal_prefix,
    same_identity,
    scores_mismatches,
    write_sealed,
)
from rlvr_fast.store.files import write_json, writing_to
from rlvr_fast.store.lease import confirm_writing
from rlvr_fast.store.parts import read_part
from rlvr_fast.store.run import Run
from rlvr_fast.store.schemas import GRADES, stage_schema

__all__ = ["quarantine", "repair"]

# What grading.json says of grades that are there; without it, grading goes on from the answers.
_RESULTS = ("limits", "graded", "imported_agreement", "unparsed", "made_from")


def repair(path: str | Path) -> list[Path]:
    """Moves every damaged or foreign file of a run to RUN/quarantine.

    A part of which some rows repeat stored keys, or belong to draws that are gone, is moved too;
    its good rows are stored again in a new part. So is a part that is not the one that was graded
    or scored. Where samples or answers are not those that were graded, the whole grading moves,
    except the verdicts of verifiers: answers are extracted again in moments, and numbered anew.
    A run.json that is damaged, or not the one of the grading, is written again from the copy in
    grading.json, where there is one.
    Afterwards the stages make again exactly what is missing.

    Returns:
        The new places of the files that were moved.

    Raises:
        RunDirectoryError: run.json is damaged, and grading.json has no copy.
        RunLockedError: another process is writing.
        StorageError: a file cannot be read or moved. A file that cannot be read may be whole, and
            stays in its place.
    """
    path = Path(path)
    run, moved = _opened(path)
    with run.writing():
        try:
            run.problems()
        except RunDirectoryError:
            if (path / "problems.parquet").exists():
                moved.append(quarantine(path, path / "problems.parquet"))
            return moved  # without the problems no other file can be judged
        moved += [
            quarantine(path, path / name)
            for name in ("import.json", "audit.json", "grading.json")
            if _json(run, name)[1]
        ]
        grading = _json(run, "grading.json")[0]
        if grading is not None and not {"policy", "canonical"} <= grading.keys():
            # Nothing says how its answers were extracted, and no grading goes on from it.
            moved.append(quarantine(path, path / "grading.json"))
        if not _json(run, "audit.json")[1] and list(audit_mismatches(run)):
            moved.append(quarantine(path, path / "audit.json"))
        made_from = (_json(run, "grading.json")[0] or {}).get("made_from")
        found = _repair_stages(run, made_from)
        moved += found
        moved += list(_repair_grading(run, made_from, found))
    return moved


def _opened(path: Path) -> tuple[Run, list[Path]]:
    """The run, with run.json written again where it is damaged, and the place of the damaged."""
    file = path / "run.json"
    copy = graded_run_info(path)
    try:
        run = Run.open(path, check=False)
        if copy is None or same_identity(run.info, copy):
            return run, []
        if run.info.requested_samples is not None or run.info.requested_of:
            copy = copy.asked_for(run.info)  # which a top-up changes after the grading
    except RunDirectoryError:
        if copy is None:
            raise
    run = Run(path, copy)
    with run.writing():
        moved = [quarantine(path, file)] if file.exists() else []
        write_json(file, copy.to_json())
    return Run.open(path, check=False), moved


def _repair_stages(run: Run, made_from: dict[str, Any] | None) -> list[Path]:
    """Moves what is wrong in the folders of the stages; grades.parquet is looked at later."""
    moved: list[Path] = []
    samples = new_index(run)  # of a run without samples/, all draws are gone
    labels = [stage for stage in run.stages() if stage.startswith("scores/")]
    recorded = [made_from or {}, *(_scores_made_from(run, stage) for stage in labels)]
    drawn = {name: digest for one in recorded for name, digest in one.get("samples", {}).items()}
    for stage in run.stages():
        try:
            stage_schema(stage)
        except InvalidInputError:
            moved.append(quarantine(run.path, run.path / stage))
            continue
        known = drawn
        if stage != "samples":
            known = _scores_made_from(run, stage).get("scores", {})
            if stage in labels and _json(run, f"{stage}/scores.json")[1]:
                # The scores of an unknown model, under unknown options.
                moved.append(quarantine(run.path, run.path / stage))
                continue
        index = new_index(run)
        rescued: list[pa.Table] = []
        here: list[Path] = []
        for file, keys, problem, unreadable in list(inspect_stage(run, stage, index)):
            if unreadable is not None:
                raise unreadable
            good = None if keys is None else np.ones(len(keys), np.bool_)
            if keys is not None and stage != "samples":
                good = samples.contains(keys)
            # Of a file that cannot be used at all, nothing is read a second time.
            other = keys is not None and known.get(file.name, "") not in ("", file_sha256(file))
            if problem or other or (good is not None and not good.all()):
                if keys is not None and not other and stage != "answers":
                    rows = read_part(file, stage_schema(stage), None, run.path)
                    rescued.append(rows.filter(pa.array(good)))
                here.append(quarantine(run.path, file))
        if stage == "samples":
            if here:  # without the keys of parts that were moved
                run.forget_index()
            _store_rescued(run, stage, rescued)
            samples = new_index(run)
            for _, keys, _, _ in inspect_stage(run, stage, samples):
                assert keys is not None
        else:
            _store_rescued(run, stage, rescued)
        moved += here
    for stage in labels:
        if (run.path / stage).is_dir() and list(scores_mismatches(run, stage[len("scores/") :])):
            _forget(run, f"{stage}/scores.json", ("made_from",))
    return moved


def _repair_grading(
    run: Run, made_from: dict[str, Any] | None, moved: list[Path]
) -> Iterator[Path]:
    """Moves what of a grading does not fit the samples, answers and problems that are there."""
    inside = [file.relative_to(run.path / "quarantine").parts[0] for file in moved]
    stale = "answers" in inside or "samples" in inside
    answers = set((made_from or {}).get("answers", {}))
    for wrong in grading_mismatches(run):
        name = wrong.file.relative_to(run.path).parts[0]
        unfinished = name == "answers" and wrong.file.name not in answers
        if name not in ("grades.parquet", "verdicts.jsonl") and not unfinished:
            stale = True
    settings = _json(run, "grading.json")[0]
    if settings is None and (run.path / "answers").is_dir():
        stale = True  # extracted by an unknown policy
    journal = run.path / "verdicts.jsonl"
    recorded = (made_from or {}).get("verdicts.jsonl")
    if journal.exists() and recorded is not None and not journal_prefix(journal, recorded):
        yield quarantine(run.path, journal)
    grades = run.path / "grades.parquet"
    if grades.exists():
        damaged = bool(made_from) and file_sha256(grades) != (made_from or {}).get("grades.parquet")
        try:
            read_part(grades, GRADES, None, run.path)
        except RunDirectoryError:
            damaged = True
        if damaged or stale:
            yield quarantine(run.path, grades)
    if stale:
        for name in ("answers", "audit.json"):
            if (run.path / name).exists():
                yield quarantine(run.path, run.path / name)
        run.forget_index()
        if settings is not None:
            _forget(run, "grading.json", _RESULTS)
    elif made_from and settings is not None and not grades.exists():
        # The answers are those that were graded: `grade` makes the table again.
        rest = {name: one for name, one in made_from.items() if name != "grades.parquet"}
        settings = {name: one for name, one in settings.items() if name not in _RESULTS}
        write_sealed(run, "grading.json", {**settings, "made_from": rest})


def _scores_made_from(run: Run, stage: str) -> dict[str, Any]:
    if not stage.startswith("scores/"):
        return {}
    found: dict[str, Any] = (_json(run, f"{stage}/scores.json")[0] or {}).get("made_from", {})
    return found


def _json(run: Run, name: str) -> tuple[Any, bool]:
    """(the value of a JSON file of the run, whether the file is damaged)."""
    try:
        return run.read_json(name), False
    except RunDirectoryError:
        return None, True


def _forget(run: Run, name: str, keys: tuple[str, ...]) -> None:
    """Removes some keys of a JSON file of the run."""
    value = _json(run, name)[0]
    if value is not None:
        write_sealed(run, name, {key: one for key, one in value.items() if key not in keys})


def _store_rescued(run: Run, stage: str, tables: list[pa.Table]) -> None:
    for table in tables:
        table = table.filter(pa.array(run.new_rows(stage, table)))
        if len(table):
            run.append(stage, table)


def quarantine(run: Path, file: Path) -> Path:
    """Moves a file or folder of a run to RUN/quarantine, and returns its new place.

    Raises:
        StorageError: it cannot be moved.
    """
    goal = run / "quarantine" / file.relative_to(run)
    with writing_to(goal):
        goal.parent.mkdir(parents=True, exist_ok=True)
        name, again = goal.name, 1
        while goal.exists():
            goal = goal.with_name(f"{name}.{again}")
            again += 1
        confirm_writing(file)
        shutil.move(file, goal)
    return goal
