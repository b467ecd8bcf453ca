"""Verification of many pairs in isolated worker processes, with limits of time and memory."""

from __future__ import annotations

import collections
import contextlib
import os
import selectors
import signal
import warnings
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata as importlib_metadata
from pathlib import Path

from rlvr_fast.answers.options import (
    DEFAULT_MEMORY_MB,
    LEAST_MEMORY_MB,
    MOST_MEMORY_MB,
    MOST_TIMEOUT,
)
from rlvr_fast.answers.pairs import Outcome, Pair
from rlvr_fast.answers.worker_process import VerificationRequest, WorkerProcess, wall_seconds
from rlvr_fast.answers.worker_protocol import Reply
from rlvr_fast.errors import InvalidInputError, RlvrError
from rlvr_fast.tasks import load_verifier
from rlvr_fast.tasks.sandbox import unavailable_reason
from rlvr_fast.tasks.schemes import GROUP, scheme_of, scheme_packages
from rlvr_fast.tasks.specs import parse_spec

__all__ = ["DEFAULT_MEMORY_MB", "LEAST_MEMORY_MB", "default_workers", "verify_pairs"]

# Requests that a worker holds at once: enough that it never waits, few enough that the
# requests of a dead worker are soon sent to another.
WINDOW = 32
# The signals by which the kernel ends a process after its processor seconds.
TIMEOUT_SIGNALS = (signal.SIGPROF, signal.SIGXCPU)


class _Walls:
    """Whether workers run in bubblewrap: decided once, and said once where they do not."""

    decided: bool | None = None
    worked = False

    @classmethod
    def sandboxed(cls) -> bool:
        if cls.decided is None:
            reason = unavailable_reason()
            cls.decided = reason is None
            if reason is not None:
                cls._say(reason)
        return cls.decided

    @classmethod
    def give_up(cls, reason: str) -> None:
        """Starts workers without bubblewrap from here on, as none has started inside it."""
        cls.decided = False
        cls._say(f"a worker did not start inside it: {reason}")

    @staticmethod
    def _say(reason: str) -> None:
        warnings.warn(
            "verifiers run outside bubblewrap, behind fewer walls (docs/security.md): a filter of "
            "system calls, Landlock where the kernel has it, an audit hook. Grade completions of a "
            f"model that you do not trust in a container, or make bubblewrap work: {reason}",
            UserWarning,
            stacklevel=2,
        )


