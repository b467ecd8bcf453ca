"""Entries that no run and no report holds, and commands of the command line in this process."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest

# The kinds of entries, with the words by which a message names them.
KINDS = {
    "file link": "a symbolic link",
    "folder link": "a symbolic link",
    "dangling link": "a symbolic link",
    "link to /dev/zero": "a symbolic link",
    "pipe": "a named pipe",
    "socket": "a socket",
}


class Place(NamedTuple):
    """A copy of the pair, and a folder of the user that no command may change."""

    base: Path
    rl: Path
    victim: Path
    report: Path


Snapshot = dict[str, tuple[int, int, bytes]]


def make_victim(folder: Path) -> Path:
    """A folder of the user outside of the run, with names that commands delete or replace."""
    for name in (
        "token", "part-000000.parquet", ".tmp-part-000000.parquet-1", ".lock", "run.json",
        "base/part-000000.parquet", "base/.tmp-x", "index.html", "support.csv",
    ):  # fmt: skip
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"secret {name}\n" * 100)
    return folder


def plant(kind: str, place: Path, victim: Path) -> None:
    """Puts an entry of a kind at a place, in place of what lies there."""
    if place.is_dir():
        shutil.rmtree(place)
    place.unlink(missing_ok=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    if kind == "file link":
        place.symlink_to(victim / "token")
    elif kind == "folder link":
        place.symlink_to(victim)
    elif kind == "dangling link":
        place.symlink_to(victim / "made by the command")
    elif kind == "link to /dev/zero":
        place.symlink_to("/dev/zero")
    elif kind == "pipe":
        os.mkfifo(place)
    elif kind == "socket":
        # The path of a socket is short; a move keeps the socket.
        with tempfile.TemporaryDirectory() as short, socket.socket(socket.AF_UNIX) as made:
            made.bind(f"{short}/s")
            shutil.move(f"{short}/s", place)
    else:
        os.link(victim / "token", place)


def snapshot(folder: Path) -> Snapshot:
    """Each entry below a folder: its mode, the time of its last change, its bytes."""
    found: Snapshot = {}
    for path in sorted(folder.rglob("*")):
        state = path.lstat()
        data = path.read_bytes() if stat.S_ISREG(state.st_mode) else b""
        found[str(path.relative_to(folder))] = (state.st_mode, state.st_mtime_ns, data)
    return found


def run_command(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str]:
    """The exit status of a command line in this process, and what it wrote to stderr."""
    from rlvr_fast.cli import main

    monkeypatch.setattr(sys, "argv", ["rlvr-fast", *arguments])
    capsys.readouterr()
    status = 0
    try:
        main()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 0
    return status, capsys.readouterr().err
