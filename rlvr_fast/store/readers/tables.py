"""Rows of Parquet and Arrow files and of tables in memory, as record batches."""

from __future__ import annotations

import contextlib
import functools
import io
import itertools
import mmap
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.expansion import (
    ExpansionError,
    Extent,
    parquet_extents,
    window_rows,
)
from rlvr_fast.ipc_batches import IpcBatches
from rlvr_fast.ipc_sizes import decoded_bytes
from rlvr_fast.store.readers.archives import reading
from rlvr_fast.store.readers.batch import Batch, Batches, Limits
from rlvr_fast.store.readers.reader import SourceFile
from rlvr_fast.store.readers.streams import Spool, compression_of, spool

__all__ = ["ipc_batches", "parquet_batches", "table_batches"]

_BUFFER = 1 << 20
_REWRITE = "Write the rows as JSON lines, or in several files, if you trust the file"


def parquet_batches(
    file: SourceFile, source: BinaryIO, limits: Limits, known: list[Extent] | None = None
) -> Batches:
    """The rows of a Parquet file.

    Args:
        file: names the file.
        source: its bytes; can seek.
        limits: the size of a batch.
        known: receives the extents of its row groups; one that has them is believed.

    Raises:
        InvalidInputError: the file is damaged or not Parquet, or expands beyond what its size
            allows.
        StorageError: the file system refuses to read.
    """
    with reading(file.name, "Parquet file"), _refusing(file):
        # Without these arguments whole row groups are read before the first row comes.
        arguments: dict[str, Any] = {"pre_buffer": False, "buffer_size": _BUFFER}
        with pq.ParquetFile(source, **arguments) as parquet:
            extents = known or parquet_extents(
                parquet,
                functools.partial(_read_at, source),
                _size(source),
                lambda **named: pq.ParquetFile(source, **arguments, **named),
            )
            if known is not None and not known:
                known += extents
            parts = itertools.chain.from_iterable(
                parquet.iter_batches(rows, row_groups=groups, use_threads=False)
                for groups, rows in _windows(extents, limits)
            )
            yield from _batches(file, parts, limits, checked=False)


def _windows(extents: Sequence[Extent], limits: Limits) -> Iterator[tuple[list[int], int]]:
    """(row groups, rows to read at a time): small row groups are read together."""
    together: list[int] = []
    rows = size = 0
    for group, extent in enumerate(extents):
        if together and (size + extent.bytes > limits.bytes or rows + extent.rows > limits.rows):
            yield together, rows
            together, rows, size = [], 0, 0
        if extent.bytes > limits.bytes or extent.rows > limits.rows:
            yield [group], min(limits.rows, window_rows(extent, limits.bytes))
            continue
        together.append(group)
        rows, size = max(1, rows + extent.rows), size + extent.bytes
    if together:
        yield together, rows


def _read_at(source: BinaryIO, at: int, size: int) -> bytes:
    source.seek(max(at, 0))
    return source.read(size)


def ipc_batches(
    file: SourceFile, limits: Limits, *, stream: bool, known: list[Spool] | None = None
) -> Batches:
    """The rows of an Arrow file (Feather) or stream.

    The file is mapped into memory, and the pages that were read are given back: a batch may have
    any size.

    Args:
        file: names the file.
        limits: the size of a batch.
        stream: whether it is a stream.
        known: receives the temporary file of decompressed bytes, which is read again.

    Raises:
        InvalidInputError: the file is damaged, not Arrow, or expands beyond what its size allows.
        StorageError: the file system refuses to read.
    """
    with reading(file.name, "file of Arrow"), _refusing(file):
        mapped = _mapped(file, [] if known is None else known)
        batches = IpcBatches(mapped, stream=stream)
        yield from _batches(file, batches, limits, give_back=batches.give_back)


def _mapped(file: SourceFile, known: list[Spool]) -> mmap.mmap:
    """The bytes of a source, decompressed where they are compressed; unmapped when unused."""
    if file.path is not None and not file.member:
        with file.path.open("rb") as plain:
            if compression_of(plain.read(16)) is None:
                return mmap.mmap(plain.fileno(), 0, access=mmap.ACCESS_READ)
    if not known:
        known.append(spool(file))
    return mmap.mmap(known[0].fileno(), 0, access=mmap.ACCESS_READ)


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
    file: SourceFile,
    tables: Iterable[pa.RecordBatch],
    limits: Limits,
    *,
    checked: bool = True,
    give_back: Callable[[], None] = lambda: None,
) -> Batches:
    """Cuts record batches to size.

    Args:
        file: names the file.
        tables: the record batches.
        limits: the size of a batch.
        checked: whether the bytes come as they are from outside, and may point anywhere; a reader
            of Parquet builds them itself, and only a text may be wrong.
        give_back: takes the pages of a mapped file that were read out of memory.
    """
    number = 0
    for table in tables:
        if number == 0:
            _check_names(table.schema)
        if checked:
            _validate(table, limits, give_back)
        if not table.num_rows:
            continue
        size = max(1, decoded_bytes(table) // table.num_rows)
        step = max(1, min(limits.rows, limits.bytes // size))
        for start in range(0, table.num_rows, step):
            part = _with_text(table.slice(start, step))
            numbers = range(number + 1, number + 1 + part.num_rows)
            yield Batch(file, numbers, part) if checked else _with_unicode(file, part, numbers)
            number += part.num_rows
            give_back()


def _validate(table: pa.RecordBatch, limits: Limits, give_back: Callable[[], None]) -> None:
    """Checks all values of a batch; texts, which may be most of it, in pieces.

    Raises:
        pyarrow.ArrowInvalid: places beyond the bytes, or text that is not UTF-8.
    """
    table.validate()
    for column in table.columns:
        _without_text(column, limits, give_back).validate(full=True)
        give_back()


def _without_text(array: pa.Array, limits: Limits, give_back: Callable[[], None]) -> pa.Array:
    """The array with the places of texts instead of texts, which are checked."""
    kind = array.type
    if _is_text(kind):
        step = max(1, len(array) * limits.bytes // max(array.nbytes, limits.bytes, 1))
        for start in range(0, len(array), step):
            array.slice(start, step).validate(full=True)
            give_back()
        large = pa.types.is_large_string(kind) or pa.types.is_large_binary(kind)
        kind, children = pa.int64() if large else pa.int32(), []
    elif type(kind) in (pa.ListType, pa.LargeListType):
        children = [_without_text(array.values, limits, give_back)]
        new = pa.list_ if isinstance(kind, pa.ListType) else pa.large_list
        kind = new(kind.value_field.with_type(children[0].type))
    elif type(kind) is pa.StructType and not array.offset:
        children = [
            _without_text(array.field(i), limits, give_back) for i in range(kind.num_fields)
        ]
        kind = pa.struct(kind.field(i).with_type(child.type) for i, child in enumerate(children))
    else:
        return array
    buffers = array.buffers()[: 1 if pa.types.is_struct(kind) else 2]
    return pa.Array.from_buffers(kind, len(array), buffers, offset=array.offset, children=children)


def _is_text(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
    )


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
