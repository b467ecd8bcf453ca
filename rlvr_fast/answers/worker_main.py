"""A worker process: `main()` with the arguments REQUESTS REPLIES PATHS NONCE MEMORY_MB WALLS.

Reads requests from the descriptor REQUESTS (nonce, spec, problem_id, gold, metadata, answer, limit,
wall), and writes replies into REPLIES in the same order; worker_protocol.py has their form. The
process does not measure its own time: the kernel ends it, or the child that verifies an answer,
after `limit` processor seconds, and grading ends it after a wall time.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import random
import resource
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from rlvr_fast.answers.answer_guard import guard_answers, guard_for_good
from rlvr_fast.answers.answer_process import verify_in_child
from rlvr_fast.answers.worker_protocol import MAX_FATAL, Reply, plain_text, read_frame
from rlvr_fast.tasks import load_verifier
from rlvr_fast.tasks.sandbox.answer_calls import answer_filter
from rlvr_fast.tasks.sandbox.landlock import read_only_view
from rlvr_fast.tasks.sandbox.locks import adopt_orphans, die_with_parent, drop_privileges

__all__ = ["main"]

MEBIBYTE = 1 << 20


def main() -> None:
    """Answers requests until grading closes the pipe."""
    requests, replies = int(sys.argv[1]), int(sys.argv[2])
    paths, nonce, memory_mb = json.loads(sys.argv[3]), sys.argv[4], int(sys.argv[5])
    guarded, sandboxed = sys.argv[6] != "programs", sys.argv[6] == "bubblewrap"
    parent = os.getppid()
    die_with_parent()
    if os.getppid() != parent:
        return  # the parent ended before it could take this process with it
    for number in (requests, replies):
        os.set_inheritable(number, False)
    watch: Callable[[bool], None] = _unwatched
    closed = True
    if guarded:
        adopt_orphans()
        drop_privileges()
        closed = sandboxed or read_only_view([*paths[0], os.environ["HOME"]], paths[1])
        _limit(resource.RLIMIT_FSIZE, 0)
        _limit(resource.RLIMIT_AS, memory_mb * MEBIBYTE)
        watch = guard_answers()
    _limit(resource.RLIMIT_CORE, 0)
    os.dup2(0, 2)  # grading reads standard error only to learn why a worker did not start
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    _write(replies, nonce, Reply("ready"))
    worker = _Worker((requests, replies), watch, answer_filter() if guarded else None)
    while (request := read_frame(requests)) is not None:
        reply = worker.reply(request)
        if not closed and reply.kind == "verdict" and reply.detail != "memory":
            reply = replace(reply, detail="")  # an answer could put the text of a file there
        _write(replies, request["nonce"], reply)
    os._exit(0)  # nothing is left to write, and a large interpreter takes its time to end


def _unwatched(now: bool) -> None:
    """A verifier that runs programs starts processes; it hands no answer to the interpreter."""


class _Worker:
    """Verifies one request after the other."""

    def __init__(
        self, pipes: tuple[int, int], watch: Callable[[bool], None], code: bytes | None
    ) -> None:
        self._pipes = pipes
        self._watch = watch
        self._code = code

    def reply(self, request: dict[str, Any]) -> Reply:
        try:
            # Loading runs trusted code, and its time does not count for the answer.
            verifier = load_verifier(request["spec"])
            verifier.prepare(request["problem_id"], request["metadata"])
        except MemoryError:
            text = "the memory limit of a worker does not hold the verifier; raise memory_mb"
            return Reply("fatal", detail=text)
        except Exception as error:
            return Reply("fatal", detail=(str(error) or type(error).__name__)[:MAX_FATAL])
        if not getattr(verifier, "evaluates", False):
            return self._verified_here(verifier, request)
        before = _own_state()
        gc.freeze()  # the child's collector leaves the pages of the worker's objects alone
        reply = verify_in_child(
            lambda: self._verified_in_child(verifier, request),
            limit=request["limit"],
            wall=request["wall"],
            closed=self._pipes,
            code=self._code,
        )
        if _own_state() != before:
            # The answer changed what its neighbours would run under: another worker serves them.
            raise SystemExit("an answer changed the limits or the priority of its worker")
        return reply

    def _verified_in_child(self, verifier: Any, request: dict[str, Any]) -> dict[str, Any]:
        guard_for_good()
        reply = _verdict(verifier, request)
        return {"kind": reply.kind, "verdict": reply.verdict, "detail": reply.detail}

    def _verified_here(self, verifier: Any, request: dict[str, Any]) -> Reply:
        # Processor time in place of wall time: the load of the machine decides no verdict.
        signal.setitimer(signal.ITIMER_PROF, request["limit"])
        self._watch(True)
        try:
            return _verdict(verifier, request)
        finally:
            self._watch(False)
            signal.setitimer(signal.ITIMER_PROF, 0)


def _verdict(verifier: Any, request: dict[str, Any]) -> Reply:
    _seed_random_numbers()
    try:
        verdict = verifier.verify(
            request["problem_id"], request["gold"], request["metadata"], request["answer"]
        )
        return Reply("verdict", verdict, plain_text(getattr(verifier, "reason", "")))
    except MemoryError:
        gc.collect()
        return Reply("verdict", "error", "memory")
    except BaseException as error:
        with contextlib.suppress(Exception):
            return Reply("verdict", "error", plain_text(f"{type(error).__name__}: {error}"))
        return Reply("verdict", "error", "an exception without a text")


def _seed_random_numbers() -> None:
    """Lets no verdict depend on the answers before it (sympy compares values at random points)."""
    random.seed(0)
    for name in ("sympy.core.random", "numpy.random"):
        if name in sys.modules:
            sys.modules[name].seed(0)


def _own_state() -> tuple[Any, ...]:
    """What another process of the same user may change in this one."""
    limits = [
        resource.getrlimit(getattr(resource, name))
        for name in sorted(dir(resource))
        if name.startswith("RLIMIT_")
    ]
    if not sys.platform.startswith("linux"):
        return (limits,)
    return (
        limits,
        os.getpriority(os.PRIO_PROCESS, 0),
        os.sched_getscheduler(0),
        sorted(os.sched_getaffinity(0)),
        sorted(map(str, Path(os.environ.get("HOME", "/")).iterdir())),
    )


def _limit(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (value, value))


def _write(descriptor: int, nonce: str, reply: Reply) -> None:
    message = {
        "nonce": nonce,
        "kind": reply.kind,
        "verdict": reply.verdict,
        "detail": reply.detail,
        "timeout": reply.timeout,
    }
    data = json.dumps(message).encode() + b"\n"
    while data:
        data = data[os.write(descriptor, data) :]
