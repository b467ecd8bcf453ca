"""The keys that each stage of a run holds, read from its parts and kept up to date."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa

from rlvr_fast.errors import InvalidInputError, RunDirectoryError
from rlvr_fast.store.index import KeyIndex
from rlvr_fast.store.parts import damage_message, read_part, stage_parts
from rlvr_fast.store.schemas import stage_schema

__all__ = ["StageKeys"]

# Modification time (ns) and size of a part: tells a changed part from the one that was indexed.
_Signature = tuple[int, int]


class StageKeys:
    """One `KeyIndex` for each stage; a part is read once, unless the part changes."""

    def __init__(self, run: Path, problem_ids: Callable[[], pa.Array]) -> None:
        self._run = run
        self._problem_ids = problem_ids
        self._known: dict[str, tuple[dict[str, _Signature], KeyIndex]] = {}

    def index(self, stage: str) -> KeyIndex:
        """The keys of `stage`, brought up to date.

        Raises:
            RunDirectoryError: a part is damaged, or holds a key that an earlier part holds.
            StorageError: a part cannot be read.
        """
        parts = stage_parts(self._run, stage)
        now = {part.name: _signature(part) for part in parts}
        known, index = self._known.get(stage, ({}, None))
        if index is None or any(now.get(name) != mark for name, mark in known.items()):
            known, index = {}, KeyIndex(self._problem_ids())
        for part in parts:
            if part.name in known:
                continue
            keys = read_part(part, stage_schema(stage), ["problem_id", "sample_index"], self._run)
            try:
                new = index.is_new(keys)
            except InvalidInputError as error:
                raise RunDirectoryError(damage_message(part, str(error), self._run)) from None
            if not new.all():
                at = int(np.flatnonzero(~new)[0])
                key = f"{keys['problem_id'][at].as_py()!r}, {keys['sample_index'][at].as_py()}"
                raise RunDirectoryError(damage_message(part, f"holds ({key}) once more", self._run))
            index.add(keys)
            known[part.name] = now[part.name]
        self._known[stage] = (known, index)
        return index

    def add(self, stage: str, part: Path, table: pa.Table) -> None:
        """Adds the keys of a part that was just written, without reading the part."""
        known, index = self._known[stage]
        index.add(table)
        known[part.name] = _signature(part)

    def forget(self) -> None:
        """Drops the indexes; they are read again when needed."""
        self._known.clear()


def _signature(part: Path) -> _Signature:
    stat = part.stat()
    return stat.st_mtime_ns, stat.st_size
