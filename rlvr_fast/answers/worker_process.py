"""One worker process as its parent sees it: requests, replies, deadline and end."""

from __future__ import annotations

import collections
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

from rlvr_fast.answers.pairs import Pair

__all__ = ["VerificationRequest", "WorkerProcess", "wall_seconds"]

# A verifier that sleeps uses no processor time, so a limit on wall time ends it. The limit is
# generous because a busy machine may give a worker a small share of a processor.
WALL_FACTOR = 3.0
WALL_SLACK = 10.0
START_SECONDS = 180.0


def wall_seconds(limit: float) -> float:
    """The wall time after which a verification of `limit` processor seconds is ended."""
    return WALL_FACTOR * limit + WALL_SLACK


class VerificationRequest(NamedTuple):
    """A pair for a worker.

    Attributes:
        number: the place of the pair in the caller's list.
        pair: the pair.
        limit: processor seconds that its verification may take.
    """

    number: int
    pair: Pair
    limit: float


class WorkerProcess:
    """A process that runs `rlvr_fast.answers.worker_main`, and the requests that it holds.

    Attributes:
        held: the requests without a reply, in the order in which the process verifies them.
        unsent: bytes of requests that the pipe did not take yet.
        ready: whether the process has started and replied once.
        deadline: the time (of time.monotonic) at which the start, or the first request of `held`,
            is overdue.
        stdin: the pipe that takes requests; does not block.
        stdout: the pipe that gives replies; does not block.
    """

    def __init__(self, memory_mb: int, guarded: bool) -> None:
        package_root = str(Path(__file__).parents[2])
        search = os.pathsep.join([package_root, *(item for item in sys.path if item)])
        # An answer may be a program: the worker gets no variable that could hold a secret.
        kept = {
            name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ
        }
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "rlvr_fast.answers.worker_main",
                str(memory_mb),
                str(int(guarded)),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            start_new_session=True,
            env={
                **kept,
                "LANG": "C.UTF-8",
                "OMP_NUM_THREADS": "1",
                "OPENBLAS_NUM_THREADS": "1",
                "PYTHONHASHSEED": "0",
                "PYTHONPATH": search,
            },
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self.stdin, self.stdout = self._process.stdin, self._process.stdout
        os.set_blocking(self.stdin.fileno(), False)
        os.set_blocking(self.stdout.fileno(), False)
        self.held: collections.deque[VerificationRequest] = collections.deque()
        self.unsent = bytearray()
        self._received = bytearray()
        self.ready = False
        self.deadline = time.monotonic() + START_SECONDS

    def give(self, request: VerificationRequest) -> None:
        """Adds a request to the requests that the process holds; `send` sends it."""
        pair = request.pair
        message = {
            "id": request.number,
            "spec": pair.spec,
            "problem_id": pair.problem_id,
            "gold": pair.gold,
            "metadata": dict(pair.metadata),
            "answer": pair.answer,
            "limit": request.limit,
        }
        idle = not self.held
        self.held.append(request)
        if idle and self.ready:
            self.reset_deadline()
        self.unsent += json.dumps(message).encode() + b"\n"

    def reset_deadline(self) -> None:
        """Starts the clock of the first request that the process holds."""
        if self.held:
            self.deadline = time.monotonic() + wall_seconds(self.held[0].limit)

    def send(self) -> None:
        """Sends as many bytes of `unsent` as the pipe takes."""
        while self.unsent:
            try:
                sent = os.write(self.stdin.fileno(), self.unsent[:65536])
            except (BlockingIOError, BrokenPipeError):
                return
            del self.unsent[:sent]

    def receive(self) -> Iterator[dict[str, Any]] | None:
        """The whole replies that have arrived; None once the process has closed its pipe."""
        try:
            data = os.read(self.stdout.fileno(), 1 << 20)
        except BlockingIOError:
            return iter(())
        if not data:
            return None
        self._received += data
        *lines, rest = self._received.split(b"\n")
        self._received = bytearray(rest)
        return (json.loads(line) for line in lines)

    def waits_for_processor(self) -> bool:
        """Whether the process would run if the machine had a processor for it.

        The kernel ends such a process after its limit of processor time.
        """
        try:
            stat = Path(f"/proc/{self._process.pid}/stat").read_text()
        except OSError:
            return False
        return stat.rpartition(")")[2].split()[0] in ("R", "D")

    def end(self) -> int:
        """Ends the process and the processes that it started; returns its exit status."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)
        status = self._process.wait()
        self.stdin.close()
        self.stdout.close()
        return status

    def error_output(self) -> str:
        """The end of the text that the process wrote to standard error before it was ready."""
        self._errors.seek(0)
        return self._errors.read()[-2000:].decode("utf-8", "replace").strip()
