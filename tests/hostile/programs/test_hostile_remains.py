"""What a killed grading leaves behind, and memory groups of both versions."""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path

import pytest

from rlvr_fast.tasks.sandbox import (
    Limits,
    cgroups,
    commands,
    memory,
    run_program,
    supervision,
    unavailable_reason,
)
from rlvr_fast.tasks.sandbox.cgroups import Hierarchy, MemoryGroup, find_hierarchy
from rlvr_fast.tasks.sandbox.folders import PREFIX, program_folder, remove_abandoned

needs_bubblewrap = pytest.mark.skipif(
    unavailable_reason() is not None, reason=str(unavailable_reason())
)


# -- folders -------------------------------------------------------------------------------------


def test_only_abandoned_folders_of_this_user_are_removed(tmp_path, monkeypatch):
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "file").write_text("kept")
    abandoned = tmp_path / f"{PREFIX}abandoned"
    abandoned.mkdir()
    (abandoned / "main.py").write_text("")
    (abandoned / "link").symlink_to(victim / "file")
    (tmp_path / f"{PREFIX}link").symlink_to(victim)
    (tmp_path / f"{PREFIX}file").write_text("kept")
    deep = tmp_path / f"{PREFIX}deep"
    (deep / "folder").mkdir(parents=True)
    (deep / "folder" / "file").write_text("")
    (deep / "folder" / "link").symlink_to(victim)
    used = tmp_path / f"{PREFIX}used"
    used.mkdir()
    (used / "main.py").write_text("kept")
    descriptor = os.open(used, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        remove_abandoned(str(tmp_path))
    finally:
        os.close(descriptor)
    assert not abandoned.exists()
    assert (victim / "file").read_text() == "kept"
    assert (used / "main.py").read_text() == "kept"
    assert not deep.exists()
    assert (tmp_path / f"{PREFIX}file").exists()
    assert (tmp_path / f"{PREFIX}link").is_symlink()
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    remove_abandoned(str(tmp_path))
    assert (used / "main.py").exists()  # another user's
    monkeypatch.undo()
    remove_abandoned(str(tmp_path))
    assert not used.exists()


def test_a_folder_in_use_is_locked_and_removed_at_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with program_folder() as folder:
        (folder / "main.py").write_text("")
        remove_abandoned(str(tmp_path))
        assert (folder / "main.py").exists()
    assert list(tmp_path.iterdir()) == []


GRADER = """
import sys
import tempfile
import threading
from rlvr_fast.tasks.sandbox import run_program
run_program({"main.py": sys.argv[1]}, ["python", "main.py"])
"""


@needs_bubblewrap
def test_kill_9_leaves_nothing_after_the_next_start(tmp_path):
    mark = f"mark-{uuid.uuid4().hex}"
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    source = (
        "import sys, subprocess\n"
        f"subprocess.run([sys.executable, '-c', 'import time; time.sleep(99)', '{mark}'])"
    )
    grader = subprocess.Popen([sys.executable, "-c", GRADER, source], env=environment)
    wait_until(lambda: processes_with(mark) > 0)
    grader.send_signal(signal.SIGKILL)
    grader.wait()
    wait_until(lambda: processes_with(mark) == 0)
    assert len(list(tmp_path.glob(f"{PREFIX}*"))) == 1
    groups = groups_of(grader.pid)
    done = subprocess.run([sys.executable, "-c", GRADER, "print(1)"], env=environment)
    assert done.returncode == 0
    assert list(tmp_path.iterdir()) == []
    assert groups_of(grader.pid) == []
    assert groups or usable() is None


@needs_bubblewrap
@pytest.mark.slow
def test_a_killed_grading_of_programs_leaves_nothing_after_the_next_one(tmp_path):
    mark = f"mark-{uuid.uuid4().hex}"
    tests = {"question": "q", "id": 1, "tests": [{"input": "", "output": "1"}]}
    (tmp_path / "tests.jsonl").write_text(json.dumps(tests) + "\n")
    sleeping = (
        "import subprocess, sys\n"
        f"subprocess.run([sys.executable, '-c', 'import time; time.sleep(60)', '{mark}'])"
    )
    row = {"prompt": "q", "problem_id": "1", "completion": f"```python\n{sleeping}\n```"}
    (tmp_path / "rollouts.jsonl").write_text(json.dumps(row) + "\n")
    folders = tmp_path / "folders"
    folders.mkdir()

    def command(*words):
        words = (sys.executable, "-m", "rlvr_fast", *words)
        environment = {**os.environ, "TMPDIR": str(folders)}
        return subprocess.Popen(
            words, env=environment, cwd=tmp_path, start_new_session=True, stdout=-1, stderr=-2
        )

    task = "code:tests.jsonl?timeout=1"
    importing = command(
        "import", "rollouts.jsonl", "--out", "run", "--model", "m", "--problems", task
    )
    said, _ = importing.communicate()
    assert importing.returncode == 0, said
    grading = command("grade", "run")  # a path that is relative to the current folder
    wait_until(lambda: processes_with(mark) > 0 or grading.poll() is not None)
    for pid in [grading.pid, *children(grading.pid)]:
        os.kill(pid, signal.SIGKILL)
    said, _ = grading.communicate()
    wait_until(lambda: processes_with(mark) == 0)
    assert [*folders.iterdir()], said
    again = command("grade", "run")
    said, _ = again.communicate()
    assert again.returncode == 0, said
    assert b"1 not decided" in said
    assert [*folders.iterdir()] == []


def children(pid):
    words = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(word) for word in words]


