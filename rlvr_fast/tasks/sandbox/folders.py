"""Folders with the files of a program, and what remains of them after kill -9."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

__all__ = ["program_folder", "remove_abandoned"]

PREFIX = "rlvr-sandbox-"
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextlib.contextmanager
def program_folder() -> Iterator[Path]:
    """A new folder in the temporary folder, removed at the end.

    The folder is locked (flock) while this process lives. The first folder of a process removes
    those of processes that were killed.
    """
    _remove_abandoned_once(tempfile.gettempdir())
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        try:
            descriptor = os.open(folder, _DIRECTORY)
        except FileNotFoundError:
            continue  # another process has taken it for an abandoned one
        try:
            with contextlib.suppress(OSError):  # NFS locks no folder; nobody removes it there
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            if not _names(folder, descriptor):
                continue  # ... while it waited for the lock
            folder.chmod(0o755)  # an unprivileged user runs root's programs
            try:
                yield folder
            finally:
                shutil.rmtree(folder)
            return
        finally:
            os.close(descriptor)


def _names(folder: Path, descriptor: int) -> bool:
    """Whether a path names the open folder."""
    try:
        return os.path.samestat(folder.lstat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def remove_abandoned(parent: str) -> None:
    """Removes the folders of killed processes of this user; links are never followed.

    Args:
        parent: the folder that they lie in.
    """
    with os.scandir(parent) as entries:
        found = [
            entry.path
            for entry in entries
            if entry.name.startswith(PREFIX) and entry.is_dir(follow_symlinks=False)
        ]
    for path in found:
        with contextlib.suppress(OSError):
            descriptor = os.open(path, _DIRECTORY)
            try:
                if os.fstat(descriptor).st_uid != os.geteuid():
                    continue
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # refused while in use
                shutil.rmtree(path)  # a worker's folder has those of its programs inside
            finally:
                os.close(descriptor)


@functools.cache
def _remove_abandoned_once(parent: str) -> None:
    with contextlib.suppress(OSError):
        remove_abandoned(parent)
