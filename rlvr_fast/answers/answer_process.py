"""A forked process for each answer, for verifiers that evaluate answers.

The worker has the verifier loaded and the problem prepared, and forks. The child verifies one
answer, writes one line into a pipe, and ends: what the answer did to the verifier, to a library or
to the interpreter ends with it. The child cannot reach the pipes to grading, nor the worker's
memory and descriptors (`drop_privileges`), nor signal it (`answer_filter`).
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import secrets
import selectors
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rlvr_fast.answers.worker_protocol import (
    MAX_REPLY,
    BrokenProtocolError,
    Reply,
    parse_reply,
)
from rlvr_fast.tasks.sandbox.locks import die_with_parent, lock_for_an_answer

__all__ = ["verify_in_child"]

TIMEOUT_SIGNALS = (signal.SIGPROF, signal.SIGXCPU)


def verify_in_child(
    verify: Callable[[], dict[str, Any]],
    *,
    limit: float,
    wall: float,
    closed: Sequence[int],
    code: bytes | None,
) -> Reply:
    """The reply of a child that calls `verify` once.

    Args:
        verify: gives the parts of a reply; is called in the child.
        limit: processor seconds of the child.
        wall: seconds after which the child is ended, whatever it does.
        closed: descriptors that the child must not have.
        code: the filter of `answer_filter()`.
    """
    reading, writing = os.pipe()
    nonce = secrets.token_hex(16)
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        _child(verify, parent, nonce, limit, writing, (reading, *closed), code)
    os.close(writing)
    try:
        line, overdue = _first_line(reading, wall)
    finally:
        os.close(reading)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
        _, status, usage = os.wait4(pid, 0)
        _end_orphans()
    if line is not None:
        try:
            reply = parse_reply(line, nonce)
        except BrokenProtocolError as error:
            return Reply("ended", detail=f"the process of the answer wrote {error}")
        if reply.kind == "verdict":
            return reply
        # An answer may know its nonce: what it says of its task or of its worker is not believed.
        return Reply("ended", detail="the process of the answer wrote no verdict")
    if overdue:
        return Reply("ended", detail=f"{wall:g} s of wall time", timeout=True)
    ended = os.waitstatus_to_exitcode(status)
    used = usage.ru_utime + usage.ru_stime
    if -ended in TIMEOUT_SIGNALS or (ended == -signal.SIGKILL and used >= limit):
        return Reply("ended", detail=f"{limit:g} s of processor time", timeout=True)
    what = f"signal {-ended}" if ended < 0 else f"exit status {ended}"
    return Reply("ended", detail=f"the verifying process ended with {what}")


def _child(
    verify: Callable[[], dict[str, Any]],
    parent: int,
    nonce: str,
    limit: float,
    writing: int,
    closed: Sequence[int],
    code: bytes | None,
) -> None:
    """Verifies, writes the reply and ends; never returns."""
    try:
        die_with_parent()
        if os.getppid() != parent:
            os._exit(71)
        for number in closed:
            os.close(number)
        lock_for_an_answer(max(1, math.ceil(limit)), code)
        signal.setitimer(signal.ITIMER_PROF, limit)
        reply = verify()
        signal.setitimer(signal.ITIMER_PROF, 0)
        os.write(writing, json.dumps({"nonce": nonce, **reply}).encode() + b"\n")
        os._exit(0)
    finally:
        os._exit(70)


def _first_line(reading: int, wall: float) -> tuple[bytes | None, bool]:
    """All that the child wrote, where it is one line; and whether the time was over before.

    A second line, or bytes behind the first, are no reply: the answer wrote too.
    """
    deadline = time.monotonic() + wall
    received = b""
    with selectors.DefaultSelector() as selector:
        selector.register(reading, selectors.EVENT_READ)
        while len(received) <= MAX_REPLY:
            left = deadline - time.monotonic()
            if left <= 0:
                return None, True
            if not selector.select(left):
                continue
            data = os.read(reading, MAX_REPLY)
            if not data:
                break
            received += data
    if not received:
        return None, False
    line, end, rest = received.partition(b"\n")
    return (line if end and not rest else b""), False


def _end_orphans() -> None:
    """Ends the descendants of the child, of which this process is the parent by now."""
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG)[0]:
                continue
        except ChildProcessError:
            return
        for children in Path("/proc/self/task").glob("*/children"):
            for pid in map(int, children.read_text().split()):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
        time.sleep(0.001)
