"""Programs in bubblewrap: no network, a read-only system, a private /tmp, limits."""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import resource
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rlvr_fast.errors import InvalidInputError, MissingDependencyError
from rlvr_fast.tasks.sandbox.seccomp import syscall_filter

__all__ = ["Limits", "ProgramResult", "require_sandbox", "run_program", "unavailable_reason"]

Outcome = Literal["exited", "timeout", "memory", "output"]
NOBODY = 65534
FIRST_USER = 1_000_000_000
_NUMBERS = itertools.count()
MEBIBYTE = 1 << 20

# Runs inside the sandbox, where the process limit counts the processes of the sandbox alone: those
# of its user namespace, or of its user.
LAUNCHER = """
import os, resource, sys
user = int(sys.argv[1])
if user:
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
sys.argv.pop(1)
limits = dict(item.split("=") for item in sys.argv[1].split(","))
for name, value in limits.items():
    resource.setrlimit(getattr(resource, "RLIMIT_" + name), (int(value), int(value)))
os.execv(sys.argv[2], sys.argv[2:])
"""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one program may use; a program that exceeds a limit is ended.

    Attributes:
        cpu_seconds: processor seconds of each process.
        wall_seconds: seconds from start to end of the whole program.
        memory_mb: MiB of address space of each process, and of resident memory of all processes.
        processes: processes and threads at once.
        output_bytes: bytes of standard output and standard error together.
        disk_mb: MiB of the private /tmp, and of each file.
    """

    cpu_seconds: float = 10.0
    wall_seconds: float = 20.0
    memory_mb: int = 1024
    processes: int = 32
    output_bytes: int = 4 * MEBIBYTE
    disk_mb: int = 64


@dataclass(frozen=True, slots=True)
class ProgramResult:
    """How a program ended.

    Attributes:
        outcome: "exited", or the limit that ended the program.
        returncode: the exit status; negative (minus the number of the signal) after a signal.
        stdout: what the program wrote to standard output.
        stderr: what the program wrote to standard error.
    """

    outcome: Outcome
    returncode: int
    stdout: bytes
    stderr: bytes


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
    limits = limits or Limits()
    require_sandbox()
    with tempfile.TemporaryDirectory(prefix="rlvr-sandbox-") as folder:
        Path(folder).chmod(0o755)  # an unprivileged user runs root's programs
        for name, content in files.items():
            path = Path(folder) / name
            if path.parent != Path(folder):
                raise InvalidInputError(f"sandbox file {name!r}: expected a name without a folder")
            data = content.encode("utf-8", "replace") if isinstance(content, str) else content
            path.write_bytes(data)
            path.chmod(0o644)
        variant = _variant()
        return _supervised(_command(argv, folder, limits, variant), stdin, limits, variant)


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
        done = _supervised(command, b"", limits, variant)
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
    seconds = max(1, round(limits.cpu_seconds + 0.5))
    settings = {
        "NPROC": limits.processes,
        "AS": limits.memory_mb * MEBIBYTE,
        "CPU": seconds,
        "FSIZE": limits.disk_mb * MEBIBYTE,
        "NOFILE": 64,  # sockets and pipes hold memory that no process limit counts
        "CORE": 0,
    }
    words = ",".join(f"{name}={value}" for name, value in settings.items())
    program = [python, "-I", *argv[1:]] if argv[0] == "python" else list(argv)
    # each sandbox has a user of its own, so that no process limit counts another's processes
    user = FIRST_USER + (os.getpid() << 8) + next(_NUMBERS) % 256 if variant.drop else 0
    return [*command, python, "-I", "-S", "-c", LAUNCHER, str(user), words, *program]


def _bounded_tmpfs(path: str, limits: Limits) -> list[str]:
    return ["--perms", "1777", "--size", str(limits.disk_mb * MEBIBYTE), "--tmpfs", path]


def _supervised(
    command: Sequence[str], stdin: bytes, limits: Limits, variant: _Variant
) -> ProgramResult:
    nobody = NOBODY if os.geteuid() == 0 and not variant.drop else None
    code = syscall_filter()
    filter_end: int | None = None
    if code is not None:
        filter_end, filled = os.pipe()  # a pipe holds 64 KiB at least, more than a filter
        os.write(filled, code)
        os.close(filled)
        command = [command[0], "--seccomp", str(filter_end), *command[1:]]
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"PATH": os.environ.get("PATH", "/usr/bin:/bin")},
            cwd="/",
            start_new_session=True,
            pass_fds=() if filter_end is None else (filter_end,),
            user=nobody,
            group=nobody,
            extra_groups=[] if nobody else None,
        )
    finally:
        if filter_end is not None:
            os.close(filter_end)
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        return _supervise(process, stdin, limits)
    finally:
        if process.poll() is None:
            _kill(process)
        for pipe in (process.stdin, process.stdout, process.stderr):
            pipe.close()


def _supervise(process: subprocess.Popen[bytes], stdin: bytes, limits: Limits) -> ProgramResult:
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    deadline = time.monotonic() + limits.wall_seconds
    collected: dict[str, bytearray] = {"stdout": bytearray(), "stderr": bytearray()}
    outcome: Outcome = "exited"
    unsent = memoryview(stdin)
    with selectors.DefaultSelector() as selector:
        for pipe, mark in ((process.stdout, "stdout"), (process.stderr, "stderr")):
            os.set_blocking(pipe.fileno(), False)
            selector.register(pipe, selectors.EVENT_READ, mark)
        os.set_blocking(process.stdin.fileno(), False)
        if unsent:
            selector.register(process.stdin, selectors.EVENT_WRITE, "stdin")
        else:
            process.stdin.close()
        while selector.get_map() and outcome == "exited":
            if time.monotonic() > deadline:
                outcome = "timeout"
            elif _resident_bytes(process.pid) > limits.memory_mb * MEBIBYTE:
                outcome = "memory"
            for key, _ in selector.select(timeout=0.05):
                if key.data == "stdin":
                    try:
                        unsent = unsent[os.write(key.fd, unsent[:65536]) :]
                    except BrokenPipeError:
                        unsent = unsent[:0]
                    if not unsent:
                        selector.unregister(process.stdin)
                        process.stdin.close()
                    continue
                data = os.read(key.fd, 65536)
                collected[key.data] += data
                if not data:
                    selector.unregister(key.fileobj)
                if sum(map(len, collected.values())) > limits.output_bytes:
                    outcome = "output"
    if outcome == "exited":
        try:
            process.wait(timeout=max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            outcome = "timeout"
    if outcome != "exited":
        _kill(process)
    returncode = process.wait()
    if returncode > 128:
        returncode = 128 - returncode  # bubblewrap passes a signal on as 128 + signal
    if returncode in (-signal.SIGXCPU, -signal.SIGKILL) and outcome == "exited":
        outcome = "timeout"  # the signal of the hard limit of processor time
    return ProgramResult(
        outcome, returncode, bytes(collected["stdout"]), bytes(collected["stderr"])
    )


def _kill(process: subprocess.Popen[bytes]) -> None:
    # --die-with-parent: the first process of the namespace dies with bwrap, and all others with it
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _resident_bytes(pid: int) -> int:
    """Resident memory of a process and all its descendants."""
    page = resource.getpagesize()
    total, waiting = 0, [pid]
    while waiting:
        current = waiting.pop()
        folder = Path("/proc") / str(current)
        try:
            total += int((folder / "statm").read_text().split()[1]) * page
            waiting += map(int, (folder / "task" / str(current) / "children").read_text().split())
        except (OSError, ValueError, IndexError):
            continue
    return total
