"""Measures one shape: makes the inputs, checks every rival against float64, times them in turns.

Before a timed call the GPU is idle, and 256 MB are overwritten (outside the call's events), so that
nobody finds in the L2 cache what another has left there; a call's first launches hide behind that.
The machine's limits (a copy of 1 GiB, an 8192^3 product) are timed in the same rounds.
"""

from __future__ import annotations

import contextlib
import gc
import signal
import statistics
import time
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch

from peers.inputs import NATS, Inputs, Work, errors, make_inputs, reference
from peers.plan import Case, Forecast, Limits
from peers.rivals import Rival

OUR_ERROR = 2e-4  # nats, what docs/cuda.md promises
WRONG = 0.5  # nats: a peer that is further off is not timed
CALL_SECONDS = 2.0  # a call that is expected to take longer is left out
TIMED = "the timed rounds"
TIMED_SECONDS = 4.0  # of the timed rounds of a shape, all rivals together


class TimeLimit(BaseException):
    """A rival was not ready in the time it was given. No Exception, lest its own code catch it."""


class Fatal(Exception):
    """The GPU answers nothing any more: only a new process can go on."""


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raises TimeLimit in the block once this many seconds have passed (main thread only).

    A call that never returns to Python is ended by the process above, not here.
    """

    def ring(_: int, __: types.FrameType | None) -> None:
        raise TimeLimit(f"not ready in {seconds:.0f} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class Device:
    """Clock, memory and cache of the device: a GPU, or a CPU to try the benchmark on."""

    def __init__(self, name: str) -> None:
        self.torch = torch.device(name)
        self.cuda = self.torch.type == "cuda"
        self.dtype = torch.bfloat16 if self.cuda else torch.float32
        self._flush = torch.empty(256 << 20 if self.cuda else 0, dtype=torch.int8, device=name)

    def synchronize(self) -> None:
        if self.cuda:
            torch.cuda.synchronize(self.torch)

    def seconds(self, work: Callable[[], object]) -> float:
        """Of one call, begun with the GPU idle and the cache full of other things."""
        if not self.cuda:
            start = time.perf_counter()
            work()
            return time.perf_counter() - start
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        self.synchronize()
        self._flush.zero_()
        begin.record()
        work()
        end.record()
        end.synchronize()
        return float(begin.elapsed_time(end)) / 1e3

    def free_bytes(self) -> float:
        if not self.cuda:
            return float("inf")
        free, _ = torch.cuda.mem_get_info(self.torch)
        cached = torch.cuda.memory_reserved() - torch.cuda.memory_allocated()
        return float(free + cached)

    def release(self) -> None:
        gc.collect()
        if self.cuda:
            torch.cuda.empty_cache()

    def peak_bytes(self, work: Work) -> int | None:
        """What a call allocates at most, its outputs counted in."""
        if not self.cuda:
            return None
        self.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        work()
        self.synchronize()
        return torch.cuda.max_memory_allocated() - before

    def clocks(self) -> dict[str, float]:
        """The SM clock, temperature and power, where the driver's library is there to ask."""
        found: dict[str, float] = {}
        if self.cuda:
            for name, ask in (
                ("sm_mhz", torch.cuda.clock_rate),
                ("celsius", torch.cuda.temperature),
                ("watts", lambda: torch.cuda.power_draw() / 1e3),
            ):
                with contextlib.suppress(Exception):
                    found[name] = float(ask())
        return found


class LimitCalls:
    """The machine's limits, as calls that are timed among the rivals."""

    def __init__(self, device: Device) -> None:
        size = 8192 if device.cuda else 512
        self._bytes = 1 << 30 if device.cuda else 1 << 24
        self._operations = 2.0 * size**3
        self._source = torch.empty(self._bytes, dtype=torch.uint8, device=device.torch)
        self._target = torch.empty_like(self._source)
        # Of random numbers: zeros would make it look faster than it is.
        self._a, self._b = (
            torch.randn(size, size, device=device.torch).to(device.dtype) for _ in range(2)
        )
        self._out = torch.empty_like(self._a)

    @property
    def calls(self) -> dict[str, Callable[[], object]]:
        return {
            "copy": lambda: self._target.copy_(self._source),
            "product": lambda: torch.mm(self._a, self._b.t(), out=self._out),
        }

    def limits(self, seconds: dict[str, float]) -> Limits:
        return Limits(2 * self._bytes / seconds["copy"], self._operations / seconds["product"])

    def measure(self, device: Device, rounds: int = 9) -> Limits:
        median = {}
        for name, call in self.calls.items():
            for _ in range(3):
                call()
            median[name] = statistics.median([device.seconds(call) for _ in range(rounds)])
        return self.limits(median)


