"""How many bytes a Parquet file holds when it is decoded, told before a value is decoded.

The footer of a Parquet file states sizes, which need not be true. Some hundred bytes stand for
gigabytes where one text of a dictionary is repeated, where a page is compressed, or where a number
is run-length encoded. What decoding gives follows from the headers of the pages, which are read
here, and, for texts that stand in a dictionary, from their places in it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

__all__ = [
    "FREE_BYTES",
    "FREE_VALUE_BYTES",
    "MAX_RATIO",
    "ExpansionError",
    "Extent",
    "allowed_bytes",
    "allowed_value_bytes",
    "parquet_extents",
    "window_rows",
]

# So many bytes may come of any file, and so many of one value or page: a model at temperature 0
# draws one text a thousand times.
FREE_BYTES = 1 << 30
FREE_VALUE_BYTES = 64 << 20
# Beyond these: text of rollouts compresses 3 to 30 times, repeated prompts some hundred times.
MAX_RATIO = 500

# A bound of repeated values up to here is not worth a closer look.
_NEAR = 8 << 20
_HEAD = 256
_LONGEST_HEADER = 16 << 20
# Indices of a dictionary that are looked at together.
_LOOK = 1 << 20
_WINDOW = 32 << 20
# Rows whose mean tells the size of a window: one long text among them does not count alone.
_BLOCK = 64

_LENGTH = struct.Struct("<I")
_DICTIONARY_PAGE, _DATA_PAGES = 2, (0, 3)
_DICTIONARY_CODED = (2, 8)
_PREFIX_CODED = 7
_WIDTHS = {"BOOLEAN": 1, "INT32": 4, "INT64": 8, "INT96": 12, "FLOAT": 4, "DOUBLE": 8}
# The offset of a text and its place in a list.
_PLACE = 8

ReadAt = Callable[[int, int], bytes]


class ExpansionError(ValueError):
    """A file that decodes to more than its size allows; the message gives both numbers."""


class Extent(NamedTuple):
    """What a row group holds when it is decoded.

    Attributes:
        rows: number of rows.
        bytes: at least the bytes of its values.
        row_bytes: about the bytes of its largest rows.
    """

    rows: int
    bytes: int
    row_bytes: int


def allowed_bytes(size: int) -> int:
    """How many bytes may come of a file of `size` bytes before the file is taken for a bomb."""
    return max(FREE_BYTES, MAX_RATIO * size)


def allowed_value_bytes(size: int) -> int:
    """How many bytes one value or page of a file of `size` bytes may have."""
    return max(FREE_VALUE_BYTES, MAX_RATIO * size)


def window_rows(extent: Extent, limit: int) -> int:
    """How many rows of a row group are about `limit` bytes; at least one."""
    return max(1, min(extent.rows or 1, limit // max(extent.row_bytes, 1)))


def parquet_extents(
    parquet: pq.ParquetFile,
    read_at: ReadAt,
    size: int,
    reopen: Callable[..., Any] | None = None,
) -> list[Extent]:
    """The extent of each row group of an opened Parquet file.

    Args:
        parquet: the file.
        read_at: (position, number) to bytes of the file; fewer at the end.
        size: of the file in bytes.
        reopen: opens the file once more with further arguments of `pyarrow.parquet.ParquetFile`, to
            look at dictionaries; None: repeated values count as if all were the largest one.

    Raises:
        ExpansionError: the file decodes to more than `allowed_bytes`, or a page to more than
            `allowed_value_bytes`.
        pyarrow.ArrowInvalid: a page header that cannot be read.
    """
    metadata = parquet.metadata
    allowed, total = allowed_bytes(size), 0
    found = []
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        rows = max(group.num_rows, 0)
        held = largest = 0
        for place in range(metadata.num_columns):
            chunk = _chunk(group.column(place), metadata.schema.column(place), read_at, size)
            _check(total + held + chunk.known, allowed, size)
            if chunk.open > max(_NEAR, chunk.known) and reopen is not None:
                path = group.column(place).path_in_schema
                chunk.look(reopen, number, path, rows, allowed - total - held)
            _check(total + held + chunk.known + chunk.open, allowed, size)
            held += chunk.known + chunk.open
            largest += chunk.row_bytes(rows)
        total += held
        found.append(Extent(rows, held, largest))
    return found


def _check(expanded: int, allowed: int, size: int) -> None:
    if expanded > allowed:
        raise ExpansionError(
            f"{size:,} bytes expand to {expanded:,} or more; a file of that size may expand to "
            f"{allowed:,} ({MAX_RATIO} times its size, or {FREE_BYTES >> 30} GiB)"
        )


@dataclass(slots=True)
class _Chunk:
    """What is known of a column of a row group.

    Attributes:
        flat: whether a row holds one value.
        values: number of values, nulls included.
        known: bytes of the values that stand in the pages themselves.
        open: at most the bytes of the values that repeat others.
        most: the mean bytes of a value in the page where they are largest.
        prefixed: bytes of the largest page whose values share prefixes; 0 without one.
    """

    flat: bool
    values: int = 0
    known: int = 0
    open: int = 0
    most: int = 0
    prefixed: int = 0

    def row_bytes(self, rows: int) -> int:
        mean = -(-(self.known + self.open) // max(rows, 1))
        return max(mean, self.most) if self.flat else mean

    def look(self, reopen: Callable[..., Any], group: int, path: str, rows: int, left: int) -> None:
        """Replaces the bound of repeated values by their bytes; stops where that is too much."""
        # Values with a common prefix cannot be read as a dictionary: some are decoded at a time.
        most = _LOOK if self.prefixed == 0 else max(1, _WINDOW // self.prefixed)
        step = max(1, most * max(rows, 1) // max(self.values, 1))
        held = self.most = 0
        with reopen(**({} if self.prefixed else {"read_dictionary": [path]})) as parquet:
            for batch in parquet.iter_batches(
                min(step, most), row_groups=[group], columns=[path], use_threads=False
            ):
                for lengths in _lengths(batch.column(0)):
                    held += int(lengths.sum())
                    if self.flat and len(lengths):
                        blocks = np.arange(0, len(lengths), _BLOCK)
                        self.most = max(
                            self.most, int(np.add.reduceat(lengths, blocks).max()) // _BLOCK
                        )
                if held > left:
                    break
        self.open = max(0, held - self.known)


def _lengths(array: pa.Array) -> Iterator[npt.NDArray[np.int64]]:
    """The bytes of each text in an array, 0 for null; dictionaries are not decoded."""
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    kind = array.type
    if pa.types.is_dictionary(kind):
        of_dictionary = _bytes_of(array.dictionary)
        found = np.asarray(pc.fill_null(array.indices.cast(pa.int64()), len(of_dictionary)))
        yield np.append(of_dictionary, 0)[found]
    elif pa.types.is_struct(kind):
        for field in array.flatten():
            yield from _lengths(field)
    elif pa.types.is_nested(kind):
        yield from _lengths(array.flatten() if not pa.types.is_map(kind) else array.items)
    else:
        yield _bytes_of(array)


def _bytes_of(array: pa.Array) -> npt.NDArray[np.int64]:
    if pa.types.is_dictionary(array.type):
        return next(_lengths(array))
    if pa.types.is_fixed_size_binary(array.type):
        return np.full(len(array), array.type.byte_width, np.int64)
    return np.asarray(pc.fill_null(pc.binary_length(array), 0), np.int64)


def _longest(data: bytes, codec: str, size: int) -> int:
    """The bytes of the longest text of a dictionary page; `size` where that is unknown."""
    try:
        if codec not in ("UNCOMPRESSED", "SNAPPY", "ZSTD", "GZIP", "BROTLI"):
            return size
        if codec != "UNCOMPRESSED":
            data = pa.Codec(codec.lower()).decompress(data, decompressed_size=size, asbytes=True)
    except (OSError, ValueError, pa.ArrowException):  # Arrow says so when it reads the page
        return size
    at = longest = 0
    length_at, end = _LENGTH.unpack_from, len(data) - 4
    while at <= end:
        (length,) = length_at(data, at)
        if length > longest:
            longest = length
        at += 4 + length
    return min(longest, size)


def _chunk(column: Any, schema: Any, read_at: ReadAt, size: int) -> _Chunk:
    start = column.data_page_offset
    first = column.dictionary_page_offset if column.has_dictionary_page else None
    if first is not None and 0 < first < start:
        start = first
    end = start + column.total_compressed_size
    kind = column.physical_type
    width = schema.length if kind == "FIXED_LEN_BYTE_ARRAY" else _WIDTHS.get(kind)
    found = _Chunk(flat=schema.max_repetition_level == 0)
    largest = dictionary = coded = 0
    behind = 0, 0
    wanted, seen = column.num_values, 0
    at, base, data = start, start, b""
    allowed = allowed_value_bytes(size)
    while at < end and seen < wanted:
        page, base, data = _page(read_at, at, base, data)
        if page.compressed < 0 or page.uncompressed < 0 or page.values < 0:
            raise pa.ArrowInvalid("a page header states a negative size")
        if page.uncompressed > allowed:
            raise ExpansionError(
                f"{size:,} bytes hold a page that expands to {page.uncompressed:,}; a page of a "
                f"file of that size may expand to {allowed:,}"
            )
        at += page.header + page.compressed
        if page.kind == _DICTIONARY_PAGE:
            dictionary = page.uncompressed
            behind = at - page.compressed, page.compressed
            found.known += dictionary
            continue
        if page.kind not in _DATA_PAGES:
            continue
        seen += page.values
        found.values += page.values
        if width is not None:
            found.known += page.values * width
            largest = max(largest, width)
        elif page.encoding in _DICTIONARY_CODED:
            coded += page.values
        elif page.encoding == _PREFIX_CODED:
            found.open += page.values * page.uncompressed
            found.prefixed = max(found.prefixed, page.uncompressed)
        else:
            found.known += page.uncompressed
            if page.values:
                largest = max(largest, -(-page.uncompressed // page.values))
    if coded * dictionary > _NEAR:
        dictionary = _longest(read_at(*behind), column.compression, dictionary)
        largest = max(largest, dictionary)
    found.open += coded * dictionary
    found.known += found.values * _PLACE
    found.most = largest + _PLACE
    return found


class _Page(NamedTuple):
    kind: int
    uncompressed: int
    compressed: int
    values: int
    encoding: int
    header: int


def _page(read_at: ReadAt, at: int, base: int, data: bytes) -> tuple[_Page, int, bytes]:
    """The page header at a position; `data` are bytes of the file from `base` on."""
    size = _HEAD
    while True:
        if not base <= at < base + len(data):
            base, data = at, read_at(at, size)
        try:
            return _parse(data, at - base), base, data
        except IndexError:  # the header goes on behind the bytes that were read
            if size > _LONGEST_HEADER or (base == at and len(data) < size):
                raise pa.ArrowInvalid("a page header is cut off") from None
            size, data = size * 8, b""


# Types of Thrift's compact protocol.
_BINARY, _STRUCT = 8, 12
_SIZES = {3: 1, 7: 8}  # a byte, a double
_BOOLEANS, _INTEGERS = (1, 2), (4, 5, 6)
_HEADERS = {5: 2, 7: 2, 8: 4}  # DataPageHeader, DictionaryPageHeader, DataPageHeaderV2: encoding


def _parse(data: bytes, start: int) -> _Page:
    """A page header in Thrift's compact protocol (parquet.thrift, PageHeader)."""
    numbers = {1: -1, 2: -1, 3: -1}
    values = encoding = name = 0
    at = start
    while byte := data[at]:
        kind, name, at = byte & 15, name + (byte >> 4), at + 1
        if byte < 16:
            name, at = _integer(data, at)
        if kind in _INTEGERS:
            numbers[name], at = _integer(data, at)
        elif kind == _STRUCT and name in _HEADERS:
            about, at = _integers(data, at)
            values, encoding = about.get(1, 0), about.get(_HEADERS[name], 0)
        elif kind not in _BOOLEANS:
            at = _behind(data, at, kind)
    at += 1
    return _Page(numbers[1], numbers[2], numbers[3], values, encoding, at - start)


