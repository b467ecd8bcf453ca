"""The run directory: one model, one task set, one set of sampling parameters."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from rlvr_fast.errors import InvalidInputError, RunDirectoryError
from rlvr_fast.safe_files import check_tree
from rlvr_fast.store.appending import Appender
from rlvr_fast.store.creating import create_run
from rlvr_fast.store.files import (
    is_temporary,
    read_json,
    write_json,
    write_parquet,
    writing_to,
)
from rlvr_fast.store.info import Draw, RunInfo
from rlvr_fast.store.json_files import json_fault
from rlvr_fast.store.lease import confirm_writing
from rlvr_fast.store.locking import RunLock
from rlvr_fast.store.missing import missing_draws, wanted_samples
from rlvr_fast.store.parts import (
    Joined,
    damage_message,
    part_problem,
    read_part,
    repair_remedy,
    stage_folders,
    stage_parts,
)
from rlvr_fast.store.problem_tables import check_unique
from rlvr_fast.store.recorded import (
    kept_spec,
    recorded_name,
    recorded_spec,
)
from rlvr_fast.store.schemas import GRADES, PROBLEMS, conform, stage_schema
from rlvr_fast.store.small_parts import SmallParts
from rlvr_fast.store.stage_keys import StageKeys
from rlvr_fast.store.switching import finish_switch, switch_decided

__all__ = ["Run"]

_TABLES = {"problems.parquet": PROBLEMS, "grades.parquet": GRADES}


def _mark(file: Path) -> tuple[int, ...]:
    stat = file.stat()
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


class Run:
    """An opened run directory, made by `Run.create` or `Run.open`; see docs/design.md.

    Reading needs no lock, because a part is whole or absent. Writing takes RUN/.lock, for one call
    or, with `writing()`, for a whole stage. Every method raises RunDirectoryError for a damaged
    file, and StorageError where the file system refuses to read or write. A folder that holds
    anything but regular files and folders is refused (`rlvr_fast.safe_files.check_tree`).

    Attributes:
        path: the folder.
        info: the contents of run.json.
    """

    def __init__(self, path: Path, info: RunInfo) -> None:
        self.path = path
        self.info = info
        self._lock = RunLock(path)
        self._problems: pa.Table | None = None
        self._mark: tuple[int, ...] = ()
        self._small = SmallParts(path)
        self._keys = StageKeys(
            path,
            lambda: self.problems()["problem_id"].combine_chunks(),
            self._small,
            self._read_added,
        )

    # -- making and opening ----------------------------------------------------------------------

    @classmethod
    def create(
        cls,
        path: str | Path,
        *,
        model: Mapping[str, Any],
        engine: Mapping[str, Any],
        sampling: Mapping[str, Any],
        prompt_template: Mapping[str, Any],
        tasks: Sequence[Mapping[str, Any]],
        problems: pa.Table,
        versions: Mapping[str, str] | None = None,
    ) -> Run:
        """Makes the run directory `path`, or opens the folder where it holds this very run.

        Where the folder holds this run with fewer tasks, the others and their problems are added
        behind those that it has (`rlvr_fast.store.extending`).

        Args:
            path: the folder; new, empty, or this run's.
            model: {"name", "revision"}; a revision "sha256:..." stands for the weights themselves.
                Of a path the last part is recorded. "adapter": {"name", "sha256"} where there is
                one.
            engine: {"name", "version", "notes"}, and "arguments" where there are some.
            sampling: {"temperature", "top_p", "max_tokens", "seed", "stop"}.
            prompt_template: {"name", "sha256"}, and what else `RunInfo` names.
            tasks: [{"name", "spec"}]. Of a file its name is recorded; see `store.recorded`.
            problems: the columns of problems.parquet; problem_id must be unique.
            versions: package name to version.

        Raises:
            RunDirectoryError: `path` holds another run (the message names the difference),
                something that is no run, or a damaged run.
            InvalidInputError: `problems` has the wrong columns or a problem twice.
            RunLockedError: another process is writing to the run.
            StorageError: the folder or its files cannot be written.
        """
        problems = conform(problems, PROBLEMS, "problems")
        check_unique(problems)
        wanted = RunInfo.from_json(
            RunInfo(
                model={**model, "name": recorded_name(str(model["name"]))},
                engine=dict(engine),
                sampling=dict(sampling),
                prompt_template=dict(prompt_template),
                tasks=[{**task, "spec": recorded_spec(str(task["spec"]))} for task in tasks],
                versions=dict(versions or {}),
            ).to_json(),
            "run.json",
        )
        return create_run(cls, Path(path), wanted, problems, tasks)

    @classmethod
    def open(cls, path: str | Path, *, check: bool = True) -> Run:
        """Opens the run directory `path`.

        Args:
            path: the folder.
            check: read the footer of every part, so that a truncated or foreign file is an error
                here; False reads run.json alone (for `verify` and `repair`).

        Raises:
            RunDirectoryError: no such folder, no run, or a damaged one; the message names the file.
            StorageError: a file cannot be read.
        """
        path = Path(path)
        if not path.is_dir():
            raise RunDirectoryError(f"{path}: no such run directory")
        check_tree(path)
        file = path / "run.json"
        if not file.exists():
            raise RunDirectoryError(f"{path}: not a run directory: it has no run.json")
        run = cls(path, RunInfo.read(path))
        if switch_decided(path):  # by a process that was killed
            with run.writing():
                pass
        if check:
            run.problems()
            for stage in run.stages():
                schema, parts = stage_schema(stage), run.parts(stage)
                sound = run._small.fill(stage, parts)
                for part in parts:
                    problem = None if part in sound else part_problem(part, schema, path)
                    if problem:
                        raise RunDirectoryError(damage_message(part, problem, path))
        return run

    # -- reading ---------------------------------------------------------------------------------

    def stages(self) -> list[str]:
        """The stages that have a folder: of "samples", "answers" and each "scores/LABEL"."""
        return stage_folders(self.path)

    def parts(self, stage: str) -> list[Path]:
        """The files of `stage` in the order in which they were written.

        Raises:
            RunDirectoryError: the folder holds a file that is no part; the message names the file.
        """
        return stage_parts(self.path, stage)

    def task_specs(self) -> dict[str, str]:
        """The name of each task to its spec, with a file that the run keeps named by its path."""
        return {task["name"]: kept_spec(self.path, task["spec"]) for task in self.info.tasks}

    def problems(self) -> pa.Table:
        """The problems in the order given to `create`: the table of problems.parquet."""
        if self._problems is None:
            file = self.path / "problems.parquet"
            if not file.exists():
                raise RunDirectoryError(f"{file}: missing; the run is incomplete")
            self._mark = _mark(file)
            problems = read_part(file, PROBLEMS, None, self.path)
            try:
                check_unique(problems)
            except InvalidInputError as error:
                raise RunDirectoryError(damage_message(file, str(error), self.path)) from None
            self._problems = problems
        return self._problems

    def _read_added(self) -> bool:
        """Reads run.json and the problems again where another process has added tasks since."""
        file = self.path / "problems.parquet"
        if self._problems is None or not file.exists() or _mark(file) == self._mark:
            return False
        self.info, self._problems = RunInfo.read(self.path), None
        self._keys.forget()
        return True

    def read(self, stage: str, columns: Sequence[str] | None = None) -> pa.Table:
        """All rows of `stage`; an empty table of its schema where nothing is stored.

        A column that only some parts of a stage have (such as token_logprobs) is null in the rows
        of the other parts.
        """
        tables = [table for _, table in self.iter_parts(stage, columns)]
        if not tables:
            schema = stage_schema(stage)
            names = columns if columns is not None else schema.names
            return pa.schema([schema.field(name) for name in names]).empty_table()
        if columns is not None:
            names = [n for n in columns if any(n in table.column_names for table in tables)]
            return pa.concat_tables(tables, promote_options="default").select(names)
        return pa.concat_tables(tables, promote_options="default")

    def iter_parts(
        self, stage: str, columns: Sequence[str] | None = None
    ) -> Iterator[tuple[Path, pa.Table]]:
        """(file, rows) of `stage`; as `iter_joined`, with the file of the first row alone."""
        for rows, files in self.iter_joined(stage, columns):
            yield files[0][0], rows

    def iter_joined(
        self, stage: str, columns: Sequence[str] | None = None, parts: Sequence[Path] | None = None
    ) -> Iterator[Joined]:
        """The rows of `stage`, in the order in which its parts were written.

        Large parts come in pieces and small ones together, so that memory is limited and many
        parts cost no more than few.

        Args:
            stage: the stage.
            columns: the columns to read; by default all.
            parts: some of its parts, in the order in which they are read; by default all.
        """
        schema = stage_schema(stage)
        unknown = [name for name in columns or () if schema.get_field_index(name) < 0]
        if unknown:
            raise InvalidInputError(
                f"{stage} has no column {unknown[0]!r}; it has {', '.join(schema.names)}"
            )
        listed = self.parts(stage) if parts is None else parts
        yield from self._small.joined(stage, listed, columns)

    def keeps(self, stage: str) -> bool:
        """Whether all rows of `stage` are in memory, as those of many small parts are."""
        parts = self.parts(stage)
        return len(self._small.fill(stage, parts)) == len(parts)

    def read_table(self, name: str) -> pa.Table | None:
        """The table in the file RUN/`name`, None where there is no such file."""
        file = self._inside(name)
        if not file.exists():
            return None
        return read_part(file, _TABLES.get(name), None, self.path)

    def read_json(self, name: str) -> Any:
        """The JSON value in the file RUN/`name`, None where there is no such file.

        The files that rlvr_fast writes hold what `json_fault` expects of them.
        """
        file = self._inside(name)
        if not file.exists():
            return None
        value = read_json(file, root=self.path, remedy=repair_remedy(self.path))
        if fault := json_fault(file.relative_to(self.path).as_posix(), value):
            raise RunDirectoryError(damage_message(file, fault, self.path))
        return value

    # -- writing ---------------------------------------------------------------------------------

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Holds RUN/.lock during a block; blocks may be nested.

        Raises:
            RunDirectoryError: the folder holds something else than files and folders.
            RunLockedError: another process is writing; the message names the process.
        """
        with self._lock.held() as outermost, contextlib.ExitStack() as stack:
            if outermost:
                finish_switch(self.path)
                self._sweep()
                self._read_added()
                stack.enter_context(self._keys.alone())
            yield

    def _sweep(self) -> None:
        # The holder of the lock is the only writer, so a temporary file belongs to a dead one.
        for folder in [self.path, *(self.path / stage for stage in self.stages())]:
            with writing_to(folder):
                entries = list(folder.iterdir())
            for file in filter(is_temporary, entries):
                with writing_to(file):
                    file.unlink(missing_ok=True)

    def append(self, stage: str, table: pa.Table) -> Path:
        """Stores the rows of `table` as one new part of `stage` and returns its file.

        Raises:
            InvalidInputError: a column is missing, unknown or of another type, a problem is not of
                this run, or a (problem_id, sample_index) is stored already or comes twice. Nothing
                is stored then.
            RunLockedError: another process is writing.
            StorageError: no room is left, or the file system refuses the write.
        """
        with self.appending(stage) as appender:
            file = appender.append(table)
        return file

    @contextlib.contextmanager
    def appending(self, stage: str) -> Iterator[Appender]:
        """Holds the lock during a block, which stores parts of `stage` beside its other work.

        All parts are whole at the end of the block, or the block raises what went wrong.
        """
        with self.writing(), Appender(self._keys, stage, self._lock.share) as appender:
            yield appender

    def write_table(self, name: str, table: pa.Table) -> None:
        """Replaces the file RUN/`name` by `table`, atomically."""
        schema = _TABLES.get(name)
        table = table if schema is None else conform(table, schema, name)
        with self.writing():
            write_parquet(self._inside(name), table)

    def write_json(self, name: str, value: Any) -> None:
        """Replaces the file RUN/`name` by `value` as JSON, atomically."""
        with self.writing():
            write_json(self._inside(name), value)

    def remove(self, name: str) -> None:
        """Deletes the file or folder RUN/`name`, where there is one."""
        file = self._inside(name)
        with self.writing(), writing_to(file):
            confirm_writing(file)
            if file.is_dir() and not file.is_symlink():
                shutil.rmtree(file)
            else:
                file.unlink(missing_ok=True)
            self._keys.forget()

    def _inside(self, name: str) -> Path:
        file = Path(name)
        if file.is_absolute() or ".." in file.parts or not file.name:
            raise InvalidInputError(f"expected a name inside the run directory, got {name!r}")
        return self.path / file

    # -- draws -----------------------------------------------------------------------------------

    def missing(self, num_samples: int | npt.NDArray[np.int64]) -> list[Draw]:
        """The draws that problems lack of their samples 0..num_samples-1; see `iter_missing`."""
        draws: list[Draw] = []
        for problem_id, indices, seeds in self.iter_missing(num_samples):
            draws += map(
                Draw._make,
                zip([problem_id] * len(indices), indices.tolist(), seeds.tolist(), strict=True),
            )
        return draws

    def iter_missing(
        self, num_samples: int | npt.NDArray[np.int64], *, first_sample: int = 0
    ) -> Iterator[tuple[str, npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
        """(problem_id, sample indices, seeds) of each problem that lacks samples.

        The problems are looked up as they are asked for, some at a time; what is stored of them in
        between is not given again.

        Args:
            num_samples: the samples that a problem is to have; one number, or one for each problem
                in the order of `problems()`, with 0 for a problem of which none are asked for.
            first_sample: the lowest sample index that is given.
        """
        ids = self.problems()["problem_id"].to_pylist()
        wanted = wanted_samples(num_samples, len(ids))
        yield from missing_draws(
            lambda: self._keys.index("samples"), ids, self.info, wanted, first_sample
        )

    def num_missing(
        self, num_samples: int | npt.NDArray[np.int64], *, first_sample: int = 0
    ) -> int:
        """The number of draws that `iter_missing` gives."""
        index = self._keys.index("samples")
        wanted = wanted_samples(num_samples, len(self.problems()))
        return index.num_missing(wanted) - index.num_missing(np.minimum(wanted, first_sample))

    def num_samples(self, stage: str = "samples") -> npt.NDArray[np.int64]:
        """The number of rows of `stage` of each problem, in the order of `problems()`."""
        return self._keys.index(stage).counts()

    def has_rows(self, stage: str, table: pa.Table) -> npt.NDArray[np.bool_]:
        """For each row of `table`, whether `stage` holds its (problem_id, sample_index)."""
        return self._keys.index(stage).contains(table)

    def new_rows(self, stage: str, table: pa.Table) -> npt.NDArray[np.bool_]:
        """For each row of `table`, whether neither `stage` nor an earlier row has its key."""
        return self._keys.index(stage).is_new(table)

    def request(self, num_samples: int | Mapping[str, int]) -> None:
        """Records in run.json what was asked for: a number of samples a problem.

        Args:
            num_samples: for all problems, or for some by their ids.
        """
        with self.writing():
            if (self.path / "run.json").exists():  # another process may have added tasks
                self.info = RunInfo.read(self.path)
            info = self.info.requesting(num_samples)
            if info != self.info:
                write_json(self.path / "run.json", info.to_json())
                self.info = info

    def requested(self) -> npt.NDArray[np.int64]:
        """The number of samples that was asked for of each problem, in the order of `problems()`.

        All are 0 for imported rollouts.
        """
        least, of = self.info.requested_samples or 0, self.info.requested_of
        ids = self.problems()["problem_id"].to_pylist() if of else [""] * len(self.problems())
        return np.array([max(least, of.get(name, 0)) for name in ids], np.int64)

    def forget_index(self) -> None:
        """Drops the keys of the parts from memory; they are read again when needed."""
        self._keys.forget()
        self._small.forget()
