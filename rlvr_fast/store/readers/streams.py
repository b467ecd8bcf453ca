"""The bytes of a source: a file, a member of an archive or standard input, decompressed."""

from __future__ import annotations

import codecs
import hashlib
import io
import lzma
import os
import tempfile
from collections.abc import Callable
from typing import Any, BinaryIO, NamedTuple

import pyarrow as pa

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.expansion import allowed_value_bytes
from rlvr_fast.safe_files import refuse_holes
from rlvr_fast.store.readers.archives import (
    FREE_BYTES,
    MAX_IN_MEMORY,
    MAX_RATIO,
    allowed_bytes,
    member_size,
    open_member,
    reading,
)
from rlvr_fast.store.readers.reader import SourceFile

__all__ = [
    "Digest",
    "Spool",
    "compression_of",
    "longest_row",
    "longest_value",
    "open_bytes",
    "open_text",
    "source_digest",
    "spool",
]

_CHUNK = 1 << 20


class Spool:
    """An anonymous temporary file: the bytes of a source that cannot seek or be read twice."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        """Reads a stream to its end.

        Raises:
            StorageError: no room for the temporary file.
        """
        with reading(name):
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the spool
            while chunk := stream.read(_CHUNK):
                self._file.write(chunk)
            self._file.flush()
            self.size = self._file.tell()

    def open(self) -> BinaryIO:
        """A reader with a position of its own."""
        return io.BufferedReader(_SpoolReader(self), _CHUNK)

    def fileno(self) -> int:
        """The descriptor of the file, which lives as long as the spool."""
        return self._file.fileno()

    def read_at(self, position: int, size: int) -> bytes:
        """At most `size` bytes from a position."""
        return os.pread(self._file.fileno(), size, position)


class _SpoolReader(io.RawIOBase):
    def __init__(self, spool: Spool) -> None:
        self._spool, self._position = spool, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._spool.size}
        self._position = max(0, base[whence] + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:
        data = self._spool.read_at(self._position, len(buffer))
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


def compression_of(head: bytes) -> str | None:
    """The compression of a file that begins with `head`; None for none that is known."""
    if head.startswith(b"\x1f\x8b"):
        return "gzip"
    if head.startswith(b"\x28\xb5\x2f\xfd") or (head[1:4] == b"\x2a\x4d\x18" and head[0] >> 4 == 5):
        return "zstd"
    if head.startswith(b"BZh") and head[4:10] in (b"1AY&SY", b"\x17rE8P\x90"):
        return "bz2"
    if head.startswith(b"\xfd7zXZ\x00"):
        return "xz"
    return "lz4" if head.startswith(b"\x04\x22\x4d\x18") else None


def open_bytes(file: SourceFile) -> io.BufferedReader:
    """The bytes of a source, decompressed where they are compressed; closing closes all below.

    Raises:
        InvalidInputError: no such file, or it is compressed twice. Reading raises it where the
            bytes are damaged, or expand beyond `allowed_bytes`.
        StorageError: the file system refuses to read.
    """
    with reading(file.name):
        stream, size = _raw(file)
        try:
            kind = compression_of(stream.peek(16)[:16])
            if kind is None:
                return stream
            stream = io.BufferedReader(_Decompressed(stream, kind, size, file.name), _CHUNK)
            if compression_of(stream.peek(16)[:16]) is not None:
                raise InvalidInputError(
                    f"{file.name}: compressed twice; decompress the file once yourself"
                )
        except BaseException:
            stream.close()
            raise
        return stream


def _raw(file: SourceFile) -> tuple[io.BufferedReader, int]:
    """The bytes of a source as they are stored, and their number."""
    if isinstance(file.data, Spool):
        stream: Any = file.data.open()
        return stream, file.data.size
    assert file.path is not None
    if file.member:
        stream = open_member(file.path, file.member)
        return stream, member_size(file.path, file.member)
    stream = file.path.open("rb", buffering=_CHUNK)
    try:
        refuse_holes(stream.fileno(), file.name)
    except BaseException:
        stream.close()
        raise
    return stream, os.fstat(stream.fileno()).st_size


class _Decompressed(io.RawIOBase):
    def __init__(self, stream: io.BufferedReader, kind: str, size: int, name: str) -> None:
        self._kind, self._name, self._size, self._count = kind, name, size, 0
        self._stream: Any = (
            lzma.LZMAFile(stream)  # noqa: SIM115 - closed in `close`
            if kind == "xz"
            else pa.CompressedInputStream(pa.PythonFile(stream, "r"), kind)
        )
        self._below = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with reading(self._name, f"{self._kind} stream"):
            data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        self._count += len(data)
        if self._count > allowed_bytes(self._size):
            raise InvalidInputError(
                f"{self._name}: {self._size:,} bytes expand to more than {self._count - 1:,}; "
                f"rollouts expand at most {MAX_RATIO} times beyond {FREE_BYTES >> 30} GiB. "
                "Decompress the file yourself if you trust it"
            )
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
            self._below.close()
        super().close()


def longest_value(file: SourceFile) -> int:
    """How many bytes one value of a source may have: a row, a field, an element.

    A value has to be in memory as a whole, with copies of it; of a small compressed file it is a
    small one.
    """
    stored = file.data.size if isinstance(file.data, Spool) else MAX_IN_MEMORY
    if file.path is not None:
        with reading(file.name):
            stored = file.path.stat().st_size
    return min(MAX_IN_MEMORY, allowed_value_bytes(stored))


def longest_row(file: SourceFile) -> int:
    """As `longest_value`, for a row of JSON of many texts, each of which is small.

    Rows with characters beyond U+FFFF, of which each takes four bytes, may have less: `check_row`.
    """
    most = longest_value(file)
    return most * 25 // 16 if most == MAX_IN_MEMORY else most  # 100 MiB


_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip


def open_text(file: SourceFile) -> io.BufferedReader:
    """The bytes of a text as UTF-8 without a byte order mark; UTF-16 needs its mark.

    Raises:
        InvalidInputError: see `open_bytes`.
        StorageError: see `open_bytes`.
    """
    stream = open_bytes(file)
    head = stream.peek(4)[:4]
    if head.startswith(codecs.BOM_UTF8):
        stream.read(3)
        return stream
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return io.BufferedReader(_Transcoded(stream, encoding), _CHUNK)
    return stream


class _Transcoded(io.RawIOBase):
    def __init__(self, stream: io.BufferedReader, encoding: str) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")
        self._piece = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._piece:
            data = self._stream.read(_CHUNK)
            self._piece = memoryview(self._decoder.decode(data, final=not data).encode())
            if not data and not self._piece:
                return 0
        size = min(len(buffer), len(self._piece))
        buffer[:size] = self._piece[:size]
        self._piece = self._piece[size:]
        return size

    def close(self) -> None:
        self._stream.close()
        super().close()


def spool(file: SourceFile) -> Spool:
    """The decompressed bytes of a source in an anonymous temporary file, for formats that seek."""
    if isinstance(file.data, Spool) and compression_of(file.data.read_at(0, 16)) is None:
        return file.data
    with open_bytes(file) as stream:
        return Spool(stream, file.name)


class Digest(NamedTuple):
    """The SHA-256 of the stored bytes of a source, in hexadecimal, and their number."""

    sha256: str
    bytes: int


def source_digest(file: SourceFile, stopped: Callable[[], bool] = lambda: False) -> Digest | None:
    """The digest of a source; of a member of an archive, of its own bytes. None in memory.

    Args:
        file: the source.
        stopped: whether nobody waits for the digest any longer; asked for each piece.

    Raises:
        InvalidInputError: no such file, or a damaged archive.
        StorageError: the file system refuses to read.
    """
    if file.path is None and not isinstance(file.data, Spool):
        return None
    with reading(file.name):
        stream, size = _raw(file)
        digest = hashlib.sha256()
        with stream:
            while not stopped() and (chunk := stream.read(_CHUNK)):
                digest.update(chunk)
    return Digest(digest.hexdigest(), size)
