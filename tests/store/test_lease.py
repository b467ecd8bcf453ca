"""Two drivers on one run where flock does nothing: real processes, stopped, killed, overtaken."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from instant import Instant, Questions, rows_of

from rlvr_fast.doctor.run import examine_run
from rlvr_fast.errors import RunDirectoryError, RunLockedError
from rlvr_fast.sampling import SamplingParameters, prepare_run, sample_run
from rlvr_fast.store import Run, lease, lease_files, locking
from rlvr_fast.store.files import NameTakenError

SAMPLES = 60
SHIM = """
#include <errno.h>
#include <stdlib.h>
int flock(int handle, int operation) {
    if (!getenv("NO_LOCK_SERVICE")) return 0; /* granted without effect */
    errno = ENOLCK;
    return -1;
}
"""
# Draws into a run. Before the part PAUSE_AT gets its name, and behind the part LINGER, it waits for
# the file GO.
DRIVER = """
import sys, time
from pathlib import Path
from rlvr_fast.errors import RunLockedError
from rlvr_fast.store import appending, files, lease
import test_lease as tests
place, go = Path(sys.argv[1]), Path(sys.argv[2])
silent, pause_at, linger = map(float, sys.argv[3:])
lease.BEAT_SECONDS, lease.SILENT_SECONDS = 0.05, silent
write, name_new, parts = appending.write_parquet, files._name_new, 0
def told(path, table, **how):
    write(path, table, **how)
    print("stored", path.name, flush=True)
    while parts == linger and not go.exists():
        time.sleep(0.01)
def stopping(temporary, path):
    global parts
    parts += 1
    if parts == pause_at:
        print("pausing", path.name, flush=True)
    while parts == pause_at and not go.exists():
        time.sleep(0.01)
    name_new(temporary, path)
appending.write_parquet, files._name_new = told, stopping
try:
    made = tests.draw(place)
except RunLockedError as error:
    print("refused", error, flush=True)
    sys.exit(1)
print("drawn", made, flush=True)
"""
Start = Callable[..., subprocess.Popen[str]]


def draw(path: Path) -> int:
    engine: Any = Instant(wait=0.001)
    run = prepare_run(path, engine, [Questions()], SamplingParameters())  # type: ignore[list-item]
    return sample_run(run, engine, SAMPLES, flush_seconds=0.01)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, int], dict[str, Any]]:
    """The draws of an uninterrupted run."""
    place = tmp_path_factory.mktemp("whole") / "run"
    draw(place)
    return rows_of(Run.open(place))


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library whose flock does nothing, or fails, as on a mount without a lock service."""
    folder = tmp_path_factory.mktemp("shim")
    (folder / "flock.c").write_text(SHIM)
    built = folder / "flock.so"
    try:
        subprocess.run(
            ["cc", "-shared", "-fPIC", "-o", built, folder / "flock.c"],
            check=True,
            capture_output=True,
        )
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no C compiler: {error}")
    return built


@pytest.fixture
def start(shim: Path, tmp_path: Path) -> Iterator[Start]:
    """Starts drivers of the run `tmp_path / "run"`, for which flock does nothing."""
    started = []

    def driver(
        *,
        silent: float = 60.0,
        pause_at: int = 0,
        linger: int = 0,
        go: str = "go",
        flock: str = "granted",
        within: tuple[str, ...] = (),
    ) -> subprocess.Popen[str]:
        places = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(places)}
        environment["LD_PRELOAD"] = str(shim)
        if flock == "refused":
            environment["NO_LOCK_SERVICE"] = "1"
        words = [tmp_path / "run", tmp_path / go, silent, pause_at, linger]
        process = subprocess.Popen(
            [*within, sys.executable, "-c", DRIVER, *map(str, words)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        started.append(process)
        return process

    yield driver
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.kill(inner(process), signal.SIGKILL)
        process.kill()
        process.communicate()


@pytest.fixture
def elsewhere() -> tuple[str, ...]:
    """A command that starts another where process numbers are others, as on another machine."""
    command = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")
    for words in (command, (*command, "--map-root-user")):
        with contextlib.suppress(OSError, subprocess.CalledProcessError):
            subprocess.run([*words, "true"], check=True, capture_output=True)
            return words
    pytest.skip("no namespaces of process numbers (unshare --pid) here")


def inner(process: subprocess.Popen[str]) -> int:
    """The driver itself, where `unshare` has started it."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    with contextlib.suppress(OSError):
        found = children.read_text().split()
        if "unshare" in process.args[0] and found:  # type: ignore[index, operator]
            return int(found[0])
    return process.pid


def until(process: subprocess.Popen[str], word: str) -> str:
    """The next line that begins with a word."""
    assert process.stdout is not None
    assert process.stderr is not None
    for line in process.stdout:
        if line.startswith(word):
            return line
    raise AssertionError(f"no {word!r}: {process.stderr.read()}")


def stopped(process: subprocess.Popen[str]) -> None:
    state = Path(f"/proc/{inner(process)}/stat")
    while state.read_text().rpartition(")")[2].split()[0] != "T":
        time.sleep(0.01)


def ended(process: subprocess.Popen[str], status: int) -> str:
    output, errors = process.communicate(timeout=300)
    assert process.returncode == status, errors
    return output


def sound(path: Path, whole: dict[tuple[str, int], dict[str, Any]]) -> None:
    """Nothing is missing, double or damaged, and no lease names a machine."""
    assert rows_of(Run.open(path)) == whole
    assert [f for f in examine_run(path) if f["level"] != "info"] == []
    assert not list(path.rglob(".tmp-*"))
    (left,) = path.glob(".lease-*")
    assert left.read_bytes() == lease_files.FREE


@pytest.mark.parametrize("flock", ["granted", pytest.param("refused", marks=pytest.mark.slow)])
def test_the_second_driver_is_refused_by_name_and_goes_on_when_the_first_is_killed(
    start: Start, flock: str, tmp_path: Path, whole: dict[tuple[str, int], dict[str, Any]]
) -> None:
    first = start(linger=2, flock=flock)
    until(first, "stored")
    refused = ended(start(flock=flock), 1)
    first.kill()
    assert f"process {first.pid} is writing to this run (on {socket.gethostname()}" in refused
    assert re.search(r"since [-0-9]{10} [:0-9]{8} UTC, last sign of life [-0-9]{10}", refused)
    assert 0 < len(rows_of(Run.open(tmp_path / "run"))) < len(whole)
    ended(start(flock=flock), 0)
    sound(tmp_path / "run", whole)


@pytest.mark.slow
def test_a_stopped_driver_of_this_machine_keeps_its_run(start: Start, tmp_path: Path) -> None:
    first = start(linger=1)
    until(first, "stored")
    first.send_signal(signal.SIGSTOP)
    stopped(first)
    refused = ended(start(silent=0.1), 1)
    assert f"it is stopped (kill -CONT {first.pid} lets it go on)" in refused


@pytest.mark.slow
def test_a_driver_of_another_machine_is_watched(
    start: Start, elsewhere: tuple[str, ...], tmp_path: Path
) -> None:
    """One sign of life is enough, whatever the clocks say; silence is the end of a lease."""
    first = start(linger=1, within=elsewhere)
    until(first, "stored")
    assert "process 1 is writing to this run" in ended(start(), 1)


@pytest.mark.slow
def test_a_driver_that_wakes_after_it_was_overtaken_stops_before_it_writes(
    start: Start,
    elsewhere: tuple[str, ...],
    tmp_path: Path,
    whole: dict[tuple[str, int], dict[str, Any]],
) -> None:
    first = start(linger=1, silent=0.5, within=elsewhere)
    until(first, "stored")
    os.kill(inner(first), signal.SIGSTOP)
    stopped(first)
    second = start(silent=0.5)
    until(second, "stored")
    (tmp_path / "go").touch()
    os.kill(inner(first), signal.SIGCONT)
    told = ended(first, 1)
    assert told.startswith("refused")
    assert f"process {second.pid} on {socket.gethostname()} has taken this run over" in told
    ended(second, 0)
    sound(tmp_path / "run", whole)


@pytest.mark.slow
def test_a_part_that_was_about_to_get_its_name(
    start: Start,
    elsewhere: tuple[str, ...],
    tmp_path: Path,
    whole: dict[tuple[str, int], dict[str, Any]],
) -> None:
    """Stopped behind the last look at the lease: the next writer has deleted the nameless file."""
    first = start(silent=0.5, pause_at=2, within=elsewhere)
    name = until(first, "pausing").split()[1]
    os.kill(inner(first), signal.SIGSTOP)
    stopped(first)
    second = start(silent=0.5, pause_at=1, go="go-second")
    assert until(second, "pausing").split()[1] == name
    (tmp_path / "go").touch()
    os.kill(inner(first), signal.SIGCONT)
    assert ended(first, 1).startswith("refused")
    (tmp_path / "go-second").touch()
    ended(second, 0)
    sound(tmp_path / "run", whole)


def test_a_part_of_another_writer_is_not_replaced(tmp_path: Path) -> None:
    draw(tmp_path / "run")
    run = Run.open(tmp_path / "run")
    rows = run.read("samples")
    last = run.parts("samples")[-1]
    with run.appending("samples") as appender:
        run.num_missing(SAMPLES)  # the parts of the stage are listed once
        foreign = last.with_name(f"part-{int(last.stem[5:]) + 1:06d}.parquet")
        foreign.write_bytes(b"of another")
        index = pa.array(range(SAMPLES, SAMPLES + len(rows)), pa.int32())
        appender.append(rows.set_column(1, "sample_index", index))
        with pytest.raises(NameTakenError, match=f"{foreign}: another process has stored"):
            appender.settle()
        assert appender.unstored() is not None
    assert foreign.read_bytes() == b"of another"
    assert not list(tmp_path.rglob(".tmp-*"))


RACE = """
import multiprocessing, sys
from pathlib import Path
from rlvr_fast.errors import RunLockedError
from rlvr_fast.store import lease, lease_files
place, rounds, racers = Path(sys.argv[1]), 25, 4
def race(barrier, won):
    for _ in range(rounds):
        barrier.wait()
        try:
            held = lease.Lease.take(place, flock_holds=lambda: False)
        except RunLockedError:
            held = None
        won.put(held is not None)
        barrier.wait()
        if held is not None:
            lease._held.clear()  # forgotten, as by a process that died
        barrier.wait()
context = multiprocessing.get_context("fork")
barrier, won = context.Barrier(racers + 1), context.Queue()
workers = [context.Process(target=race, args=(barrier, won)) for _ in range(racers)]
[worker.start() for worker in workers]
last = 0
for _ in range(rounds):
    gone = lease_files.Owner.this_process()._replace(process=4_000_000)
    lease_files.make_lease(place, 1 + max(lease_files.lease_files(place), default=0), gone)
    barrier.wait()
    print(sum(won.get() for _ in workers), flush=True)
    barrier.wait()
    barrier.wait()
"""


def test_of_several_that_recover_a_dead_lease_one_gets_it(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", RACE, tmp_path], capture_output=True, text=True, timeout=300
    )
    assert done.stdout.split() == ["1"] * 25, done.stderr


def take(run: Path) -> lease.Lease:
    return lease.Lease.take(run, flock_holds=lambda: False)


def test_a_lease_that_was_silent_is_renewed_where_nobody_took_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease.Lease, "beat", lambda self: None)
    monkeypatch.setattr(lease, "SILENT_SECONDS", 0.0)
    held = take(tmp_path)
    lease.confirm_writing(tmp_path / "samples" / "part-000000.parquet")
    assert [p.name for p in tmp_path.iterdir()] == [".lease-000002"]
    (tmp_path / ".lease-000003").write_bytes(lease_files.FREE)  # of one that came and is done
    with pytest.raises(RunLockedError, match="another process has taken this run over"):
        lease.confirm_writing(tmp_path / "run.json")
    held.release()
    lease.confirm_writing(tmp_path / "run.json")  # no run of this process
    assert {p.name for p in tmp_path.iterdir()} == {".lease-000002", ".lease-000003"}
    take(tmp_path).release()
    assert [p.name for p in tmp_path.iterdir()] == [".lease-000004"]


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"[]", b'"a"', b"[" * 500, b'{"token": 1}', b"\xff" * 600,
        lease_files.Owner.this_process()._replace(process=0).record(),
        lease_files.Owner.this_process()._replace(since="\x1b[2J").record(),
    ],
)  # fmt: skip
def test_a_lease_that_names_nobody_is_watched_like_one_of_another_machine(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "BEAT_SECONDS", 0.01)
    monkeypatch.setattr(lease, "SILENT_SECONDS", 0.05)
    (tmp_path / ".lease-000007").write_bytes(content)
    with pytest.warns(UserWarning, match="a process has not given this run back; waiting"):
        held = take(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == [".lease-000008"]
    held.release()


@pytest.mark.parametrize("name", [".lease-0000001", ".lease-000000", ".lease-1", ".lease-x"])
def test_files_that_are_named_nearly_as_a_lease(name: str, tmp_path: Path) -> None:
    (tmp_path / name).touch()
    take(tmp_path).release()
    assert (tmp_path / ".lease-000001").read_bytes() == lease_files.FREE


def test_the_highest_number_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".lease-999999999999").write_bytes(lease_files.FREE)
    with pytest.raises(RunDirectoryError, match="so high a number"):
        take(tmp_path)


def test_flock_decides_about_processes_of_this_machine(tmp_path: Path) -> None:
    """A lease that a living process could not give back is over when its flock is free."""
    alive = lease_files.Owner.this_process()._replace(process=os.getppid(), started=0)
    lease_files.make_lease(tmp_path, 1, alive)
    with pytest.raises(RunLockedError, match=f"process {os.getppid()} is writing"):
        take(tmp_path)
    with locking.RunLock(tmp_path).held():
        owner = lease_files.lease_owner(tmp_path)
        assert owner is not None
        assert owner.process == os.getpid()
        with pytest.raises(RunLockedError, match=rf"process {os.getpid()} is .* \(on "):
            take_lock(tmp_path)


def take_lock(run: Path) -> None:
    with locking.RunLock(run).held():
        pass
