"""Archives as tools write them, and archives that attack their reader."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

__all__ = ["write_zip"]


def write_zip(path: Path, members: Sequence[tuple[str, bytes]], method: int = 93) -> Path:
    """Writes a zip; method 93 is zstd, which Python's zipfile before 3.14 does not know.

    Args:
        path: the archive.
        members: names and contents; a name may come twice.
        method: 0 stored, 8 deflate or 93 zstd.
    """
    body, directory = bytearray(), bytearray()
    for name, content in members:
        packed = content
        if method == 8:
            squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
            packed = squeeze.compress(content) + squeeze.flush()
        elif method == 93:
            sink = pa.BufferOutputStream()
            with pa.CompressedOutputStream(sink, "zstd") as stream:
                stream.write(content)
            packed = sink.getvalue().to_pybytes()
        encoded, checksum = name.encode(), zlib.crc32(content)
        common = struct.pack(
            "<HHHHHIIIHH",
            20,
            0x800,
            method,
            0,
            0x5A21,
            checksum,
            len(packed),
            len(content),
            len(encoded),
            0,
        )
        directory += b"PK\x01\x02" + struct.pack("<H", 20) + common
        directory += struct.pack("<HHHII", 0, 0, 0, 0, len(body)) + encoded
        body += b"PK\x03\x04" + common + encoded + packed
    end = struct.pack("<HHHHIIH", 0, 0, len(members), len(members), len(directory), len(body), 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(body + directory) + b"PK\x05\x06" + end)
    return path
