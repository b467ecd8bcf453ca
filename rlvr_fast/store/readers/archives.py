"""Members of zip archives and compressed streams, read as bytes and limited against bombs.

A name inside an archive is never a path on disk: nothing is extracted. zstd members (method 93),
which `zipfile` refuses before Python 3.14, are read like all others.
"""

from __future__ import annotations

import bz2
import contextlib
import functools
import io
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from rlvr_fast.errors import InvalidInputError, RlvrError, closest, file_error

__all__ = [
    "FREE_BYTES",
    "MAX_IN_MEMORY",
    "MAX_MEMBERS",
    "MAX_RATIO",
    "allowed_bytes",
    "archive_members",
    "member_size",
    "open_member",
    "read_member",
    "reading",
]

# A tree of rollouts has a file a problem and seed at most: 1319 problems of GSM8K x 64 seeds.
MAX_MEMBERS = 100_000
# So many bytes may come of any source: repeated rollouts of one text pass, whatever their ratio,
# and the time to read them is bounded.
FREE_BYTES = 4 << 30
# Beyond FREE_BYTES: text of rollouts compresses 3 to 30 times, repeated prompts up to some hundred
# times; a bomb more than 1000 times.
MAX_RATIO = 500
# One value that has to be in memory whole, with some copies of it: a row, a member of an inspect
# log. A row of 1000 completions of 64 KB fits; `longest_row` gives rows some more.
MAX_IN_MEMORY = 64 << 20

_CHUNK = 1 << 20
_STORED, _DEFLATED, _BZIP2, _ZSTD = 0, 8, 12, 93
_NAMES_OF_METHODS = {9: "deflate64", 14: "lzma", 95: "xz", 97: "wavpack", 98: "ppmd", 99: "AES"}


def allowed_bytes(compressed: int) -> int:
    """How many bytes may come of `compressed` bytes before they are taken for a bomb."""
    return max(FREE_BYTES, MAX_RATIO * compressed)


@contextlib.contextmanager
def reading(name: str, what: str = "file") -> Iterator[None]:
    """Turns errors of reading a source into errors of rlvr_fast that name the source.

    Args:
        name: the source, as messages name it.
        what: what its bytes should be: "Parquet file", "gzip stream".

    Raises:
        StorageError: the file system refuses to read.
        InvalidInputError: the bytes are damaged or cut off, or there is no such file.
    """
    try:
        yield
    except RlvrError:
        raise
    except OSError as error:
        # Arrow, bz2 and gzip report damaged bytes as an OSError too, but only the operating
        # system sets errno.
        if error.errno is not None:
            why = error.strerror or error
            raise file_error(error, f"{name}: cannot be read ({why})") from error
        raise _damaged(name, what, error) from None
    except (
        pa.ArrowException, EOFError, MemoryError, zlib.error, lzma.LZMAError, zipfile.BadZipFile,
        UnicodeDecodeError,
    ) as error:  # fmt: skip
        raise _damaged(name, what, error) from None


def _damaged(name: str, what: str, error: Exception) -> InvalidInputError:
    why = (str(error) or type(error).__name__).splitlines()[0]
    return InvalidInputError(
        f"{name}: not readable as a {what} ({why}). The file is damaged or cut off: copy it again "
        "from where it was written"
    )


def archive_members(path: Path) -> list[str]:
    """The names of the files in a zip archive; folders are left out, each name stands once.

    Raises:
        InvalidInputError: no zip archive, or its members are too many, overlap, or would expand
            beyond the limits of this module.
        StorageError: the file system refuses to read.
    """
    return [name for name in _directory(path) if not name.endswith("/")]


def member_size(path: Path, name: str) -> int:
    """How many bytes a member states to hold, decompressed.

    Raises:
        InvalidInputError: no such archive or member.
        StorageError: the file system refuses to read.
    """
    return _member(path, name).file_size


def read_member(path: Path, name: str, limit: int = MAX_IN_MEMORY) -> bytes:
    """The bytes of a member.

    Args:
        path: a zip archive.
        name: the name of a member; of several members of one name the last one is read.
        limit: a member of more bytes is refused.

    Raises:
        InvalidInputError: no such member, or it is damaged, encrypted, larger than `limit` or
            compressed by a method that is not supported.
        StorageError: the file system refuses to read.
    """
    info = _member(path, name)
    if info.file_size > limit:
        raise InvalidInputError(
            f"{path}: {name}: expected at most {limit:,} bytes, got {info.file_size:,}"
        )
    with open_member(path, name) as file, reading(f"{path}: {name}", "member of a zip archive"):
        return file.read()


def open_member(path: Path, name: str) -> BinaryIO:
    """A member as a binary stream without seeking; closing it closes the archive.

    Length and checksum are verified when the end is reached: reading raises `zipfile.BadZipFile`
    or an error of the decompressor where the member is damaged (see `reading`).

    Raises:
        InvalidInputError: as `read_member`.
        StorageError: as `read_member`.
    """
    info = _member(path, name)
    where = f"{path}: {name}"
    if info.flag_bits & 1:
        raise InvalidInputError(f"{where}: the member is encrypted; unpack it with its password")
    if info.compress_type not in (_STORED, _DEFLATED, _BZIP2, _ZSTD):
        method = _NAMES_OF_METHODS.get(info.compress_type, f"number {info.compress_type}")
        raise InvalidInputError(
            f"{where}: expected compression by deflate, zstd, bzip2 or none, got {method}; "
            "unpack the archive and give the folder"
        )
    with reading(str(path), "zip archive"):
        archive = path.open("rb")
        try:
            start = _start_of_data(archive, info)
        except BaseException:
            archive.close()
            raise
    return io.BufferedReader(_Member(archive, start, info), _CHUNK)


