"""Rows of files of problems: JSONL, JSON arrays, Parquet, Arrow and CSV; errors name file and row.

The content of a file decides what it is, its name only where the content does not; JSONL, JSON and
CSV may be compressed with gzip or zstd.
"""

from __future__ import annotations

import contextlib
import csv
import functools
import gzip
import hashlib
import io
import itertools
import json
import mmap
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias, cast

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.expansion import ExpansionError, allowed_bytes, parquet_extents, window_rows
from rlvr_fast.ipc_batches import IpcBatches
from rlvr_fast.ipc_sizes import decoded_bytes
from rlvr_fast.safe_files import open_linked

__all__ = ["EXPECTED", "Row", "file_sha256", "iterate_rows", "read_rows"]

Row: TypeAlias = dict[str, Any]

EXPECTED = "a JSONL, JSON, Parquet, Arrow or CSV file"
MAX_ROW_BYTES = 256 << 20
MAX_ARRAY_BYTES = 2 << 30  # a JSON array is read as a whole
_BATCH = 1024
_WINDOW = 32 << 20  # bytes of a batch of rows that are decoded together


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal.

    Raises:
        InvalidInputError: no regular file, or one of holes.
    """
    with open_linked(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_rows(path: Path) -> list[tuple[int, Row]]:
    """(row number from 1, row) of every row; blank lines of a JSONL file are skipped.

    Raises:
        InvalidInputError: as `iterate_rows`, or a file without rows.
    """
    rows = list(iterate_rows(path))
    if not rows:
        raise InvalidInputError(f"{path}: the file holds no rows")
    return rows


def iterate_rows(path: Path, columns: Sequence[str] | None = None) -> Iterator[tuple[int, Row]]:
    """(row number from 1, row) of one row after the other.

    Args:
        path: the file.
        columns: the fields that are needed; Parquet files are read without the others.

    Raises:
        InvalidInputError: a missing file, another type of file, or a row that is not UTF-8, not
            JSON or not an object.
    """
    if path.is_dir():
        raise InvalidInputError(f"{path}: a folder; expected {EXPECTED}")
    if not path.is_file():
        raise InvalidInputError(f"{path}: no such file; expected {EXPECTED}")
    try:
        with open_linked(path) as file:
            head = file.read(8)
            if head.startswith(b"PAR1") or path.suffix.lower() == ".parquet":
                yield from _parquet_rows(path, columns)
            elif head.startswith(b"ARROW1") or path.suffix.lower() == ".arrow":
                yield from _arrow_rows(path, head.startswith(b"ARROW1"))
            elif head.startswith(b"PK\x03\x04"):
                raise InvalidInputError(f"{path}: a zip archive; unpack it first")
            else:
                file.seek(0)
                yield from _text_rows(path, _decompressed(file, path, head))
    except (OSError, EOFError, zlib.error) as error:
        raise InvalidInputError(f"{path}: cannot be read: {error}") from error


def _decompressed(file: BinaryIO, path: Path, head: bytes) -> io.BufferedReader:
    if head.startswith(b"\x1f\x8b"):
        return io.BufferedReader(_Bounded(gzip.GzipFile(fileobj=file), path))
    if head.startswith(b"\x28\xb5\x2f\xfd"):
        import pyarrow as pa

        stream = pa.CompressedInputStream(pa.OSFile(str(path)), "zstd")
        return io.BufferedReader(_Bounded(stream, path))
    return cast("io.BufferedReader", file)


class _Bounded(io.RawIOBase):
    """A decompressed stream that ends in an error beyond what the size of the file allows."""

    def __init__(self, stream: Any, path: Path) -> None:
        self._stream, self._path = stream, path
        self._allowed = allowed_bytes(path.stat().st_size)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        self._allowed -= len(data)
        if self._allowed < 0:
            raise InvalidInputError(
                f"{self._path}: refused: {self._path.stat().st_size:,} bytes expand to more than "
                f"{allowed_bytes(self._path.stat().st_size):,}. Decompress the file yourself if "
                "you trust it"
            )
        return len(data)


def _text_rows(path: Path, file: io.BufferedReader) -> Iterator[tuple[int, Row]]:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if ".csv" in suffixes or ".tsv" in suffixes:
        yield from _csv_rows(path, file, "," if ".csv" in suffixes else "\t")
        return
    start = file.peek(4096).removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if start == b"[":
        yield from _array_rows(path, file)
    elif start in (b"{", b"") or {".jsonl", ".ndjson", ".json"} & set(suffixes):
        yield from _jsonl_rows(path, file)
    else:
        raise InvalidInputError(
            f"{path}: expected {EXPECTED} (.jsonl, .json, .parquet, .arrow, .csv or .tsv, the text "
            f"files also as .gz or .zst); the file begins with {start!r}"
        )


def _parquet_rows(path: Path, columns: Sequence[str] | None) -> Iterator[tuple[int, Row]]:
    with _readable(path, "Parquet"), open_linked(path) as file:
        import pyarrow.parquet as pq

        size = path.stat().st_size
        with pq.ParquetFile(file) as parquet:
            reopen = functools.partial(pq.ParquetFile, path)
            extents = parquet_extents(parquet, functools.partial(_read_at, file), size, reopen)
            wanted = columns and [name for name in parquet.schema_arrow.names if name in columns]
            batches = itertools.chain.from_iterable(
                parquet.iter_batches(
                    min(_BATCH, window_rows(extent, _WINDOW)), row_groups=[group], columns=wanted
                )
                for group, extent in enumerate(extents)
            )
            yield from _batch_rows(path, batches, size)


def _arrow_rows(path: Path, is_file: bool) -> Iterator[tuple[int, Row]]:
    with _readable(path, "Arrow"), open_linked(path) as file:
        size = path.stat().st_size
        if not size:
            raise InvalidInputError(f"{path}: the file is empty")
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        yield from _batch_rows(path, IpcBatches(mapped, stream=not is_file), size)


def _read_at(file: BinaryIO, at: int, size: int) -> bytes:
    file.seek(max(at, 0))
    return file.read(size)


@contextlib.contextmanager
def _readable(path: Path, kind: str) -> Iterator[None]:
    """Turns what reading a table raises into an error that names the file."""
    import pyarrow as pa

    try:
        yield
    except ExpansionError as error:
        raise InvalidInputError(
            f"{path}: refused: {error}. Write the rows as JSON lines if you trust the file"
        ) from None
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"{path}: not a readable {kind} file: {error}") from error


def _batch_rows(path: Path, batches: Iterable[Any], size: int) -> Iterator[tuple[int, Row]]:
    """The rows of record batches of a file of `size` bytes."""
    number = total = 0
    for whole in batches:
        # Offsets of an Arrow file may point anywhere, and Arrow looks where it is told to.
        whole.validate(full=True)
        decoded = decoded_bytes(whole)
        total += decoded
        if total > allowed_bytes(size):
            raise ExpansionError(
                f"{size:,} bytes expand to {total:,} or more; a file of that size may expand to "
                f"{allowed_bytes(size):,}"
            )
        step = max(1, min(_BATCH, _WINDOW * whole.num_rows // max(decoded, 1)))
        for start in range(0, whole.num_rows, step):
            for row in whole.slice(start, step).to_pylist():
                number += 1
                yield number, row


def _csv_rows(path: Path, file: io.BufferedReader, delimiter: str) -> Iterator[tuple[int, Row]]:
    csv.field_size_limit(max(csv.field_size_limit(), MAX_ROW_BYTES))
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    rows = csv.DictReader(text, delimiter=delimiter, restkey="", strict=True)
    number = 0
    try:
        for number, row in enumerate(rows, start=1):
            if "" in row and isinstance(row[""], list):
                raise InvalidInputError(
                    f"{path}, row {number}: {len(row['']) + len(row) - 1} values, but the first "
                    f"line names {len(row) - 1} fields"
                )
            yield number, {key: value or None for key, value in row.items()}
    except (csv.Error, UnicodeDecodeError) as error:
        raise InvalidInputError(
            f"{path}, row {number + 1}: not readable as CSV: {error}"
        ) from error


def _array_rows(path: Path, file: io.BufferedReader) -> Iterator[tuple[int, Row]]:
    content = file.read(MAX_ARRAY_BYTES + 1)
    if len(content) > MAX_ARRAY_BYTES:
        raise InvalidInputError(
            f"{path}: a JSON array of more than {MAX_ARRAY_BYTES >> 30} GiB; write each of its "
            "elements on a line of its own (JSONL)"
        )
    try:
        rows = json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"{path}: not UTF-8: {error}; convert the file to UTF-8") from error
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(f"{path}: not a JSON array: {_reason(error)}") from error
    escaped = b"\\ud" in content.lower()
    for number, row in enumerate(rows, start=1):
        yield number, _checked(row, f"{path}, row {number}", escaped)


def _jsonl_rows(path: Path, file: io.BufferedReader) -> Iterator[tuple[int, Row]]:
    for number, line in enumerate(iter(lambda: file.readline(MAX_ROW_BYTES + 1), b""), start=1):
        where = f"{path}, row {number}"
        if len(line) > MAX_ROW_BYTES:
            raise InvalidInputError(f"{where}: a line of more than {MAX_ROW_BYTES >> 20} MiB")
        if not line.strip():
            continue
        try:
            row = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
        except UnicodeDecodeError as error:
            raise InvalidInputError(
                f"{where}: not UTF-8 (byte {error.start} of the row is "
                f"{line[error.start : error.start + 1]!r}); convert the file to UTF-8"
            ) from error
        except (ValueError, RecursionError) as error:
            raise InvalidInputError(
                f"{where}: expected one JSON object a line, got {_shown(line)} ({_reason(error)})"
            ) from error
        yield number, _checked(row, where, b"\\ud" in line.lower())


def _reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at character {error.pos}"
    if isinstance(error, RecursionError):
        return "nested too deep"
    return str(error).partition(":")[0]  # an integer of more digits than Python reads


def _shown(line: bytes) -> str:
    text = line.decode("utf-8", "replace").strip()
    return repr(text if len(text) <= 60 else text[:57] + "...")


def _checked(row: Any, where: str, escaped: bool) -> Row:
    if not isinstance(row, dict):
        hint = "; write each of its elements on a line of its own (JSONL)"
        raise InvalidInputError(
            f"{where}: expected a JSON object, got a {type(row).__name__}"
            f"{hint if isinstance(row, list) else ''}"
        )
    if escaped:
        _check_unicode(row, where)
    return row


def _check_unicode(row: Row, where: str) -> None:
    """A JSON escape may spell half of a surrogate pair, which no text can hold."""
    for field, value in row.items():
        try:
            json.dumps([field, value], ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            half = ord(error.object[error.start])
            raise InvalidInputError(
                f"{where}: field {field!r} holds \\u{half:04x}, half of a surrogate pair, which is "
                "no Unicode text; write the whole character"
            ) from error
