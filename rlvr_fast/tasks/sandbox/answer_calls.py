"""The system calls that are left to the verification of one answer, as a seccomp filter.

A process that verifies an answer computes, reads files, and writes its verdict into a pipe that is
open already. What else the kernel offers, now or in a later version, is refused: changes of files,
new processes and programs, sockets and other objects of the kernel, and all that reaches another
process. The filter holds inside bubblewrap and without it, and code that undoes the audit hook is
under it too.
"""

from __future__ import annotations

import errno
import platform
import struct
from collections.abc import Sequence

__all__ = ["answer_filter"]

# Calls that are allowed: number on x86-64 (arch/x86/entry/syscalls/syscall_64.tbl), and on ARM64
# (include/uapi/asm-generic/unistd.h), None where there is none.
_ALLOWED: dict[str, tuple[int, int | None]] = {
    # open descriptors
    "read": (0, 63), "readv": (19, 65), "pread64": (17, 67), "preadv": (295, 69), "write": (1, 64),
    "writev": (20, 66), "lseek": (8, 62), "close": (3, 57), "dup": (32, 23), "dup2": (33, None),
    "dup3": (292, 24), "poll": (7, None), "ppoll": (271, 73), "select": (23, None),
    "pselect6": (270, 72), "fadvise64": (221, 223),
    # names and facts of files
    "stat": (4, None), "fstat": (5, 80), "lstat": (6, None), "newfstatat": (262, 79),
    "statx": (332, 291), "statfs": (137, 43), "fstatfs": (138, 44), "access": (21, None),
    "faccessat": (269, 48), "faccessat2": (439, 439), "readlink": (89, None),
    "readlinkat": (267, 78), "getdents64": (217, 61), "getcwd": (79, 17),
    # memory
    "mmap": (9, 222), "munmap": (11, 215), "mremap": (25, 216), "mprotect": (10, 226),
    "madvise": (28, 233), "brk": (12, 214), "membarrier": (324, 283),
    # this process: its signals, timers, limits, identity and end
    "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139),
    "sigaltstack": (131, 132), "restart_syscall": (219, 128), "getitimer": (36, 102),
    "setitimer": (38, 103), "getrlimit": (97, 163), "getrusage": (98, 165), "times": (100, 153),
    "getpid": (39, 172), "getppid": (110, 173), "gettid": (186, 178), "getuid": (102, 174),
    "geteuid": (107, 175), "getgid": (104, 176), "getegid": (108, 177), "getgroups": (115, 158),
    "futex": (202, 98), "set_robust_list": (273, 99), "get_robust_list": (274, 100),
    "rseq": (334, 293), "sched_yield": (24, 124), "sched_getaffinity": (204, 123),
    "getcpu": (309, 168), "exit": (60, 93), "exit_group": (231, 94),
    # the machine and the time
    "uname": (63, 160), "sysinfo": (99, 179), "getrandom": (318, 278), "time": (201, None),
    "gettimeofday": (96, 169), "clock_gettime": (228, 113), "clock_getres": (229, 114),
}  # fmt: skip
# Calls of which an argument decides. Two open files, read only; prlimit64 is for this process only.
_OPEN, _OPENAT, _PRLIMIT = (2, None), (257, 56), (302, 261)
_FCNTL, _IOCTL = (72, 25), (16, 29)
# O_WRONLY, O_RDWR, O_CREAT and O_TRUNC; O_TMPFILE needs one of the first two
_WRITING = 0x1 | 0x2 | 0x40 | 0x200
# F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_DUPFD_CLOEXEC: none of them names a process or a signal
_DESCRIPTOR_COMMANDS = (0, 1, 2, 3, 1030)
# TCGETS, TIOCGWINSZ, FIONREAD, FIONCLEX, FIOCLEX
_DEVICE_COMMANDS = (0x5401, 0x5413, 0x541B, 0x5450, 0x5451)
# From here on numbers are the same everywhere, and the C library does without the calls where it is
# told that there are none; the arguments of clone3 and openat2 lie in memory that no filter reads.
_FIRST_NEW = 424

_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32_BIT = 0x40000000

_LOAD, _EQUAL, _AT_LEAST, _BITS, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_REFUSE = _ERRNO | errno.EPERM
# offsets in struct seccomp_data, whose arguments have 64 bits each
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
_Instruction = tuple[int, int, int, int]


def answer_filter(machine: str | None = None) -> bytes | None:
    """The compiled filter for a processor.

    Refused calls fail with EPERM, so that Python raises PermissionError.

    Args:
        machine: "x86_64" or "aarch64"; by default that of this machine.

    Returns:
        The filter's instructions, None where the numbers of the calls are not known.
    """
    machine = machine or platform.machine()
    if machine not in _ARCHITECTURES:
        return None
    place = 0 if machine == "x86_64" else 1
    program: list[_Instruction] = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, _ARCHITECTURES[machine]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
    ]
    if machine == "x86_64":
        program += [(_AT_LEAST, 0, 1, _X32_BIT), (_RETURN, 0, 0, _REFUSE)]
    for numbers in _ALLOWED.values():
        program += _where(numbers[place], [(_RETURN, 0, 0, _ALLOW)])
    program += _where(_OPEN[place], _unless_set(1, _WRITING))
    program += _where(_OPENAT[place], _unless_set(2, _WRITING))
    program += _where(_PRLIMIT[place], _unless_set(0, 0xFFFFFFFF))
    program += _where(_FCNTL[place], _one_of(1, _DESCRIPTOR_COMMANDS))
    program += _where(_IOCTL[place], _one_of(1, _DEVICE_COMMANDS))
    program += [(_AT_LEAST, 0, 1, _FIRST_NEW), (_RETURN, 0, 0, _ERRNO | errno.ENOSYS)]
    program.append((_RETURN, 0, 0, _REFUSE))
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)


def _where(number: int | None, verdict: Sequence[_Instruction]) -> list[_Instruction]:
    """Instructions that end in a verdict, for the call with this number alone."""
    return [] if number is None else [(_EQUAL, 0, len(verdict), number), *verdict]


def _unless_set(argument: int, bits: int) -> list[_Instruction]:
    """Refuses the call where any of these bits of the argument is set."""
    return [
        (_LOAD, 0, 0, _ARGUMENTS + 8 * argument),
        (_BITS, 0, 1, bits),
        (_RETURN, 0, 0, _REFUSE),
        (_RETURN, 0, 0, _ALLOW),
    ]


def _one_of(argument: int, values: Sequence[int]) -> list[_Instruction]:
    """Allows the call where the argument is one of these values, as the kernel reads 32 bits."""
    tests = [
        instruction
        for value in values
        for instruction in ((_EQUAL, 0, 1, value), (_RETURN, 0, 0, _ALLOW))
    ]
    return [(_LOAD, 0, 0, _ARGUMENTS + 8 * argument), *tests, (_RETURN, 0, 0, _REFUSE)]
