"""Atomic writing of files, and the lock that admits one writer to a run at a time."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from rlvr_fast.errors import RunLockedError, StorageError, file_error
from rlvr_fast.shown_text import json_text

__all__ = [
    "RunLock",
    "is_temporary",
    "write_atomically",
    "write_json",
    "write_parquet",
    "writing_to",
]

_TEMPORARY = ".tmp-"

# Columns with few distinct values; for completions and token ids a dictionary would only cost time.
_DICTIONARY = {"problem_id", "task", "finish_reason", "status", "verdict", "grader"}


def is_temporary(path: Path) -> bool:
    """Whether `path` is an unfinished file of a writer that was killed."""
    return path.name.startswith(_TEMPORARY)


@contextlib.contextmanager
def writing_to(path: Path) -> Iterator[None]:
    """Turns an OSError of the block into an error of rlvr_fast that names `path` and the remedy.

    Raises:
        StorageError: no room, no permission, a read-only file system, an input/output error.
        InvalidInputError: `path` cannot name a file there (see `rlvr_fast.errors.file_error`).
    """
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        raise file_error(error, _explain(path, error)) from error


def _explain(path: Path, error: OSError) -> str:
    stored = "no file was left half written, and what was stored before is intact"
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return (
            f"{path}: no room left on the file system ({error.strerror}); {stored}. "
            "Free some space and give the same command again: it goes on where it stopped."
        )
    return f"{path}: cannot be written ({error.strerror or error}); {stored}."


def write_atomically(path: Path, write: Callable[[BinaryIO], None]) -> None:
    """Writes `path` whole or not at all: temporary name, fsync, rename, fsync of the folder.

    Args:
        path: the file to write; its folder is made where it is missing.
        write: writes the content to the binary file that it is given.

    Raises:
        StorageError: the file system has no room or refuses the write. The temporary file is
            removed, and what `path` held before stays.
    """
    temporary = path.with_name(f"{_TEMPORARY}{path.name}-{os.getpid()}")
    try:
        with writing_to(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("wb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
            _sync_directory(path.parent)
    except BaseException:  # Ctrl-C as well
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def _sync_directory(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_parquet(path: Path, table: pa.Table) -> None:
    """Writes `table` as zstd Parquet with page checksums; see `write_atomically`."""

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
    """Writes `value` as indented JSON (UTF-8, null for nan, infinity); see `write_atomically`."""
    data = json_text(value, indent=2, stored=True).encode() + b"\n"

    def write(file: BinaryIO) -> None:
        file.write(data)

    write_atomically(path, write)


class RunLock:
    """RUN/.lock, held with flock during writes; its holder may acquire it again.

    The lock is flock's and not the existence of a file, because the kernel releases flock when its
    holder dies, for any cause.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._thread_lock = threading.RLock()
        self._depth = 0
        self._handle = -1

    @contextlib.contextmanager
    def held(self) -> Iterator[bool]:
        """Holds the lock during a block.

        Yields:
            True to the outermost block that holds the lock, False to the blocks inside.

        Raises:
            RunLockedError: another process holds the lock; the message names the process.
            StorageError: the lock file cannot be written.
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
        with writing_to(path):
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(handle, 200, 0).decode(errors="replace").strip() or "another process"
            os.close(handle)
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                raise RunLockedError(
                    f"{self._directory}: {holder} is writing to this run; one process may write "
                    "at a time. Wait until it is done, or stop it: nothing that it has stored is "
                    "lost."
                ) from None
            raise file_error(error, _explain(path, error)) from error
        # The name of the holder helps the next process; a full disk that cannot take it is no
        # reason to fail here.
        with contextlib.suppress(OSError):
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)
        self._handle = handle
