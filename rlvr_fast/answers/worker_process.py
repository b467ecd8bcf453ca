"""One worker process as grading sees it: requests, replies, deadline and end."""

from __future__ import annotations

import collections
import os
import secrets
import time
from collections.abc import Sequence
from typing import NamedTuple

from rlvr_fast.answers.pairs import Pair
from rlvr_fast.answers.worker_protocol import (
    MAX_REPLY,
    BrokenProtocolError,
    Reply,
    framed,
    parse_reply,
)
from rlvr_fast.tasks.sandbox import LongLivedProcess

__all__ = ["VerificationRequest", "WorkerProcess", "most_seconds", "wall_seconds"]

# A verifier that sleeps uses no processor time, so a limit on wall time ends it. The limit is
# generous because a busy machine may give a worker a small share of a processor. It is extended for
# a process that waits for a processor and has not had its processor seconds again since, up to a
# wall time that nothing extends.
WALL_FACTOR, WALL_SLACK = 3.0, 10.0
MOST_FACTOR, MOST_SLACK = 8.0, 20.0
START_SECONDS = 180.0


def wall_seconds(limit: float) -> float:
    """The wall time of a verification of `limit` processor seconds that does not compute."""
    return WALL_FACTOR * limit + WALL_SLACK


def most_seconds(limit: float) -> float:
    """The wall time after which a verification of `limit` processor seconds is ended anyway."""
    return MOST_FACTOR * limit + MOST_SLACK


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
        gone: whether the process closed its pipe.
        broken: how the process broke the protocol; empty where it did not.
        sandboxed: whether the process runs in bubblewrap.
        requests: the descriptor that takes requests; does not block.
        replies: the descriptor that gives replies; does not block.
    """

    def __init__(
        self,
        memory_mb: int,
        guarded: bool,
        *,
        sandboxed: bool,
        packages: Sequence[str] = (),
        readable: Sequence[str] = (),
    ) -> None:
        walls = "bubblewrap" if sandboxed else "none" if guarded else "programs"
        self._start_nonce = secrets.token_hex(16)
        self._process = LongLivedProcess(
            "rlvr_fast.answers.worker_main",
            [self._start_nonce, str(memory_mb), walls],
            sandboxed=sandboxed,
            packages=packages,
            readable=readable,
        )
        self.sandboxed = sandboxed
        self.requests, self.replies = self._process.requests, self._process.replies
        self.held: collections.deque[VerificationRequest] = collections.deque()
        self.unsent = bytearray()
        self._nonces: collections.deque[str] = collections.deque()
        self._received = bytearray()
        self.ready = self.gone = False
        self.broken = ""
        self._used: float | None = None  # processor seconds when the wall time was over
        self._deadline = self._last = time.monotonic() + START_SECONDS

    def give(self, request: VerificationRequest) -> None:
        """Adds a request to the requests that the process holds; `send` sends it."""
        pair = request.pair
        nonce = secrets.token_hex(16)
        message = {
            "nonce": nonce,
            "spec": pair.spec,
            "problem_id": pair.problem_id,
            "gold": pair.gold,
            "metadata": dict(pair.metadata),
            "answer": pair.answer,
            "limit": request.limit,
            "wall": most_seconds(request.limit),
        }
        idle = not self.held
        self.held.append(request)
        self._nonces.append(nonce)
        if idle and self.ready:
            self._start_clock()
        self.unsent += framed(message)

    def send(self) -> None:
        """Sends as many bytes of `unsent` as the pipe takes."""
        while self.unsent:
            try:
                sent = os.write(self.requests, self.unsent[:65536])
            except (BlockingIOError, BrokenPipeError):
                return
            del self.unsent[:sent]

    def receive(self) -> list[tuple[VerificationRequest, Reply]]:
        """The requests whose replies have arrived, and the replies; sets `gone` and `broken`."""
        try:
            data = os.read(self.replies, 1 << 16)
        except BlockingIOError:
            return []
        self.gone = not data
        self._received += data
        *lines, rest = self._received.split(b"\n")
        self._received = bytearray(rest)
        replied: list[tuple[VerificationRequest, Reply]] = []
        try:
            for line in lines:
                replied += self._replied(bytes(line))
                self._start_clock()
            if len(rest) > MAX_REPLY:
                raise BrokenProtocolError("a line without an end")
        except BrokenProtocolError as error:
            self.broken = f"the verifying process wrote {error}"
        return replied

    def _replied(self, line: bytes) -> list[tuple[VerificationRequest, Reply]]:
        if not self.ready:
            if parse_reply(line, self._start_nonce).kind != "ready":
                raise BrokenProtocolError("a reply before its start")
            self.ready = True
            return []
        if not self.held:
            raise BrokenProtocolError("a reply to no request")
        reply = parse_reply(line, self._nonces[0])
        if reply.kind == "ready":
            raise BrokenProtocolError("a second start")
        self._nonces.popleft()
        return [(self.held.popleft(), reply)]

    def overdue(self) -> bool:
        """Whether the start, or the first request that the process holds, took too long."""
        now = time.monotonic()
        if now <= self._deadline or (self.ready and not self.held):
            return False
        if now > self._last or not self.held or not self._process.waits_for_processor():
            return True
        used = self._process.cpu_seconds()
        if self._used is None:
            self._used = used
        if used - self._used > self.held[0].limit:
            return True
        self._deadline = min(now + 1.0, self._last)
        return False

    def end(self) -> int:
        """Ends the process and the processes that it started; returns its exit status."""
        return self._process.end(by_itself=self.gone or (self.ready and not self.held))

    def error_output(self) -> str:
        """The end of the text that the process wrote to standard error before it was ready."""
        return self._process.error_output()

    def _start_clock(self) -> None:
        self._used = None
        if self.held:
            now = time.monotonic()
            self._deadline = now + wall_seconds(self.held[0].limit)
            self._last = now + most_seconds(self.held[0].limit)
