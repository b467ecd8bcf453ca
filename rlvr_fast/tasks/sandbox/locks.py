"""What a process gives up for good, so that code that it runs later cannot use it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import struct
import sys

__all__ = [
    "adopt_orphans",
    "die_with_parent",
    "drop_privileges",
    "lock_for_an_answer",
    "refuse_calls",
]

# prctl(2)
_SET_PDEATHSIG, _SET_DUMPABLE, _SET_SECCOMP, _CAPBSET_DROP = 1, 4, 22, 24
_SET_CHILD_SUBREAPER, _SET_NO_NEW_PRIVS = 36, 38
_FILTER_MODE = 2
# capset(2), version 3 of its header
_CAPABILITY_VERSION, _CAPABILITIES = 0x20080522, 64
_CAPSET = {"x86_64": 126, "aarch64": 91}


class _FilterProgram(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


def die_with_parent() -> None:
    """Lets the kernel end this process when its parent ends."""
    if sys.platform.startswith("linux"):
        _prctl(_SET_PDEATHSIG, signal.SIGKILL)


def adopt_orphans() -> None:
    """Makes this process the parent of descendants whose own parent ended."""
    if sys.platform.startswith("linux"):
        _prctl(_SET_CHILD_SUBREAPER, 1)


def drop_privileges(*, hidden: bool = True) -> None:
    """Gives up every capability, new privileges, and the right of others to look into the process.

    Without bubblewrap a process of root keeps its capabilities, among them that to look into
    processes which are not dumpable. Memory and open files of a process that is not dumpable are
    closed to other processes of its user, its own forked children included.

    Args:
        hidden: whether to close the process to others of its user.
    """
    if not sys.platform.startswith("linux"):
        return
    _prctl(_SET_NO_NEW_PRIVS, 1)
    if os.geteuid() == 0:
        for number in range(_CAPABILITIES):
            _prctl(_CAPBSET_DROP, number)
        call = _CAPSET.get(os.uname().machine)
        if call is not None:
            header = ctypes.create_string_buffer(struct.pack("=Ii", _CAPABILITY_VERSION, 0))
            nothing = ctypes.create_string_buffer(24)
            _library().syscall(call, header, nothing)
    if hidden:
        _prctl(_SET_DUMPABLE, 0)


def lock_for_an_answer(cpu_seconds: int, code: bytes | None = None) -> None:
    """Leaves this process nothing but computing and reading, for `cpu_seconds` at most.

    The kernel ends the process after its processor seconds, whatever it does to timers and
    signals: the soft limit by SIGXCPU, one second later the hard limit by SIGKILL.

    Args:
        cpu_seconds: processor seconds, counted from the start of the process.
        code: `answer_filter()`, compiled before the process was forked; None leaves the system
            calls as they are.
    """
    for name, soft, hard in (
        ("RLIMIT_CPU", cpu_seconds, cpu_seconds + 1),
        ("RLIMIT_CORE", 0, 0),
        ("RLIMIT_NPROC", 0, 0),
        ("RLIMIT_FSIZE", 0, 0),
    ):
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(getattr(resource, name), (soft, hard))
    refuse_calls(code)


def refuse_calls(code: bytes | None) -> None:
    """Puts this process under a filter of system calls; `drop_privileges` comes first.

    Args:
        code: the compiled filter; None leaves the calls as they are.
    """
    if code is not None:
        buffer = ctypes.create_string_buffer(code, len(code))
        program = _FilterProgram(len(code) // 8, ctypes.cast(buffer, ctypes.c_void_p).value)
        _prctl(_SET_SECCOMP, _FILTER_MODE, ctypes.byref(program))


def _prctl(option: int, *values: object) -> int:
    arguments = [ctypes.c_ulong(value) if isinstance(value, int) else value for value in values]
    padding = [ctypes.c_ulong(0)] * (4 - len(arguments))
    return int(_library().prctl(ctypes.c_int(option), *arguments, *padding))


def _library() -> ctypes.CDLL:
    global _LIBRARY
    if _LIBRARY is None:
        _LIBRARY = ctypes.CDLL(None, use_errno=True)
    return _LIBRARY


_LIBRARY: ctypes.CDLL | None = None