def is_batch_invariant(rival: Rival, inputs: Inputs, out: dict[str, torch.Tensor]) -> bool:
    """Are single rows, and a slice from the middle, bitwise what they are in the whole batch?"""
    rows = len(inputs.hidden)
    middle = rows // 3
    slices = {(0, 1), (rows // 2, rows // 2 + 1), (rows - 1, rows), (middle, middle + 130)}
    for start, end in slices:
        here = slice(start, min(end, rows))
        part = rival.build(
            Inputs(
                inputs.hidden[here],
                inputs.weight,
                inputs.targets[here],
                None if inputs.other_hidden is None else inputs.other_hidden[here],
                inputs.other_weight,
            )
        )()
        for name, value in part.items():
            whole = out[name][here].contiguous()
            if not torch.equal(value.contiguous().view(torch.int32), whole.view(torch.int32)):
                return False
    return True


class Ready(NamedTuple):
    rival: Rival
    work: Work
    row: dict[str, Any]


@dataclass
class Bench:
    """Measures shapes on one device, and learns how long each rival takes."""

    device: Device
    rivals: tuple[Rival, ...]
    prepare_seconds: float = 60.0
    tell: Callable[[str, str], None] = lambda case, rival: None  # what is begun
    forecast: Forecast = field(default_factory=Forecast)
    given_up: dict[str, str] = field(default_factory=dict)  # rival: why it is not tried any more

    def __post_init__(self) -> None:
        self._limit_calls = LimitCalls(self.device)
        self.limits = self._limit_calls.measure(self.device)

    def rivals_of(self, case: Case) -> list[Rival]:
        return [rival for rival in self.rivals if rival.job == case.job]

    def expected_seconds(self, case: Case) -> float:
        keys = [rival.key for rival in self.rivals_of(case) if rival.key not in self.given_up]
        return self.forecast.case(keys, case, self.limits, rounds=5)

    def run(self, case: Case, excluded: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
        """One row for each rival of this shape. Raises Fatal where the GPU is lost.

        `excluded`: rivals that are not to be tried on this shape, and why.
        """
        with torch.no_grad():
            inputs = make_inputs(case, self.device.torch, self.device.dtype)
            exact = reference(inputs)
            ready, rows = [], []
            for rival in self.rivals_of(case):
                row: dict[str, Any] = {
                    "what": f"{case} {rival.key}", "job": case.job, "rows": case.rows,
                    "width": case.width, "vocabulary": case.vocabulary, "peer": rival.name,
                    "gives": rival.gives, "rounds_logits": rival.rounds_logits,
                }  # fmt: skip
                rows.append(row)
                why = (excluded or {}).get(rival.key) or self.given_up.get(rival.key)
                if why is not None:
                    _left_out(row, "error", why)
                    continue
                work = self._prepared(rival, case, inputs, exact, row)
                if work is not None:
                    ready.append(Ready(rival, work, row))
            self._time(case, ready)
        del inputs, exact, ready
        self.device.release()
        return rows

    def _prepared(
        self, rival: Rival, case: Case, inputs: Inputs, exact: dict[str, torch.Tensor],
        row: dict[str, Any],
    ) -> Work | None:  # fmt: skip
        """Builds, checks and warms up; None, and a row that says why, where that fails."""
        if (missing := rival.absent) is not None:
            return _left_out(row, "absent", f"no module {missing}")
        expected = self.forecast.call(rival.key, case, self.limits)
        if expected > CALL_SECONDS:
            return _left_out(row, "skipped", f"a call is expected to take {expected:.1f} s")
        wanted = rival.memory(case)
        if wanted > 0.9 * self.device.free_bytes():
            return _left_out(row, "skipped", f"would need {wanted / 2**30:.0f} GiB")
        self.tell(str(case), rival.key)
        start = time.perf_counter()
        try:
            with time_limit(self.prepare_seconds):
                work = rival.build(inputs)
                out = work()
                found = errors(out, exact)
                row["errors"] = found
                worst = max((found[name] for name in found if name in NATS), default=None)
                row["error_nats"] = worst
                limit = OUR_ERROR if rival.ours else WRONG
                if worst is not None and not worst < limit:
                    return _left_out(row, "wrong", f"off by {worst:.2g} nats, more than {limit}")
                if rival.ours:
                    row["batch_invariant"] = is_batch_invariant(rival, inputs, out)
                del out
                row["warm_seconds"] = self._warm(work)
                row["peak_bytes"] = self.device.peak_bytes(work)
                if rival.graph and case.rows <= 256:
                    row["graph_ms"] = self._graph_milliseconds(work)
        except (Exception, TimeLimit) as error:  # a rival that cannot run is listed
            self._survive(rival, error)
            if isinstance(error, TimeLimit):
                self.given_up[rival.key] = f"{error} on {case}"
            return _left_out(row, "error", describe(error))
        row["prepare_s"] = time.perf_counter() - start
        self.forecast.learn(rival.key, case, self.limits, row.pop("warm_seconds"), row["prepare_s"])
        return work

    def _warm(self, work: Work) -> float:
        """Until two calls take the same time within 5 %, ten calls at most."""
        seconds = self.device.seconds(work)
        for _ in range(9):
            before, seconds = seconds, self.device.seconds(work)
            if abs(seconds - before) <= 0.05 * seconds:
                break
        return seconds

    def _graph_milliseconds(self, work: Work) -> float | None:
        """The call replayed from a CUDA graph: without the time that Python takes to launch."""
        if not self.device.cuda:
            return None
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            work()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph):
                held = work()
        except Exception as error:
            self.device.synchronize()
            print(f"no graph: {describe(error)}", flush=True)
            return None
        graph.replay()
        seconds = statistics.median([self.device.seconds(graph.replay) for _ in range(11)])
        del held, graph
        return seconds * 1e3

    def _survive(self, rival: Rival, error: BaseException) -> None:
        """Frees what a failed rival holds; raises Fatal where the GPU is no longer usable."""
        error.__traceback__ = None
        try:
            self.device.release()
            self.device.synchronize()
        except Exception as lost:
            raise Fatal(f"{rival.key}: {describe(lost)}") from None

    def _time(self, case: Case, ready: list[Ready]) -> None:
        """Round after round, every rival once and the limits once."""
        if not ready:
            return
        calls = self._limit_calls.calls
        one_round = sum(self.forecast.call(each.rival.key, case, self.limits) for each in ready)
        rounds = round(min(25.0, max(5.0, TIMED_SECONDS / one_round)))
        seconds: dict[str, list[float]] = {name: [] for name in calls}
        seconds.update({each.rival.key: [] for each in ready})
        lost: dict[str, str] = {}
        for _ in range(rounds):
            self.tell(str(case), TIMED)
            for name, call in calls.items():
                seconds[name].append(self.device.seconds(call))
            for each in ready:
                if each.rival.key in lost:
                    continue
                try:
                    seconds[each.rival.key].append(self.device.seconds(each.work))
                except Exception as error:
                    self._survive(each.rival, error)
                    lost[each.rival.key] = describe(error)
        limits = self._limit_calls.limits(
            {name: statistics.median(seconds[name]) for name in calls}
        )
        clocks = self.device.clocks()
        for each in ready:
            if each.rival.key in lost:
                _left_out(each.row, "error", lost[each.rival.key])
                continue
            each.row.update(_figures(case, seconds[each.rival.key], limits), **clocks)
            if each.rival.gives == "nothing":  # it makes one product, of a divergence too
                each.row["tflop_per_s"] /= case.products
                each.row["share_of_product"] /= case.products


def _figures(case: Case, seconds: list[float], limits: Limits) -> dict[str, Any]:
    median = statistics.median(seconds)
    return {
        "status": "measured",
        "median_ms": median * 1e3,
        "min_ms": min(seconds) * 1e3,
        "max_ms": max(seconds) * 1e3,
        "rounds": len(seconds),
        "tflop_per_s": case.operations / median / 1e12,
        "share_of_product": case.operations / median / limits.product,
        "share_of_copy": case.bytes_read / median / limits.copy,
        "product_tflop_per_s": limits.product / 1e12,
        "copy_gb_per_s": limits.copy / 1e9,
    }


def _left_out(row: dict[str, Any], status: str, note: str) -> None:
    row.pop("warm_seconds", None)
    row.update(status=status, note=note)


def describe(error: BaseException) -> str:
    """Its type and first line, short enough for a table."""
    lines = str(error).strip().splitlines()
    text = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
    return text if len(text) <= 200 else text[:197] + "..."
