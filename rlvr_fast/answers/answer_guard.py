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

__all__ = ["guard_answers"]

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
    """Installs the hook, which Python cannot remove, and takes time.sleep away.

    Returns:
        A function that says whether an answer is being verified; the hook refuses nothing at other
        times. The forked process of an answer says so once and throws the function away.
    """
    watching = [False]
    forbidden, writing = _FORBIDDEN, os.O_WRONLY | os.O_RDWR | os.O_CREAT

    def guard(event: str, arguments: tuple[Any, ...]) -> None:
        if not watching[0]:
            return
        if event.startswith(forbidden):
            raise PermissionError(f"an answer may not do {event}")
        if event == "open":
            path, mode, flags = arguments[:3]
            changes = isinstance(mode, str) and any(letter in mode for letter in "wax+")
            if changes or (isinstance(flags, int) and flags & writing):
                raise PermissionError("an answer may not write files")
            if isinstance(path, str | bytes) and os.fsdecode(path).startswith(("/proc", "/dev")):
                raise PermissionError("an answer may not read facts of processes")

    def sleepless(seconds: float) -> None:
        # A sleep uses no processor time, and would last until the wall time.
        raise PermissionError("an answer may not sleep")

    def watch(now: bool) -> None:
        watching[0] = now

    sys.addaudithook(guard)
    time.sleep = sleepless  # type: ignore[assignment]
    return watch
