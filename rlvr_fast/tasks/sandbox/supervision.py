"""A sandbox while it runs: input, output, wall time and memory."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Sequence
from types import TracebackType

from rlvr_fast.tasks.sandbox.cgroups import MemoryGroup, memory_group
from rlvr_fast.tasks.sandbox.launcher import READY, REPORT, START
from rlvr_fast.tasks.sandbox.limits import MEBIBYTE, Limits, Outcome, ProgramResult
from rlvr_fast.tasks.sandbox.memory import children, used_bytes
from rlvr_fast.tasks.sandbox.seccomp import program_filter

__all__ = ["NOBODY", "Supervision", "supervised"]

NOBODY = 65534
LAUNCHER_BYTES = 16 * MEBIBYTE  # of the launcher, which shares the program's group
GROUP_INTERVAL = 0.05  # seconds between two looks at the memory
COUNT_INTERVAL = 0.02
WHOLE_COUNTS = 5  # each fifth look counts sockets, pipes and mappings too


def supervised(
    command: Sequence[str], stdin: bytes, limits: Limits, *, as_nobody: bool
) -> ProgramResult:
    """Runs a sandbox to its end.

    Args:
        command: as for `Supervision`.
        stdin: what the program reads from standard input.
        limits: as for `Supervision`.
        as_nobody: as for `Supervision`.

    Raises:
        OSError: bubblewrap does not start, or makes no sandbox.
    """
    with Supervision(command, limits, as_nobody=as_nobody) as running:
        running.write(stdin)
        return running.finish()


class Supervision:
    """One sandbox under its limits of wall time, memory and output.

    Leaving the context ends every process of the sandbox.
    """

    def __init__(self, command: Sequence[str], limits: Limits, *, as_nobody: bool) -> None:
        """Starts the sandbox.

        Args:
            command: bubblewrap with its arguments, the command of the launcher behind "--".
            limits: what ends the program.
            as_nobody: whether root starts bubblewrap as the user nobody.

        Raises:
            OSError: bubblewrap does not start.
        """
        self._limits = limits
        self._stdout, self._stderr = bytearray(), bytearray()
        self._read = 0  # bytes of standard output that `line` has given
        self._unsent = bytearray()
        self._closing = False
        self._outcome: Outcome = "exited"
        self._ready = False  # whether the launcher has reported that it is there
        self._first: int | None = None  # a descriptor of the first process of the sandbox
        self._looked = time.monotonic()
        self._looks = 0
        self._group: MemoryGroup | None = memory_group(limits.memory_mb * MEBIBYTE + LAUNCHER_BYTES)
        self._held = contextlib.ExitStack()  # ended in the order opposite to this
        self._held.callback(self._remove_group)
        self._selector = self._held.enter_context(selectors.DefaultSelector())
        try:
            self._start(command, NOBODY if as_nobody else None)
        except BaseException:
            self._held.close()
            raise

    def _start(self, command: Sequence[str], user: int | None) -> None:
        ours: list[int] = []
        theirs: list[int] = []

        def pipe(*, to_sandbox: bool) -> int:
            """A new pipe; the sandbox's end, ours is the last of `ours`."""
            reading, writing = os.pipe()
            ours.append(writing if to_sandbox else reading)
            theirs.append(reading if to_sandbox else writing)
            return theirs[-1]

        try:
            added = ["--setenv", REPORT, str(pipe(to_sandbox=False))]
            self._report = ours[-1]
            code = program_filter(shared_memory=self._group is not None)
            if code is not None:
                added += ["--seccomp", str(pipe(to_sandbox=True))]
                os.write(ours[-1], code)  # a pipe holds 64 KiB at least, more than a filter
                os.close(ours.pop())
            added += ["--info-fd", str(pipe(to_sandbox=False))]
            information = ours[-1]
            added += ["--setenv", START, str(pipe(to_sandbox=True))]
            start = ours[-1]
            at = command.index("--")
            self._deadline = time.monotonic() + self._limits.wall_seconds
            self._process = subprocess.Popen(
                [*command[:at], *added, *command[at:]],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={"PATH": os.environ.get("PATH", "/usr/bin:/bin")},
                cwd="/",
                start_new_session=True,
                pass_fds=theirs,
                user=user,
                group=user,
                extra_groups=[] if user else None,
            )
        except BaseException:
            for end in ours:
                os.close(end)
            raise
        finally:
            for end in theirs:
                os.close(end)
        self._held.callback(os.close, self._report)
        self._held.callback(self._release)
        self._held.callback(self._end_process)
        self._let_start(information, start)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        for file, mark in ((self._process.stdout, "stdout"), (self._process.stderr, "stderr")):
            os.set_blocking(file.fileno(), False)
            self._selector.register(file, selectors.EVENT_READ, mark)
        os.set_blocking(self._process.stdin.fileno(), False)

    def _let_start(self, information: int, start: int) -> None:
        """Takes hold of the sandbox, and moves it into its group, before its program starts.

        A move takes a grace period of the kernel, some 10 ms, while bubblewrap mounts and the
        launcher's interpreter starts. The launcher may be forked before its parent is moved.
        """
        try:
            text = b""
            while block := os.read(information, 4096):
                text += block
            try:
                first = int(json.loads(text)["child-pid"])
                with contextlib.suppress(OSError):  # a kernel before 5.3
                    self._first = os.pidfd_open(first)
                if self._group is not None:
                    self._group.add(first)
                self._ready = os.read(self._report, len(READY)) == READY
                if self._group is not None and self._ready:
                    for launcher in children(first, str(first)):
                        if not self._group.holds(launcher):
                            self._group.add(launcher)
            except (ValueError, KeyError, OSError):
                # bubblewrap has failed, or the group takes no process: memory is counted instead
                self._remove_group()
            with contextlib.suppress(BrokenPipeError):
                os.write(start, b"1")
        finally:
            os.close(information)
            os.close(start)

    def __enter__(self) -> Supervision:
        """Nothing more to do: the sandbox runs."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Ends the sandbox and removes what it held."""
        self._held.close()

    def write(self, data: bytes) -> None:
        """Queues bytes for the program's standard input."""
        assert self._process.stdin is not None
        if data and not self._closing:
            if not self._unsent:
                self._selector.register(self._process.stdin, selectors.EVENT_WRITE, "stdin")
            self._unsent += data

    def line(self) -> bytes | None:
        """The next line of standard output; None where the program ends before it is complete."""
        searched = self._read
        while (end := self._stdout.find(b"\n", searched)) < 0:
            searched = len(self._stdout)
            if not self._running():
                return None
            self._wait_for_events()
        found = bytes(self._stdout[self._read : end])
        self._read = end + 1
        return found

    def finish(self) -> ProgramResult:
        """Closes standard input and waits for the end of the program or of its limits.

        Raises:
            OSError: the sandbox could not be made, so that no program has run.
        """
        self._close_input()
        while self._running():
            self._wait_for_events()
        if self._outcome == "exited":
            try:
                self._process.wait(timeout=max(0.0, self._deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                self._outcome = "timeout"
        if self._outcome != "exited":
            self._kill()
        returncode, seconds = self._ending(self._process.wait())
        if self._outcome == "exited":
            if self._group is not None and self._group.exceeded():
                self._outcome = "memory"
            elif (
                returncode in (-signal.SIGXCPU, -signal.SIGKILL)
                and seconds >= self._limits.whole_cpu_seconds - 0.5
            ):
                self._outcome = "timeout"  # the signal of the limit of processor time
            elif not self._ready:
                said = bytes(self._stderr).decode("utf-8", "replace").strip()
                raise OSError(f"bubblewrap made no sandbox (exit status {returncode}): {said}")
        return ProgramResult(self._outcome, returncode, bytes(self._stdout), bytes(self._stderr))

    def _running(self) -> bool:
        """Whether more output may come."""
        return self._outcome == "exited" and any(
            key.data != "stdin" for key in self._selector.get_map().values()
        )

    def _wait_for_events(self) -> None:
        """Passes input and output on, then looks at the limits."""
        interval = COUNT_INTERVAL if self._group is None else GROUP_INTERVAL
        for key, _ in self._selector.select(timeout=interval):
            if key.data == "stdin":
                self._send(key.fd)
                continue
            data = os.read(key.fd, 65536)
            if key.data == "stdout":
                self._stdout += data
            else:
                self._stderr += data
            if not data:
                self._selector.unregister(key.fileobj)
            if len(self._stdout) + len(self._stderr) > self._limits.output_bytes:
                self._outcome = "output"
        now = time.monotonic()
        if now > self._deadline:
            self._outcome = "timeout"
        elif now - self._looked >= interval and self._outcome == "exited":
            if self._too_much_memory():
                self._outcome = "memory"
            self._looked = time.monotonic()

    def _too_much_memory(self) -> bool:
        if self._group is not None:
            return self._group.exceeded()
        self._looks += 1
        whole = self._looks % WHOLE_COUNTS == 0
        used = used_bytes(self._process.pid, self._limits.disk_mb * MEBIBYTE, whole=whole)
        return used > self._limits.memory_mb * MEBIBYTE + LAUNCHER_BYTES

    def _send(self, descriptor: int) -> None:
        assert self._process.stdin is not None
        try:
            del self._unsent[: os.write(descriptor, self._unsent[:65536])]
        except BrokenPipeError:
            self._unsent.clear()
            self._closing = True
        if not self._unsent:
            self._selector.unregister(self._process.stdin)
            if self._closing:
                self._process.stdin.close()

    def _close_input(self) -> None:
        assert self._process.stdin is not None
        if not self._closing:
            self._closing = True
            if not self._unsent:
                self._process.stdin.close()

    def _ending(self, code: int) -> tuple[int, float]:
        """Exit status (negative: a signal) and processor seconds, as the launcher reports them."""
        os.set_blocking(self._report, False)
        try:
            report = os.read(self._report, 100)
            self._ready |= report.startswith(READY)
            status, seconds = report.split()[-2:]
            return os.waitstatus_to_exitcode(int(status)), float(seconds)
        except (OSError, ValueError):
            # the sandbox was ended, or its launcher: bubblewrap shows a signal as 128 + signal
            return (128 - code if code > 128 else code or 1), 0.0

    def _end_process(self) -> None:
        self._kill()
        for file in (self._process.stdin, self._process.stdout, self._process.stderr):
            assert file is not None
            with contextlib.suppress(BrokenPipeError):
                file.close()

    def _release(self) -> None:
        if self._first is not None:
            os.close(self._first)

    def _remove_group(self) -> None:
        if self._group is not None:
            self._group.remove()
            self._group = None

    def _kill(self) -> None:
        # All processes of the sandbox die with the first one, which dies with bubblewrap
        # (--die-with-parent). Where it is of the program's user, the program may have changed it.
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        if self._first is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._first, signal.SIGKILL)
        self._process.wait()
