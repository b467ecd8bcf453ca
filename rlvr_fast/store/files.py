"""Files that are whole or absent, and the lock that lets one writer in at a time."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from rlvr_fast.errors import RunDirectoryError

__all__ = ["RunLock", "is_temporary", "write_atomically", "write_json", "write_parquet"]

_TEMPORARY = ".tmp-"

# Columns with few distinct values; a dictionary of completions or token ids would only cost time.
_DICTIONARY = {"problem_id", "task", "finish_reason", "status", "verdict", "grader"}


def is_temporary(path: Path) -> bool:
    """Whether `path` is what a killed writer left unfinished."""
    return path.name.startswith(_TEMPORARY)


def _sync_directory(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_atomically(path: Path, write: Callable[[BinaryIO], None]) -> None:
    """Writes `path` whole or not at all: temporary name, fsync, rename, fsync of the folder.

    Raises RunDirectoryError when the file system has no room or refuses to be written; the
    temporary file is removed and what `path` held before stays.
    """
    temporary = path.with_name(f"{_TEMPORARY}{path.name}-{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_directory(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise RunDirectoryError(_explain(path, error)) from error
    except BaseException:  # Ctrl-C as well: leave nothing half written behind
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def _explain(path: Path, error: OSError) -> str:
    whole = "nothing was half written; what was stored before is intact"
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return (
            f"{path}: no room left on the file system ({error.strerror}); {whole}. "
            "Free some space and give the same command again: it goes on where it stopped."
        )
    return f"{path}: cannot be written ({error.strerror or error}); {whole}."


def write_parquet(path: Path, table: pa.Table) -> None:
    """Writes `table` as zstd Parquet with page checksums, atomically."""

    def write(file: BinaryIO) -> None:
        pq.write_table(
            table,
            file,
            compression="zstd",
            use_dictionary=[name for name in table.column_names if name in _DICTIONARY],
            write_page_checksum=True,
        )

    write_atomically(path, write)


def write_json(path: Path, value: Any) -> None:
    """Writes `value` as indented JSON (UTF-8, no nan or infinity), atomically."""
    data = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False).encode() + b"\n"

    def write(file: BinaryIO) -> None:
        file.write(data)

    write_atomically(path, write)


class RunLock:
    """RUN/.lock, held with flock while something is written; may be entered again by its holder.

    flock and not a lock file's existence: the kernel gives it back when its holder dies, however
    it dies.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._thread_lock = threading.RLock()
        self._depth = 0
        self._handle = -1

    @contextlib.contextmanager
    def held(self) -> Iterator[bool]:
        """Holds the lock; yields True to the outermost holder only.

        Raises RunDirectoryError naming the process that holds it when another one does.
        """
        with self._thread_lock:
            if self._depth == 0:
                self._acquire()
            self._depth += 1
            try:
                yield self._depth == 1
            finally:
                self._depth -= 1
                if self._depth == 0:
                    os.close(self._handle)
                    self._handle = -1

    def _acquire(self) -> None:
        path = self._directory / ".lock"
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise RunDirectoryError(_explain(path, error)) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(handle, 200, 0).decode(errors="replace").strip() or "another process"
            os.close(handle)
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise RunDirectoryError(_explain(path, error)) from error
            raise RunDirectoryError(
                f"{self._directory}: {holder} is writing to this run; one writer at a time. "
                "Wait until it is done, or stop it: nothing that it has stored is lost."
            ) from None
        # Who holds it is a help for the next one, not worth failing for on a full disk.
        with contextlib.suppress(OSError):
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)
        self._handle = handle