def _integers(data: bytes, at: int) -> tuple[dict[int, int], int]:
    """The fields of a struct that are integers, and the position behind the struct."""
    found: dict[int, int] = {}
    name = 0
    while byte := data[at]:
        kind, name, at = byte & 15, name + (byte >> 4), at + 1
        if byte < 16:
            name, at = _integer(data, at)
        if kind in _INTEGERS:
            found[name], at = _integer(data, at)
        elif kind not in _BOOLEANS:
            at = _behind(data, at, kind)
    return found, at + 1


def _integer(data: bytes, at: int) -> tuple[int, int]:
    number, at = _varint(data, at)
    return (number >> 1) ^ -(number & 1), at


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = data[at]
    at += 1
    if value < 0x80:
        return value, at
    value, shift = value & 0x7F, 7
    while shift < 64:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise pa.ArrowInvalid("a page header holds a number of more than 64 bits")


def _behind(data: bytes, at: int, kind: int) -> int:
    """The position behind a value that is not needed; structs may hold structs."""
    depth = 0
    while True:
        if kind == _STRUCT:
            depth += 1
        elif kind in _INTEGERS:
            _, at = _varint(data, at)
        elif kind == _BINARY:
            length, at = _varint(data, at)
            at += length
        elif kind in _SIZES:
            at += _SIZES[kind]
        elif kind not in _BOOLEANS:  # PageHeader has no lists, sets or maps
            raise pa.ArrowInvalid(f"a page header holds a field of type {kind}")
        while depth and not data[at]:
            depth, at = depth - 1, at + 1
        if not depth:
            return at
        byte, at = data[at], at + 1
        kind = byte & 15
        if byte < 16:
            _, at = _varint(data, at)
