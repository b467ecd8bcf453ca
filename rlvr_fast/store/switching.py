"""The moment in which other files take the place of parts of a stage, whole or not at all.

New parts, and the JSON files that record their digests, are written into the hidden folder
RUN/.compacting. Its plan.json, which comes last, is the decision: without it the folder is a
leftover that the next writer deletes; with it the next writer does what the plan says, again from
the start as often as needed. While a plan is there no part is read.
"""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rlvr_fast.errors import InvalidInputError, RunDirectoryError
from rlvr_fast.store.files import read_json, sync_directory, write_json, writing_to
from rlvr_fast.store.lease import confirm_writing
from rlvr_fast.store.part_names import PART
from rlvr_fast.store.schemas import stage_schema

__all__ = ["NEW_FILES", "Switch", "decide", "drop_undecided", "finish_switch", "switch_decided"]

NEW_FILES = ".compacting"
_PLAN = "plan.json"


@dataclass(frozen=True, slots=True)
class Switch:
    """What takes the place of what.

    Attributes:
        stage: the stage.
        old: names of the parts that go.
        new: names of the parts that come, none of which the stage has.
        documents: JSON files of the run that are replaced by those of the hidden folder.
    """

    stage: str
    old: list[str]
    new: list[str]
    documents: list[str]


def switch_decided(run: Path) -> bool:
    """Whether parts of a run are about to be replaced: what is listed now may be both, or half."""
    return (run / NEW_FILES / _PLAN).exists()


def decide(run: Path, switch: Switch) -> None:
    """Decides that the files in the hidden folder, which are on the disk, take their places."""
    write_json(run / NEW_FILES / _PLAN, asdict(switch))


def finish_switch(run: Path) -> None:
    """Does what was decided, or drops what was not; the caller holds the lock of the run.

    Raises:
        RunDirectoryError: a plan that no version of ours wrote, or whose files are gone.
        StorageError: the file system refuses to move or delete a file.
    """
    if not (run / NEW_FILES).is_dir():
        return
    if switch_decided(run):
        _do(run, _read(run))
        with writing_to(run / NEW_FILES):
            (run / NEW_FILES / _PLAN).unlink()
            sync_directory(run / NEW_FILES)
    drop_undecided(run)


def drop_undecided(run: Path) -> None:
    """Deletes the hidden folder, unless a plan is in it."""
    folder = run / NEW_FILES
    if folder.is_dir() and not switch_decided(run):
        with writing_to(folder):
            shutil.rmtree(folder)


def _do(run: Path, switch: Switch) -> None:
    """Puts every file into its place; what a killed process did already is left as it is."""
    folder = run / switch.stage
    moves = [f"{switch.stage}/{name}" for name in switch.new] + switch.documents
    lost = [n for n in moves if not (run / NEW_FILES / n).exists() and not (run / n).exists()]
    if lost:
        raise RunDirectoryError(
            f"{run / NEW_FILES / lost[0]}: gone, and neither is it in its place. The files that it "
            f"stands for may be there still: remove {run / NEW_FILES}, then see what "
            f"`rlvr-fast doctor {run}` says"
        )
    with writing_to(folder):
        for name in moves:
            if (run / NEW_FILES / name).exists():
                confirm_writing(run / name)
                (run / NEW_FILES / name).replace(run / name)
        # Before the old parts go, the new ones are on the disk under their names.
        for place in {(run / name).parent for name in moves}:
            sync_directory(place)
        for name in switch.old:
            confirm_writing(folder / name)
            (folder / name).unlink(missing_ok=True)
        sync_directory(folder)


def _read(run: Path) -> Switch:
    """The plan of a run, which may be a stranger's: it names parts and documents of ours only."""
    file = run / NEW_FILES / _PLAN
    remedy = f"remove {run / NEW_FILES}: the parts of the run are as they were"
    value: Any = read_json(file, root=run, remedy=remedy)
    try:
        switch = Switch(**value)
        stage_schema(switch.stage)
        names = [*switch.old, *switch.new]
        whole = all(PART.fullmatch(name) for name in names) and not {*switch.old} & {*switch.new}
        whole = whole and all(map(_is_document, switch.documents))
    except (TypeError, InvalidInputError):
        whole = False
    if not whole:
        raise RunDirectoryError(f"{file}: not a plan of `rlvr-fast compact`; {remedy}")
    return switch


def _is_document(name: str) -> bool:
    if name == "grading.json":
        return True
    stage, _, file = name.rpartition("/")
    if file != "scores.json" or not stage.startswith("scores/"):
        return False
    stage_schema(stage)
    return True
