"""A locked run and a failed disk raise StorageError (exit code 1), and no stored row is lost."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from rlvr_fast import safe_files
from rlvr_fast.errors import (
    InvalidInputError,
    RlvrError,
    RunDirectoryError,
    RunLockedError,
    StorageError,
    file_error,
)
from rlvr_fast.store import Run, import_rollouts, parts, repair, verify

# On Linux a read from the start of this file fails with EIO, as on a failed disk.
UNREADABLE = Path("/proc/self/mem")
needs_proc = pytest.mark.skipif(not UNREADABLE.exists(), reason=f"needs {UNREADABLE}")


def make_run(path: Path, source: Path) -> Run:
    row = {"problem_id": "p", "question": "1 + 1?", "gold": "2", "completion": ["2", "3"]}
    source.write_text(json.dumps(row))
    return import_rollouts(source, path, model="m")


def samples(first: int, count: int, size: int = 10) -> pa.Table:
    return pa.table(
        {
            "problem_id": ["p"] * count,
            "sample_index": pa.array(range(first, first + count), pa.int32()),
            "text": [os.urandom(size).hex() for _ in range(count)],
            "token_ids": pa.array([[]] * count, pa.list_(pa.int32())),
            "finish_reason": ["stop"] * count,
            "seed": pa.nulls(count, pa.int64()),
        }
    )


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "rlvr_fast", *map(str, arguments)], capture_output=True, text=True
    )


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[tuple[Path, Callable[[str], None]]]:
    """A file system of 512 KiB, and a function that mounts it again with other options."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(options: str) -> None:
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)],
            check=True,
            capture_output=True,
        )

    try:
        mount("size=512k")
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"cannot mount a tmpfs: {error}")
    yield folder, lambda options: mount(f"remount,{options}")
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


# -- which class ---------------------------------------------------------------------------------


def test_storage_errors_are_not_bad_input() -> None:
    assert issubclass(StorageError, RlvrError)
    assert issubclass(StorageError, OSError)
    assert not issubclass(StorageError, InvalidInputError)
    assert issubclass(RunLockedError, StorageError)
    assert issubclass(RunDirectoryError, InvalidInputError)


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, StorageError),
        (errno.EDQUOT, StorageError),
        (errno.EIO, StorageError),
        (errno.EROFS, StorageError),
        (errno.EACCES, StorageError),
        (errno.EPERM, StorageError),
        (errno.ENOENT, InvalidInputError),
        (errno.ENOTDIR, InvalidInputError),
        (errno.EISDIR, InvalidInputError),
        (errno.ENAMETOOLONG, InvalidInputError),
    ],
)
def test_error_of_the_operating_system_to_class(number: int, kind: type) -> None:
    error = file_error(OSError(number, os.strerror(number)), "a.txt: cannot be written")
    assert type(error) is kind
    assert str(error) == "a.txt: cannot be written"


# -- a locked run --------------------------------------------------------------------------------


