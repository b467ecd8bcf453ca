"""Command lines of bubblewrap: the ways to use it here, and the walls of every sandbox."""

from __future__ import annotations

import functools
import itertools
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rlvr_fast.tasks.sandbox.launcher import LAUNCHER
from rlvr_fast.tasks.sandbox.limits import MEBIBYTE, Limits
from rlvr_fast.tasks.sandbox.supervision import supervised

__all__ = ["Variant", "launched", "program_command", "walls", "working_variant"]

FIRST_USER = 1_000_000_000
_SYSTEM = ("bin", "sbin", "lib", "lib32", "lib64")
_OF_PREFIX = ("bin", "lib", "lib64")  # of an interpreter; others hold environments, downloads
_SOURCES = ("/usr/src", "/usr/local/src")  # where the work of users may lie in /usr
_NUMBERS = itertools.count()


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to use bubblewrap.

    Attributes:
        drop: root starts bubblewrap without a user namespace, and each program becomes a user of
            its own, as root is exempt from process limits. Otherwise there is a user namespace,
            and root first becomes the user nobody.
        flags: the arguments of bubblewrap that differ between the ways.
    """

    drop: bool
    flags: tuple[str, ...]

    @property
    def as_nobody(self) -> bool:
        """Whether bubblewrap itself is started as the user nobody."""
        return os.geteuid() == 0 and not self.drop


@functools.cache
def working_variant() -> Variant:
    """The strictest way that works on this machine.

    Raises:
        OSError: no way works; the message is that of the last one.
    """
    variants = [
        Variant(False, ("--unshare-user", "--disable-userns", "--proc", "/proc")),
        Variant(False, ("--unshare-user", "--proc", "/proc")),
        Variant(False, ("--unshare-user",)),
    ]
    if os.geteuid() == 0:
        capabilities = ("--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID")
        variants.insert(0, Variant(True, (*capabilities, "--proc", "/proc")))
    message = ""
    for variant in variants:
        limits = Limits(wall_seconds=20.0)
        command = program_command(["python", "-c", "pass"], "/usr", limits, variant)
        try:
            done = supervised(command, b"", limits, as_nobody=variant.as_nobody)
        except OSError as error:
            message = str(error)
            continue
        if done.outcome == "exited" and done.returncode == 0:
            return variant
        message = done.stderr.decode("utf-8", "replace").strip() or str(done)
    raise OSError(message)


def program_command(
    argv: Sequence[str],
    folder: str,
    limits: Limits,
    variant: Variant,
    hidden: Sequence[str] = (),
) -> list[str]:
    """The command that runs one program.

    Args:
        argv: the program; a first word "python" stands for the interpreter of this process.
        folder: lies read-only at /program, where the program starts.
        limits: of the program.
        variant: the way to use bubblewrap.
        hidden: what the program cannot read, should it lie in what it sees: folders are empty.
    """
    command = walls(disk_mb=limits.disk_mb)
    python, prefix = _python()
    if prefix is not None:
        command += ["--perms", "0755", "--dir", "/python"]
        for name in _OF_PREFIX:
            command += ["--ro-bind-try", f"{prefix}/{name}", f"/python/{name}"]
        command += ["--setenv", "LD_LIBRARY_PATH", "/python/lib"]
    gone: list[str] = []
    for path in sorted(map(os.path.realpath, [*_SOURCES, *hidden])):
        inside_another = any(f"{path}/".startswith(f"{folder}/") for folder in gone)
        if not inside_another and not python.startswith(f"{path}/"):
            command += _hiding(path, prefix)
            gone.append(path)
    command += ["--ro-bind", folder, "/program", "--chdir", "/program"]
    program = [python, "-I", *argv[1:]] if argv[0] == "python" else list(argv)
    return [*command, *launched(program, python, limits.of_processes(), variant)]


def walls(*, disk_mb: int) -> list[str]:
    """The start of every command: no network, a read-only system, private /tmp and /dev/shm.

    Args:
        disk_mb: MiB of each of both.
    """
    command = ["bwrap", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts"]
    command += ["--unshare-cgroup-try", "--die-with-parent", "--new-session"]
    command += ["--cap-drop", "ALL", "--hostname", "sandbox", "--clearenv"]
    for name, value in (("PATH", "/usr/bin:/bin"), ("HOME", "/tmp"), ("LANG", "C.UTF-8")):
        command += ["--setenv", name, value]
    command += ["--setenv", "PYTHONHASHSEED", "0", "--setenv", "OPENBLAS_NUM_THREADS", "1"]
    command += ["--ro-bind", "/usr", "/usr"]
    for name in _SYSTEM:
        path = Path("/") / name
        if path.is_symlink():
            command += ["--symlink", str(path.readlink()), str(path)]
        elif path.is_dir():
            command += ["--ro-bind", str(path), str(path)]
    command += ["--perms", "0755", "--dir", "/etc"]
    for name in ("/etc/ld.so.cache", "/etc/alternatives"):
        if Path(name).exists():
            command += ["--ro-bind", name, name]
    return [
        *command,
        "--dev",
        "/dev",
        # terminals hold memory of the kernel that no cgroup is charged for
        "--tmpfs",
        "/dev/pts",
        "--remount-ro",
        "/dev/pts",
        # /dev/full gives zeros too, and cannot be mapped: memory without a file, in no process
        "--dev-bind",
        "/dev/full",
        "/dev/zero",
        # the size of bubblewrap's own /dev/shm has no limit but the memory of the machine
        *_bounded_tmpfs("/dev/shm", disk_mb),
        "--remount-ro",
        "/dev",
        *_bounded_tmpfs("/tmp", disk_mb),
    ]


def launched(
    program: Sequence[str], python: str, settings: Mapping[str, int], variant: Variant
) -> list[str]:
    """The end of every command: a program under limits, as a user of its own.

    Args:
        program: the program and its arguments; the first word is a path.
        python: the interpreter's path inside the sandbox.
        settings: name of a resource limit (without RLIMIT_) to its value, soft and hard.
        variant: the way to use bubblewrap.
    """
    words = ",".join(f"{name}={value}" for name, value in settings.items())
    # each sandbox has a user of its own, so that no process limit counts another's processes
    user = FIRST_USER + (os.getpid() << 8) + next(_NUMBERS) % 256 if variant.drop else 0
    end = [*variant.flags, "--remount-ro", "/", "--"]
    return [*end, python, "-I", "-S", "-c", LAUNCHER, str(user), words, *program]


def _python() -> tuple[str, str | None]:
    """The interpreter's path inside the sandbox, and the folder to mount there as /python.

    An interpreter in a home folder is mounted elsewhere, as home folders are closed to the user
    that the program runs as.
    """
    program, prefix = os.path.realpath(sys.executable), os.path.realpath(sys.base_prefix)
    if program.startswith("/usr/"):
        return program, None
    if not program.startswith(prefix + "/"):
        raise OSError(f"the interpreter {program} is not in its own prefix {prefix}")
    return "/python" + program.removeprefix(prefix), prefix


def _hiding(path: str, prefix: str | None) -> list[str]:
    """What hides a file or folder where the sandbox shows it."""
    if prefix is not None and path.startswith(prefix + "/"):
        path, seen = path, "/python" + path.removeprefix(prefix)
        shown = seen.split("/")[2] in _OF_PREFIX
    else:
        seen, shown = path, path.split("/")[1] in ("usr", *_SYSTEM)
    if not shown or not os.path.lexists(path):
        return []
    if Path(path).is_dir():
        return ["--tmpfs", seen, "--remount-ro", seen]
    return ["--ro-bind", "/dev/null", seen]  # a device that is not to be opened there


def _bounded_tmpfs(path: str, disk_mb: int) -> list[str]:
    return ["--perms", "1777", "--size", str(disk_mb * MEBIBYTE), "--tmpfs", path]
