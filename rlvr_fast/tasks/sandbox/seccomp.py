"""System calls that a sandboxed program is refused, as a seccomp filter for bubblewrap.

Namespaces hide the machine, and resource limits count processes, files and address space. Neither
counts memory that no process maps (memfd, System V segments, message queues). A user namespace of
the program's own, ptrace, io_uring and a socket to the hypervisor give the program nothing but ways
to attack the kernel. The filter is classic BPF (seccomp(2), struct seccomp_data) and refuses these
calls by number; the calls that computing, reading and printing need stay allowed.

Buffers of the kernel are bounded by refusing what makes them large. The only sockets are pairs of
unix streams (asyncio uses one): a listening socket holds thousands of connections, a datagram
socket the messages of senders that are closed, and setsockopt enlarges every buffer. F_SETPIPE_SZ
enlarges pipes. inotify pins inodes, and io_setup takes the contexts of the whole machine.

Programs are refused more than the workers of verifiers (`program_filter`). No cgroup is charged
for lists of access rights in a tmpfs, policies of NUMA nodes or names of mappings. Where no cgroup
counts, filters of its own, Landlock rulesets, hash tables of futexes, descriptors on their way in a
socket, pages of deleted files in a socket, and shared anonymous memory that nobody has mapped are
seen by no file in /proc. Calls and operations of prctl that are not known here are refused, so that
a newer kernel adds none.
"""

from __future__ import annotations

import errno
import platform
import struct

__all__ = ["program_filter", "syscall_filter"]

# From the kernel's tables: arch/x86/entry/syscalls/syscall_64.tbl and
# include/uapi/asm-generic/unistd.h. From 424 on the numbers are the same everywhere.
# Each processor: its name to the kernel, calls in every filter, calls in that of programs.
_ARCHITECTURES: dict[str, tuple[int, dict[str, int], dict[str, int]]] = {
    "x86_64": (
        0xC000003E,
        {
            "shmget": 29, "shmat": 30, "semget": 64, "msgget": 68, "ptrace": 101, "syslog": 103,
            "modify_ldt": 154, "pivot_root": 155, "adjtimex": 159, "chroot": 161, "acct": 163,
            "settimeofday": 164, "mount": 165, "umount2": 166, "swapon": 167, "swapoff": 168,
            "reboot": 169, "iopl": 172, "ioperm": 173, "init_module": 175, "delete_module": 176,
            "quotactl": 179, "lookup_dcookie": 212, "clock_settime": 227, "mq_open": 240,
            "kexec_load": 246, "add_key": 248, "request_key": 249, "keyctl": 250, "unshare": 272,
            "vmsplice": 278, "perf_event_open": 298, "fanotify_init": 300,
            "name_to_handle_at": 303, "open_by_handle_at": 304, "clock_adjtime": 305, "setns": 308,
            "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312, "finit_module": 313,
            "memfd_create": 319, "kexec_file_load": 320, "bpf": 321, "userfaultfd": 323,
            "socket": 41, "setsockopt": 54, "io_setup": 206, "inotify_init": 253,
            "inotify_init1": 294, "clone": 56, "socketpair": 53, "fcntl": 72,
        },
        {
            "sendfile": 40, "sendmsg": 46, "setxattr": 188, "lsetxattr": 189, "fsetxattr": 190,
            "mbind": 237, "set_mempolicy": 238, "migrate_pages": 256, "splice": 275, "tee": 276,
            "move_pages": 279, "sendmmsg": 307, "seccomp": 317, "mmap": 9, "prctl": 157,
        },
    ),
    "aarch64": (
        0xC00000B7,
        {
            "lookup_dcookie": 18, "umount2": 39, "mount": 40, "pivot_root": 41, "chroot": 51,
            "quotactl": 60, "vmsplice": 75, "acct": 89, "unshare": 97, "kexec_load": 104,
            "init_module": 105, "delete_module": 106, "clock_settime": 112, "syslog": 116,
            "ptrace": 117, "reboot": 142, "settimeofday": 170, "adjtimex": 171, "mq_open": 180,
            "msgget": 186, "semget": 190, "shmget": 194, "shmat": 196, "add_key": 217,
            "request_key": 218, "keyctl": 219, "swapon": 224, "swapoff": 225,
            "perf_event_open": 241, "fanotify_init": 262, "name_to_handle_at": 264,
            "open_by_handle_at": 265, "clock_adjtime": 266, "setns": 268, "process_vm_readv": 270,
            "process_vm_writev": 271, "kcmp": 272, "finit_module": 273, "memfd_create": 279,
            "bpf": 280, "userfaultfd": 282, "kexec_file_load": 294,
            "io_setup": 0, "inotify_init1": 26, "socket": 198, "setsockopt": 208,
            "clone": 220, "socketpair": 199, "fcntl": 25,
        },
        {
            "setxattr": 5, "lsetxattr": 6, "fsetxattr": 7, "sendfile": 71, "splice": 76, "tee": 77,
            "sendmsg": 211, "mbind": 235, "set_mempolicy": 237, "migrate_pages": 238,
            "move_pages": 239, "sendmmsg": 269, "seccomp": 277, "mmap": 222, "prctl": 167,
        },
    ),
}  # fmt: skip
_EVERYWHERE = {
    "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "open_tree": 428,
    "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433,
    "pidfd_getfd": 438, "mount_setattr": 442, "quotactl_fd": 443, "memfd_secret": 447,
}  # fmt: skip
_EVERYWHERE_PROGRAMS = {
    "landlock_create_ruleset": 444, "landlock_add_rule": 445, "landlock_restrict_self": 446,
}  # fmt: skip
_CLONE3 = 435
_FIRST_UNKNOWN = 450  # set_mempolicy_home_node; 449, futex_waitv, is of Linux 5.16
_X32_BIT = 0x40000000
# CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET
_NEW_NAMESPACES = 0x7E020000
_UNIX, _STREAM = 1, 1
_SOCKET_TYPE = 0xF  # the other bits are SOCK_NONBLOCK and SOCK_CLOEXEC
_SET_PIPE_SIZE = 1031  # fcntl(F_SETPIPE_SZ)
# fcntl(F_SETLK, F_SETLKW, F_OFD_SETLK, F_OFD_SETLKW): any number of locks for one descriptor
_SET_LOCK = (6, 7, 37, 38)
_SHARED, _ANONYMOUS, _HUGE_PAGES = 0x01, 0x20, 0x40000  # MAP_*
# prctl: PDEATHSIG (1, 2), GET_DUMPABLE, NAME (15, 16), GET_SECCOMP, CAPBSET_READ, TIMERSLACK (29,
# 30), CHILD_SUBREAPER (36, 37), NO_NEW_PRIVS (38, 39), GET_TID_ADDRESS, THP_DISABLE (41, 42)
_PRCTL = (1, 2, 3, 15, 16, 21, 23, 29, 30, 36, 37, 38, 39, 40, 41, 42)