def test_command_on_a_locked_run_exits_with_1_and_the_run_stays_whole(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", tmp_path / "in.jsonl")
    code = (
        "import sys; from rlvr_fast.store import Run\n"
        "with Run.open(sys.argv[1]).writing():\n    print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(run.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        refused = command("grade", run.path)
        holder.kill()
    assert refused.returncode == 1, refused.stderr
    assert f"process {holder.pid} is writing" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not [f for f in verify(run.path) if f.level != "info"]
    graded = command("grade", run.path)
    assert graded.returncode == 0, graded.stderr


# -- a disk that cannot be written ---------------------------------------------------------------


def test_full_disk_keeps_every_stored_sample(
    disk: tuple[Path, Callable[[str], None]], tmp_path: Path
) -> None:
    folder, remount = disk
    run = make_run(folder / "run", tmp_path / "in.jsonl")
    stored = 2

    def fill() -> None:
        nonlocal stored
        while stored < 10_000:
            run.append("samples", samples(stored, 20, size=1000))
            stored += 20

    with pytest.raises(StorageError, match=r"samples/part-\d+\.parquet: no room left"):
        fill()
    assert stored > 2
    again = Run.open(run.path)
    assert again.num_samples().tolist() == [stored]
    assert not [f for f in verify(run.path) if f.level != "info"]
    assert not list(run.path.rglob(".tmp-*"))
    remount("size=2m")
    run.append("samples", samples(stored, 20, size=1000))
    assert Run.open(run.path).num_samples().tolist() == [stored + 20]


@pytest.mark.slow
def test_grading_on_a_full_disk_exits_with_1_and_resumes(
    disk: tuple[Path, Callable[[str], None]], tmp_path: Path
) -> None:
    folder, remount = disk
    run = make_run(folder / "run", tmp_path / "in.jsonl")
    with pytest.raises(OSError, match="No space left"):
        (folder / "filler").write_bytes(bytes(1 << 20))
    failed = command("grade", run.path)
    assert failed.returncode == 1, failed.stderr
    assert "no room left" in failed.stderr
    remount("size=2m")
    graded = command("grade", run.path)
    assert graded.returncode == 0, graded.stderr
    assert Run.open(run.path).read("answers").num_rows == 2


def test_read_only_disk_is_read_and_not_written(
    disk: tuple[Path, Callable[[str], None]], tmp_path: Path
) -> None:
    folder, remount = disk
    run = make_run(folder / "run", tmp_path / "in.jsonl")
    remount("ro")
    assert Run.open(run.path).read("samples").num_rows == 2
    assert not [f for f in verify(run.path) if f.level != "info"]
    with pytest.raises(StorageError, match=r"cannot be written \(Read-only file system\)"):
        run.append("samples", samples(2, 1))
    with pytest.raises(StorageError, match="Read-only"):
        make_run(folder / "other", tmp_path / "in.jsonl")
    failed = command("grade", run.path)
    assert failed.returncode == 1, failed.stderr
    assert "Read-only file system" in failed.stderr


def test_a_file_in_place_of_a_folder_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InvalidInputError):
        make_run(tmp_path / "file" / "run", tmp_path / "in.jsonl")


# -- a disk that cannot be read ------------------------------------------------------------------


@needs_proc
@pytest.mark.parametrize("name", ["run.json", "grading.json"])
def test_unreadable_json(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(tmp_path / "run", tmp_path / "in.jsonl")
    (run.path / name).touch()
    whole = os.open

    def fail(file: str, *arguments: Any, **keywords: Any) -> int:
        return whole(UNREADABLE if file == name else file, *arguments, **keywords)

    monkeypatch.setattr(safe_files.os, "open", fail)
    with pytest.raises(StorageError, match=rf"{name}: cannot be read \(Input/output error\)"):
        Run.open(run.path).read_json(name)


@needs_proc
def test_unreadable_rollouts(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").symlink_to(UNREADABLE)
    with pytest.raises(StorageError, match=r"in\.jsonl: cannot be read \(Input/output error\)"):
        import_rollouts(tmp_path / "in.jsonl", tmp_path / "run", model="m")
    assert not (tmp_path / "run").exists()


def test_unreadable_part_is_reported_and_not_moved_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(tmp_path / "run", tmp_path / "in.jsonl")
    part = run.parts("samples")[0]
    whole = parts.open_regular

    def fail(file: Path, *, root: Path) -> object:
        if file == part:
            raise OSError(errno.EIO, "Input/output error")
        return whole(file, root=root)

    monkeypatch.setattr(parts, "open_regular", fail)
    with pytest.raises(StorageError, match=r"part-000000\.parquet: cannot be read"):
        run.read("samples")
    (finding,) = [f for f in verify(run.path) if f.level == "error"]
    assert finding.path == part
    assert "readable" in finding.remedy
    with pytest.raises(StorageError, match="cannot be read"):
        repair(run.path)
    assert part.exists()
    monkeypatch.undo()
    assert run.read("samples").num_rows == 2
    assert json.loads((run.path / "run.json").read_bytes())["format"] == 1
