"""How many bytes the record batches of an Arrow file hold, told before one is decompressed.

A compressed buffer states its length in its first 8 bytes, and Arrow allocates as many. The places
of the buffers stand in flatbuffers (Message.fbs and File.fbs of Apache Arrow), of which the few
fields that are needed are read here.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rlvr_fast.expansion import FREE_BYTES, ExpansionError, allowed_bytes

__all__ = ["Buffer", "Message", "check_ipc", "decoded_bytes", "ipc_messages", "read_message"]

ReadAt = Callable[[int, int], bytes]
_MAGIC = b"ARROW1"
_DICTIONARIES, _BATCHES = 2, 3  # fields of Footer
_HEADER_TYPE, _HEADER, _BODY = 1, 2, 3  # fields of Message
_DICTIONARY_BATCH, _RECORD_BATCH = 2, 3  # types of a message
_BUFFERS, _COMPRESSION = 2, 3  # fields of RecordBatch
_CODECS = {0: "lz4", 1: "zstd"}  # of BodyCompression
_BUFFER = struct.Struct("<qq")  # place in the body, length
_PREFIX = struct.Struct("<q")  # of a buffer of a compressed batch: its length, -1 as it is


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
        return None if at is None else _Table(self.data, self.follow(at))

    def structs(self, field: int, form: str) -> Iterator[tuple[int, ...]]:
        """The structs of a vector."""
        at = self.place(field)
        if at is None:
            return
        start = self.follow(at)
        (length,) = struct.unpack_from("<I", self.data, start)
        size = struct.calcsize(form)
        for number in range(length):
            yield struct.unpack_from(form, self.data, start + 4 + number * size)

    def entry(self, field: int) -> int:
        """The position of the number that tells where a field that is present lies."""
        return int(self._fields) + 4 + 2 * field

    def follow(self, at: int) -> int:
        return at + int(struct.unpack_from("<I", self.data, at)[0])


class Buffer(NamedTuple):
    """A buffer of a batch.

    Attributes:
        at: the position of its bytes in the file.
        stored: the number of its bytes in the file.
        plain: the number of bytes that it states to have when it is decompressed.
        is_compressed: whether it is; of a compressed batch, some buffers may not be.
    """

    at: int
    stored: int
    plain: int
    is_compressed: bool


@dataclass(frozen=True, slots=True)
class Message:
    """A message of an Arrow file that holds a batch, or another one.

    Attributes:
        metadata: its flatbuffer.
        length: its bytes in the file, those of its body included; 0 at the end of a stream.
        batch: the table of its batch, None for another message.
        is_dictionary: whether the batch is the values of a dictionary.
        codec: what its buffers are compressed with; "" for none.
        buffers: of the batch.
    """

    metadata: bytes
    length: int
    batch: _Table | None
    is_dictionary: bool
    codec: str
    buffers: list[Buffer]

    def uncompressed(self, lengths: list[int]) -> bytes:
        """The metadata of the message with a body of buffers of these lengths, not compressed.

        Each buffer begins at a multiple of 8 bytes.
        """
        data, at = bytearray(self.metadata), 0
        if self.batch is not None:
            place = self.batch.place(_BUFFERS)
            start = 0 if place is None else self.batch.follow(place) + 4
            for number, length in enumerate(lengths):
                _BUFFER.pack_into(data, start + number * _BUFFER.size, at, length)
                at += -(-length // 8) * 8
            if self.codec:  # an absent field
                struct.pack_into("<H", data, self.batch.entry(_COMPRESSION), 0)
            body = _Table.root(self.metadata).place(_BODY)
            if body is not None:
                struct.pack_into("<q", data, body, at)
        return bytes(data)


def ipc_messages(read_at: ReadAt, size: int, *, stream: bool) -> Iterator[Message]:
    """The messages that hold batches, in the order in which they are read.

    Args:
        read_at: (position, number) to bytes of the file; fewer at the end.
        size: of the file in bytes.
        stream: whether it is a stream, and not a file with a footer (Feather).

    Raises:
        pyarrow.ArrowInvalid: no Arrow file.
    """
    for message in (_of_stream if stream else _of_file)(read_at, size):
        if message.batch is not None:
            yield message


def _of_file(read_at: ReadAt, size: int) -> Iterator[Message]:
    tail = read_at(max(size - 10, 0), 10)
    length = int.from_bytes(tail[:4], "little")
    if tail[4:] != _MAGIC or length > size:
        raise pa.ArrowInvalid("not an Arrow file")
    try:
        footer = _Table.root(read_at(size - 10 - length, length))
        for field in (_DICTIONARIES, _BATCHES):
            for at, metadata, _, _body in footer.structs(field, "<qiiq"):
                yield read_message(read_at, at, metadata)
    except struct.error as error:
        raise _damaged(error) from None


def _of_stream(read_at: ReadAt, size: int) -> Iterator[Message]:
    at = 0
    while at + 8 <= size:
        message = read_message(read_at, at)
        if not message.length:
            return
        yield message
        at += message.length


def read_message(read_at: ReadAt, at: int, stated: int = 0) -> Message:
    """The message at a position.

    Args:
        read_at: as for `ipc_messages`.
        at: the position.
        stated: bytes from there to its body, where a footer states them.

    Raises:
        pyarrow.ArrowInvalid: damaged metadata.
    """
    try:
        mark, length = struct.unpack("<II", read_at(at, 8))
        before = 8
        if mark != 0xFFFFFFFF:  # the form before Arrow 0.15
            length, before = mark, 4
        if not length:
            return Message(b"", 0, None, False, "", [])
        message = _Table.root(read_at(at + before, length))
        kind = message.number(_HEADER_TYPE, "<B")
        is_dictionary = kind == _DICTIONARY_BATCH
        batch = message.table(_HEADER) if is_dictionary or kind == _RECORD_BATCH else None
        if batch is not None and is_dictionary:
            batch = batch.table(1)
        codec, buffers = "", []
        if batch is not None:
            compression = batch.table(_COMPRESSION)
            codec = "" if compression is None else _codec(compression.number(0, "<b"))
            buffers = list(_buffers(batch, read_at, at + (stated or before + length), codec))
        end = before + length + max(message.number(_BODY, "<q"), 0)
        return Message(message.data, end, batch, is_dictionary, codec, buffers)
    except struct.error as error:
        raise _damaged(error) from None


def _codec(number: int) -> str:
    if number not in _CODECS:
        raise pa.ArrowInvalid(f"buffers of a compression that is not known ({number})")
    return _CODECS[number]


def _buffers(batch: _Table, read_at: ReadAt, body: int, codec: str) -> Iterator[Buffer]:
    for offset, stored in batch.structs(_BUFFERS, _BUFFER.format):
        at, plain = body + offset, stored
        if min(at, offset, stored) < 0 or (codec and 0 < stored < _PREFIX.size):
            raise pa.ArrowInvalid(f"a buffer of {stored} bytes at {offset}")
        if codec and stored:
            at, stored = at + _PREFIX.size, stored - _PREFIX.size
            (plain,) = _PREFIX.unpack(read_at(at - _PREFIX.size, _PREFIX.size))
            if plain < -1:
                raise pa.ArrowInvalid(f"a buffer that states to have {plain} bytes")
        is_compressed = plain >= 0 and bool(codec and stored)
        yield Buffer(at, stored, stored if plain == -1 else plain, is_compressed)


def _damaged(error: struct.error) -> pa.ArrowInvalid:
    return pa.ArrowInvalid(f"damaged metadata ({error})")


def check_ipc(read_at: ReadAt, size: int, *, stream: bool) -> int:
    """Refuses an Arrow file whose batches expand beyond what its size allows.

    Args:
        read_at: as for `ipc_messages`.
        size: as for `ipc_messages`.
        stream: as for `ipc_messages`.

    Returns:
        The most bytes that Arrow decompresses at once: a batch and all dictionaries.

    Raises:
        ExpansionError: the message gives both numbers.
        pyarrow.ArrowInvalid: no Arrow file.
    """
    total = dictionaries = largest = 0
    for message in ipc_messages(read_at, size, stream=stream):
        plain = sum(buffer.plain for buffer in message.buffers)
        total += plain
        if total > allowed_bytes(size):
            raise ExpansionError(
                f"{size:,} bytes expand to {total:,} or more; a file of that size may expand to "
                f"{allowed_bytes(size):,}"
            )
        if message.codec and message.is_dictionary:
            dictionaries += plain
        elif message.codec:
            largest = max(largest, plain)
    return dictionaries + largest


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
    if not _may_repeat(kind):
        return 0
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


def _may_repeat(kind: pa.DataType) -> bool:
    """Whether values of a type lie in a dictionary or in a view; others need not be looked at."""
    if isinstance(kind, pa.BaseExtensionType):
        kind = kind.storage_type
    types = pa.types
    return (
        types.is_dictionary(kind)
        or kind in (pa.string_view(), pa.binary_view())
        or types.is_list_view(kind)
        or types.is_large_list_view(kind)
        or types.is_run_end_encoded(kind)
        or any(_may_repeat(kind.field(i).type) for i in range(kind.num_fields))
    )


def _mean(values: pa.Array) -> int:
    """The bytes of a value."""
    return -(-int(values.nbytes) // max(len(values), 1))
