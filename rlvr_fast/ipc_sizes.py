"""How many bytes the record batches of an Arrow file hold, told before one is decompressed.

A compressed buffer states its length in its first 8 bytes, and Arrow allocates as many. The places
of the buffers stand in flatbuffers (Message.fbs and File.fbs of Apache Arrow), of which the few
fields that are needed are read here.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rlvr_fast.expansion import FREE_BYTES, ExpansionError, allowed_bytes

__all__ = ["check_ipc_file", "check_ipc_stream", "decoded_bytes"]

ReadAt = Callable[[int, int], bytes]
_MAGIC = b"ARROW1"
_DICTIONARIES, _BATCHES = 2, 3  # fields of Footer
_HEADER_TYPE, _HEADER, _BODY = 1, 2, 3  # fields of Message
_DICTIONARY_BATCH, _RECORD_BATCH = 2, 3  # types of a message
_BUFFERS, _COMPRESSION = 2, 3  # fields of RecordBatch
# Arrow decompresses the buffers of a batch at once.
_COMPRESSED_BATCH = 256 << 20


class _Table:
    """A table of a flatbuffer."""

    def __init__(self, data: bytes, at: int) -> None:
        self.data, self.at = data, at
        self._fields = at - struct.unpack_from("<i", data, at)[0]
        (self._size,) = struct.unpack_from("<H", data, self._fields)

    @classmethod
    def root(cls, data: bytes) -> _Table:
        return cls(data, struct.unpack_from("<I", data, 0)[0])

    def place(self, field: int) -> int | None:
        """The position of a field, None where it is absent."""
        entry = 4 + 2 * field
        if entry + 2 > self._size:
            return None
        (offset,) = struct.unpack_from("<H", self.data, self._fields + entry)
        return self.at + offset if offset else None

    def number(self, field: int, form: str) -> int:
        at = self.place(field)
        return 0 if at is None else int(struct.unpack_from(form, self.data, at)[0])

    def table(self, field: int) -> _Table | None:
        at = self.place(field)
        return None if at is None else _Table(self.data, self._follow(at))

    def structs(self, field: int, form: str) -> Iterator[tuple[int, ...]]:
        """The structs of a vector."""
        at = self.place(field)
        if at is None:
            return
        start = self._follow(at)
        (length,) = struct.unpack_from("<I", self.data, start)
        size = struct.calcsize(form)
        for number in range(length):
            yield struct.unpack_from(form, self.data, start + 4 + number * size)

    def _follow(self, at: int) -> int:
        return at + int(struct.unpack_from("<I", self.data, at)[0])


def check_ipc_file(read_at: ReadAt, size: int) -> None:
    """Refuses an Arrow file (Feather) whose batches expand beyond what its size allows.

    Args:
        read_at: (position, number) to bytes of the file; fewer at the end.
        size: of the file in bytes.

    Raises:
        ExpansionError: the message gives both numbers.
        pyarrow.ArrowInvalid: no Arrow file.
    """
    try:
        tail = read_at(max(size - 10, 0), 10)
        length = int.from_bytes(tail[:4], "little")
        if tail[4:] != _MAGIC or length > size:
            raise pa.ArrowInvalid("not an Arrow file")
        footer = _Table.root(read_at(size - 10 - length, length))
        total = 0
        for field in (_DICTIONARIES, _BATCHES):
            for at, metadata, _, _body in footer.structs(field, "<qiiq"):
                total += _message(read_at, at, metadata)[0]
                _check(total, size)
    except struct.error as error:
        raise pa.ArrowInvalid(f"damaged metadata ({error})") from None


def check_ipc_stream(read_at: ReadAt, size: int) -> None:
    """Refuses an Arrow stream whose batches expand beyond what its size allows; as the file."""
    at = total = 0
    try:
        while at + 8 <= size:
            found, length = _message(read_at, at, None)
            total += found
            _check(total, size)
            if not length:
                return
            at += length
    except struct.error as error:
        raise pa.ArrowInvalid(f"damaged metadata ({error})") from None


def _check(total: int, size: int) -> None:
    if total > allowed_bytes(size):
        raise ExpansionError(
            f"{size:,} bytes expand to {total:,} or more; a file of that size may expand to "
            f"{allowed_bytes(size):,}"
        )


def _check_batch(plain: int, largest: int) -> None:
    """Refuses a batch whose compressed columns are decompressed as a whole into too much memory."""
    if plain > _COMPRESSED_BATCH:
        raise ExpansionError(
            f"a compressed batch decompresses to {plain:,} bytes, its largest buffer to "
            f"{largest:,}; at most {_COMPRESSED_BATCH:,} are read at once (write smaller batches: "
            "chunksize=1000 of pyarrow.feather, or compression='uncompressed')"
        )


def _message(read_at: ReadAt, at: int, stated: int | None) -> tuple[int, int]:
    """(bytes of the decompressed buffers of a message, bytes of the message; 0 at the end)."""
    head = read_at(at, 8)
    mark, length = struct.unpack("<II", head)
    before = 8
    if mark != 0xFFFFFFFF:  # the form before Arrow 0.15
        mark, length, before = 0, mark, 4
    if not length:
        return 0, 0
    message = _Table.root(read_at(at + before, length))
    body = at + (stated or before + length)
    kind = message.number(_HEADER_TYPE, "<B")
    batch = message.table(_HEADER)
    if batch is not None and kind == _DICTIONARY_BATCH:
        batch = batch.table(1)
    total = largest = 0
    if batch is not None and kind in (_DICTIONARY_BATCH, _RECORD_BATCH):
        compressed = batch.place(_COMPRESSION) is not None
        for offset, stored in batch.structs(_BUFFERS, "<qq"):
            plain = stored
            if compressed and stored >= 8:
                (plain,) = struct.unpack("<q", read_at(body + offset, 8))
                plain = stored if plain == -1 else plain
            total += max(plain, 0)
            largest = max(largest, plain)
        if compressed:
            _check_batch(total, largest)
    return total, before + length + max(message.number(_BODY, "<q"), 0)


def decoded_bytes(table: pa.RecordBatch) -> int:
    """The bytes of a batch whose dictionaries and views are decoded.

    Raises:
        ExpansionError: values that repeat others are more than any batch may hold.
    """
    total: int = table.nbytes
    repeated = sum(_repeated_bytes(column) for column in table.columns)
    if repeated > FREE_BYTES:
        raise ExpansionError(
            f"a batch of {total:,} bytes repeats its values: it expands to {repeated:,}, of which "
            f"at most {FREE_BYTES:,} are read"
        )
    return max(total, repeated)


def _repeated_bytes(array: pa.Array) -> int:
    """The bytes of values that stand in a dictionary or in a view; 0 for others."""
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    kind, found = array.type, 0
    if pa.types.is_dictionary(kind):
        values = array.dictionary
        if pa.types.is_string(kind.value_type) or pa.types.is_large_string(kind.value_type):
            lengths = pc.cast(pc.binary_length(values), pa.int64())
            found = pc.sum(lengths.take(array.indices)).as_py() or 0
        else:
            found = _mean(values) * len(array)
    elif kind in (pa.string_view(), pa.binary_view()):
        # The first number of a view is the length of its text.
        views = np.frombuffer(array.buffers()[1], np.int32)[4 * array.offset :: 4]
        found = int(views[: len(array)].astype(np.int64).sum())
    elif pa.types.is_list_view(kind) or pa.types.is_large_list_view(kind):
        found = (pc.sum(pc.list_value_length(array)).as_py() or 0) * _mean(array.values)
    elif pa.types.is_run_end_encoded(kind):
        found = len(array) * array.values.nbytes
    elif pa.types.is_struct(kind):
        found = sum(_repeated_bytes(field) for field in array.flatten())
    elif hasattr(array, "values"):
        found = _repeated_bytes(array.flatten())
    return found


def _mean(values: pa.Array) -> int:
    """The bytes of a value."""
    return -(-int(values.nbytes) // max(len(values), 1))