def wait_until(condition):
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def processes_with(mark):
    found = 0
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = file.read_bytes().split(b"\0")
        except OSError:
            continue
        found += mark.encode() in words
    return found


# -- groups --------------------------------------------------------------------------------------


def usable():
    return cgroups._usable_hierarchy()


def groups_of(pid):
    if usable() is None:
        return []
    return [path for path in usable().folder.glob("rlvr-*") if path.name.split("-")[2] == str(pid)]


needs_group = pytest.mark.skipif(usable() is None, reason="no memory cgroup that may be written")

V1 = "35 25 0:31 / /sys/fs/cgroup/memory rw,nosuid - cgroup cgroup rw,memory\n"
V2 = "30 24 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
CONTAINER = "35 25 0:31 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"


def test_version_1_takes_the_group_of_this_process():
    found = find_hierarchy("3:cpu:/x\n4:memory:/a/b\n0::/\n", V2 + V1)
    assert found == Hierarchy(Path("/sys/fs/cgroup/memory/a/b"), 1)
    found = find_hierarchy("4:memory:/docker/abc/x\n", CONTAINER)
    assert found == Hierarchy(Path("/sys/fs/cgroup/memory/x"), 1)
    assert find_hierarchy("4:memory:/docker/other\n", CONTAINER) is None
    assert find_hierarchy("4:memory:/a\n", V2) is None
    assert find_hierarchy("", "") is None


def version_2(tmp_path, *, own, above, limit):
    folder = tmp_path / "slice" / "scope"
    folder.mkdir(parents=True)
    (folder / "cgroup.subtree_control").write_text(own)
    (folder.parent / "cgroup.subtree_control").write_text(above)
    (folder / "memory.max").write_text(limit)
    mount = f"30 24 0:26 / {tmp_path} rw - cgroup2 cgroup2 rw\n"
    return find_hierarchy("0::/slice/scope\n", mount)


def test_version_2_takes_a_group_whose_children_have_the_controller(tmp_path):
    found = version_2(tmp_path, own="cpu memory\n", above="memory\n", limit="1\n")
    assert found == Hierarchy(tmp_path / "slice" / "scope", 2)


def test_version_2_takes_the_parent_where_no_limit_is_left(tmp_path):
    assert version_2(tmp_path, own="", above="memory\n", limit="max\n") == Hierarchy(
        tmp_path / "slice", 2
    )


@pytest.mark.parametrize(("above", "limit"), [("memory\n", "1000\n"), ("cpu\n", "max\n"), ("", "")])
def test_version_2_gives_none_elsewhere(tmp_path, above, limit):
    assert version_2(tmp_path, own="cpu\n", above=above, limit=limit) is None


def test_a_folder_that_is_no_group_gives_none(tmp_path):
    # mkdir works, and no file of a controller appears
    with pytest.raises(FileNotFoundError):
        MemoryGroup(Hierarchy(tmp_path, 2), 1 << 20)
    assert list(tmp_path.iterdir()) == []


