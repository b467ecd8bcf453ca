"""System calls that the verification of one answer is refused, as a seccomp filter.

A process that verifies an answer computes, reads files and writes its verdict into a pipe that is
open already. The filter refuses what is left: changes of files, new processes and programs,
sockets, and calls that change another process or its own priority. It holds inside bubblewrap and
without it, and forked children and code that undoes the audit hook are under it too.
"""

from __future__ import annotations

import errno
import platform
import struct
from collections.abc import Sequence

__all__ = ["answer_filter"]

# Refused calls: number on x86-64 (arch/x86/entry/syscalls/syscall_64.tbl), and on ARM64
# (include/uapi/asm-generic/unistd.h), None where there is none. prlimit64 stays allowed for the
# calling process itself.
_REFUSED: dict[str, tuple[int | None, int]] = {
    # files
    "mkdir": (83, 0), "mkdirat": (258, 34), "rmdir": (84, 0), "creat": (85, 0), "link": (86, 0),
    "linkat": (265, 37), "unlink": (87, 0), "unlinkat": (263, 35), "symlink": (88, 0),
    "symlinkat": (266, 36), "rename": (82, 0), "renameat": (264, 38), "renameat2": (316, 276),
    "mknod": (133, 0), "mknodat": (259, 33), "chmod": (90, 0), "fchmod": (91, 52),
    "fchmodat": (268, 53), "fchmodat2": (452, 452), "chown": (92, 0), "fchown": (93, 55),
    "lchown": (94, 0), "fchownat": (260, 54), "truncate": (76, 45), "ftruncate": (77, 46),
    "fallocate": (285, 47), "utime": (132, 0), "utimes": (235, 0), "futimesat": (261, 0),
    "utimensat": (280, 88), "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7),
    "removexattr": (197, 14), "lremovexattr": (198, 15), "fremovexattr": (199, 16),
    "open_by_handle_at": (304, 265), "memfd_create": (319, 279), "flock": (73, 32),
    # processes and programs
    "fork": (57, 0), "vfork": (58, 0), "clone": (56, 220), "execve": (59, 221),
    "execveat": (322, 281), "ptrace": (101, 117), "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271), "kcmp": (312, 272), "unshare": (272, 97), "setns": (308, 268),
    "kill": (62, 129), "tkill": (200, 130), "tgkill": (234, 131), "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240), "pidfd_send_signal": (424, 424), "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438), "process_madvise": (440, 440), "setpgid": (109, 154),
    "setsid": (112, 157), "prctl": (157, 167),
    # priorities and times
    "setpriority": (141, 140), "sched_setparam": (142, 118), "sched_setscheduler": (144, 119),
    "sched_setaffinity": (203, 122), "sched_setattr": (314, 274), "ioprio_set": (251, 30),
    "migrate_pages": (256, 238), "move_pages": (279, 239), "nanosleep": (35, 101),
    "clock_nanosleep": (230, 115), "pause": (34, 0),
    # sockets and memory that no process maps
    "socket": (41, 198), "socketpair": (53, 199), "shmget": (29, 194), "msgget": (68, 186),
    "semget": (64, 190), "mq_open": (240, 180), "add_key": (248, 217), "request_key": (249, 218),
    "keyctl": (250, 219), "bpf": (321, 280), "userfaultfd": (323, 282), "perf_event_open":
    (298, 241), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
}  # fmt: skip
# The flags of these calls lie in memory that a filter cannot read; the C library does without them.
_UNREADABLE = {"clone3": 435, "openat2": 437}
_OPEN: dict[str, tuple[int, int, int]] = {"x86_64": (2, 257, 302), "aarch64": (-1, 56, 261)}
_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32_BIT = 0x40000000
# O_WRONLY, O_RDWR, O_CREAT and O_TRUNC; O_TMPFILE needs one of the first two
_WRITING = 0x1 | 0x2 | 0x40 | 0x200

_LOAD, _EQUAL, _AT_LEAST, _BITS, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
# offsets in struct seccomp_data, whose arguments have 64 bits each
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16


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
    refused = _ERRNO | errno.EPERM
    program: list[tuple[int, int, int, int]] = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, _ARCHITECTURES[machine]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
    ]
    if machine == "x86_64":
        program += [(_AT_LEAST, 0, 1, _X32_BIT), (_RETURN, 0, 0, refused)]
    numbers = [known[place] for known in _REFUSED.values()]
    for number in sorted({number for number in numbers if number}):
        program += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, refused)]
    for number in sorted(_UNREADABLE.values()):
        program += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ERRNO | errno.ENOSYS)]
    plain_open, openat, prlimit = _OPEN[machine]
    for number, argument in ((plain_open, 1), (openat, 2)):
        if number > 0:
            program += _unless_zero(number, argument, _WRITING, refused)
    program += _unless_zero(prlimit, 0, 0xFFFFFFFF, refused)
    program.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)


def _unless_zero(
    number: int, argument: int, bits: int, refused: int
) -> Sequence[tuple[int, int, int, int]]:
    """Refuses the call where any of these bits of the argument is set."""
    return [
        (_EQUAL, 0, 4, number),
        (_LOAD, 0, 0, _ARGUMENTS + 8 * argument),
        (_BITS, 0, 1, bits),
        (_RETURN, 0, 0, refused),
        (_RETURN, 0, 0, _ALLOW),
    ]
