"""Verification in isolated processes, with limits, whatever the answers contain."""

from __future__ import annotations

import collections
import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

from rlvr_fast.answers.options import DEFAULT_MEMORY_MB, LEAST_MEMORY_MB
from rlvr_fast.errors import InvalidInputError, RlvrError
from rlvr_fast.tasks import load_verifier
from rlvr_fast.tasks.schemes import scheme_of
from rlvr_fast.vocabulary import Verdict

__all__ = ["DEFAULT_MEMORY_MB", "Outcome", "Pair", "default_workers", "verify_pairs"]

# Requests a worker holds at once: enough that it never waits, few enough to give back cheaply.
WINDOW = 32
# A verifier that sleeps uses no processor time; the wall ends it, generously, as a busy machine
# may give a worker a small share of a processor.
WALL_FACTOR = 3.0
WALL_SLACK = 10.0
START_SECONDS = 180.0
# A second try alone in a fresh process has to be the same try for the same pair.
TIMEOUT_SIGNALS = (signal.SIGPROF, signal.SIGXCPU)

Reason = Literal["verdict", "timeout", "memory", "died"]


@dataclass(frozen=True, slots=True)
class Pair:
    """An answer to be verified, with all that a worker needs to know about its problem."""

    spec: str
    problem_id: str
    gold: str | None
    metadata: Mapping[str, Any]
    answer: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """A verdict, who gave it ("math-verify 0.9.0"), and for an error its message."""

    verdict: Verdict
    grader: str
    detail: str = ""


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
    """Verifies each pair in a worker process and calls on_outcome(place in pairs, outcome).

    Outcomes come in the order in which they are decided; on_outcome runs in the calling thread.
    `timeout` is processor seconds of one verification, `memory_mb` MiB of address space of a
    worker. A pair that ends its worker (time, memory, a crash) is tried once more, alone, in a
    fresh process while nothing else of ours runs, and that outcome stands: so neither the load of
    the machine nor the pairs verified before decide a verdict, and outcomes do not depend on the
    number of workers or the order of the pairs.

    Raises InvalidInputError where a task cannot verify at all (its file or package has changed),
    RlvrError where worker processes do not start.
    """
    if memory_mb < LEAST_MEMORY_MB:
        raise InvalidInputError(
            f"expected memory_mb of at least {LEAST_MEMORY_MB} (what verifiers themselves take), "
            f"got {memory_mb}"
        )
    for programs in (False, True):  # workers that run programs start bubblewrap, others may not
        chosen = [
            (number, pair)
            for number, pair in enumerate(pairs)
            if scheme_of(pair.spec).runs_programs == programs
        ]
        if not chosen:
            continue
        pool = _Pool(min(workers or default_workers(), len(chosen)), timeout, memory_mb)
        try:
            pool.run(iter(chosen), on_outcome)
        finally:
            pool.close()


