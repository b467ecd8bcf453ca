"""A memory cgroup for each sandbox: the kernel then counts its own memory for the program too."""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import re
import threading
import time
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Hierarchy", "MemoryGroup", "find_hierarchy", "memory_group"]

NAME = re.compile(r"rlvr-(\d+)-(\d+)-(\d+)-\d+")
REMOVAL_SECONDS = 2.0
_NUMBERS = itertools.count()
_CREATING = threading.Lock()


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """Where groups may be made.

    Attributes:
        folder: the group that gets one child a sandbox.
        version: of cgroups, 1 or 2.
    """

    folder: Path
    version: int


class MemoryGroup:
    """The group of one sandbox."""

    def __init__(self, hierarchy: Hierarchy, limit: int) -> None:
        """Makes the group.

        Args:
            hierarchy: where.
            limit: bytes of memory, those of the kernel included.

        Raises:
            OSError: no group can be made there.
        """
        self._version = hierarchy.version
        self._folder = hierarchy.folder / f"rlvr-{_this_process()}-{next(_NUMBERS)}"
        self._folder.mkdir()
        try:
            if self._version == 1:
                self._set("memory.limit_in_bytes", limit)
                if (self._folder / "memory.memsw.limit_in_bytes").exists():
                    self._set("memory.memsw.limit_in_bytes", limit)
            else:
                self._set("memory.max", limit)
                if (self._folder / "memory.swap.max").exists():
                    self._set("memory.swap.max", 0)
        except OSError:
            self.remove()
            raise

    def add(self, pid: int) -> None:
        """Moves a process, whose later children follow it.

        Raises:
            OSError: the process may not be moved here.
        """
        self._set("cgroup.procs", pid)

    def holds(self, pid: int) -> bool:
        """Whether a process is here.

        Raises:
            OSError: there is no such process.
        """
        return f"/{self._folder.name}\n" in Path(f"/proc/{pid}/cgroup").read_text()

    def exceeded(self) -> bool:
        """Whether the kernel ended a process of the group for want of memory."""
        name = "memory.oom_control" if self._version == 1 else "memory.events"
        try:
            lines = (self._folder / name).read_text().splitlines()
        except OSError:
            return False
        return any(line.startswith("oom_kill ") and line != "oom_kill 0" for line in lines)

    def remove(self) -> None:
        """Removes the group once its last process, which has been killed, is gone."""
        deadline = time.monotonic() + REMOVAL_SECONDS
        while True:
            try:
                self._folder.rmdir()
            except FileNotFoundError:
                return
            except OSError:
                if time.monotonic() > deadline:
                    return  # the next start removes it
                time.sleep(0.001)
            else:
                return

    def _set(self, name: str, value: int) -> None:
        # written as one piece, without creating: a missing file means a missing controller
        file = os.open(self._folder / name, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(file, str(value).encode())
        finally:
            os.close(file)


def memory_group(limit: int) -> MemoryGroup | None:
    """A group of its own for one sandbox; None where this process may make none."""
    hierarchy = _usable_hierarchy()
    if hierarchy is None:
        return None
    try:
        return MemoryGroup(hierarchy, limit)
    except OSError:
        return None


@functools.cache
def _usable_hierarchy() -> Hierarchy | None:
    with _CREATING:
        try:
            hierarchy = find_hierarchy(
                Path("/proc/self/cgroup").read_text(), Path("/proc/self/mountinfo").read_text()
            )
            if hierarchy is None:
                return None
            _remove_abandoned(hierarchy.folder)
            MemoryGroup(hierarchy, 1 << 30).remove()
        except OSError:
            return None
        return hierarchy


def find_hierarchy(memberships: str, mounts: str) -> Hierarchy | None:
    """The group below which this process may make groups with a memory limit.

    Version 1: the group of this process. Version 2: the same where its children have the memory
    controller; else its parent, where this process has no limit of its own that a sibling would
    leave.

    Args:
        memberships: the text of /proc/self/cgroup.
        mounts: the text of /proc/self/mountinfo.
    """
    for line in memberships.splitlines():
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            folder = _mounted(mounts, "cgroup", "memory", path)
            return Hierarchy(folder, 1) if folder is not None else None
    for line in memberships.splitlines():
        if not line.startswith("0::"):
            continue
        folder = _mounted(mounts, "cgroup2", "", line[3:])
        if folder is None:
            return None
        if _gives_memory(folder):
            return Hierarchy(folder, 2)
        if _unlimited(folder) and _gives_memory(folder.parent):
            return Hierarchy(folder.parent, 2)
    return None


def _gives_memory(folder: Path) -> bool:
    try:
        return "memory" in (folder / "cgroup.subtree_control").read_text().split()
    except OSError:
        return False


def _unlimited(folder: Path) -> bool:
    try:
        return (folder / "memory.max").read_text().strip() == "max"
    except OSError:
        return False


def _mounted(mounts: str, kind: str, controller: str, path: str) -> Path | None:
    """The folder of the group `path`, from the mount of its hierarchy."""
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        words, options = before.split(), after.split()
        if len(words) < 5 or len(options) < 3 or options[0] != kind:
            continue
        if controller and controller not in options[2].split(","):
            continue
        root = words[3].rstrip("/")
        if path == root or path.startswith(root + "/"):
            return Path(words[4]) / path[len(root) :].lstrip("/")
    return None


def _this_process() -> str:
    """Namespace of process ids, process id and start time: no other process has the same three."""
    namespace = Path("/proc/self/ns/pid").stat().st_ino
    return f"{namespace}-{os.getpid()}-{_start_time(os.getpid())}"


def _start_time(pid: int) -> str:
    text = Path(f"/proc/{pid}/stat").read_text()
    return text[text.rindex(")") :].split()[20]


def _remove_abandoned(folder: Path) -> None:
    """Removes the groups of processes that were killed before they could."""
    here = str(Path("/proc/self/ns/pid").stat().st_ino)
    for child in folder.glob("rlvr-*"):
        known = NAME.fullmatch(child.name)
        if known is None or known[1] != here:
            continue
        try:
            alive = _start_time(int(known[2])) == known[3]
        except (OSError, ValueError):
            alive = False
        if not alive:
            with contextlib.suppress(OSError):
                child.rmdir()  # the kernel refuses a group that has processes