_LOAD, _EQUAL, _AT_LEAST, _BITS, _AND, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_REFUSE, _UNKNOWN, _INVALID = (_ERRNO | code for code in (errno.EPERM, errno.ENOSYS, errno.EINVAL))
_WITHOUT_EFFECT = _ERRNO  # the call gives 0
# offsets in struct seccomp_data
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT, _SECOND_ARGUMENT, _FOURTH_ARGUMENT = 0, 4, 16, 24, 40

_Instruction = tuple[int, int, int, int]


def syscall_filter(machine: str | None = None) -> bytes | None:
    """The compiled filter of every sandbox, for a processor.

    Refused calls fail with EPERM, so that a program sees an OSError. clone3 fails with ENOSYS,
    since its flags lie in memory that a filter cannot read: the C library then uses clone.

    Args:
        machine: "x86_64" or "aarch64"; by default that of this machine.

    Returns:
        The filter's instructions, None where the numbers of the calls are not known.
    """
    known = _ARCHITECTURES.get(machine or platform.machine())
    if known is None:
        return None
    architecture, calls, _ = known
    refused = dict.fromkeys({**calls, **_EVERYWHERE}.values(), _REFUSE)
    return _packed(architecture, refused, _by_arguments(calls), None)


def program_filter(machine: str | None = None, *, shared_memory: bool = True) -> bytes | None:
    """The compiled filter of programs from models: as `syscall_filter`, and more.

    Calls that are newer than Linux 5.16 fail with ENOSYS, as on such a kernel. Locks of parts of a
    file are granted without effect, since SQLite asks for them.

    Args:
        machine: as for `syscall_filter`.
        shared_memory: whether memory without a file may be mapped shared: where no cgroup counts
            it, memory that was written and unmapped belongs to no process.

    Returns:
        As `syscall_filter`.
    """
    known = _ARCHITECTURES.get(machine or platform.machine())
    if known is None:
        return None
    architecture, calls, of_programs = known
    every = {**calls, **_EVERYWHERE, **of_programs, **_EVERYWHERE_PROGRAMS}
    refused = dict.fromkeys(every.values(), _REFUSE)
    tests = _by_arguments(calls)
    tests[calls["fcntl"]] = [
        (_LOAD, 0, 0, _SECOND_ARGUMENT),
        *_where(_SET_PIPE_SIZE, _REFUSE),
        *(step for command in _SET_LOCK for step in _where(command, _WITHOUT_EFFECT)),
        (_RETURN, 0, 0, _ALLOW),
    ]
    tests[of_programs["prctl"]] = [
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        *(step for option in _PRCTL for step in _where(option, _ALLOW)),
        (_RETURN, 0, 0, _INVALID),
    ]
    shared = [] if shared_memory else [(_BITS, 0, 2, _ANONYMOUS), (_BITS, 0, 1, _SHARED)]
    tests[of_programs["mmap"]] = [
        (_LOAD, 0, 0, _FOURTH_ARGUMENT),
        (_BITS, 0, 1, _HUGE_PAGES),
        (_RETURN, 0, 0, _REFUSE),
        *([*shared, (_RETURN, 0, 0, _REFUSE)] if shared else []),
        (_RETURN, 0, 0, _ALLOW),
    ]
    return _packed(architecture, refused, tests, _FIRST_UNKNOWN)


