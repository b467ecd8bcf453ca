"""A new run directory, or the folder that holds the same run already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar

import pyarrow as pa

from rlvr_fast.errors import RunDirectoryError
from rlvr_fast.safe_files import check_tree
from rlvr_fast.store.extending import extend_run, lacks_problems
from rlvr_fast.store.files import refuse_inside_run, write_json, write_parquet, writing_to
from rlvr_fast.store.info import RunInfo, info_differences
from rlvr_fast.store.problem_tables import problem_differences
from rlvr_fast.store.recorded import TASK_FILES, keep_task_files

__all__ = ["create_run"]


class _Run(Protocol):
    path: Path
    info: RunInfo

    def __init__(self, path: Path, info: RunInfo) -> None: ...

    @classmethod
    def open(cls, path: str | Path, *, check: bool = True) -> Self: ...

    def problems(self) -> pa.Table: ...

    def writing(self) -> AbstractContextManager[None]: ...


_R = TypeVar("_R", bound=_Run)


def create_run(
    kind: type[_R],
    path: Path,
    wanted: RunInfo,
    problems: pa.Table,
    tasks: Sequence[Mapping[str, Any]],
) -> _R:
    """Makes the run directory `path`, or opens it where it holds this very run; see `Run.create`.

    Args:
        kind: the class of the run.
        path: the folder.
        wanted: the contents of run.json.
        problems: the table of problems.parquet.
        tasks: [{"name", "spec"}], with files named by where they lie.
    """
    if path.exists() and not path.is_dir():
        raise RunDirectoryError(f"{path}: expected a folder, found a file")
    check_tree(path)
    if not (path / "run.json").exists():
        _refuse_foreign(path)
        with writing_to(path):
            path.mkdir(parents=True, exist_ok=True)
        run = kind(path, wanted)
        with run.writing():
            # run.json comes last: a folder that has the file holds a whole run.
            if not (path / "run.json").exists():
                keep_task_files(path, tasks)
                write_parquet(path / "problems.parquet", problems)
                write_json(path / "run.json", wanted.to_json())
                return run
    if not (path / "problems.parquet").exists():
        # `doctor --repair` moves a damaged one aside; a comparison holds digests against it.
        run = kind.open(path, check=False)
        _refuse_another(run, wanted, None)
        with run.writing():
            write_parquet(path / "problems.parquet", problems)
    run = kind.open(path)
    if len(wanted.tasks) > len(run.info.tasks) or lacks_problems(run.info, run.problems()):
        with run.writing():
            run.info = RunInfo.read(path)
            if extend_run(run, wanted, problems, tasks):
                run = kind.open(path)
    _refuse_another(run, wanted, problems)
    return run


def _refuse_foreign(path: Path) -> None:
    """Raises for a folder of other files, and for one inside another run."""
    refuse_inside_run(path)
    if not path.is_dir():
        return
    held = [p.name for p in path.iterdir()]
    # What a killed call left lies beside its lock.
    ours = ("problems.parquet", TASK_FILES) if ".lock" in held else ()
    strange = sorted(name for name in held if not name.startswith("."))
    if [name for name in strange if name not in ours]:
        raise RunDirectoryError(
            f"{path}: not a run directory (no run.json) and not empty ({strange[0]}, ...); name "
            "another folder"
        )


def _refuse_another(run: _Run, wanted: RunInfo, problems: pa.Table | None) -> None:
    differences = [text for _, text in info_differences(run.info, wanted, same_run=True)]
    if problems is not None:
        differences += problem_differences(run.problems(), problems)
    if differences:
        raise RunDirectoryError(
            f"{run.path}: holds another run (there and asked for): {'; '.join(differences)}. "
            "One folder holds one model, task set and set of sampling parameters: "
            "name another folder, or give the options that this run was made with. Tasks are "
            "added to a run by naming all that it has and the new ones."
        )
