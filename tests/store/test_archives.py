"""Members of zip archives: every method, limits against bombs, damage."""

from __future__ import annotations

import os
import struct
import zipfile
from pathlib import Path

import pytest
from zips import DEFLATED, STORED, ZSTD, write_zip

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.store.readers import archives
from rlvr_fast.store.readers.archives import archive_members, open_member, read_member, reading


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("method", [STORED, DEFLATED, ZSTD])
def test_members_of_every_method(tmp_path: Path, method: int) -> None:
    path = tmp_path / "a.zip"
    content = os.urandom(1000) * 3000
    write_zip(path, [("a/b.txt", content), ("empty", b""), ("x", b"old"), ("x", b"new")], method)
    assert archive_members(path) == ["a/b.txt", "empty", "x"]
    assert read_member(path, "a/b.txt") == content
    assert read_member(path, "empty") == b""
    assert read_member(path, "x") == b"new"
    with open_member(path, "a/b.txt") as file:
        assert file.read(7) == content[:7]


def test_members_as_zipfile_writes_them(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.mkdir("folder")
        archive.writestr("folder/deflate", b"d" * 3_000_000, zipfile.ZIP_DEFLATED)
        archive.writestr("bzip2", b"b" * 3_000_000, zipfile.ZIP_BZIP2)
        archive.writestr("lzma", b"l" * 3_000_000, zipfile.ZIP_LZMA)
    assert archive_members(path) == ["folder/deflate", "bzip2", "lzma"]
    assert read_member(path, "folder/deflate") == b"d" * 3_000_000
    assert read_member(path, "bzip2") == b"b" * 3_000_000
    with pytest.raises(InvalidInputError, match=r"lzma: expected compression .* got lzma"):
        read_member(path, "lzma")


def test_a_closed_member_leaves_no_open_file(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    for method in (STORED, DEFLATED, ZSTD):
        write_zip(path, [("x", os.urandom(5_000_000))], method)
        before = open_files()
        file = open_member(path, "x")
        file.read(10)
        assert open_files() == before + 1
        file.close()
        assert open_files() == before


@pytest.mark.parametrize("method", [STORED, DEFLATED, ZSTD])
def test_damaged_members(tmp_path: Path, method: int) -> None:
    path = tmp_path / "a.zip"
    write_zip(path, [("x", os.urandom(100_000))], method)
    data = bytearray(path.read_bytes())
    data[50_000] ^= 255
    path.write_bytes(data)
    with pytest.raises(InvalidInputError, match=r"a\.zip: x: not readable as a member"):
        read_member(path, "x")


@pytest.mark.parametrize("size", [0, 10, 1_000_000])
def test_a_size_that_is_not_true_is_found(tmp_path: Path, size: int) -> None:
    path = tmp_path / "a.zip"
    write_zip(path, [("x", b"x" * 100_000)], size=size)
    with pytest.raises(InvalidInputError, match=r"x: got"):
        read_member(path, "x")


def test_limits_against_bombs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.zip"
    write_zip(path, [("x", b"x" * 100_000)], size=(1 << 32) - 1)
    with pytest.raises(InvalidInputError, match=r"expected at most .* bytes, got 4,294,967,295"):
        read_member(path, "x")
    with pytest.raises(InvalidInputError, match="expected at most 10 bytes"):
        read_member(path, "x", limit=10)
    write_zip(path, [("x", b""), ("y", b"")], size=(1 << 32) - 1)
    with pytest.raises(InvalidInputError, match=r"would expand to 8,589,934,590"):
        archive_members(path)
    monkeypatch.setattr(archives, "MAX_MEMBERS", 2)
    write_zip(path, [(str(i), b"") for i in range(3)])
    with pytest.raises(InvalidInputError, match="expected at most 2 members, got 3"):
        archive_members(path)


def test_overlapping_members_are_a_bomb(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    write_zip(path, [("x", b"x" * 100_000), ("y", b"x" * 100_000)])
    data = path.read_bytes()
    second = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 1)
    data = data[: second + 42] + struct.pack("<I", 0) + data[second + 46 :]
    path.write_bytes(data)
    with pytest.raises(InvalidInputError, match="overlap"):
        archive_members(path)


def test_no_archive_no_member_no_file(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with pytest.raises(InvalidInputError, match="No such file"):
        archive_members(path)
    path.write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(InvalidInputError, match="not readable as a zip archive"):
        archive_members(path)
    write_zip(path, [("samples/1.json", b"{}")])
    with pytest.raises(InvalidInputError, match=r"Did you mean 'samples/1\.json'"):
        read_member(path, "samples/2.json")
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(InvalidInputError, match="encrypted"):
        read_member(path, "samples/1.json")


def test_every_cut_of_an_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    write_zip(path, [("x", b"hello"), ("y", b"hello")])
    data = path.read_bytes()
    for cut in range(len(data)):
        path.write_bytes(data[:cut])
        with pytest.raises(InvalidInputError):
            read_member(path, "y")


def test_only_the_operating_system_gives_storage_errors() -> None:
    with pytest.raises(InvalidInputError, match="a: not readable as a file"), reading("a"):
        raise OSError("corrupt")
