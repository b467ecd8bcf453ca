"""Storing parts of a stage while the next rows are made."""

from __future__ import annotations

import threading
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import numpy as np
import pyarrow as pa

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.store.files import write_parquet
from rlvr_fast.store.schemas import conform, stage_schema
from rlvr_fast.store.stage_keys import StageKeys

__all__ = ["Appender"]


class _Part(NamedTuple):
    file: Path
    rows: pa.Table
    thread: threading.Thread
    errors: list[BaseException]


class Appender:
    """Stores the rows of a stage; one part is written, in a thread of its own, at a time.

    A context manager for the one holder of the lock of a run: `Run.appending` makes it. At the end
    of the block no thread writes any more, however the block ends: a part that another writer
    stores next cannot meet one of ours.
    """

    def __init__(self, keys: StageKeys, stage: str) -> None:
        self._keys = keys
        self._stage = stage
        self._part: _Part | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if kind is None:
            self.settle()
            return
        while self._part is not None and self._part.thread.is_alive():
            try:
                self._part.thread.join()
            except KeyboardInterrupt:  # once more; the block ends with an exception anyway
                continue
        if self._part is not None:  # it may be stored: the next part takes another number
            self._keys.forget()

    def append(self, table: pa.Table) -> Path:
        """Begins to store the rows of `table` as a new part; returns its file.

        Raises:
            InvalidInputError: a column is missing, unknown or of another type, a problem is not of
                this run, or a (problem_id, sample_index) is stored already or comes twice. Nothing
                of `table` is stored then.
            StorageError: of this part or, here, of the part before, which is not stored: no room is
                left, or the file system refuses the write.
        """
        table = conform(table, stage_schema(self._stage), self._stage)
        if not len(table):
            raise InvalidInputError(f"{self._stage}: nothing to append (no rows)")
        self.settle()
        try:
            new = self._keys.index(self._stage).is_new(table)
        except InvalidInputError as error:
            raise InvalidInputError(f"{self._stage}: {error}") from None
        if not new.all():
            at = int(np.flatnonzero(~new)[0])
            raise InvalidInputError(
                f"{self._stage}: problem {table['problem_id'][at].as_py()!r}, sample_index "
                f"{table['sample_index'][at].as_py()} is stored already or given twice; "
                "nothing was appended"
            )
        file, errors = self._keys.next_part(self._stage), list[BaseException]()

        def write() -> None:
            try:
                write_parquet(file, table)
            except BaseException as error:  # for the thread of the caller
                errors.append(error)

        thread = threading.Thread(target=write, name="rlvr-fast-part")
        self._part = _Part(file, table, thread, errors)
        thread.start()
        return file

    def settle(self) -> None:
        """Waits until what was appended is stored.

        Raises:
            StorageError: the file system refused the write; `unstored` gives the rows.
        """
        if self._part is None:
            return
        self._part.thread.join()
        if self._part.errors:
            raise self._part.errors[0]
        self._keys.add(self._stage, self._part.file, self._part.rows)
        self._part = None

    def unstored(self) -> pa.Table | None:
        """The rows of the last part, where nothing says that they are stored; forgets the part.

        A part of which the writing was interrupted may be there all the same.
        """
        if self._part is None:
            return None
        if self._part.thread.is_alive():  # an interrupt may have come before its start
            self._part.thread.join()
        rows, self._part = self._part.rows, None
        return rows
