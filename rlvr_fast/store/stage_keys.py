"""The keys that each stage of a run holds, read from its parts and kept up to date."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from rlvr_fast.errors import InvalidInputError, RunDirectoryError
from rlvr_fast.store.index import KeyIndex
from rlvr_fast.store.part_names import part_number
from rlvr_fast.store.parts import Joined, damage_message, stage_parts
from rlvr_fast.store.small_parts import SmallParts

__all__ = ["StageKeys"]

# Modification time (ns) and size of a part: tells a changed part from the one that was indexed.
_Signature = tuple[int, int]


class StageKeys:
    """One `KeyIndex` for each stage; a part is read once, unless the part changes."""

    def __init__(
        self,
        run: Path,
        problem_ids: Callable[[], pa.Array],
        small: SmallParts,
        read_added: Callable[[], bool],
    ) -> None:
        self._run = run
        self._small = small
        self._problem_ids = problem_ids
        # Forgets the keys, and says so, where problems were added since `problem_ids` was read.
        self._read_added = read_added
        self._known: dict[str, tuple[dict[str, _Signature], KeyIndex]] = {}
        self._next: dict[str, int] = {}
        # While this process is the only writer: the stages that were compared with the folder.
        self._fresh: set[str] | None = None

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """A block in which nobody else writes: the parts of a stage are listed once."""
        self._fresh = set()
        try:
            yield
        finally:
            self._fresh = None

    def index(self, stage: str) -> KeyIndex:
        """The keys of `stage`, brought up to date.

        Raises:
            RunDirectoryError: a part is damaged, or holds a key that an earlier part holds.
            StorageError: a part cannot be read.
        """
        if self._fresh is not None and stage in self._fresh:
            return self._known[stage][1]
        parts = stage_parts(self._run, stage)
        now = {part.name: _signature(part) for part in parts}
        known, index = self._known.get(stage, ({}, None))
        if index is None or any(now.get(name) != mark for name, mark in known.items()):
            known, index = {}, KeyIndex(self._problem_ids())
        waiting = [part for part in parts if part.name not in known]
        self._known.pop(stage, None)  # until all of them are read
        try:
            for joined in self._small.joined(stage, waiting, ["problem_id", "sample_index"]):
                self._add(index, joined)
        except RunDirectoryError:
            if not self._read_added():
                raise
            return self.index(stage)
        known |= {part.name: now[part.name] for part in waiting}
        self._known[stage] = (known, index)
        self._next[stage] = part_number(parts[-1]) + 1 if parts else 0
        if self._fresh is not None:
            self._fresh.add(stage)
        return index

    def _add(self, index: KeyIndex, joined: Joined) -> None:
        """Adds the keys of some parts; looked up together, for one part costs as much as many."""
        with contextlib.suppress(InvalidInputError):
            if index.add(joined.rows, all_or_none=True).all():
                return
        for part, keys in joined.by_file():  # which of them
            try:
                new = index.add(keys)
                fault = None if new.all() else self._repeated(keys, new)
            except InvalidInputError as error:
                fault = str(error)
            if fault is not None:
                raise RunDirectoryError(damage_message(part, fault, self._run)) from None

    @staticmethod
    def _repeated(keys: pa.Table, new: npt.NDArray[np.bool_]) -> str:
        at = int(np.flatnonzero(~new)[0])
        key = f"{keys['problem_id'][at].as_py()!r}, {keys['sample_index'][at].as_py()}"
        return f"holds ({key}) once more"

    def next_part(self, stage: str) -> Path:
        """The file of the next part of a stage whose index is up to date."""
        return self._run / stage / f"part-{self._next[stage]:06d}.parquet"

    def add(self, stage: str, part: Path, table: pa.Table) -> None:
        """Adds the keys of a part that was just written, without reading the part."""
        known, index = self._known[stage]
        index.add(table)
        known[part.name] = _signature(part)
        self._next[stage] = part_number(part) + 1

    def forget(self) -> None:
        """Drops the indexes; they are read again when needed."""
        self._known.clear()
        if self._fresh is not None:
            self._fresh.clear()


def _signature(part: Path) -> _Signature:
    stat = part.stat()
    return stat.st_mtime_ns, stat.st_size
