"""Rows of Parquet and Arrow files and of tables in memory, as record batches."""

from __future__ import annotations

import contextlib
import functools
import io
import itertools
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.expansion import (
    ExpansionError,
    parquet_extents,
    window_rows,
)
from rlvr_fast.ipc_sizes import check_ipc_file, check_ipc_stream, decoded_bytes
from rlvr_fast.store.readers.archives import reading
from rlvr_fast.store.readers.batch import Batch, Batches, Limits
from rlvr_fast.store.readers.reader import SourceFile
from rlvr_fast.store.readers.streams import Spool, open_bytes

__all__ = ["ipc_batches", "parquet_batches", "table_batches"]

_BUFFER = 1 << 20
_REWRITE = "Write the rows as JSON lines, or in several files, if you trust the file"


def parquet_batches(file: SourceFile, source: BinaryIO, limits: Limits) -> Batches:
    """The rows of a Parquet file.

    Args:
        file: names the file.
        source: its bytes; can seek.
        limits: the size of a batch.

    Raises:
        InvalidInputError: the file is damaged or not Parquet, or expands beyond what its size
            allows.
        StorageError: the file system refuses to read.
    """
    with reading(file.name, "Parquet file"), _refusing(file):
        # Without these arguments whole row groups are read before the first row comes.
        arguments: dict[str, Any] = {"pre_buffer": False, "buffer_size": _BUFFER}
        with pq.ParquetFile(source, **arguments) as parquet:
            extents = parquet_extents(
                parquet,
                functools.partial(_read_at, source),
                _size(source),
                lambda **named: pq.ParquetFile(source, **arguments, **named),
            )
            parts = itertools.chain.from_iterable(
                parquet.iter_batches(
                    min(limits.rows, window_rows(extent, limits.bytes)),
                    row_groups=[group],
                    use_threads=False,
                )
                for group, extent in enumerate(extents)
            )
            yield from _batches(file, parts, limits, checked=False)


def _read_at(source: BinaryIO, at: int, size: int) -> bytes:
    source.seek(max(at, 0))
    return source.read(size)


def ipc_batches(file: SourceFile, source: BinaryIO | None, limits: Limits) -> Batches:
    """The rows of an Arrow file or stream.

    Args:
        file: names the file.
        source: the bytes of an Arrow file (Feather), which can seek; None for an Arrow stream.
        limits: the size of a batch.

    Raises:
        InvalidInputError: the file is damaged or not Arrow.
        StorageError: the file system refuses to read.
    """
    with reading(file.name, "file of Arrow"), _refusing(file):
        if source is None:
            # Its sizes stand between its batches: what cannot seek lies in a temporary file.
            with contextlib.closing(_seekable(file)) as stream:
                check_ipc_stream(functools.partial(_read_at, stream), stream.seek(0, io.SEEK_END))
                stream.seek(0)
                with pa.ipc.open_stream(stream) as arrow:
                    yield from _batches(file, arrow, limits)
        else:
            check_ipc_file(functools.partial(_read_at, source), _size(source))
            with pa.ipc.open_file(source) as arrow:
                parts = (arrow.get_batch(i) for i in range(arrow.num_record_batches))
                yield from _batches(file, parts, limits)


def _seekable(file: SourceFile) -> BinaryIO:
    stream = open_bytes(file)
    if stream.seekable():
        return stream
    with stream:
        return Spool(stream, file.name).open()


def _size(source: BinaryIO) -> int:
    source.seek(0, io.SEEK_END)
    return source.tell()


@contextlib.contextmanager
def _refusing(file: SourceFile) -> Iterator[None]:
    """Turns a file that expands into an error that names the file."""
    try:
        yield
    except ExpansionError as error:
        raise InvalidInputError(f"{file.name}: refused: {error}. {_REWRITE}") from None


def table_batches(file: SourceFile, table: pa.Table, limits: Limits) -> Batches:
    """The rows of a table in memory.

    Raises:
        InvalidInputError: the table is damaged.
    """
    with reading(file.name, "table"):
        yield from _batches(file, table.to_batches(max_chunksize=limits.rows), limits)


def _batches(
    file: SourceFile, tables: Iterable[pa.RecordBatch], limits: Limits, *, checked: bool = True
) -> Batches:
    """Cuts record batches to size.

    Args:
        file: names the file.
        tables: the record batches.
        limits: the size of a batch.
        checked: whether the bytes come as they are from outside, and may point anywhere; a reader
            of Parquet builds them itself, and only a text may be wrong.
    """
    number = 0
    for table in tables:
        if number == 0:
            _check_names(table.schema)
        if checked:
            table.validate(full=True)
        if not table.num_rows:
            continue
        size = max(1, decoded_bytes(table) // table.num_rows)
        step = max(1, min(limits.rows, limits.bytes // size))
        for start in range(0, table.num_rows, step):
            part = _with_text(table.slice(start, step))
            numbers = range(number + 1, number + 1 + part.num_rows)
            yield Batch(file, numbers, part) if checked else _with_unicode(file, part, numbers)
            number += part.num_rows


def _check_names(fields: Iterable[pa.Field]) -> None:
    """Reads every name: pyarrow decodes names late, and raises where one is not UTF-8."""
    for field in fields:
        assert isinstance(field.name, str)
        _check_names(field.type.field(index) for index in range(field.type.num_fields))


def _with_unicode(file: SourceFile, table: pa.RecordBatch, numbers: range) -> Batch:
    """A batch without the rows that hold text that is not UTF-8."""
    if _fault(table) is None:
        return Batch(file, numbers, table)
    faults = {index: _fault(table.take(pa.array([index]))) for index in range(table.num_rows)}
    good = [index for index, why in faults.items() if why is None]
    return Batch(
        file,
        [numbers[index] for index in good],
        table.take(pa.array(good, pa.int64())),
        faults=[(numbers[index], why) for index, why in faults.items() if why is not None],
    )


def _fault(table: pa.RecordBatch) -> str | None:
    try:
        table.validate(full=True)
    except pa.ArrowException as error:
        return (str(error) or type(error).__name__).splitlines()[0]
    return None


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
