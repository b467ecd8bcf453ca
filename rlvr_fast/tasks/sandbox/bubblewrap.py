"""Programs in bubblewrap: no network, a read-only system, a private /tmp, limits."""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rlvr_fast.errors import InvalidInputError, MissingDependencyError
from rlvr_fast.tasks.sandbox.folders import program_folder
from rlvr_fast.tasks.sandbox.launcher import LAUNCHER
from rlvr_fast.tasks.sandbox.limits import MEBIBYTE, Limits, ProgramResult
from rlvr_fast.tasks.sandbox.supervision import Supervision, supervised

__all__ = ["open_program", "require_sandbox", "run_program", "unavailable_reason"]

FIRST_USER = 1_000_000_000
_NUMBERS = itertools.count()


def run_program(
    files: Mapping[str, str | bytes],
    argv: Sequence[str],
    *,
    stdin: bytes = b"",
    limits: Limits | None = None,
) -> ProgramResult:
    """Runs a program in a sandbox of its own.

    Args:
        files: name to content; they lie read-only in the program's working directory.
        argv: the command. A first word "python" stands for the interpreter of this process,
            without its site-packages.
        stdin: what the program reads from standard input.
        limits: the default limits where None.

    Raises:
        MissingDependencyError: bubblewrap cannot be used here; nothing is run without it.
        InvalidInputError: a name in `files` has a folder.
    """
    with open_program(files, argv, limits=limits) as running:
        running.write(stdin)
        return running.finish()


@contextlib.contextmanager
def open_program(
    files: Mapping[str, str | bytes], argv: Sequence[str], *, limits: Limits | None = None
) -> Iterator[Supervision]:
    """Starts a program in a sandbox of its own, which ends with the context.

    Args:
        files: as in `run_program`.
        argv: as in `run_program`.
        limits: as in `run_program`.

    Raises:
        MissingDependencyError: bubblewrap cannot be used here; nothing is run without it.
        InvalidInputError: a name in `files` has a folder.
    """
    limits = limits or Limits()
    require_sandbox()
    with program_folder() as folder:
        for name, content in files.items():
            path = folder / name
            if path.parent != folder:
                raise InvalidInputError(f"sandbox file {name!r}: expected a name without a folder")
            data = content.encode("utf-8", "replace") if isinstance(content, str) else content
            path.write_bytes(data)
            path.chmod(0o644)
        variant = _variant()
        command = _command(argv, str(folder), limits, variant)
        with Supervision(command, limits, as_nobody=variant.as_nobody) as running:
            yield running


def require_sandbox() -> None:
    """Checks that programs can be run here.

    Raises:
        MissingDependencyError: they cannot; the message says what to install or to allow.
    """
    reason = unavailable_reason()
    if reason is not None:
        raise MissingDependencyError(reason)


def unavailable_reason() -> str | None:
    """Why programs cannot be run here, and what to install or to allow; None where they can."""
    if not sys.platform.startswith("linux"):
        return "programs are run in bubblewrap, which needs Linux; grade code tasks on Linux"
    if shutil.which("bwrap") is None:
        return (
            "programs are run only in bubblewrap, and there is no 'bwrap' on the PATH: "
            "apt-get install bubblewrap"
        )
    try:
        _variant()
    except OSError as error:
        return (
            "bubblewrap is installed but cannot make a sandbox here "
            f"({str(error).strip() or 'no message'}): it needs unprivileged user namespaces "
            "(sysctl kernel.unprivileged_userns_clone=1 or user.max_user_namespaces > 0; in a "
            "container, a seccomp profile that allows unshare and mount)"
        )
    return None


@dataclass(frozen=True, slots=True)
class _Variant:
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
def _variant() -> _Variant:
    """The strictest way that works on this machine.

    Raises:
        OSError: no way works; the message is that of the last one.
    """
    variants = [
        _Variant(False, ("--unshare-user", "--disable-userns", "--proc", "/proc")),
        _Variant(False, ("--unshare-user", "--proc", "/proc")),
        _Variant(False, ("--unshare-user",)),
    ]
    if os.geteuid() == 0:
        capabilities = ("--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID")
        variants.insert(0, _Variant(True, (*capabilities, "--proc", "/proc")))
    message = ""
    for variant in variants:
        limits = Limits(wall_seconds=20.0)
        command = _command(["python", "-c", "pass"], "/usr", limits, variant)
        done = supervised(command, b"", limits, as_nobody=variant.as_nobody)
        if done.outcome == "exited" and done.returncode == 0:
            return variant
        message = done.stderr.decode("utf-8", "replace").strip() or str(done)
    raise OSError(message)


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


def _command(argv: Sequence[str], folder: str, limits: Limits, variant: _Variant) -> list[str]:
    command = ["bwrap", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts"]
    command += ["--unshare-cgroup-try", "--die-with-parent", "--new-session"]
    command += ["--cap-drop", "ALL", "--hostname", "sandbox", "--clearenv"]
    for name, value in (("PATH", "/usr/bin:/bin"), ("HOME", "/tmp"), ("LANG", "C.UTF-8")):
        command += ["--setenv", name, value]
    command += ["--setenv", "PYTHONHASHSEED", "0", "--setenv", "OPENBLAS_NUM_THREADS", "1"]
    command += ["--ro-bind", "/usr", "/usr"]
    for name in ("bin", "sbin", "lib", "lib32", "lib64"):
        path = Path("/") / name
        if path.is_symlink():
            command += ["--symlink", str(path.readlink()), str(path)]
        elif path.is_dir():
            command += ["--ro-bind", str(path), str(path)]
    python, prefix = _python()
    if prefix is not None:
        command += ["--ro-bind", prefix, "/python", "--setenv", "LD_LIBRARY_PATH", "/python/lib"]
    for name in ("/etc/ld.so.cache", "/etc/alternatives"):
        if Path(name).exists():
            command += ["--ro-bind", name, name]
    command += [
        "--dev",
        "/dev",
        # the size of bubblewrap's own /dev/shm has no limit but the memory of the machine
        *_bounded_tmpfs("/dev/shm", limits),
        "--remount-ro",
        "/dev",
        *_bounded_tmpfs("/tmp", limits),
    ]
    command += ["--ro-bind", folder, "/program", "--chdir", "/program"]
    command += [*variant.flags, "--remount-ro", "/", "--"]
    words = ",".join(f"{name}={value}" for name, value in limits.of_processes().items())
    program = [python, "-I", *argv[1:]] if argv[0] == "python" else list(argv)
    # each sandbox has a user of its own, so that no process limit counts another's processes
    user = FIRST_USER + (os.getpid() << 8) + next(_NUMBERS) % 256 if variant.drop else 0
    return [*command, python, "-I", "-S", "-c", LAUNCHER, str(user), words, *program]


def _bounded_tmpfs(path: str, limits: Limits) -> list[str]:
    return ["--perms", "1777", "--size", str(limits.disk_mb * MEBIBYTE), "--tmpfs", path]
