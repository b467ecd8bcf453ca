"""Atomic writing of files, and reading of Parquet and JSON files of a run."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from rlvr_fast.errors import RunDirectoryError, StorageError, file_error
from rlvr_fast.safe_files import (
    JSON_BYTES,
    create_new,
    enclosing_run,
    open_regular,
    read_bytes,
)
from rlvr_fast.shown_text import json_text
from rlvr_fast.store.json_files import parse_json
from rlvr_fast.store.lease import confirm_writing

__all__ = [
    "NameTakenError",
    "is_temporary",
    "open_parquet",
    "parquet_bytes",
    "parquet_writer",
    "read_json",
    "refuse_inside_run",
    "replacing",
    "sync_directory",
    "write_atomically",
    "write_json",
    "write_parquet",
    "writing_to",
]

_TEMPORARY = ".tmp-"
# What `os.link` says where the file system has no second names.
_NO_LINKS = (errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EXDEV)
_PAGE_BYTES = 1 << 20

# Tables up to this size are made to files in memory.
_IN_MEMORY_BYTES = 256 << 20
# Columns with few distinct values; for completions and token ids a dictionary would only cost time.
_DICTIONARY = {"problem_id", "task", "finish_reason", "status", "verdict", "grader"}


class NameTakenError(StorageError):
    """Another process has made a file of this name, which was left as it is."""


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


def refuse_inside_run(path: Path) -> None:
    """Refuses a folder for a run that lies inside another run, whose stages would find it.

    Raises:
        RunDirectoryError: it does.
    """
    run = enclosing_run(path)
    if run is not None:
        raise RunDirectoryError(f"{path}: inside the run directory {run}; name another folder")


def write_atomically(path: Path, write: Callable[[BinaryIO], object], *, new: bool = False) -> None:
    """Writes `path` whole or not at all: temporary name, fsync, rename, fsync of the folder.

    Args:
        path: the file to write; its folder is made where it is missing.
        write: writes the content to the binary file that it is given.
        new: whether a file of this name is left alone.

    Raises:
        NameTakenError: there is a file of this name, and `new` is true.
        RunLockedError: `path` lies in a run that another process has taken over.
        StorageError: the file system has no room or refuses the write. The temporary file is
            removed, and what `path` held before stays.
    """
    with writing_to(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path, new=new) as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        sync_directory(path.parent)


@contextlib.contextmanager
def replacing(path: Path, *, new: bool = False) -> Iterator[BinaryIO]:
    """A new file that takes the place of `path` at the end of the block.

    What is written goes into a temporary file beside `path`, so that a reader sees the old file or
    the whole new one. A link of that name is replaced, and what it names stays as it is. A block
    that raises leaves `path` alone. Nothing is flushed to the disk; `write_atomically` does so.

    Args:
        path: the file.
        new: whether a file of this name is left alone.

    Raises:
        NameTakenError: there is a file of this name, and `new` is true.
        RunLockedError: `path` lies in a run that another process has taken over.
        OSError: as the file system raises it.
    """
    # Two machines may have processes of one number.
    mine = f"{os.getpid()}-{secrets.token_hex(4)}"
    temporary = path.with_name(f"{_TEMPORARY}{path.name}-{mine}")
    try:
        with create_new(temporary) as file:
            yield file
        confirm_writing(path)
        if new:
            _name_new(temporary, path)
            return
        try:
            temporary.replace(path)
        except IsADirectoryError as error:  # which names the temporary file
            raise IsADirectoryError(error.errno, error.strerror, str(path)) from None
    except BaseException:  # Ctrl-C as well
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def _name_new(temporary: Path, path: Path) -> None:
    """Gives a file its name, where no file has that name."""
    try:
        os.link(temporary, path, follow_symlinks=False)
    except OSError as error:
        taken = os.path.lexists(path)
        # The answer of a server that had made the second name may be lost, and the call repeated.
        if not (taken and path.lstat().st_nlink > 1 and temporary.samefile(path)):
            if taken:
                raise NameTakenError(
                    f"{path}: another process has stored a file of this name meanwhile, which is "
                    "left as it is. Give the same command again: it goes on from what is stored"
                ) from None
            if error.errno not in _NO_LINKS:
                raise
            temporary.replace(path)
            return
    temporary.unlink()


def sync_directory(path: Path) -> None:
    """Flushes the names in a folder to the disk."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def open_parquet(
    path: Path, *, root: Path | None = None, **arguments: Any
) -> Iterator[pq.ParquetFile]:
    """A Parquet file of a run for reading, whose page checksums are verified.

    Args:
        path: the file; see `rlvr_fast.safe_files.open_descriptor`.
        root: the run directory: no component of the path below it may be a link.
        **arguments: further arguments of `pyarrow.parquet.ParquetFile`.

    Raises:
        RunDirectoryError: not a regular file.
        OSError, pyarrow.ArrowException: a file that is missing, unreadable or damaged.
    """
    with (
        open_regular(path, root=root) as file,
        pq.ParquetFile(file, page_checksum_verification=True, **arguments) as parquet,
    ):
        yield parquet


