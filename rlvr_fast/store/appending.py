"""Storing parts of a stage while the next rows are made."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.store.files import write_parquet
from rlvr_fast.store.locking import Hold
from rlvr_fast.store.schemas import conform, stage_schema
from rlvr_fast.store.stage_keys import StageKeys

__all__ = ["Appender"]

_POLL_SECONDS = 0.001


class _Part:
    """A part on its way, and the thread that writes it.

    The thread holds the lock of the run itself, by a hold of its own: whatever interrupts the
    main thread, the lock is not free before the part is written.
    """

    def __init__(self, file: Path, rows: pa.Table, lock: Hold) -> None:
        self.file = file
        self.rows = rows
        self.error: BaseException | None = None
        self._lock = lock
        self._taken: dict[str, str] = {}
        self._started = False
        self._over = False

    def start(self) -> None:
        threading.Thread(target=self._write, name="rlvr-fast-part").start()
        self._started = True

    def _write(self) -> None:
        if self._taken.setdefault("by", "thread") != "thread":
            return
        try:
            write_parquet(self.file, self.rows, new=True)
        except BaseException as error:  # for the thread of the caller
            self.error = error
        finally:
            self._lock.close()
            self._over = True  # last: the holder may give the lock back now, and take it again

    def wait(self) -> None:
        """Returns when nothing of the part is written any more.

        A flag is asked again and again: an interrupt of Thread.join marks a thread that runs as
        ended, and one of Thread.start leaves a thread of which nothing says that it will run. Such
        a thread, if it has not begun, will write nothing.
        """
        if not self._started and self._taken.setdefault("by", "nobody") == "nobody":
            if not self._over:
                self._over = True
                self._lock.close()
            return
        while not self._over:
            time.sleep(_POLL_SECONDS)


class Appender:
    """Stores the rows of a stage; one part is written, in a thread of its own, at a time.

    A context manager for the one holder of the lock of a run: `Run.appending` makes it. However the
    block ends, the lock is not free while a thread of ours writes: a part that another writer
    stores next cannot meet one of ours.
    """

    def __init__(self, keys: StageKeys, stage: str, share: Callable[[], Hold]) -> None:
        """`share` gives a hold of the lock of the run."""
        self._keys = keys
        self._stage = stage
        self._share = share
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
        if self._part is None:
            return
        waiting = True
        while waiting:
            with contextlib.suppress(KeyboardInterrupt):  # the block ends by an exception anyway
                self._part.wait()
                waiting = False
        self._keys.forget()  # it may be stored: the next part takes another number

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
        self._part = _Part(self._keys.next_part(self._stage), table, self._share())
        self._part.start()
        return self._part.file

    def settle(self) -> None:
        """Waits until what was appended is stored.

        Raises:
            RunLockedError: another process has taken the run over; `unstored` gives the rows.
            StorageError: the file system refused the write; `unstored` gives the rows.
        """
        if self._part is None:
            return
        self._part.wait()
        if self._part.error is not None:
            raise self._part.error
        self._keys.add(self._stage, self._part.file, self._part.rows)
        self._part = None

    def rescue(self, *tables: pa.Table) -> None:
        """Stores of some rows, and of the last part, those that are not stored.

        For the end of a block by an exception: an interrupt may come while a part is written, and
        rows of `tables` may be in this part. The index of the run has to be forgotten before.

        Raises:
            StorageError: as `settle`.
        """
        tables = tuple(t for t in (self.unstored(), *tables) if t is not None and len(t))
        if not tables:
            return
        rows = pa.concat_tables(tables, promote_options="default")
        rows = rows.filter(pa.array(self._keys.index(self._stage).is_new(rows)))
        if len(rows):
            self.append(rows)
            self.settle()

    def unstored(self) -> pa.Table | None:
        """The rows of the last part, where nothing says that they are stored; forgets the part.

        A part of which the writing was interrupted may be there all the same.
        """
        if self._part is None:
            return None
        self._part.wait()
        rows, self._part = self._part.rows, None
        return rows
