"""The folder of a report or a table: what it may hold, and how its files are written."""

from __future__ import annotations

import os
from pathlib import Path

from rlvr_fast.errors import RunDirectoryError
from rlvr_fast.safe_files import check_tree
from rlvr_fast.store.files import replacing

__all__ = ["check_folder", "write_file"]

# The files that a run directory has from its beginning.
_OF_A_RUN = ("run.json", "problems.parquet")


def check_folder(out: str | Path) -> None:
    """Refuses a folder that no report may be written into, before anything is written.

    Raises:
        RunDirectoryError: a run directory, a folder inside one, or a folder that holds anything but
            regular files and folders.
        StorageError: a folder cannot be read.
    """
    place = Path(out).resolve()
    for folder in (place, *place.parents):
        if all(os.path.lexists(folder / name) for name in _OF_A_RUN):
            what = "a run directory" if folder == place else f"inside the run directory {folder}"
            raise RunDirectoryError(f"{out}: {what}; name another folder for the report")
    check_tree(out)


def write_file(path: Path, text: str) -> None:
    """Writes a file of a report whole or not at all.

    Raises:
        OSError: as the file system raises it.
    """
    with replacing(path) as file:
        file.write(text.encode())
