"""The record batches of an Arrow file that is mapped into memory.

Arrow decompresses all buffers of a batch at once. A compressed batch that is large is written anew
without compression into a temporary file, which is mapped: its pages take no memory once they are
given back.
"""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Iterator
from typing import BinaryIO

import pyarrow as pa

from rlvr_fast.expansion import ExpansionError, allowed_bytes
from rlvr_fast.ipc_sizes import Buffer, Message, check_ipc, ipc_messages, read_message

__all__ = ["IpcBatches"]

# The most bytes that Arrow may decompress at once.
_IN_MEMORY = 256 << 20
_PIECE = 4 << 20
_SCHEMA_OF_FILE = 8  # its position, behind the magic number


class IpcBatches:
    """The record batches of an Arrow file, one after the other.

    Values are not checked: a batch may hold offsets that point anywhere.
    """

    def __init__(self, mapped: mmap.mmap, *, stream: bool) -> None:
        """Looks at the sizes that the file states.

        Args:
            mapped: the bytes of the file.
            stream: whether it is a stream, and not a file with a footer (Feather).

        Raises:
            ExpansionError: the batches expand beyond what the size of the file allows.
            pyarrow.ArrowInvalid: no Arrow file.
        """
        self._maps = [mapped]
        self._size, self._stream = len(mapped), stream
        self._data = pa.py_buffer(mapped)
        self._large = check_ipc(self._read_at, self._size, stream=stream) > _IN_MEMORY

    def give_back(self) -> None:
        """Takes the pages that were read out of memory; they are read again where needed."""
        if hasattr(mmap, "MADV_DONTNEED"):
            for mapped in self._maps:
                mapped.madvise(mmap.MADV_DONTNEED)

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """Yields the batches.

        Raises:
            ExpansionError: dictionaries that are too large for so many batches.
            OSError: no room for the temporary file (`errno` is set), or damaged bytes.
            pyarrow.ArrowException: damaged bytes.
        """
        if self._large:
            yield from self._rewritten()
        elif self._stream:
            with pa.ipc.open_stream(self._data) as batches:
                yield from batches
        else:
            with pa.ipc.open_file(self._data) as file:
                yield from map(file.get_batch, range(file.num_record_batches))

    def _rewritten(self) -> Iterator[pa.RecordBatch]:
        """The batches, each read from a stream of its own with the dictionaries before it.

        A temporary file is not used twice, since somebody may hold rows of the batch before.
        """
        schema = read_message(self._read_at, 0 if self._stream else _SCHEMA_OF_FILE)
        before, copied = [schema], 0
        for message in ipc_messages(self._read_at, self._size, stream=self._stream):
            if message.is_dictionary:
                before.append(message)
                continue
            copied += sum(
                len(old.metadata) + sum(buffer.plain for buffer in old.buffers) for old in before
            )
            if copied > allowed_bytes(self._size):
                raise ExpansionError(
                    f"{self._size:,} bytes expand to more than {allowed_bytes(self._size):,} where "
                    "each batch is read with its dictionaries"
                )
            with tempfile.TemporaryFile() as file:
                for part in (*before, message):
                    self._write(part, file)
                file.flush()
                self._maps[1:] = [mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)]
            with pa.ipc.open_stream(pa.py_buffer(self._maps[1])) as batches:
                yield from batches
        del self._maps[1:]

    def _write(self, message: Message, file: BinaryIO) -> None:
        metadata = message.uncompressed([buffer.plain for buffer in message.buffers])
        metadata += bytes(-len(metadata) % 8)
        file.write(b"\xff\xff\xff\xff" + len(metadata).to_bytes(4, "little") + metadata)
        for buffer in message.buffers:
            if buffer.at + buffer.stored > self._size:
                raise pa.ArrowInvalid(f"a buffer of {buffer.stored} bytes lies outside the file")
            for piece in self._pieces(buffer, message.codec):
                file.write(piece)
                self.give_back()
            file.write(bytes(-buffer.plain % 8))

    def _pieces(self, buffer: Buffer, codec: str) -> Iterator[bytes]:
        """The bytes of a buffer, exactly as many as it states."""
        source = pa.BufferReader(self._data.slice(buffer.at, buffer.stored))
        stream = pa.CompressedInputStream(source, codec) if buffer.is_compressed else source
        left = buffer.plain
        while left:
            piece = stream.read(min(left, _PIECE))
            if not piece:
                raise pa.ArrowInvalid(f"a buffer ends {left} bytes before the length it states")
            left -= len(piece)
            yield piece
        if buffer.is_compressed and stream.read(1):
            raise pa.ArrowInvalid(f"a buffer has more than the {buffer.plain} bytes it states")

    def _read_at(self, at: int, size: int) -> bytes:
        return self._maps[0][max(at, 0) : max(at, 0) + size]
