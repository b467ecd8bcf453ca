"""A process of this package that answers many requests, in bubblewrap where it is there.

Programs of models run once, under supervision (bubblewrap.py). A worker lives as long as there are
answers to verify: it is our own code, reads requests from a pipe and writes replies into another.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, ClassVar

from rlvr_fast.tasks.sandbox.commands import launched, walls, working_variant
from rlvr_fast.tasks.sandbox.folders import program_folder
from rlvr_fast.tasks.sandbox.interpreter import (
    isolated_python,
    listed_paths,
    minimal_environment,
    visible_paths,
)
from rlvr_fast.tasks.sandbox.seccomp import syscall_filter
from rlvr_fast.tasks.sandbox.supervision import NOBODY

__all__ = ["LongLivedProcess"]

DISK_MB = 16
PROCESSES = 64
OPEN_FILES = 256
ENDING_SECONDS = 5.0


class LongLivedProcess:
    """A running process, its two pipes, and its end.

    Attributes:
        requests: the descriptor that takes requests; does not block.
        replies: the descriptor that gives replies; does not block.
        sandboxed: whether the process runs in bubblewrap.
        sandboxed_seconds: processor seconds of all processes that ended in bubblewrap; getrusage
            does not tell them, as bubblewrap does not wait for its first process.
    """

    sandboxed_seconds: ClassVar[float] = 0.0

    def __init__(
        self,
        module: str,
        arguments: Sequence[str],
        *,
        sandboxed: bool,
        packages: Sequence[str] = (),
        readable: Sequence[str] = (),
    ) -> None:
        """Starts `main()` of a module of this package.

        The process gets as its first arguments the numbers of its two descriptors (requests,
        replies) and, as JSON, two lists of paths, which outside bubblewrap are the paths that it
        reads and the folders of which it lists the files; its standard input and output are empty.

        Args:
            module: the dotted name.
            arguments: the further arguments.
            sandboxed: whether to start it in bubblewrap: no network, nothing of home but the
                packages, no writable files but a small /tmp, process ids of its own.
            packages: top-level modules that it needs, should they lie outside the package folders.
            readable: files and folders that it needs besides.

        Raises:
            OSError: the process cannot be started.
        """
        self.sandboxed = sandboxed
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        self._home = contextlib.ExitStack()
        theirs_in, self.requests = os.pipe()
        self.replies, theirs_out = os.pipe()
        self._open = [self.requests, self.replies]
        given = [theirs_in, theirs_out]
        needed = [[], []] if sandboxed else [[*visible_paths(packages), *readable], listed_paths()]
        words = [str(theirs_in), str(theirs_out), json.dumps(needed), *arguments]
        try:
            if sandboxed:
                command, user = _sandboxed_command(module, words, packages, readable, given)
                environment = {"PATH": os.environ.get("PATH", "/usr/bin:/bin")}
                folder = "/"
            else:
                command, user = isolated_python(module, words), None
                folder = str(self._home.enter_context(program_folder()))
                environment = minimal_environment(folder)
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._errors,
                start_new_session=True,
                pass_fds=given,
                cwd=folder,
                env=environment,
                user=user,
                group=user,
                extra_groups=[] if user else None,
            )
        except BaseException:
            self._close()
            raise
        finally:
            for number in given:
                os.close(number)
        os.set_blocking(self.requests, False)
        os.set_blocking(self.replies, False)

    def waits_for_processor(self) -> bool:
        """Whether any of its processes would run if the machine had a processor for it."""
        return any(_state(pid) in ("R", "D") for pid in _family(self._process.pid))

    def cpu_seconds(self) -> float:
        """Processor seconds of its running processes and of those that they waited for."""
        return sum(_cpu_seconds(pid) for pid in _family(self._process.pid))

    def end(self, *, by_itself: bool = False) -> int:
        """Ends the process and all that it started.

        Args:
            by_itself: whether the process has nothing left to do or closed its pipe already; it
                then gets a moment to end, so that its exit status and its processor time count.

        Returns:
            The exit status; negative (minus the number of the signal) after a signal.
        """
        if self.sandboxed:
            LongLivedProcess.sandboxed_seconds += self.cpu_seconds()
        if by_itself:
            self._close_pipes()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=ENDING_SECONDS)
        if self._process.poll() is None:
            # Outside bubblewrap a descendant may have left the session.
            family = [] if self.sandboxed else _family(self._process.pid)
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            for pid in family:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
        status = self._process.wait()
        self._close()
        # bubblewrap passes a signal on as 128 + signal
        return 128 - status if self.sandboxed and status > 128 else status

    def error_output(self) -> str:
        """The end of the text that the process wrote to standard error."""
        self._errors.seek(0)
        return self._errors.read()[-2000:].decode("utf-8", "replace").strip()

    def _close_pipes(self) -> None:
        while self._open:
            os.close(self._open.pop())

    def _close(self) -> None:
        self._close_pipes()
        with contextlib.suppress(OSError):
            self._home.close()


def _sandboxed_command(
    module: str,
    words: Sequence[str],
    packages: Sequence[str],
    readable: Sequence[str],
    given: list[int],
) -> tuple[list[str], int | None]:
    """The command of bubblewrap, and the user that starts it; adds the filter to `given`."""
    variant = working_variant()
    python = os.path.realpath(sys.executable)
    command = walls(disk_mb=DISK_MB)
    for name, value in minimal_environment("/tmp").items():
        command += ["--setenv", name, value]
    made: set[str] = {"/", "/usr", "/tmp", "/etc"}
    for path in [*visible_paths(packages), *map(os.path.abspath, readable)]:
        for parent in reversed(Path(path).parents):
            if str(parent) not in made:
                made.add(str(parent))
                command += ["--perms", "0755", "--dir", str(parent)]
        command += ["--ro-bind", path, path]
    command += ["--chdir", "/tmp"]
    code = syscall_filter()
    if code is not None:
        filter_end, filled = os.pipe()  # a pipe holds 64 KiB at least, more than a filter
        os.write(filled, code)
        os.close(filled)
        given.append(filter_end)
        command[1:1] = ["--seccomp", str(filter_end)]
    settings = {"NPROC": PROCESSES, "NOFILE": OPEN_FILES, "CORE": 0}
    program = isolated_python(module, words, executable=python)
    user = NOBODY if variant.as_nobody else None
    return [*command, *launched(program, python, settings, variant)], user


def _family(pid: int) -> list[int]:
    """A process and its descendants."""
    found, waiting = [], [pid]
    while waiting:
        current = waiting.pop()
        found.append(current)
        for children in Path("/proc", str(current), "task").glob("*/children"):
            with contextlib.suppress(OSError, ValueError):
                waiting += map(int, children.read_text().split())
    return found


def _state(pid: int) -> str:
    return next(iter(_facts(pid)), "")


def _cpu_seconds(pid: int) -> float:
    facts = _facts(pid)
    return sum(map(int, facts[11:15])) / os.sysconf("SC_CLK_TCK")


def _facts(pid: int) -> list[str]:
    """The fields of proc_pid_stat(5) from the state on; empty where the process is gone."""
    try:
        return Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
