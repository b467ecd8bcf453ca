"""The audit hook that stands between an answer and the interpreter that verifies it.

Some verifiers evaluate an answer as Python (sympy's parse_expr), so an answer may be a program. The
hook is the innermost wall and no isolation: bubblewrap, the system-call filter and a process for
each answer stand behind it.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Any

__all__ = ["guard_answers", "guard_for_good"]

# Audit events that no verifier needs (https://docs.python.org/3/library/audit_events.html).
_FORBIDDEN = (
    "ctypes.", "cpython.run_", "ftplib.", "gc.", "http.", "os.chdir", "os.chflags", "os.chmod",
    "os.chown", "os.exec", "os.fork", "os.forkpty", "os.fwalk", "os.kill", "os.killpg", "os.link",
    "os.lockf", "os.mkdir", "os.posix_spawn", "os.putenv", "os.remove", "os.removexattr",
    "os.rename", "os.rmdir", "os.setxattr", "os.spawn", "os.startfile", "os.symlink", "os.system",
    "os.truncate", "os.unsetenv", "os.utime", "pty.", "resource.", "shutil.", "signal.",
    "smtplib.", "socket.", "sqlite3.", "subprocess.", "sys.setprofile", "sys.settrace",
    "syslog.", "tempfile.", "urllib.", "webbrowser.", "_winapi.", "_posixsubprocess.",
)  # fmt: skip


def guard_answers() -> Callable[[bool], None]:
    """Installs a hook with a switch, for a process that verifies many answers.

    Returns:
        A function that says whether an answer is being verified; the hook refuses nothing at other
        times.
    """
    watching = [False]
    guard = _guard()

    def guard_while_watching(event: str, arguments: tuple[Any, ...]) -> None:
        if watching[0]:
            guard(event, arguments)

    def watch(now: bool) -> None:
        watching[0] = now

    sys.addaudithook(guard_while_watching)
    time.sleep = _no_sleep  # type: ignore[assignment]
    return watch


def guard_for_good() -> None:
    """Installs a hook without a switch, for a process that verifies one answer and ends."""
    sys.addaudithook(_guard())
    time.sleep = _no_sleep  # type: ignore[assignment]


def _guard() -> Callable[[str, tuple[Any, ...]], None]:
    # An answer can replace builtins and the attributes of modules, so the hook keeps its own.
    forbidden, writing = _FORBIDDEN, os.O_WRONLY | os.O_RDWR | os.O_CREAT
    is_a, text, refusal, decoded = isinstance, str, PermissionError, os.fsdecode
    whole, texts = int, (str, bytes)

    def guard(event: str, arguments: tuple[Any, ...]) -> None:
        if event.startswith(forbidden):
            raise refusal(f"an answer may not do {event}")
        if event == "open":
            path, mode, flags = arguments[:3]
            if is_a(flags, whole) and flags & writing:
                raise refusal("an answer may not write files")
            if is_a(mode, text):
                for letter in "wax+":
                    if letter in mode:
                        raise refusal("an answer may not write files")
            if is_a(path, texts) and decoded(path).startswith(("/proc", "/dev")):
                raise refusal("an answer may not read facts of processes")

    return guard


def _no_sleep(seconds: float) -> None:
    # A sleep uses no processor time, and would last until the wall time.
    raise PermissionError("an answer may not sleep")
