"""The stage stopped by a full disk, by Ctrl-C twice, by kill -9: what is there is whole, once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from instant import Instant, Questions, rows_of

from rlvr_fast.doctor.run import examine_run
from rlvr_fast.errors import StorageError
from rlvr_fast.sampling import SamplingParameters, prepare_run, sample_run
from rlvr_fast.store import Run

PARAMETERS = SamplingParameters()
SAMPLES = 400


def engine(wait: float = 0.0) -> Instant:
    return Instant(wait=wait, characters=400)


def prepared(path: Path) -> Run:
    return prepare_run(path, engine(), [Questions()], PARAMETERS)  # type: ignore[arg-type, list-item]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, int], dict[str, object]]:
    """An uninterrupted run of 3 problems."""
    run = prepared(tmp_path_factory.mktemp("whole") / "run")
    sample_run(run, engine(), SAMPLES)  # type: ignore[arg-type]
    return rows_of(run)


def finish(path: Path, whole: dict[tuple[str, int], dict[str, object]]) -> int:
    """Checks what a stopped stage left, and that the same command makes exactly the others."""
    held = rows_of(Run.open(path))
    assert held == {key: whole[key] for key in held}
    run = prepared(path)
    assert sample_run(run, engine(), SAMPLES) == len(whole) - len(held)  # type: ignore[arg-type]
    assert rows_of(run) == whole
    assert [f for f in examine_run(path) if f["level"] != "info"] == []
    assert not list(path.rglob(".tmp-*"))
    return len(held)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[tuple[Path, Callable[[str], None]]]:
    """A small file system, and a function that mounts it again with other options."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(options: str) -> None:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        subprocess.run(command, check=True, capture_output=True)

    try:
        mount("size=128k")
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"cannot mount a tmpfs: {error}")
    yield folder, lambda options: mount(f"remount,{options}")
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk(
    disk: tuple[Path, Callable[[str], None]], whole: dict[tuple[str, int], dict[str, object]]
) -> None:
    folder, remount = disk
    run = prepared(folder / "run")
    with pytest.raises(StorageError, match=r"part-\d+\.parquet: no room left"):
        sample_run(run, engine(0.0002), SAMPLES, flush_seconds=0.02)  # type: ignore[arg-type]
    assert not list(run.path.rglob(".tmp-*"))
    remount("size=8m")
    assert 0 < finish(run.path, whole) < len(whole)


CHILD = """
import fcntl, signal, sys, time
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs of a shell ignore SIGINT
import test_stopped_stage as tests
from rlvr_fast.store import appending
write = appending.write_parquet
def slow(path, table, **how):
    print("writing", path.name, len(table), flush=True)
    time.sleep(0.4)
    write(path, table, **how)
    print("written", path.name, flush=True)
appending.write_parquet = slow
run = tests.prepared(Path(sys.argv[1]))
try:
    tests.sample_run(
        run, tests.engine(0.001), tests.SAMPLES, flush_seconds=float(sys.argv[2])
    )
except KeyboardInterrupt:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with open(run.path / ".lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
    print("free", flush=True)
    sys.exit(130)
"""


def start(path: Path, flush_seconds: float) -> subprocess.Popen[str]:
    places = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(path), str(flush_seconds)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(places)},
    )


def until(process: subprocess.Popen[str], word: str, number: int = 1) -> None:
    """Waits for the number-th line that begins with a word."""
    assert process.stdout is not None
    for line in process.stdout:
        number -= line.startswith(word)
        if number == 0:
            return
    raise AssertionError(process.stderr.read() if process.stderr else "ended")


def quiet_end(process: subprocess.Popen[str]) -> None:
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 130, errors


@pytest.mark.slow
def test_ctrl_c_twice_while_the_rest_is_stored(
    tmp_path: Path, whole: dict[tuple[str, int], dict[str, object]]
) -> None:
    """The second comes while the draws since the last part are written."""
    with start(tmp_path / "run", 0.1) as process:
        until(process, "written")
        process.send_signal(signal.SIGINT)
        until(process, "writing")
        process.send_signal(signal.SIGINT)
        quiet_end(process)
    assert 0 < finish(tmp_path / "run", whole) < len(whole)


@pytest.mark.slow
@pytest.mark.parametrize("pause", [0.0, 0.01, 0.1])
def test_ctrl_c_many_times(
    tmp_path: Path, whole: dict[tuple[str, int], dict[str, object]], pause: float
) -> None:
    """Wherever they hit: the lock is free when nothing of ours writes any more, and not before."""
    with start(tmp_path / "run", 0.05) as process:
        until(process, "writing", 2)
        for _ in range(4):
            process.send_signal(signal.SIGINT)
            time.sleep(pause)
        output, _ = process.communicate(timeout=300)
        assert process.returncode != 0
    lines = [line.split()[0] for line in output.splitlines()]
    if "free" in lines:  # else the last interrupt came behind the stage
        assert "writing" not in lines[lines.index("free") :]
        assert "written" not in lines[lines.index("free") :]
    assert 0 < finish(tmp_path / "run", whole) < len(whole)


@pytest.mark.slow
def test_kill_9_while_a_part_is_written(
    tmp_path: Path, whole: dict[tuple[str, int], dict[str, object]]
) -> None:
    with start(tmp_path / "run", 0.1) as process:
        until(process, "writing", 3)
        process.kill()
    assert 0 < finish(tmp_path / "run", whole) < len(whole)
