"""A sandbox while it runs: input, output, wall time and memory."""

from __future__ import annotations

import contextlib
import os
import resource
import selectors
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from rlvr_fast.tasks.sandbox.limits import MEBIBYTE, Limits, Outcome, ProgramResult
from rlvr_fast.tasks.sandbox.seccomp import syscall_filter

__all__ = ["NOBODY", "supervised"]

NOBODY = 65534


def supervised(
    command: Sequence[str], stdin: bytes, limits: Limits, *, as_nobody: bool
) -> ProgramResult:
    """Runs a command of bubblewrap under limits of wall time, memory and output.

    Args:
        command: bubblewrap and its arguments.
        stdin: what the program reads from standard input.
        limits: what ends the program.
        as_nobody: whether root starts bubblewrap as the user nobody.
    """
    nobody = NOBODY if as_nobody else None
    code = syscall_filter()
    filter_end: int | None = None
    if code is not None:
        filter_end, filled = os.pipe()  # a pipe holds 64 KiB at least, more than a filter
        os.write(filled, code)
        os.close(filled)
        command = [command[0], "--seccomp", str(filter_end), *command[1:]]
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"PATH": os.environ.get("PATH", "/usr/bin:/bin")},
            cwd="/",
            start_new_session=True,
            pass_fds=() if filter_end is None else (filter_end,),
            user=nobody,
            group=nobody,
            extra_groups=[] if nobody else None,
        )
    finally:
        if filter_end is not None:
            os.close(filter_end)
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        return _supervise(process, stdin, limits)
    finally:
        if process.poll() is None:
            _kill(process)
        for pipe in (process.stdin, process.stdout, process.stderr):
            pipe.close()


def _supervise(process: subprocess.Popen[bytes], stdin: bytes, limits: Limits) -> ProgramResult:
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    deadline = time.monotonic() + limits.wall_seconds
    collected: dict[str, bytearray] = {"stdout": bytearray(), "stderr": bytearray()}
    outcome: Outcome = "exited"
    unsent = memoryview(stdin)
    with selectors.DefaultSelector() as selector:
        for pipe, mark in ((process.stdout, "stdout"), (process.stderr, "stderr")):
            os.set_blocking(pipe.fileno(), False)
            selector.register(pipe, selectors.EVENT_READ, mark)
        os.set_blocking(process.stdin.fileno(), False)
        if unsent:
            selector.register(process.stdin, selectors.EVENT_WRITE, "stdin")
        else:
            process.stdin.close()
        while selector.get_map() and outcome == "exited":
            if time.monotonic() > deadline:
                outcome = "timeout"
            elif _resident_bytes(process.pid) > limits.memory_mb * MEBIBYTE:
                outcome = "memory"
            for key, _ in selector.select(timeout=0.05):
                if key.data == "stdin":
                    try:
                        unsent = unsent[os.write(key.fd, unsent[:65536]) :]
                    except BrokenPipeError:
                        unsent = unsent[:0]
                    if not unsent:
                        selector.unregister(process.stdin)
                        process.stdin.close()
                    continue
                data = os.read(key.fd, 65536)
                collected[key.data] += data
                if not data:
                    selector.unregister(key.fileobj)
                if sum(map(len, collected.values())) > limits.output_bytes:
                    outcome = "output"
    if outcome == "exited":
        try:
            process.wait(timeout=max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            outcome = "timeout"
    if outcome != "exited":
        _kill(process)
    returncode = process.wait()
    if returncode > 128:
        returncode = 128 - returncode  # bubblewrap passes a signal on as 128 + signal
    if returncode in (-signal.SIGXCPU, -signal.SIGKILL) and outcome == "exited":
        outcome = "timeout"  # the signal of the hard limit of processor time
    return ProgramResult(
        outcome, returncode, bytes(collected["stdout"]), bytes(collected["stderr"])
    )


def _kill(process: subprocess.Popen[bytes]) -> None:
    # --die-with-parent: the first process of the namespace dies with bwrap, and all others with it
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _resident_bytes(pid: int) -> int:
    """Resident memory of a process and all its descendants."""
    page = resource.getpagesize()
    total, waiting = 0, [pid]
    while waiting:
        current = waiting.pop()
        folder = Path("/proc") / str(current)
        try:
            total += int((folder / "statm").read_text().split()[1]) * page
            waiting += map(int, (folder / "task" / str(current) / "children").read_text().split())
        except (OSError, ValueError, IndexError):
            continue
    return total
