"""Zip archives with zstd members, which `zipfile` does not write before Python 3.14."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

STORED, DEFLATED, ZSTD = 0, 8, 93


def write_zip(
    path: Path, members: Sequence[tuple[str, bytes]], method: int = ZSTD, *, size: int | None = None
) -> None:
    """Writes members in order; `size` is what the directory states instead of the true size."""
    body, directory = b"", b""
    for name, data in members:
        if method == DEFLATED:
            compressor = zlib.compressobj(9, wbits=-15)
            packed = compressor.compress(data) + compressor.flush()
        elif method == ZSTD:
            packed = pa.Codec("zstd").compress(data).to_pybytes()
        else:
            packed = data
        fields = struct.pack(
            "<HHHHHIIIHH", 63, 0, method, 0, 33, zlib.crc32(data), len(packed),
            len(data) if size is None else size, len(name.encode()), 0,
        )  # fmt: skip
        directory += (
            b"PK\x01\x02" + struct.pack("<H", 63) + fields
            + struct.pack("<HHHII", 0, 0, 0, 0, len(body)) + name.encode()
        )  # fmt: skip
        body += b"PK\x03\x04" + fields + name.encode() + packed
    end = struct.pack(
        "<HHHHIIH", 0, 0, len(members), len(members), len(directory), len(body), 0
    )  # fmt: skip
    path.write_bytes(body + directory + b"PK\x05\x06" + end)