def _by_arguments(calls: dict[str, int]) -> dict[int, list[_Instruction]]:
    """The tests of calls that depend on an argument, by number; each ends in a verdict."""
    return {
        calls["clone"]: [
            (_LOAD, 0, 0, _FIRST_ARGUMENT),
            (_BITS, 0, 1, _NEW_NAMESPACES),
            (_RETURN, 0, 0, _REFUSE),
            (_RETURN, 0, 0, _ALLOW),
        ],
        calls["socketpair"]: [
            (_LOAD, 0, 0, _FIRST_ARGUMENT),
            (_EQUAL, 1, 0, _UNIX),
            (_RETURN, 0, 0, _REFUSE),
            (_LOAD, 0, 0, _SECOND_ARGUMENT),
            (_AND, 0, 0, _SOCKET_TYPE),
            (_EQUAL, 0, 1, _STREAM),
            (_RETURN, 0, 0, _ALLOW),
            (_RETURN, 0, 0, _REFUSE),
        ],
        calls["fcntl"]: [
            (_LOAD, 0, 0, _SECOND_ARGUMENT),
            *_where(_SET_PIPE_SIZE, _REFUSE),
            (_RETURN, 0, 0, _ALLOW),
        ],
    }


def _where(value: int, verdict: int) -> list[_Instruction]:
    """The verdict where the loaded word is this value."""
    return [(_EQUAL, 0, 1, value), (_RETURN, 0, 0, verdict)]


def _packed(
    architecture: int,
    verdicts: dict[int, int],
    by_arguments: dict[int, list[_Instruction]],
    first_unknown: int | None,
) -> bytes:
    """The filter.

    Args:
        architecture: of the processor, as the kernel names it.
        verdicts: number of a call to what becomes of it.
        by_arguments: number of a call to its tests, which come first.
        first_unknown: from this number on calls are not known; None: none is unknown.
    """
    # Each test is followed by its verdict, so every jump is one instruction long.
    program: list[_Instruction] = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
    ]
    if architecture == _ARCHITECTURES["x86_64"][0]:
        program += [(_AT_LEAST, 0, 1, _X32_BIT), (_RETURN, 0, 0, _REFUSE)]
    for number, tests in by_arguments.items():
        program += [(_EQUAL, 0, len(tests), number), *tests]
    for number, verdict in sorted({**verdicts, _CLONE3: _UNKNOWN}.items()):
        program += _where(number, verdict)
    if first_unknown is not None:
        program += [(_AT_LEAST, 0, 1, first_unknown), (_RETURN, 0, 0, _UNKNOWN)]
    program.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
