"""Hostile programs in the sandbox: what must hold of the result and of the machine."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest
from hostile_programs import ATTACKS, ENDING, HONEST

from rlvr_fast.tasks.sandbox import (
    ProgramResult,
    run_program,
    supervision,
    syscall_filter,
    unavailable_reason,
)

pytestmark = [
    pytest.mark.skipif(unavailable_reason() is not None, reason=str(unavailable_reason())),
    pytest.mark.skipif(
        syscall_filter() is None, reason="no system call filter for this kind of processor"
    ),
]
COUNTED = [name for name in ATTACKS if name.startswith("memory") or name.startswith("sockets")]


@dataclass
class Victim:
    """What the programs attack, and their results."""

    canary: Path
    secret: str
    process: subprocess.Popen[bytes]
    server: socket.socket
    abstract: socket.socket
    mark: str
    results: dict[str, ProgramResult]


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victim]:
    """All programs, several at once, beside a victim."""
    mark, secret = f"mark-{uuid.uuid4().hex}", f"{uuid.uuid4().hex}-{uuid.uuid4().hex}"
    canary = tmp_path_factory.mktemp("victim") / "canary"
    canary.write_text(secret)
    os.environ["RLVR_TEST_SECRET"] = secret
    with socket.socket() as server, socket.socket(socket.AF_UNIX) as abstract:
        server.bind(("127.0.0.1", 0))
        server.listen()
        server.setblocking(False)
        abstract.bind(f"\0{mark}")
        abstract.listen()
        abstract.setblocking(False)
        process = subprocess.Popen(
            [sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True
        )
        words = {
            "CANARY": str(canary),
            "HALF1": secret.split("-")[0],
            "HALF2": secret.split("-")[1],
            "VICTIM": str(process.pid),
            "PORT": str(server.getsockname()[1]),
            "ABSTRACT": mark,
            "MARK": mark,
        }

        def run(name: str) -> ProgramResult:
            source = ATTACKS[name].source
            for word, value in words.items():
                source = source.replace(word, value)
            files = {"main.py": source}
            stdin = b"0 0.0\n" * (1 << 17)
            limits = ATTACKS[name].limits
            return run_program(files, ["python", "main.py"], stdin=stdin, limits=limits)

        try:
            with ThreadPoolExecutor(6) as threads:
                results = dict(zip(ATTACKS, threads.map(run, ATTACKS), strict=True))
            with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(4) as threads:
                patch.setattr(supervision, "memory_group", lambda limit: None)
                for name, result in zip(COUNTED, threads.map(run, COUNTED), strict=True):
                    results[f"{name}, counted"] = result
            yield Victim(canary, secret, process, server, abstract, mark, results)
        finally:
            process.kill()
            process.wait()
            del os.environ["RLVR_TEST_SECRET"]


@pytest.mark.parametrize("name", [*ATTACKS, *(f"{name}, counted" for name in COUNTED)])
def test_a_hostile_program_ends_as_it_should(victim: Victim, name: str):
    result = victim.results[name]
    assert ATTACKS[name.removesuffix(", counted")].holds(result), result
    limits = ATTACKS[name.removesuffix(", counted")].limits
    assert len(result.stdout) + len(result.stderr) <= limits.output_bytes + (2 << 16)


def test_the_machine_is_as_it_was(victim: Victim):
    assert victim.canary.read_text() == victim.secret
    assert victim.process.poll() is None
    for server in (victim.server, victim.abstract):
        with pytest.raises(BlockingIOError):
            server.accept()
    assert not [name for name, r in victim.results.items() if victim.secret.encode() in r.stdout]


def test_no_process_survives(victim: Victim):
    alive = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = file.read_bytes()
        except OSError:
            continue
        if victim.mark.encode() in words:
            alive.append(words)
    assert alive == []


@pytest.mark.parametrize("counted", [False, True])
@pytest.mark.parametrize("name", HONEST)
def test_what_honest_programs_do_works(monkeypatch: pytest.MonkeyPatch, name: str, counted: bool):
    if counted:
        monkeypatch.setattr(supervision, "memory_group", lambda limit: None)
    result = run_program({"main.py": HONEST[name]}, ["python", "main.py"], limits=ENDING)
    assert (result.outcome, result.returncode, result.stderr) == ("exited", 0, b"")


def test_hidden_files_and_folders_cannot_be_read():
    poem = find_spec("this")
    assert poem is not None
    folder, file = Path(json.__file__).parent, Path(str(poem.origin))
    source = (
        f"import os; print(os.listdir({str(folder)!r}))\n"
        f"for arguments in (({str(folder / 'x')!r}, 'w'), ({str(file)!r},)):\n"
        "    try: print(len(open(*arguments).read()))\n"
        "    except OSError: print('refused')"
    ).replace(sys.base_prefix, "/python" if not sys.base_prefix.startswith("/usr") else "/usr")
    hidden = [str(folder), str(folder / "decoder.py"), str(file), str(file), "/etc/passwd", "/x"]
    shown = run_program({"main.py": source}, ["python", "main.py"], limits=ENDING)
    result = run_program({"main.py": source}, ["python", "main.py"], limits=ENDING, hidden=hidden)
    assert shown.stdout.startswith(b"['")
    assert not shown.stdout.endswith(b"refused\n")
    assert result.stdout == b"[]\nrefused\nrefused\n"


def test_a_sandbox_that_cannot_be_made_is_no_failed_program(tmp_path: Path, monkeypatch):
    assert unavailable_reason() is None
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho 'No space left on device' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    for group in (True, False):
        if not group:
            monkeypatch.setattr(supervision, "memory_group", lambda limit: None)
        with pytest.raises(OSError, match=r"made no sandbox .*No space left"):
            run_program({"main.py": "print(1)"}, ["python", "main.py"])
