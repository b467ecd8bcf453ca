"""Measures one shape: makes inputs, checks every rival against float64, times the rivals in turns.

Before a timed call the GPU is idle, and 256 MB are overwritten (before the first event), so that
the L2 cache holds no data of another call; the first launches of a call overlap with that write.
The limits of the machine (a copy of 1 GiB, an 8192^3 product) are timed in the same rounds.
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
from peers.plan import Case, Forecast, MachineLimits
from peers.rivals import Rival

OUR_ERROR = 2e-4  # nats; the limit of docs/cuda.md
WRONG = 0.5  # nats; a peer with a larger error is not timed
CALL_SECONDS = 2.0  # a call with a longer forecast is not run
TIMED = "the timed rounds"
TIMED_SECONDS = 4.0  # seconds of the timed rounds of a shape, for all rivals


class TimeLimit(BaseException):
    """A rival exceeded its time. Not an Exception, so that no rival catches it."""


class DeviceLost(Exception):
    """The GPU no longer responds to this process; only a new process can continue."""


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raises TimeLimit in the block once this many seconds have passed (main thread only).

    Where a call never returns to Python, the parent process ends this process.
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
    """Clock, memory and cache of the device: a GPU, or a CPU for trials."""

    def __init__(self, name: str) -> None:
        self.torch = torch.device(name)
        self.cuda = self.torch.type == "cuda"
        self.dtype = torch.bfloat16 if self.cuda else torch.float32
        self._flush = torch.empty(256 << 20 if self.cuda else 0, dtype=torch.int8, device=name)

    def synchronize(self) -> None:
        if self.cuda:
            torch.cuda.synchronize(self.torch)

    def seconds(self, work: Callable[[], object]) -> float:
        """Returns the seconds of one call, from an idle GPU and a cache without the call's data."""
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
        """Returns the largest memory that a call allocates, outputs included."""
        if not self.cuda:
            return None
        self.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        work()
        self.synchronize()
        return torch.cuda.max_memory_allocated() - before

    def clocks(self) -> dict[str, float]:
        """Returns SM clock, temperature and power, where the driver's library is installed."""
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
    """The calls that measure the limits of the machine, timed among the rivals."""

    def __init__(self, device: Device) -> None:
        size = 8192 if device.cuda else 512
        self._bytes = 1 << 30 if device.cuda else 1 << 24
        self._operations = 2.0 * size**3
        self._source = torch.empty(self._bytes, dtype=torch.uint8, device=device.torch)
        self._target = torch.empty_like(self._source)
        # Random numbers, because a product of zeros is faster.
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

    def limits(self, seconds: dict[str, float]) -> MachineLimits:
        return MachineLimits(
            2 * self._bytes / seconds["copy"], self._operations / seconds["product"]
        )

    def measure(self, device: Device, rounds: int = 9) -> MachineLimits:
        median = {}
        for name, call in self.calls.items():
            for _ in range(3):
                call()
            median[name] = statistics.median([device.seconds(call) for _ in range(rounds)])
        return self.limits(median)


def is_batch_invariant(rival: Rival, inputs: Inputs, out: dict[str, torch.Tensor]) -> bool:
    """Whether single rows and a middle slice give bitwise the results of the whole batch."""
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
class ShapeBench:
    """Measures shapes on one device, and records the time of each rival for forecasts."""

    device: Device
    rivals: tuple[Rival, ...]
    prepare_seconds: float = 60.0
    tell: Callable[[str, str], None] = lambda case, rival: None  # called before each rival
    forecast: Forecast = field(default_factory=Forecast)
    given_up: dict[str, str] = field(
        default_factory=dict
    )  # rival: the reason why the rival is not run again

    def __post_init__(self) -> None:
        self._limit_calls = LimitCalls(self.device)
        self.limits = self._limit_calls.measure(self.device)

    def rivals_of(self, case: Case) -> list[Rival]:
        return [rival for rival in self.rivals if rival.job == case.job]

    def expected_seconds(self, case: Case) -> float:
        keys = [rival.key for rival in self.rivals_of(case) if rival.key not in self.given_up]
        return self.forecast.case(keys, case, self.limits, rounds=5)

    def run(self, case: Case, excluded: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
        """Measures all rivals of a shape.

        Args:
            case: The shape.
            excluded: Rivals that must not run on this shape, and the reasons.

        Returns:
            One row for each rival.

        Raises:
            DeviceLost: If the GPU no longer responds.
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
        """Builds, checks and warms up a rival; on failure, writes the reason to `row`."""
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
                    return _left_out(row, "wrong", f"error of {worst:.2g} nats, more than {limit}")
                if rival.ours:
                    row["batch_invariant"] = is_batch_invariant(rival, inputs, out)
                del out
                row["warm_seconds"] = self._warm(work)
                row["peak_bytes"] = self.device.peak_bytes(work)
                if rival.graph and case.rows <= 256:
                    row["graph_ms"] = self._graph_milliseconds(work)
        except (Exception, TimeLimit) as error:  # list a rival that cannot run
            self._recover(rival, error)
            if isinstance(error, TimeLimit):
                self.given_up[rival.key] = f"{error} on {case}"
            return _left_out(row, "error", describe(error))
        row["prepare_s"] = time.perf_counter() - start
        self.forecast.learn(rival.key, case, self.limits, row.pop("warm_seconds"), row["prepare_s"])
        return work

    def _warm(self, work: Work) -> float:
        """Calls until two calls take the same time within 5 %, at most ten times."""
        seconds = self.device.seconds(work)
        for _ in range(9):
            before, seconds = seconds, self.device.seconds(work)
            if abs(seconds - before) <= 0.05 * seconds:
                break
        return seconds

    def _graph_milliseconds(self, work: Work) -> float | None:
        """Times the call replayed from a CUDA graph, which excludes the launches by Python."""
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

    def _recover(self, rival: Rival, error: BaseException) -> None:
        """Frees the memory of a failed rival; raises DeviceLost where the GPU is not usable."""
        error.__traceback__ = None
        try:
            self.device.release()
            self.device.synchronize()
        except Exception as lost:
            raise DeviceLost(f"{rival.key}: {describe(lost)}") from None

    def _time(self, case: Case, ready: list[Ready]) -> None:
        """Times every rival and the limits once in each round."""
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
                    self._recover(each.rival, error)
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
            if each.rival.gives == "nothing":  # the call makes one product, also for a divergence
                each.row["tflop_per_s"] /= case.products
                each.row["share_of_product"] /= case.products


def _figures(case: Case, seconds: list[float], limits: MachineLimits) -> dict[str, Any]:
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
    """Returns type and first line of an error, short enough for a table."""
    lines = str(error).strip().splitlines()
    text = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
    return text if len(text) <= 200 else text[:197] + "..."