class _Worker:
    """A process, the requests it holds in order, and when its first one is overdue."""

    def __init__(self, memory_mb: int, guarded: bool) -> None:
        package_root = str(Path(__file__).parents[2])
        search = os.pathsep.join([package_root, *(item for item in sys.path if item)])
        # Little of the environment: an answer that is evaluated finds no secrets in it.
        kept = {
            name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ
        }
        self.errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "rlvr_fast.answers.worker_main",
                str(memory_mb),
                str(int(guarded)),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
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
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.stdin, self.stdout = self.process.stdin, self.process.stdout
        os.set_blocking(self.stdin.fileno(), False)
        os.set_blocking(self.stdout.fileno(), False)
        self.held: collections.deque[tuple[int, Pair, float]] = collections.deque()
        self.unsent = bytearray()
        self.received = bytearray()
        self.ready = False
        self.deadline = time.monotonic() + START_SECONDS

    def give(self, number: int, pair: Pair, limit: float) -> None:
        request = {
            "id": number,
            "spec": pair.spec,
            "problem_id": pair.problem_id,
            "gold": pair.gold,
            "metadata": dict(pair.metadata),
            "answer": pair.answer,
            "limit": limit,
        }
        if not self.held and self.ready:
            self.deadline = _wall(limit)
        self.held.append((number, pair, limit))
        self.unsent += json.dumps(request).encode() + b"\n"

    def send(self) -> None:
        while self.unsent:
            try:
                sent = os.write(self.stdin.fileno(), self.unsent[:65536])
            except (BlockingIOError, BrokenPipeError):
                return
            del self.unsent[:sent]

    def receive(self) -> Iterator[dict[str, Any]] | None:
        """Whole replies that have come; None once the process has closed its end."""
        try:
            data = os.read(self.stdout.fileno(), 1 << 20)
        except BlockingIOError:
            return iter(())
        if not data:
            return None
        self.received += data
        *lines, rest = self.received.split(b"\n")
        self.received = bytearray(rest)
        return (json.loads(line) for line in lines)

    def starved(self) -> bool:
        """Whether it would run if the machine let it; the kernel ends it after its limit then."""
        try:
            stat = Path(f"/proc/{self.process.pid}/stat").read_text()
        except OSError:
            return False
        return stat.rpartition(")")[2].split()[0] in ("R", "D")

    def end(self) -> int:
        """Ends the process and everything it started; returns its exit status."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if self.process.poll() is None:
                os.killpg(self.process.pid, signal.SIGKILL)
        status = self.process.wait()
        self.stdin.close()
        self.stdout.close()
        return status

    def last_words(self) -> str:
        self.errors.seek(0)
        return self.errors.read()[-2000:].decode("utf-8", "replace").strip()


def _wall(limit: float) -> float:
    return time.monotonic() + WALL_FACTOR * limit + WALL_SLACK


class _Pool:
    def __init__(self, workers: int, timeout: float, memory_mb: int) -> None:
        self.size = workers
        self.timeout = timeout
        self.memory_mb = memory_mb
        self.selector = selectors.DefaultSelector()
        self.workers: list[_Worker] = []
        self.returned: collections.deque[tuple[int, Pair, float]] = collections.deque()
        self.again: list[tuple[int, Pair, float]] = []

    def run(
        self, pairs: Iterator[tuple[int, Pair]], on_outcome: Callable[[int, Outcome], None]
    ) -> None:
        self._drain(self._requests(pairs), on_outcome, self.size, alone=False)
        again, self.again = sorted(self.again, key=lambda item: item[0]), []
        for item in again:
            self.close()
            self._drain(iter([item]), on_outcome, 1, alone=True)

    def _requests(self, pairs: Iterator[tuple[int, Pair]]) -> Iterator[tuple[int, Pair, float]]:
        for number, pair in pairs:
            limit = load_verifier(pair.spec).limit_seconds(pair.metadata, self.timeout)
            yield number, pair, limit

    def _drain(
        self,
        requests: Iterator[tuple[int, Pair, float]],
        on_outcome: Callable[[int, Outcome], None],
        size: int,
        *,
        alone: bool,
    ) -> None:
        exhausted = False
        while True:
            # Workers are filled evenly: one request each before anyone gets a second.
            for depth in range(WINDOW):
                for place in range(size):
                    if exhausted and not self.returned:
                        break
                    if place < len(self.workers) and len(self.workers[place].held) > depth:
                        continue
                    item = self.returned.popleft() if self.returned else next(requests, None)
                    if item is None:
                        exhausted = True
                        break
                    if place >= len(self.workers):
                        self._start(item[1])
                        place = len(self.workers) - 1
                    self.workers[place].give(*item)
            if exhausted and not self.returned and not any(w.held for w in self.workers):
                return
            self._exchange(on_outcome, alone)

    def _exchange(self, on_outcome: Callable[[int, Outcome], None], alone: bool) -> None:
        for worker in self.workers:
            worker.send()
            waiting = worker.stdin.fileno() in self.selector.get_map()
            if worker.unsent and not waiting:
                self.selector.register(worker.stdin, selectors.EVENT_WRITE, worker)
            elif waiting and not worker.unsent:
                self.selector.unregister(worker.stdin)
        for key, _ in self.selector.select(timeout=0.5):
            worker = key.data
            if worker not in self.workers:
                continue
            if key.fileobj is worker.stdin:
                worker.send()
                continue
            replies = worker.receive()
            if replies is None:
                self._ended(worker, on_outcome, alone)
                continue
            for reply in replies:
                self._reply(worker, reply, on_outcome, alone)
        now = time.monotonic()
        for worker in list(self.workers):
            if now > worker.deadline and (worker.held or not worker.ready):
                if worker.held and worker.starved():
                    worker.deadline = now + 1.0  # its processor time is what counts
                    continue
                self._ended(worker, on_outcome, alone, overdue=True)

    def _reply(
        self,
        worker: _Worker,
        reply: dict[str, Any],
        on_outcome: Callable[[int, Outcome], None],
        alone: bool,
    ) -> None:
        if "fatal" in reply:
            raise InvalidInputError(reply["fatal"])
        if "ready" in reply:
            worker.ready = True
        else:
            number, pair, limit = worker.held.popleft()
            if reply["detail"] == "memory" and not alone:
                self.again.append((number, pair, limit))
            else:
                on_outcome(number, Outcome(reply["verdict"], reply["grader"], reply["detail"]))
        if worker.held:
            worker.deadline = _wall(worker.held[0][2])

    def _ended(
        self,
        worker: _Worker,
        on_outcome: Callable[[int, Outcome], None],
        alone: bool,
        *,
        overdue: bool = False,
    ) -> None:
        """A worker that died, or is overdue and now does: its first request is to blame."""
        self._drop(worker)
        status = worker.end()
        if not worker.ready:
            raise RlvrError(
                f"a verifying process did not start (exit status {status}): "
                f"{worker.last_words() or 'it said nothing'}"
            )
        if not worker.held:
            return
        number, pair, limit = worker.held.popleft()
        self.returned.extendleft(reversed(worker.held))
        if not alone:
            self.again.append((number, pair, limit))
            return
        grader = load_verifier(pair.spec).name
        if overdue:
            outcome = Outcome(
                "timeout", grader, f"{WALL_FACTOR * limit + WALL_SLACK:g} s of wall time"
            )
        elif -status in TIMEOUT_SIGNALS:
            outcome = Outcome("timeout", grader, f"{limit:g} s of processor time")
        else:
            what = f"signal {-status}" if status < 0 else f"exit status {status}"
            outcome = Outcome("error", grader, f"the verifying process ended with {what}")
        on_outcome(number, outcome)

    def _start(self, pair: Pair) -> None:
        worker = _Worker(self.memory_mb, guarded=not scheme_of(pair.spec).runs_programs)
        self.workers.append(worker)
        self.selector.register(worker.stdout, selectors.EVENT_READ, worker)

    def _drop(self, worker: _Worker) -> None:
        self.workers.remove(worker)
        for pipe in (worker.stdin, worker.stdout):
            with contextlib.suppress(KeyError, ValueError):
                self.selector.unregister(pipe)

    def close(self) -> None:
        for worker in list(self.workers):
            self._drop(worker)
            worker.end()