def _member(path: Path, name: str) -> zipfile.ZipInfo:
    directory = _directory(path)
    if name not in directory:
        raise InvalidInputError(f"{path}: no member {name!r}.{closest(name, directory)}")
    return directory[name]


def _directory(path: Path) -> dict[str, zipfile.ZipInfo]:
    with reading(str(path), "zip archive"):
        status = path.stat()
    return _directory_of(path, status.st_mtime_ns, status.st_size)


@functools.lru_cache(maxsize=4)  # a log of inspect has a member a sample
def _directory_of(path: Path, modified: int, size: int) -> dict[str, zipfile.ZipInfo]:
    with reading(str(path), "zip archive"):
        try:
            with zipfile.ZipFile(path) as archive:
                members = archive.infolist()
        except NotImplementedError as error:
            raise InvalidInputError(f"{path}: {error}") from None
        except (ValueError, IndexError, OverflowError) as error:  # hostile extra fields
            raise zipfile.BadZipFile(str(error)) from None
    if len(members) > MAX_MEMBERS:
        raise InvalidInputError(
            f"{path}: expected at most {MAX_MEMBERS:,} members, got {len(members):,}; unpack the "
            "archive and give the folder"
        )
    end, before = 0, ""
    for info in sorted(members, key=lambda info: info.header_offset):
        # Bombs let thousands of members share one compressed stream.
        if info.header_offset < end:
            raise InvalidInputError(f"{path}: the members {before!r} and {info.filename!r} overlap")
        end, before = info.header_offset + 30 + info.compress_size, info.filename
    directory = {info.filename: info for info in members}
    total = sum(info.file_size for info in directory.values())
    if total > allowed_bytes(size):
        raise InvalidInputError(
            f"{path}: {size:,} bytes would expand to {total:,}; archives of rollouts expand at "
            f"most {MAX_RATIO} times beyond {FREE_BYTES >> 30} GiB. Unpack the archive yourself if "
            "you trust it"
        )
    return directory


def _start_of_data(archive: BinaryIO, info: zipfile.ZipInfo) -> int:
    """Where the bytes of a member begin: its local header has a length of its own."""
    archive.seek(info.header_offset)
    header = archive.read(30)
    if len(header) < 30 or header[:4] != b"PK\x03\x04":
        raise zipfile.BadZipFile(f"no header of member {info.filename!r}")
    return (
        info.header_offset
        + 30
        + int.from_bytes(header[26:28], "little")
        + int.from_bytes(header[28:30], "little")
    )


class _Slice(io.RawIOBase):
    """The compressed bytes of a member."""

    def __init__(self, archive: BinaryIO, start: int, size: int) -> None:
        self._archive, self._left = archive, size
        archive.seek(start)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._archive.read(min(len(buffer), self._left))
        if not data and self._left and len(buffer):
            raise zipfile.BadZipFile("the archive ends within a member")
        self._left -= len(data)
        buffer[: len(data)] = data
        return len(data)


class _Member(io.RawIOBase):
    """The bytes of a member; the end is checked against the length and checksum it states."""

    def __init__(self, archive: BinaryIO, start: int, info: zipfile.ZipInfo) -> None:
        self._archive, self._info = archive, info
        self._pieces = _pieces(_Slice(archive, start, info.compress_size), info.compress_type)
        self._piece = memoryview(b"")
        self._count = self._checksum = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._piece:
            piece = next(self._pieces, None)
            if piece is None:
                self._check_end()
                return 0
            self._piece = memoryview(piece)
            self._count += len(piece)
            self._checksum = zlib.crc32(piece, self._checksum)
            if self._count > self._info.file_size:
                self._check_end()
        size = min(len(buffer), len(self._piece))
        buffer[:size] = self._piece[:size]
        self._piece = self._piece[size:]
        return size

    def _check_end(self) -> None:
        name = self._info.filename
        if self._count != self._info.file_size:
            more = "more than " if self._count > self._info.file_size else f"{self._count:,} of "
            raise zipfile.BadZipFile(f"{name}: got {more}{self._info.file_size:,} bytes")
        if self._checksum != self._info.CRC:
            raise zipfile.BadZipFile(f"{name}: wrong checksum")

    def close(self) -> None:
        if not self.closed:
            self._pieces.close()
            self._archive.close()
        super().close()


def _pieces(raw: _Slice, method: int) -> Any:
    """The decompressed bytes, at most some MiB at a time."""
    if method == _ZSTD:
        with pa.CompressedInputStream(pa.PythonFile(raw, "r"), "zstd") as stream:
            while piece := stream.read(_CHUNK):
                yield piece
        return
    if method == _STORED:
        while piece := raw.read(_CHUNK):
            yield piece
        return
    decoder: Any = zlib.decompressobj(-15) if method == _DEFLATED else bz2.BZ2Decompressor()
    data = b""
    while not decoder.eof:
        if not data and (method == _DEFLATED or decoder.needs_input):
            data = raw.read(_CHUNK) or b""
            if not data:
                raise EOFError("the compressed bytes end too early")
        yield decoder.decompress(data, _CHUNK)
        data = decoder.unconsumed_tail if method == _DEFLATED else b""