def default_workers() -> int:
    """One worker for each processor this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def verify_pairs(
    pairs: Sequence[Pair],
    on_outcome: Callable[[int, Outcome], None],
    *,
    workers: int | None = None,
    timeout: float = 5.0,
    memory_mb: int = DEFAULT_MEMORY_MB,
) -> None:
    """Verifies each pair in a worker process.

    A pair that ends its worker (time, memory, a crash) is verified once more, alone, in a fresh
    process while no other worker runs, and that outcome counts. So outcomes do not depend on the
    load of the machine, the number of workers, the order of the pairs, or the pairs verified
    before.

    Args:
        pairs: the pairs.
        on_outcome: called as on_outcome(place in pairs, outcome) in the calling thread, in the
            order in which the outcomes are decided.
        workers: number of worker processes; default one for each processor.
        timeout: processor seconds of one verification.
        memory_mb: MiB of address space of a worker.

    Raises:
        InvalidInputError: a task cannot verify (its file or package has changed); or time, memory
            or a number of workers out of range.
        RlvrError: worker processes do not start.
    """
    if not LEAST_MEMORY_MB <= memory_mb <= MOST_MEMORY_MB:
        raise InvalidInputError(
            f"expected memory_mb of at least {LEAST_MEMORY_MB} (what verifiers themselves take) "
            f"and at most {MOST_MEMORY_MB}, got {memory_mb}"
        )
    if not 0 < timeout <= MOST_TIMEOUT:
        raise InvalidInputError(
            f"expected a timeout above 0 and at most {MOST_TIMEOUT:g} s, got {timeout}"
        )
    if workers is not None and workers < 1:
        raise InvalidInputError(f"expected at least 1 worker, got {workers}")
    for programs in (False, True):  # workers that run programs start bubblewrap, others may not
        chosen = [
            (number, pair)
            for number, pair in enumerate(pairs)
            if scheme_of(pair.spec).runs_programs == programs
        ]
        if not chosen:
            continue
        size = min(workers or default_workers(), len(chosen))
        readable = () if programs else _sources({pair.spec for _, pair in chosen})
        pool = _Pool(size, timeout, memory_mb, readable)
        try:
            pool.run(iter(chosen), on_outcome)
        finally:
            pool.close()


def _sources(specs: set[str]) -> tuple[str, ...]:
    """The files from which workers make their verifiers; nothing else of home is seen there.

    Specs may be a stranger's, so each has to make a verifier first (`load_verifier`), and folders
    and devices are not taken.
    """
    found: set[str] = set()
    for text in sorted(specs):
        spec, scheme = parse_spec(text), scheme_of(text)
        load_verifier(text)
        if scheme.files is not None:
            found.update(scheme.files(spec))
        elif scheme.verifier is None:  # the worker loads the whole task
            found.add(spec.source)
    return tuple(sorted(path for path in found if Path(path).is_absolute() and _regular(path)))


def _regular(path: str) -> bool:
    try:
        return Path(path).is_file() and not Path(path).resolve().is_relative_to("/proc")
    except (OSError, ValueError):
        return False


def _packages() -> list[str]:
    """The top-level modules that verifiers come from."""
    points = importlib_metadata.entry_points(group=GROUP)
    added = [point.module.partition(".")[0] for point in points]
    return [*(name.replace("-", "_") for name in scheme_packages()), *added]


class _Pool:
    """Worker processes, and the requests that are sent to them.

    `_returned` holds the requests of a worker that ended before their turn, and `_again` those to
    be verified once more, alone.
    """

    def __init__(
        self, workers: int, timeout: float, memory_mb: int, readable: Sequence[str] = ()
    ) -> None:
        self._readable = readable
        self._size = workers
        self._timeout = timeout
        self._memory_mb = memory_mb
        self._selector = selectors.DefaultSelector()
        self._workers: list[WorkerProcess] = []
        self._returned: collections.deque[VerificationRequest] = collections.deque()
        self._again: list[VerificationRequest] = []

    def run(
        self, pairs: Iterator[tuple[int, Pair]], on_outcome: Callable[[int, Outcome], None]
    ) -> None:
        """Verifies the pairs."""
        self._drain(self._requests(pairs), on_outcome, self._size, alone=False)
        again, self._again = sorted(self._again, key=lambda request: request.number), []
        for request in again:
            forked = getattr(load_verifier(request.pair.spec), "evaluates", False)
            if not forked or len(self._workers) > 1:  # a forked process is a fresh one anyway
                self.close()
            self._drain(iter([request]), on_outcome, 1, alone=True)

    def _requests(self, pairs: Iterator[tuple[int, Pair]]) -> Iterator[VerificationRequest]:
        for number, pair in pairs:
            limit = load_verifier(pair.spec).limit_seconds(pair.metadata, self._timeout)
            yield VerificationRequest(number, pair, limit)

    def _drain(
        self,
        requests: Iterator[VerificationRequest],
        on_outcome: Callable[[int, Outcome], None],
        size: int,
        *,
        alone: bool,
    ) -> None:
        exhausted = False
        while True:
            # Every worker gets one request before any worker gets a second.
            for depth in range(WINDOW):
                for place in range(size):
                    if exhausted and not self._returned:
                        break
                    if place < len(self._workers) and len(self._workers[place].held) > depth:
                        continue
                    request = self._returned.popleft() if self._returned else next(requests, None)
                    if request is None:
                        exhausted = True
                        break
                    if place >= len(self._workers):
                        self._start(request.pair)
                        place = len(self._workers) - 1
                    self._workers[place].give(request)
            if exhausted and not self._returned and not any(w.held for w in self._workers):
                return
            self._exchange(on_outcome, alone)

    def _exchange(self, on_outcome: Callable[[int, Outcome], None], alone: bool) -> None:
        for worker in self._workers:
            worker.send()
            waiting = worker.requests in self._selector.get_map()
            if worker.unsent and not waiting:
                self._selector.register(worker.requests, selectors.EVENT_WRITE, worker)
            elif waiting and not worker.unsent:
                self._selector.unregister(worker.requests)
        for key, _ in self._selector.select(timeout=0.5):
            worker = key.data
            if worker not in self._workers:
                continue
            if key.fd == worker.requests:
                worker.send()
                continue
            for request, reply in worker.receive():
                self._reply(request, reply, on_outcome, alone)
            if worker.gone or worker.broken:
                self._ended(worker, on_outcome, alone)
        for worker in list(self._workers):
            if worker.overdue():
                self._ended(worker, on_outcome, alone, overdue=True)

    def _reply(
        self,
        request: VerificationRequest,
        reply: Reply,
        on_outcome: Callable[[int, Outcome], None],
        alone: bool,
    ) -> None:
        if reply.kind == "fatal":
            raise InvalidInputError(reply.detail)
        if not alone and (reply.kind == "ended" or reply.detail == "memory"):
            self._again.append(request)
            return
        verdict = reply.verdict
        if reply.kind == "ended":
            verdict = "timeout" if reply.timeout else "error"
        grader = load_verifier(request.pair.spec).name
        on_outcome(request.number, Outcome(verdict, grader, reply.detail))

    def _ended(
        self,
        worker: WorkerProcess,
        on_outcome: Callable[[int, Outcome], None],
        alone: bool,
        *,
        overdue: bool = False,
    ) -> None:
        """Handles a worker that died or is overdue; its first request is the cause."""
        self._drop(worker)
        status = worker.end()
        if not worker.ready:
            said = worker.error_output() or "it wrote no error message"
            if worker.sandboxed and not _Walls.worked:
                _Walls.give_up(said)
                self._returned.extendleft(reversed(worker.held))
                return
            raise RlvrError(f"a verifying process did not start (exit status {status}): {said}")
        if not worker.held:
            return
        request = worker.held.popleft()
        self._returned.extendleft(reversed(worker.held))
        if not alone:
            self._again.append(request)
            return
        number, pair, limit = request
        grader = load_verifier(pair.spec).name
        if overdue:
            outcome = Outcome("timeout", grader, f"over {wall_seconds(limit):g} s of wall time")
        elif worker.broken:
            outcome = Outcome("error", grader, worker.broken)
        elif -status in TIMEOUT_SIGNALS:
            outcome = Outcome("timeout", grader, f"{limit:g} s of processor time")
        else:
            what = f"signal {-status}" if status < 0 else f"exit status {status}"
            outcome = Outcome("error", grader, f"the verifying process ended with {what}")
        on_outcome(number, outcome)

    def _start(self, pair: Pair) -> None:
        guarded = not scheme_of(pair.spec).runs_programs
        worker = WorkerProcess(
            self._memory_mb,
            guarded=guarded,
            sandboxed=guarded and _Walls.sandboxed(),
            packages=_packages() if guarded else (),
            readable=self._readable,
        )
        self._workers.append(worker)
        self._selector.register(worker.replies, selectors.EVENT_READ, worker)

    def _drop(self, worker: WorkerProcess) -> None:
        self._workers.remove(worker)
        _Walls.worked |= worker.sandboxed and worker.ready
        for descriptor in (worker.requests, worker.replies):
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(descriptor)

    def close(self) -> None:
        """Ends every worker."""
        for worker in list(self._workers):
            self._drop(worker)
            worker.end()
