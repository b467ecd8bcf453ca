"""The rows of a container of rollouts: a JSONL file, a Parquet file or an Arrow table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from rlvr_fast.errors import InvalidInputError, StorageError

__all__ = ["Source", "container_rows", "source_name"]

# A .jsonl or .parquet file, or an Arrow table.
Source: TypeAlias = str | Path | pa.Table

_BATCH_ROWS = 1000


def source_name(source: Source) -> str:
    """The name of a container for messages and notes."""
    return "a table" if isinstance(source, pa.Table) else str(source)


def container_rows(source: Source) -> Iterator[tuple[str, dict[str, Any]]]:
    """("FILE, row N", row) of each row, counted from 1; a blank line of JSONL is not a row.

    Raises:
        InvalidInputError: no such file, another kind of file, or a row that is no JSON object.
        StorageError: the file system refuses to read the file.
    """
    if isinstance(source, pa.Table):
        yield from _batch_rows("table", source.to_batches(max_chunksize=_BATCH_ROWS))
        return
    file = Path(source)
    if not file.is_file():
        raise InvalidInputError(f"{file}: no such file")
    if file.suffix == ".parquet":
        yield from _parquet_rows(file)
    elif file.suffix in (".jsonl", ".json", ".ndjson"):
        yield from _jsonl_rows(file)
    else:
        raise InvalidInputError(f"{file}: expected a .jsonl or .parquet file")


def _parquet_rows(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        with pq.ParquetFile(file) as parquet:
            yield from _batch_rows(str(file), parquet.iter_batches(_BATCH_ROWS))
    except (OSError, pa.ArrowException) as error:
        # Arrow reports damaged bytes as an OSError too, but only the operating system sets errno.
        if isinstance(error, OSError) and error.errno is not None:
            raise StorageError(f"{file}: cannot be read ({error})") from error
        raise InvalidInputError(f"{file}: not readable as Parquet ({error})") from None


def _jsonl_rows(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, line in enumerate(_lines(file), 1):
        if not line.strip():
            continue
        where = f"{file}, row {number}"
        try:
            row = json.loads(line)
        except ValueError as error:
            raise InvalidInputError(f"{where}: not JSON ({error})") from None
        if not isinstance(row, dict):
            raise InvalidInputError(f"{where}: expected a JSON object, got {type(row).__name__}")
        yield where, row


def _lines(file: Path) -> Iterator[bytes]:
    try:
        with file.open("rb") as lines:
            yield from lines
    except OSError as error:
        raise StorageError(f"{file}: cannot be read ({error.strerror or error})") from error


def _batch_rows(
    name: str, batches: Iterable[pa.RecordBatch]
) -> Iterator[tuple[str, dict[str, Any]]]:
    number = 0
    for batch in batches:
        for row in batch.to_pylist():
            number += 1
            yield f"{name}, row {number}", row