@needs_group
def test_groups_of_dead_processes_are_removed_and_others_kept():
    parent = usable().folder
    namespace = Path("/proc/self/ns/pid").stat().st_ino
    dead = parent / f"rlvr-{namespace}-{os.getpid()}-1-0"  # this process started at another time
    elsewhere = parent / f"rlvr-1-{os.getpid()}-1-0"
    foreign = parent / "rlvr-other"
    own = MemoryGroup(usable(), 1 << 30)
    for folder in (dead, elsewhere, foreign):
        folder.mkdir()
    try:
        cgroups._remove_abandoned(parent)
        assert not dead.exists()
        assert elsewhere.exists()
        assert foreign.exists()
        assert own._folder.exists()
    finally:
        for folder in (elsewhere, foreign):
            folder.rmdir()
        own.remove()


@needs_bubblewrap
@needs_group
def test_a_program_runs_in_a_group_that_is_removed():
    result = run_program(
        {"main.py": "print(open('/proc/self/cgroup').read())"}, ["python", "main.py"]
    )
    assert (
        f"/rlvr-{Path('/proc/self/ns/pid').stat().st_ino}-{os.getpid()}-" in result.stdout.decode()
    )
    assert groups_of(os.getpid()) == []


@needs_bubblewrap
@pytest.mark.parametrize("fails", ["add", "creation", "list of children"])
def test_memory_is_counted_where_the_group_fails(monkeypatch, fails):
    class Refusing(MemoryGroup):
        def add(self, pid):
            raise PermissionError("refused")

    if fails == "add":
        if usable() is None:
            pytest.skip("no memory cgroup that may be written")
        monkeypatch.setattr(supervision, "memory_group", lambda limit: Refusing(usable(), limit))
    else:
        monkeypatch.setattr(supervision, "memory_group", lambda limit: None)
    if fails == "list of children":
        monkeypatch.setattr(memory, "_kernel_lists_children", lambda: False)
    source = (
        "import os, time\n"
        "for _ in range(4):\n"
        "    if os.fork() == 0: x = b'x' * (100 << 20); time.sleep(60)\n"
        "time.sleep(60)"
    )
    limits = Limits(cpu_seconds=20, wall_seconds=60, memory_mb=256)
    assert (
        run_program({"main.py": source}, ["python", "main.py"], limits=limits).outcome == "memory"
    )
    assert groups_of(os.getpid()) == []


def test_folders_that_are_being_made_are_not_taken_for_abandoned_ones(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    # Another grading starts again and again; a folder has no lock in its first moment.
    code = (
        "import sys\nfrom rlvr_fast.tasks.sandbox.folders import remove_abandoned\n"
        "print(flush=True)\nwhile True: remove_abandoned(sys.argv[1])"
    )
    other = subprocess.Popen([sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE)
    try:
        other.stdout.readline()
        for _ in range(2000):
            with program_folder() as folder:
                (folder / "main.py").write_text("")
    finally:
        other.kill()
        other.wait()
        other.stdout.close()


def test_watched_descriptors_and_unreadable_processes_count(monkeypatch):
    def held():
        return sum(size for _, size in memory._held(os.getpid(), str(threading.get_native_id())))

    before = held()
    with select.epoll() as poll:
        reading, writing = os.pipe()
        numbers = [os.dup(reading) for _ in range(100)]
        try:
            pipes = held() - before
            for number in numbers:
                poll.register(number)
            assert held() - before - pipes >= 100 * 192  # struct epitem and eppoll_entry
        finally:
            for number in (*numbers, reading, writing):
                os.close(number)

    def refusing(path):
        raise PermissionError(path)

    monkeypatch.setattr(os, "listdir", refusing)
    assert held() >= 64 * (208 << 10)


@needs_bubblewrap
@pytest.mark.slow
def test_a_changed_first_process_ends_with_its_sandbox(monkeypatch):
    # a program of the same user as bubblewrap can make it leave its group and its parent alone
    mark = f"mark-{uuid.uuid4().hex}"
    monkeypatch.setattr(os, "killpg", os.kill)
    limits = Limits(cpu_seconds=60, wall_seconds=2)
    variant = commands.working_variant()
    argv = ["python", "-c", "import time; time.sleep(60)", mark]
    command = commands.program_command(argv, "/usr", limits, variant)
    command.remove("--die-with-parent")
    result = supervision.supervised(command, b"", limits, as_nobody=variant.as_nobody)
    assert result.outcome == "timeout"
    wait_until(lambda: processes_with(mark) == 0)
