"""The memory of a sandbox where there is no cgroup that counts it."""

# A count is made 100 times a second, and a Path costs more than the call on it.
# ruff: noqa: PTH110, PTH115, PTH123, PTH208

from __future__ import annotations

import contextlib
import functools
import os
import resource
import threading
from collections.abc import Iterator
from pathlib import Path

__all__ = ["children", "used_bytes"]

PAGE = resource.getpagesize()
# What the kernel holds at most: the system-call filter allows no larger buffers.
SOCKET_BYTES = 208 << 10  # of a stream by default (net.core.wmem_default)
PIPE_BYTES = 64 << 10
DESCRIPTORS = 64  # that a process may have (`Limits`)
WATCH_BYTES = 4  # a watch of epoll takes at most four times the bytes of its line in fdinfo
INODE_BYTES = 1 << 10  # an empty file in a tmpfs, with its name
MAPPING_BYTES = 4  # a mapping takes four times the bytes of its line in /proc/PID/maps


def used_bytes(pid: int, disk_bytes: int, *, whole: bool = True) -> int:
    """Memory of a sandbox, in bytes.

    Resident pages, files in /tmp and /dev/shm, sockets and pipes at their largest, the lists of
    mappings and of watched descriptors, and pages in swap space. A page that several processes
    share counts for each.

    Args:
        pid: of bubblewrap, whose descendants are counted.
        disk_bytes: the size of /tmp and of /dev/shm, by which the sandbox's own are known.
        whole: whether all that is not resident counts, which takes most of the time.
    """
    total, sandboxed = 0, 0
    held: dict[str, int] = {}
    parents = None if _kernel_lists_children() else _by_parent()
    waiting = [pid]
    while waiting:
        current = waiting.pop()
        try:
            tasks = os.listdir(f"/proc/{current}/task")
        except OSError:
            continue
        # a first thread that has ended shows no memory, while others go on
        total += next(filter(None, (_mapped(current, task, whole) for task in tasks)), 0)
        for task in tasks:
            # children belong to the thread that forked them, and a thread may have its own
            # descriptors
            if parents is None:
                waiting += children(current, task)
            if whole and current != pid:
                held.update(_held(current, task))
        if current != pid:
            sandboxed = sandboxed or current  # its first process, which ends last
        if parents is not None:
            waiting += parents.pop(current, [])
    total += sum(held.values())
    if sandboxed:
        total += _files(sandboxed, disk_bytes)
    return total


def _mapped(pid: int, task: str, whole: bool) -> int:
    """Resident bytes that one thread sees, and where `whole` what lies elsewhere for it."""
    total = 0
    try:
        with open(f"/proc/{pid}/task/{task}/statm", "rb") as file:
            total = int(file.read().split()[1]) * PAGE
        if whole:
            with open(f"/proc/{pid}/task/{task}/status", "rb") as file:
                total += sum(_kibibytes(line) for line in file if line.startswith(b"VmSwap:"))
            total += MAPPING_BYTES * _length(f"/proc/{pid}/task/{task}/maps")
    except (OSError, ValueError, IndexError):
        pass
    return total


def _kibibytes(line: bytes) -> int:
    """Bytes, from a line such as 'VmSwap:     12 kB'."""
    return int(line.split()[1]) << 10


def children(pid: int, task: str) -> list[int]:
    """The processes that one thread of a process has forked, or that were left to it."""
    try:
        with open(f"/proc/{pid}/task/{task}/children", "rb") as file:
            return [int(word) for word in file.read().split()]
    except (OSError, ValueError):
        return []


@functools.cache
def _kernel_lists_children() -> bool:
    return os.path.exists(f"/proc/self/task/{threading.get_native_id()}/children")


def _by_parent() -> dict[int, list[int]]:
    """The children of every process, for kernels without /proc/PID/task/TID/children."""
    found: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdecimal():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    parent = int(file.read().rpartition(b")")[2].split()[1])
            except (OSError, ValueError, IndexError):
                continue
            found.setdefault(parent, []).append(int(name))
    return found


def _held(pid: int, task: str) -> Iterator[tuple[str, int]]:
    """Name and size of the sockets and pipes of a thread."""
    folder = f"/proc/{pid}/task/{task}/fd"
    try:
        names = os.listdir(folder)
    except PermissionError:  # a process may make itself unreadable to its own user
        yield folder, DESCRIPTORS * _socket_bytes()
        return
    except OSError:
        return
    for name in names:
        try:
            target = os.readlink(f"{folder}/{name}")
        except OSError:
            continue
        if target.startswith("socket:"):
            yield target, _socket_bytes()
        elif target.startswith("pipe:"):
            yield target, PIPE_BYTES
        elif target == "anon_inode:[eventpoll]":
            yield f"{pid} {task} {name}", WATCH_BYTES * _length(f"/proc/{pid}/fdinfo/{name}")


def _length(path: str) -> int:
    """Bytes of a file in /proc."""
    total = 0
    with contextlib.suppress(OSError), open(path, "rb", buffering=0) as file:
        while block := file.read(1 << 16):
            total += len(block)
    return total


@functools.cache
def _socket_bytes() -> int:
    """Of one socket: its buffer, and half as much for the message that exceeds it."""
    most = SOCKET_BYTES
    with contextlib.suppress(OSError, ValueError):
        most = int(Path("/proc/sys/net/core/wmem_default").read_text())
    return most * 3 // 2


def _files(pid: int, disk_bytes: int) -> int:
    """What lies in the tmpfs of a sandbox; files that are deleted but open are part of it."""
    total = 0
    for folder in ("tmp", "dev/shm"):
        try:
            found = os.statvfs(Path("/proc", str(pid), "root", folder))
        except OSError:
            continue
        if found.f_blocks * found.f_frsize != disk_bytes:
            continue  # bubblewrap has not mounted it yet, and this is the machine's
        total += (found.f_blocks - found.f_bfree) * found.f_frsize
        total += (found.f_files - found.f_ffree) * INODE_BYTES
    return total
