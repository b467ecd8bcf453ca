"""Rows of small parts, kept in memory while a run is open: a command reads each part several times.

Opening, checking and decoding a file of some rows costs far more than what is done with the rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from rlvr_fast.errors import RunDirectoryError, StorageError
from rlvr_fast.store.parts import Joined, joined_pieces
from rlvr_fast.store.schemas import stage_schema

__all__ = ["KEPT_BYTES", "SmallParts"]

# The most bytes of rows that an opened run keeps, and the most bytes of the file of a part of them.
KEPT_BYTES = 64 << 20
_SMALL = 64 << 10
# Parts that are kept together; of fewer parts than the second number none are.
_TOGETHER, _FEW = 1000, 32

# Device, inode, size and times of a file: another one tells that the file was changed.
_Mark = tuple[int, int, int, int, int]


class _Group(NamedTuple):
    marks: list[_Mark]
    joined: Joined


class SmallParts:
    """Reads the parts of a run; keeps the rows of many small ones, up to `KEPT_BYTES`."""

    def __init__(self, run: Path) -> None:
        self._run = run
        self._groups: dict[Path, _Group] = {}  # by the first file
        self._bytes = 0
        self._full = False

    def forget(self) -> None:
        """Drops all rows."""
        self._groups.clear()
        self._bytes, self._full = 0, False

    def fill(self, stage: str, parts: Sequence[Path]) -> set[Path]:
        """Keeps the rows of small parts of a stage, as many as fit; the parts that are kept."""
        kept: set[Path] = set()
        for chunk, marks in _chunks(parts):
            if self._kept(stage, chunk, marks) is not None:
                kept.update(chunk)
        return kept

    def joined(
        self, stage: str, parts: Sequence[Path], columns: Sequence[str] | None
    ) -> Iterator[Joined]:
        """As `rlvr_fast.store.parts.joined_pieces`, of some parts of a stage."""
        waiting: list[Path] = []
        for chunk, marks in _chunks(parts):
            kept = self._kept(stage, chunk, marks)
            if kept is None:
                waiting += chunk
                continue
            yield from joined_pieces(waiting, stage_schema(stage), columns, self._run)
            waiting = []
            names = [n for n in columns or kept.rows.column_names if n in kept.rows.column_names]
            yield Joined(kept.rows.select(names), kept.files)
        yield from joined_pieces(waiting, stage_schema(stage), columns, self._run)

    def _kept(self, stage: str, chunk: Sequence[Path], marks: list[_Mark]) -> Joined | None:
        """The rows of parts that are kept, or are kept from now on; None for others."""
        if not marks:
            return None
        group = self._groups.get(chunk[0])
        if group is not None:
            if group.marks == marks:
                return group.joined
            del self._groups[chunk[0]]
            self._bytes -= group.joined.rows.nbytes
        if self._full:
            return None
        found: Joined | None = None
        try:
            for joined in joined_pieces(chunk, stage_schema(stage), None, self._run):
                # A file of some KB may hold many MB.
                if found is not None or self._bytes + joined.rows.nbytes > KEPT_BYTES:
                    self._full = True
                    return None
                found = joined
        except (RunDirectoryError, StorageError):
            return None  # the columns that are asked for may be sound
        if found is not None:
            self._bytes += found.rows.nbytes
            self._groups[chunk[0]] = _Group(marks, found)
        return found


def _chunks(parts: Sequence[Path]) -> Iterator[tuple[Sequence[Path], list[_Mark]]]:
    """Parts in their order, some at a time, with their marks where all of them are small."""
    for start in range(0, len(parts), _TOGETHER):
        chunk = parts[start : start + _TOGETHER]
        marks = [] if len(parts) < _FEW else [_mark(part) for part in chunk]
        small = all(mark is not None and mark[2] <= _SMALL for mark in marks)
        yield chunk, [mark for mark in marks if mark is not None] if small else []


def _mark(part: Path) -> _Mark | None:
    try:
        s = part.lstat()
    except OSError:
        return None
    return s.st_dev, s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns
