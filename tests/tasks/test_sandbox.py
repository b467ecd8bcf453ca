from __future__ import annotations

import dataclasses
import os
import shutil
import tempfile
import time
from pathlib import Path

import pytest

from rlvr_fast.errors import InvalidInputError, MissingDependencyError
from rlvr_fast.tasks.sandbox import Limits, commands, run_program, unavailable_reason

needs_bubblewrap = pytest.mark.skipif(
    unavailable_reason() is not None, reason=str(unavailable_reason())
)
SMALL = Limits(cpu_seconds=2, wall_seconds=6, memory_mb=256)


def run(source, *, stdin=b"", limits=SMALL):
    return run_program({"main.py": source}, ["python", "main.py"], stdin=stdin, limits=limits)


def test_without_bubblewrap_nothing_runs_and_the_error_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingDependencyError, match="apt-get install bubblewrap"):
        run("open('/tmp/should-not-be', 'w')")


@needs_bubblewrap
def test_a_program_reads_its_input_and_writes_its_output():
    result = run("import sys; print(sys.stdin.read()[::-1])", stdin=b"abc")
    assert (result.outcome, result.returncode, result.stdout) == ("exited", 0, b"cba\n")


@needs_bubblewrap
def test_no_network():
    result = run(
        "print(open('/proc/net/dev').read().count(':'))\n"
        "import socket\n"
        "socket.create_connection(('127.0.0.1', 9), timeout=2)"
    )
    assert result.returncode == 1
    assert result.stdout in (b"1\n", b"0\n")  # the loopback device alone


@needs_bubblewrap
@pytest.mark.parametrize("target", ["/usr/x", "/x", "/etc/x", "/program/x", "/dev/shm/../../bin/x"])
def test_the_system_is_read_only(target):
    result = run(f"open({target!r}, 'w')")
    assert result.returncode == 1
    assert b"Read-only file system" in result.stderr or b"Permission denied" in result.stderr


@needs_bubblewrap
def test_tmp_is_private_and_bounded(tmp_path):
    mark = Path("/tmp") / f"rlvr-{os.getpid()}"
    assert run(f"open({str(mark)!r}, 'w').write('x'); print(1)").stdout == b"1\n"
    assert not mark.exists()
    result = run("open('/tmp/x', 'wb').write(bytes(10**8))")
    assert result.returncode != 0


@needs_bubblewrap
def test_a_program_sees_nothing_of_the_machine(monkeypatch):
    monkeypatch.setenv("RLVR_SECRET", "s3cret")
    home = str(Path.home())
    result = run(
        "import os, pathlib\n"
        "print(dict(os.environ))\n"
        "for p in pathlib.Path('/proc').glob('[0-9]*/environ'):\n"
        "    try: print(p.read_bytes())\n"
        "    except OSError: pass\n"
        f"print(os.path.exists({home!r}), os.path.exists({str(Path(__file__))!r}))\n"
    )
    assert result.returncode == 0
    assert b"s3cret" not in result.stdout
    assert result.stdout.endswith(b"False False\n")


@pytest.mark.slow
@needs_bubblewrap
def test_a_fork_bomb_is_contained():
    started = time.monotonic()
    result = run("import os\nwhile True:\n    try: os.fork()\n    except OSError: pass")
    assert result.outcome in ("timeout", "memory")
    assert time.monotonic() - started < SMALL.wall_seconds + 60


@needs_bubblewrap
def test_processes_are_counted():
    source = (
        "import os, time\nn = 0\n"
        "try:\n"
        "    while n < 500:\n"
        "        if os.fork() == 0:\n            time.sleep(99); os._exit(0)\n"
        "        n += 1\n"
        "except OSError:\n    pass\n"
        "print(n)"
    )
    limits = Limits(cpu_seconds=5, wall_seconds=20, memory_mb=2048, processes=16)
    result = run(source, limits=limits)
    assert result.outcome == "exited", result
    assert 1 <= int(result.stdout) < 16


@needs_bubblewrap
@pytest.mark.parametrize(
    ("source", "outcome", "wall"),
    [
        ("while True: print('x' * 1000)", "output", 2000),
        ("import sys\nwhile True: sys.stderr.write('x' * 1000)", "output", 2000),
        ("import time; time.sleep(2000)", "timeout", 3),
        ("while True: pass", "timeout", 2000),
        ("import os, signal\nsignal.signal(15, signal.SIG_IGN)\nwhile True: pass", "timeout", 2000),
    ],
)
def test_endless_programs_are_ended(source, outcome, wall):
    result = run(source, limits=Limits(cpu_seconds=1, wall_seconds=wall, output_bytes=1 << 20))
    assert result.outcome == outcome
    assert len(result.stdout) + len(result.stderr) < (1 << 20) + 200_000


@needs_bubblewrap
def test_memory_is_bounded_in_one_process_and_over_all():
    assert b"MemoryError" in run("x = bytearray(10**9)").stderr
    result = run(
        "import os, time\n"
        "for _ in range(8):\n"
        "    if os.fork() == 0:\n"
        "        x = bytearray(120 << 20)\n"
        "        for i in range(0, len(x), 4096): x[i] = 1\n"
        "        time.sleep(60)\n"
        "time.sleep(60)",
        limits=dataclasses.replace(SMALL, wall_seconds=60),
    )
    assert result.outcome == "memory"


@needs_bubblewrap
def test_a_program_that_leaves_children_behind_ends_with_them():
    mark = f"sleep-{os.getpid()}"
    run(f"import os, time\nif os.fork() == 0:\n    os.setsid(); time.sleep(60)  # {mark}")
    time.sleep(0.2)
    assert not [
        p for p in Path("/proc").glob("[0-9]*/cmdline")
        if p.exists() and b"/program" in p.read_bytes() and mark.encode() in p.read_bytes()
    ]  # fmt: skip


def test_files_stay_in_their_folder():
    if unavailable_reason() is not None:
        pytest.skip(unavailable_reason())
    with pytest.raises(InvalidInputError, match="without a folder"):
        run_program({"../x": ""}, ["python", "x"])


def test_unusable_bubblewrap_is_explained(monkeypatch):
    folder = Path(tempfile.mkdtemp(prefix="fake-", dir="/tmp"))
    folder.chmod(0o755)  # another user runs root's programs
    fake = folder / "bwrap"
    fake.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    commands.working_variant.cache_clear()
    try:
        reason = unavailable_reason()
    finally:
        shutil.rmtree(folder)
        commands.working_variant.cache_clear()
    assert "No permissions to create new namespace" in reason
    assert "user namespaces" in reason