def _rows_of_page(table: pa.Table) -> int:
    """Rows after which a page may end: by default after 1024, which may be 100 MB of completions.

    A reader has a page in memory as a whole, and takes one that is very large for a bomb.
    """
    size: int = table.nbytes
    return max(1, min(1024, _PAGE_BYTES * len(table) // max(size, 1)))


def _split_columns(table: pa.Table) -> dict[str, str]:
    """The columns of numbers of tokens: their bytes are stored by place, alike ones together.

    zstd takes less time for them, and makes less of them, than for whole numbers. The first byte of
    four is zero in every id of a vocabulary below 2**24 and costs nothing: whatever the tokens are,
    one takes 3 bytes at most.
    """
    return {
        f"{field.name}.list.element": "BYTE_STREAM_SPLIT"
        for field in table.schema
        if pa.types.is_list(field.type) and field.type.value_type in (pa.int32(), pa.float32())
    }


def parquet_bytes(table: pa.Table) -> bytes:
    """`table` as a file of zstd Parquet with page checksums."""
    data = io.BytesIO()
    _write_parquet(data, table)
    return data.getvalue()


def write_parquet(path: Path, table: pa.Table, *, new: bool = False) -> None:
    """Writes `table` as zstd Parquet with page checksums; see `write_atomically`."""
    write_atomically(path, lambda file: _write_parquet(file, table), new=new)


def parquet_writer(file: BinaryIO, rows: pa.Table) -> pq.ParquetWriter:
    """A writer of row groups to a part, made for rows like `rows`; the caller closes it."""
    return pq.ParquetWriter(file, rows.schema, **_options(rows))


def _options(table: pa.Table) -> dict[str, Any]:
    return {
        "compression": "zstd",
        "use_dictionary": [name for name in table.column_names if name in _DICTIONARY],
        "column_encoding": _split_columns(table),
        "write_page_checksum": True,
        "write_batch_size": _rows_of_page(table),
    }


def _write_parquet(file: BinaryIO, table: pa.Table) -> None:
    # In memory first: Arrow needs the interpreter for each write to a file of Python, and a thread
    # that draws meanwhile gives it away only every 5 ms.
    memory = pa.BufferOutputStream() if table.nbytes <= _IN_MEMORY_BYTES else None
    pq.write_table(table, file if memory is None else memory, **_options(table))
    if memory is not None:
        file.write(memory.getvalue())


def write_json(path: Path, value: Any) -> None:
    """Writes `value` as indented JSON (UTF-8, null for nan, infinity); see `write_atomically`."""
    data = json_text(value, indent=2, stored=True).encode() + b"\n"

    def write(file: BinaryIO) -> None:
        file.write(data)

    write_atomically(path, write)


def read_json(path: Path, *, root: Path, remedy: str) -> Any:
    """The JSON value in a file of a run or a report.

    Args:
        path: the file.
        root: the folder of the run or report: no component of the path below it may be a link.
        remedy: what the user can do about a file that is no JSON, for the end of the message.

    Raises:
        RunDirectoryError: no JSON, not a regular file, or more than `JSON_BYTES`.
        StorageError: the file cannot be read.
    """
    try:
        return parse_json(read_bytes(path, at_most=JSON_BYTES, root=root))
    except OSError as error:
        raise StorageError(f"{path}: cannot be read ({error.strerror or error})") from error
    except RunDirectoryError:
        raise
    except ValueError as error:
        raise RunDirectoryError(f"{path}: cannot be read as JSON ({error}); {remedy}") from None
