"""The folder of a report or a table: what it may hold, and how its files are written."""

from __future__ import annotations

from pathlib import Path

from rlvr_fast.errors import RunDirectoryError
from rlvr_fast.safe_files import check_tree, enclosing_run, is_run
from rlvr_fast.store.files import replacing

__all__ = ["check_folder", "write_file"]


def check_folder(out: str | Path) -> None:
    """Refuses a folder that no report may be written into, before anything is written.

    Raises:
        RunDirectoryError: a run directory, a folder inside one, or a folder that holds anything but
            regular files and folders.
        StorageError: a folder cannot be read.
    """
    run = enclosing_run(out)
    if run is not None or is_run(Path(out)):
        what = "a run directory" if run is None else f"inside the run directory {run}"
        raise RunDirectoryError(f"{out}: {what}; name another folder for the report")
    check_tree(out)


def write_file(path: Path, text: str) -> None:
    """Writes a file of a report whole or not at all.

    Raises:
        OSError: as the file system raises it.
    """
    with replacing(path) as file:
        file.write(text.encode())
