"""Rows of Parquet and Arrow files and of tables in memory, as record batches."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.store.readers.archives import reading
from rlvr_fast.store.readers.batch import Batch, Limits
from rlvr_fast.store.readers.reader import SourceFile
from rlvr_fast.store.readers.streams import open_bytes

__all__ = ["ipc_batches", "parquet_batches", "table_batches"]

# Rows that are decoded to learn how many bytes a row takes: the statistics of a Parquet file count
# a text that is repeated only once.
_PROBE_ROWS = 16
_BUFFER = 1 << 20


def parquet_batches(
    file: SourceFile, source: Path | BinaryIO, limits: Limits
) -> Generator[Batch, None, None]:
    """The rows of a Parquet file.

    Args:
        file: names the file.
        source: the file, or its bytes; can seek.
        limits: the size of a batch.

    Raises:
        InvalidInputError: the file is damaged or not Parquet.
        StorageError: the file system refuses to read.
    """
    with reading(file.name, "Parquet file"):
        # Without these arguments whole row groups are read before the first row comes.
        arguments: dict[str, Any] = {"pre_buffer": False, "buffer_size": _BUFFER}
        with pq.ParquetFile(source, **arguments) as parquet:
            rows = _rows_per_batch(parquet, limits)
            yield from _batches(file, parquet.iter_batches(rows, use_threads=False), limits)


def _rows_per_batch(parquet: pq.ParquetFile, limits: Limits) -> int:
    metadata = parquet.metadata
    size = 1
    for index in range(metadata.num_row_groups):
        group = metadata.row_group(index)
        if group.num_rows:
            size = max(size, group.total_byte_size // group.num_rows)
    probe = min(_PROBE_ROWS, max(1, limits.bytes // size), limits.rows)
    for batch in parquet.iter_batches(probe, use_threads=False):
        if batch.num_rows:
            size = max(size, batch.nbytes // batch.num_rows)
        break
    return max(1, min(limits.rows, limits.bytes // size))


def ipc_batches(
    file: SourceFile, source: BinaryIO | None, limits: Limits
) -> Generator[Batch, None, None]:
    """The rows of an Arrow file or stream.

    Args:
        file: names the file.
        source: the bytes of an Arrow file (Feather), which can seek; None for an Arrow stream.
        limits: the size of a batch.

    Raises:
        InvalidInputError: the file is damaged or not Arrow.
        StorageError: the file system refuses to read.
    """
    with reading(file.name, "Arrow file"):
        if source is None:
            with open_bytes(file) as stream, pa.ipc.open_stream(stream) as arrow:
                yield from _batches(file, arrow, limits)
        else:
            with pa.ipc.open_file(source) as arrow:
                parts = (arrow.get_batch(i) for i in range(arrow.num_record_batches))
                yield from _batches(file, parts, limits)


def table_batches(
    file: SourceFile, table: pa.Table, limits: Limits
) -> Generator[Batch, None, None]:
    """The rows of a table in memory.

    Raises:
        InvalidInputError: the table is damaged.
    """
    with reading(file.name, "table"):
        yield from _batches(file, table.to_batches(max_chunksize=limits.rows), limits)


def _batches(
    file: SourceFile, tables: Iterable[pa.RecordBatch], limits: Limits
) -> Generator[Batch, None, None]:
    number = 0
    for table in tables:
        if not table.num_rows:
            continue
        size = max(1, table.nbytes // table.num_rows)
        step = max(1, min(limits.rows, limits.bytes // size))
        for start in range(0, table.num_rows, step):
            part = table.slice(start, step)
            yield _checked(file, part, number + 1)
            number += part.num_rows


def _checked(file: SourceFile, table: pa.RecordBatch, first: int) -> Batch:
    """A batch without the rows that Arrow cannot read: text that is not UTF-8, wrong offsets."""
    table = _with_text(table)
    numbers = range(first, first + table.num_rows)
    if _is_valid(table):
        return Batch(file, numbers, table)
    good, faults = [], []
    for index in range(table.num_rows):
        row = table.slice(index, 1)
        try:
            row.validate(full=True)
            good.append(index)
        except pa.ArrowException as error:
            faults.append((first + index, _first_line(error)))
    if not good and not any("UTF8" in why or "UTF-8" in why for _, why in faults):
        raise InvalidInputError(
            f"{file.name}: damaged: no row from {first} to {first + table.num_rows - 1} is "
            f"readable ({faults[0][1]})"
        )
    kept = pa.Table.from_batches([table.slice(i, 1) for i in good], table.schema)
    batches = kept.combine_chunks().to_batches()
    kept_batch = batches[0] if batches else table.slice(0, 0)
    return Batch(file, [first + i for i in good], kept_batch, faults=faults)


def _is_valid(table: pa.RecordBatch) -> bool:
    try:
        table.validate(full=True)
    except pa.ArrowException:
        return False
    return True


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def _with_text(table: pa.RecordBatch) -> pa.RecordBatch:
    """Columns of bytes as text, where they are UTF-8: some writers do not mark text as such."""
    for index, kind in enumerate(table.schema.types):
        if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
            try:
                text = table.column(index).cast(pa.large_string())
            except pa.ArrowException:
                continue
            table = table.set_column(index, table.schema.names[index], text)
    return table
