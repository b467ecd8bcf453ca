"""A run directory that is whole or absent: written aside, and moved into place at the end."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa

from rlvr_fast.errors import RunDirectoryError
from rlvr_fast.store.files import (
    refuse_inside_run,
    write_json,
    write_parquet,
    writing_to,
)
from rlvr_fast.store.info import RunInfo
from rlvr_fast.store.lease import confirm_writing
from rlvr_fast.store.locking import RunLock
from rlvr_fast.store.part_names import PART
from rlvr_fast.store.problem_tables import check_unique
from rlvr_fast.store.recorded import TASK_FILES, keep_task_files
from rlvr_fast.store.schemas import PROBLEMS, conform, stage_schema

__all__ = ["StagedRun"]

# Names that begin with a point may lie in a run directory.
_STAGING = ".importing"
# The files of the folders that `publish` moves out of the hidden folder before it writes run.json.
_WRITTEN = {
    "samples": re.compile(PART.pattern),
    "scores": re.compile(rf"[^/]+/(?:{PART.pattern}|scores\.json)"),
    TASK_FILES: re.compile(r"[0-9a-f]{16}/[^/]+"),
}
# A part is written when so many bytes of rows wait. Parts of this size are read part by part by
# the later stages within a limited memory.
_PART_BYTES = 32 << 20
_PART_ROWS = 20_000


def _foreign(entry: Path) -> Path | None:
    """The first file of an entry of a folder that no import has written; None where all are."""
    if not entry.is_dir():
        return None if entry.name in ("import.json", "problems.parquet") else entry
    files = [file for file in entry.rglob("*") if not file.is_dir()]
    pattern = _WRITTEN.get(entry.name)
    foreign = (
        file
        for file in files
        if pattern is None or not pattern.fullmatch(file.relative_to(entry).as_posix())
    )
    return next(foreign, entry if pattern is None else None)


class StagedRun:
    """Writes the parts of a new run directory into a hidden folder of it.

    `publish` moves the parts into place and writes run.json last. A process that dies leaves the
    hidden folder alone, and the next import into the same folder begins anew. Parts are compressed
    and written in a thread, while the next rows are read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._staging = path / _STAGING
        self._lock = RunLock(path)
        self._stack = contextlib.ExitStack()
        self._writer = ThreadPoolExecutor(1, "import")
        self._pending: Future[None] | None = None
        self._waiting: dict[str, list[pa.Table]] = {}
        self._sizes: dict[str, tuple[int, int]] = {}  # bytes and rows that wait
        self._parts: dict[str, int] = {}
        # The folders that this import makes, the innermost first.
        self._made: list[Path] = []

    def __enter__(self) -> Self:
        """Makes the folder and holds its lock.

        Raises:
            RunDirectoryError: the folder holds something else, or lies inside a run.
            RunLockedError: another process writes to the folder.
            StorageError: the folder cannot be written.
        """
        if self.path.exists() and not self.path.is_dir():
            raise RunDirectoryError(f"{self.path}: expected a folder, found a file")
        refuse_inside_run(self.path)
        with writing_to(self.path):
            self._made = [p for p in (self.path, *self.path.parents) if not p.exists()]
            self.path.mkdir(parents=True, exist_ok=True)
        try:
            self._stack.enter_context(self._lock.held())
            with writing_to(self.path):
                self._sweep()
                self._staging.mkdir()
        except BaseException:
            self._stack.close()
            raise
        return self

    def _sweep(self) -> None:
        """Removes what an import that was killed has left, where the folder holds nothing else."""
        held = sorted(p for p in self.path.iterdir() if not p.name.startswith("."))
        begun = self._staging.is_dir()
        for entry in held:
            strange = _foreign(entry) if begun else entry
            if strange is not None:
                raise RunDirectoryError(
                    f"{self.path}: not a run directory (no run.json) and not empty "
                    f"({strange.relative_to(self.path)}, ...); name another folder"
                )
        for entry in [*held, *([self._staging] if begun else [])]:
            if entry.is_dir():
                shutil.rmtree(entry)
            else:
                entry.unlink()

    def add(self, stage: str, rows: pa.Table) -> None:
        """Adds rows to a stage; they are written when enough wait."""
        self._waiting.setdefault(stage, []).append(rows)
        size, number = self._sizes.get(stage, (0, 0))
        self._sizes[stage] = size, number = size + rows.nbytes, number + len(rows)
        if size >= _PART_BYTES or number >= _PART_ROWS:
            self._write(stage)

    def _write(self, stage: str) -> None:
        tables = self._waiting.pop(stage, [])
        self._sizes.pop(stage, None)
        if not tables:
            return
        number = self._parts.get(stage, 0)
        self._parts[stage] = number + 1
        file = self._staging / stage / f"part-{number:06d}.parquet"

        def write() -> None:
            table = conform(
                pa.concat_tables(tables, promote_options="default"), stage_schema(stage), stage
            )
            write_parquet(file, table)
            tables.clear()
            del table
            # The pool of Arrow would keep the memory of the part for later.
            pa.default_memory_pool().release_unused()

        self._wait()
        self._pending = self._writer.submit(write)

    def _wait(self) -> None:
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.result()

    def publish(
        self,
        info: RunInfo,
        problems: pa.Table,
        about: Mapping[str, Any],
        tasks: Sequence[Mapping[str, Any]],
    ) -> None:
        """Writes what waits, and makes the folder a run directory.

        Args:
            info: the contents of run.json.
            problems: the columns of problems.parquet.
            about: the contents of import.json.
            tasks: [{"name", "spec"}] as the user gave them.
        """
        for stage in list(self._waiting):
            self._write(stage)
        self._wait()
        problems = conform(problems, PROBLEMS, "problems")
        check_unique(problems)
        for label in {stage for stage in self._parts if stage.startswith("scores/")}:
            write_json(self._staging / label / "scores.json", {"model": dict(info.model)})
        write_parquet(self._staging / "problems.parquet", problems)
        write_json(self._staging / "import.json", about)
        keep_task_files(self._staging, tasks)
        with writing_to(self.path):
            confirm_writing(self._staging)
            for item in sorted(self._staging.iterdir()):
                item.rename(self.path / item.name)
        # run.json comes last: a folder that has the file holds a whole run.
        write_json(self.path / "run.json", info.to_json())
        with writing_to(self.path):
            shutil.rmtree(self._staging)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._writer.shutdown(wait=True, cancel_futures=True)
        if kind is not None and not (self.path / "run.json").exists():
            with contextlib.suppress(OSError):
                self._sweep()
        self._stack.close()
        if kind is not None and self._made and not (self.path / "run.json").exists():
            with contextlib.suppress(OSError):
                self._lock.delete_files()
                for folder in self._made:
                    folder.rmdir()
