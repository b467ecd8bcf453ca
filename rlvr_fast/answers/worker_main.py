"""A worker process: `python -m rlvr_fast.answers.worker_main MEMORY_MB GUARDED`.

Reads requests, one JSON object on each line (id, spec, problem_id, gold, metadata, answer, limit),
and writes replies (id, verdict, grader, detail) in the same order. The process does not measure its
own time: the kernel ends it after `limit` processor seconds, and its parent after a wall time.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import resource
import signal
import sys
import time
from typing import Any

MEBIBYTE = 1 << 20

# Audit events that no verifier needs. Several verifiers evaluate an answer as Python through
# sympy's parse_expr, so an answer may be a program. The audit hook, a minimal environment, no
# writable files and the limits make harm harder; they do not isolate as bubblewrap does, in which
# the programs of code tasks run.
FORBIDDEN = (
    "ctypes.",
    "ftplib.",
    "glob.",
    "http.",
    "os.chflags",
    "os.chmod",
    "os.chown",
    "os.exec",
    "os.fork",
    "os.forkpty",
    "os.fwalk",
    "os.kill",
    "os.killpg",
    "os.link",
    "os.lockf",
    "os.mkdir",
    "os.posix_spawn",
    "os.putenv",
    "os.remove",
    "os.removexattr",
    "os.rename",
    "os.rmdir",
    "os.setxattr",
    "os.spawn",
    "os.startfile",
    "os.symlink",
    "os.system",
    "os.truncate",
    "os.unsetenv",
    "os.utime",
    "pty.",
    "shutil.",
    "signal.pthread_kill",
    "smtplib.",
    "socket.",
    "sqlite3.",
    "subprocess.",
    "tempfile.",
    "urllib.",
    "webbrowser.",
)


def main() -> None:
    """Answers requests until the parent closes the pipe."""
    memory_mb, guarded = int(sys.argv[1]), sys.argv[2] == "1"
    requests, replies = _channel()
    _die_with_parent()
    from rlvr_fast.tasks import load_verifier

    os.dup2(0, 2)  # the parent reads standard error only to learn why a worker did not start
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if guarded:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (memory_mb * MEBIBYTE, memory_mb * MEBIBYTE))
        sys.addaudithook(_guard)  # Python has no call that removes an audit hook
        # A sleep uses no processor time, and would last until the wall time.
        time.sleep = _no_sleep  # type: ignore[assignment]
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    replies.write(json.dumps({"ready": True}) + "\n")
    replies.flush()
    for line in requests:
        request = json.loads(line)
        reply = _verify(load_verifier, request)
        replies.write(json.dumps({"id": request["id"], **reply}) + "\n")
        replies.flush()


def _verify(load_verifier: Any, request: dict[str, Any]) -> dict[str, str]:
    try:
        # Loading runs trusted code, and its time does not count for the answer.
        verifier = load_verifier(request["spec"])
        grader = verifier.name
        verifier.prepare(request["problem_id"], request["metadata"])
    except MemoryError:
        return {"fatal": "the memory limit of a worker does not hold the verifier; raise memory_mb"}
    except Exception as error:
        return {"fatal": str(error) or type(error).__name__}
    try:
        # Processor time in place of wall time: the load of the machine decides no verdict.
        signal.setitimer(signal.ITIMER_PROF, request["limit"])
        _Clock.running = True
        try:
            verdict = verifier.verify(
                request["problem_id"], request["gold"], request["metadata"], request["answer"]
            )
        finally:
            _Clock.running = False
            signal.setitimer(signal.ITIMER_PROF, 0)
        return {"verdict": verdict, "grader": grader, "detail": ""}
    except MemoryError:
        gc.collect()
        return {"verdict": "error", "grader": grader, "detail": "memory"}
    except BaseException as error:
        with contextlib.suppress(Exception):
            text = f"{type(error).__name__}: {error}"
            return {"verdict": "error", "grader": grader, "detail": text[:400]}
        return {"verdict": "error", "grader": grader, "detail": type(error).__name__}


def _channel() -> tuple[Any, Any]:
    """The pipes to the parent, under file descriptors that print() and input() do not use."""
    incoming, outgoing = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1):
        os.dup2(null, number)
    requests = os.fdopen(incoming, encoding="utf-8", errors="surrogatepass")
    replies = os.fdopen(outgoing, "w", encoding="utf-8", errors="surrogatepass")
    return requests, replies


class _Clock:
    """Whether an answer is being verified; `_guard` restricts nothing at other times."""

    running = False


def _no_sleep(seconds: float) -> None:
    raise PermissionError("an answer may not sleep")


def _guard(event: str, arguments: tuple[Any, ...]) -> None:
    if not _Clock.running:
        return
    if event.startswith(FORBIDDEN):
        raise PermissionError(f"an answer may not do {event}")
    if event == "open":
        mode, flags = arguments[1], arguments[2]
        writing = isinstance(mode, str) and any(letter in mode for letter in "wax+")
        if writing or (isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)):
            raise PermissionError("an answer may not write files")


def _die_with_parent() -> None:
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    set_parent_death_signal = 1  # prctl(2), PR_SET_PDEATHSIG
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)


if __name__ == "__main__":
    main()
