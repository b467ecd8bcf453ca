"""What a worker imports, sees and leaves behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import rlvr_fast
from rlvr_fast.answers.worker_protocol import BrokenProtocolError, parse_reply
from rlvr_fast.tasks.sandbox import unavailable_reason

HERE = Path(__file__).parent
# A module of the user's folder: leaves a mark in a worker, and is the real one elsewhere.
EVIL = """
import os, sys
if os.environ.get("RLVR_PARENT") != "1":
    open({marker!r}, "w").close()
    raise SystemExit("imported a stranger's module")
here = sys.path.pop(0)
del sys.modules[__name__]
import importlib
sys.modules[__name__] = importlib.import_module(__name__)
sys.path.insert(0, here)
"""
NAMES = ("random", "timeit", "json", "sympy", "rlvr_fast", "site", "resource", "sitecustomize")


def test_modules_of_the_users_folders_are_not_imported(attack, tmp_path, toy_path, walls):
    marker = tmp_path / "marker"
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in NAMES:
        (folder / f"{name}.py").write_text(EVIL.format(marker=str(marker)))
    script = folder / "script.py"
    shutil.copy(HERE / "attack_runner.py", script)
    environment = {
        "RLVR_PARENT": "1",
        "PYTHONPATH": os.pathsep.join(["", ".", str(folder), str(toy_path)]),
        "PYTHONSTARTUP": str(folder / "random.py"),
        "PYTHONUSERBASE": str(folder),
    }
    imports = "import random, timeit, json, sympy, rlvr_fast, site, resource\nvalue = 7"
    found = attack(
        [imports], "shared:w", environment=environment, cwd=folder, script=script,
        bubblewrap=walls, options={"workers": 1},
    )  # fmt: skip
    assert found.verdicts == ["correct"]
    assert found.sandboxed == walls
    assert not marker.exists()


@pytest.mark.slow  # imports Reasoning Gym three times
def test_reasoning_gym_is_graded_without_a_writable_home(attack, walls):
    spec = "reasoning_gym:countdown?max_numbers=3&min_numbers=3&seed=7&size=1"
    found = attack(
        [None, "0"], spec, generate=True, bubblewrap=walls,
        environment={"HOME": "/proc/none", "XDG_CACHE_HOME": "/proc/none"}, options={"workers": 1},
    )  # fmt: skip
    assert found.verdicts == ["correct", "incorrect"]
    assert found.sandboxed == walls


def test_it_is_said_once_that_there_is_no_bubblewrap(attack, tmp_path):
    found = attack(
        ["value = 7"], environment={"PATH": str(tmp_path)}, times=2, options={"workers": 2}
    )
    assert found.verdicts == ["correct"]
    assert found.sandboxed is False
    assert found.said.count("verifiers run outside bubblewrap") == 1
    assert "apt-get install bubblewrap" in found.said


def test_an_interpreter_in_a_home_folder_is_all_that_is_seen_of_it(attack, tmp_path):
    if (reason := unavailable_reason()) is not None:
        pytest.skip(reason)
    home = tmp_path / "home"
    environment = home / "project" / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    (packages,) = environment.glob("lib/python*/site-packages")
    borrowed = [path for path in sys.path if path.endswith("-packages")]
    root = str(Path(rlvr_fast.__file__).parents[1])
    (packages / "borrowed.pth").write_text("\n".join([root, *borrowed]))
    source = home / "sources" / "extra"  # an editable install, beside what is nobody's business
    source.mkdir(parents=True)
    (source / "extra_module.py").write_text("SEVEN = 7\n")
    (packages / "extra.pth").write_text(f"{source}\n")
    for name in (".env", "notes.txt"):
        for folder in (home, home / "project", source):
            (folder / name).write_text("s3cret")
    look = (
        "import os, extra_module\nvalue = extra_module.SEVEN\n"
        f"for folder, _, files in os.walk({str(home)!r}):\n"
        "  if {'.env', 'notes.txt'} & set(files): value = 0"
    )
    found = attack(
        [look], python=environment / "bin" / "python", environment={"HOME": str(home)},
        options={"workers": 1},
    )  # fmt: skip
    assert found.sandboxed
    assert found.outcomes == [("correct", "")]


@pytest.mark.parametrize("end", ["kill", "interrupt"])
def test_workers_end_with_grading(toy_path, walls, end):
    asked = {
        "spec": "evaluating:w",
        "answers": ["while True: pass", "import select\nselect.select([], [], [], 10**6)"],
        "options": {"workers": 2, "timeout": 500.0},
        "bubblewrap": walls,
    }
    process = subprocess.Popen(
        [sys.executable, HERE / "attack_runner.py"], stdin=subprocess.PIPE, text=True,
        stderr=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": str(toy_path)},
    )  # fmt: skip
    process.stdin.write(json.dumps(asked))
    process.stdin.close()
    deadline = time.monotonic() + 120
    workers = set()
    while len([pid for pid in workers if b"worker_main" in command_of(pid)]) < 4:
        assert time.monotonic() < deadline, "the workers did not fork their answers"
        workers = descendants(process.pid) - {process.pid}
    process.send_signal(signal.SIGKILL if end == "kill" else signal.SIGINT)
    process.wait()
    while any(command_of(pid) for pid in workers):
        assert time.monotonic() < deadline, "a process of a worker outlived grading"


def descendants(pid):
    found, waiting = set(), [pid]
    while waiting:
        current = waiting.pop()
        found.add(current)
        for children in Path("/proc", str(current), "task").glob("*/children"):
            try:
                waiting += map(int, children.read_text().split())
            except OSError:
                continue
    return found


def command_of(pid):
    try:
        return Path("/proc", str(pid), "cmdline").read_bytes()
    except OSError:
        return b""


@pytest.mark.parametrize(
    "line",
    [
        b"", b"nonsense", b"[]", b"7", b'{"kind": "verdict"}', b"{" * 5000, b"[" * 100000,
        b'{"nonce": "n", "kind": "verdict", "verdict": "right"}',
        b'{"nonce": "n", "kind": "verdict", "verdict": ["correct"]}',
        b'{"nonce": "n", "kind": ["verdict"], "verdict": "correct"}',
        b'{"nonce": "m", "kind": "verdict", "verdict": "correct"}',
        b'{"nonce": "n", "kind": "verdict", "verdict": "correct", "grader": "x"}',
        b'{"nonce": "n", "kind": "verdict", "verdict": "correct", "detail": 7}',
        b'{"nonce": "n", "kind": "verdict", "verdict": "correct", "timeout": 7}',
        b'{"nonce": "n", "kind": "win", "verdict": "correct"}',
        b'{"nonce": "n", "kind": "verdict", "verdict": "correct", "detail": "' + b"x" * 999 + b'"}',
        b'{"nonce": "n", "kind": "fatal", "detail": "' + b"x" * 9999 + b'"}',
        b'\xff\xfe{"nonce": "n", "kind": "verdict", "verdict": "correct"}',
        b'{"nonce": "n", "kind": "verdict", "verdict": "correct"',
    ],
)  # fmt: skip
def test_a_line_that_is_no_reply_is_refused(line):
    with pytest.raises(BrokenProtocolError):
        parse_reply(line, "n")


def test_a_reply_is_read():
    line = (
        b'{"nonce": "n", "kind": "verdict", "verdict": "correct", "detail": "a\\u001b[2J\\u202e"}'
    )
    assert parse_reply(line, "n").verdict == "correct"
    assert parse_reply(line, "n").detail == "a?[2J?"


def test_folders_that_cannot_be_looked_into_are_left_out(attack, toy_path, walls):
    closed = "/" + "x" * 300  # no file system takes the name; a folder of another user is the same
    environment = {"PYTHONPATH": f"{toy_path}:{closed}", "LD_LIBRARY_PATH": closed}
    found = attack(["value = 7"], environment=environment, bubblewrap=walls)
    assert found.outcomes == [("correct", "")]
