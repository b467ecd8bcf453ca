"""The checks of the folders that a study writes into."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from rlvr_fast.errors import InvalidInputError, RunDirectoryError
from rlvr_fast.safe_files import check_tree, enclosing_run, is_run
from rlvr_fast.store.files import writing_to
from rlvr_fast.store.recorded import TASK_FILES

__all__ = ["STUDY_FOLDERS", "check_place", "check_run_folder", "check_writable", "existing_part"]

# What a study makes in its folder, and a comparison of rollouts in the folder of its runs.
STUDY_FOLDERS = ("base", "rl", "arms", "report")


def check_place(folder: Path) -> None:
    """Refuses a folder that no runs may be made in, before anything is written.

    Raises:
        RunDirectoryError: a run directory, a folder inside one, or runs and a report that hold
            anything but regular files and folders.
        StorageError: a folder cannot be read.
    """
    run = enclosing_run(folder)
    if run is not None or is_run(folder):
        what = "a run directory" if run is None else f"inside the run directory {run}"
        raise RunDirectoryError(f"{folder}: {what}; name another folder for the runs that are made")
    check_tree(folder, only=STUDY_FOLDERS)


def check_run_folder(path: Path) -> None:
    """Refuses a folder that holds something, and no run, in the place of a run.

    Raises:
        RunDirectoryError: such a folder.
        StorageError: it cannot be read.
    """
    if (path / "run.json").exists() or not os.path.lexists(path):
        return
    if not path.is_dir():
        raise RunDirectoryError(f"{path}: expected a folder, found a file")
    with writing_to(path):
        held = {each.name for each in path.iterdir()}
    # What a killed call left lies beside its lock.
    ours = {"problems.parquet", TASK_FILES} if ".lock" in held else set()
    if strange := sorted(name for name in held - ours if not name.startswith(".")):
        raise RunDirectoryError(
            f"{path}: not a run directory (no run.json) and not empty ({strange[0]}, ...); name "
            "another folder"
        )


def existing_part(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    folder = folder.absolute()
    while not os.path.lexists(folder) and folder != folder.parent:
        folder = folder.parent
    return folder


def check_writable(folders: Iterable[Path]) -> None:
    """Refuses folders that cannot be made or written to.

    Args:
        folders: those that the study makes or writes into.

    Raises:
        InvalidInputError: a file stands in the place of one, or no permission is given.
    """
    for folder in folders:
        place = existing_part(folder)
        if not place.is_dir():
            raise InvalidInputError(
                f"out: {folder} cannot be made: {place} is no folder; name another, or move it away"
            )
        if not os.access(place, os.W_OK | os.X_OK):
            raise InvalidInputError(
                f"out: {folder} cannot be written: no permission to write into {place}; name "
                "another folder"
            )
