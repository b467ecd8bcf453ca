"""Timings of the scoring kernels on this machine, each beside the machine's own measured limit.

What `rlvr-fast bench` runs: from the installed package, on a GPU where there is one, else on the
CPU. Every result is checked against a float64 reference before it is timed.
"""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from rlvr_fast import _core
from rlvr_fast.errors import CudaError, InvalidInputError, RlvrError
from rlvr_fast.products import linear
from rlvr_fast.progress import Progress
from rlvr_fast.scoring.linear import linear_divergence, linear_token_stats
from rlvr_fast.scoring.logits import token_stats
from rlvr_fast.scoring.nucleus import nucleus_stats

__all__ = ["Bench", "Timing", "run_benchmarks"]

VOCABULARY = 151_936


@dataclass(frozen=True, slots=True)
class Timing:
    """One figure: the median over `rounds`, and the share of the limit that it reaches."""

    what: str
    seconds: float
    spread: float  # (largest - smallest) / median
    rounds: int
    limit: str  # what bounds it
    limit_seconds: float  # how long this machine takes at that limit, as measured in this run
    error: float | None  # largest error of log-prob or entropy against float64, nats

    @property
    def share(self) -> float:
        """Of the limit: 1 is as fast as this machine copies, reads or multiplies."""
        return self.limit_seconds / self.seconds

    def row(self) -> dict[str, Any]:
        return {
            "what": self.what,
            "median_ms": self.seconds * 1e3,
            "spread": self.spread,
            "rounds": self.rounds,
            "limit": self.limit,
            "limit_ms": self.limit_seconds * 1e3,
            "share_of_limit": self.share,
            "error_against_float64": self.error,
        }


class Bench:
    """Timing on one device. Limits are measured on first use."""

    def __init__(self, device: str, rounds: int = 9) -> None:
        self.device = torch.device(device)
        self.rounds = rounds
        self._limits: dict[str, float] = {}

    def times(self, work: Callable[[], object], rounds: int | None = None) -> list[float]:
        """Seconds of each round, after two to warm up."""
        rounds = rounds or self.rounds
        for _ in range(2):
            work()
        if self.device.type != "cuda":
            seconds = []
            for _ in range(rounds):
                start = time.perf_counter()
                work()
                seconds.append(time.perf_counter() - start)
            return seconds
        marks = [torch.cuda.Event(enable_timing=True) for _ in range(rounds + 1)]
        marks[0].record()
        for mark in marks[1:]:
            work()
            mark.record()
        torch.cuda.synchronize(self.device)
        return [float(a.elapsed_time(b)) / 1e3 for a, b in itertools.pairwise(marks)]

    def timing(
        self, what: str, work: Callable[[], object], limit: str, amount: float,
        error: float | None, per_call: int = 1,
    ) -> Timing:  # fmt: skip
        """`amount`: bytes or operations of one of the `per_call` pieces that `work` does."""
        seconds = [value / per_call for value in self.times(work)]
        median = statistics.median(seconds)
        return Timing(
            what, median, (max(seconds) - min(seconds)) / median, len(seconds), limit,
            amount / self.limit(limit), error,
        )  # fmt: skip

    def limit(self, name: str) -> float:
        """Bytes or operations a second: "read", "copy" or "product".

        From the fastest round: a round that the machine disturbed shows no limit.
        """
        if name not in self._limits:
            self._limits[name] = getattr(self, f"_{name}")()
        return self._limits[name]

    def _read(self) -> float:
        words = torch.ones(1 << 26, dtype=torch.int64)
        seconds = min(self.times(lambda: _core.sum_words(words)))
        return float(words.numel() * 8 / seconds)

    def _copy(self) -> float:
        source = torch.empty(1 << 32, dtype=torch.uint8, device=self.device)
        target = torch.empty_like(source)
        seconds = min(self.times(lambda: target.copy_(source)))
        return float(2 * source.numel() / seconds)

    def _product(self) -> float:
        cuda = self.device.type == "cuda"
        rows, columns, width = (8192, 8192, 8192) if cuda else (512, 4096, 1024)
        dtype = torch.bfloat16 if cuda else torch.float32
        a = torch.randn(rows, width, device=self.device).to(dtype)
        b = torch.randn(columns, width, device=self.device).to(dtype)
        if cuda:
            out = torch.empty(rows, columns, dtype=dtype, device=self.device)
            seconds = min(self.times(lambda: torch.mm(a, b.t(), out=out)))
        else:  # by the library that our own products take
            seconds = min(self.times(lambda: linear(a, b)))
        return 2.0 * rows * columns * width / seconds


def run_benchmarks(
    device: str = "auto", *, quick: bool = False, progress: Progress | None = None
) -> tuple[dict[str, Any], list[Timing]]:
    """Times the kernels on `device` ("auto", "cpu" or "cuda").

    Returns:
        ({"device", "torch", and the measured limits}, timings). `quick` takes smaller shapes.

    Raises:
        CudaError: "cuda" is asked for, and there is no GPU or no CUDA kernel in this build.
        InvalidInputError: another device.
        RlvrError: a result is not the float64 reference's, so that timing it means nothing.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() and _core.cuda.built() else "cpu"
    if device not in ("cpu", "cuda"):
        raise InvalidInputError(f"device must be 'auto', 'cpu' or 'cuda', got {device!r}")
    if device == "cuda" and not _core.cuda.built():
        raise CudaError("the CUDA kernels are not in this build: rebuild with RLVR_CUDA=ON")
    bench = Bench(device, rounds=5 if quick else 9)
    cases = _cases(bench, quick)
    timings: list[Timing] = []
    for index, case in enumerate(cases):
        if progress is not None:
            progress("bench", index, len(cases))
        timings.append(case())
    if progress is not None:
        progress("bench", len(cases), len(cases))
    name = torch.cuda.get_device_name() if device == "cuda" else "CPU"
    bandwidth = "copy" if device == "cuda" else "read"
    facts = {
        "device": name,
        "torch": torch.__version__,
        f"{bandwidth}_gb_per_s": bench.limit(bandwidth) / 1e9,
        "product_tflop_per_s": bench.limit("product") / 1e12,
    }
    return facts, timings


def _cases(bench: Bench, quick: bool) -> list[Callable[[], Timing]]:
    cuda = bench.device.type == "cuda"
    generator = torch.Generator(bench.device).manual_seed(0)

    def normal(*shape: int, dtype: torch.dtype = torch.bfloat16) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, device=bench.device).to(dtype)

    def targets_of(rows: int) -> torch.Tensor:
        return torch.randint(
            0, VOCABULARY, (rows,), generator=generator, device=bench.device, dtype=torch.int64
        )

    bandwidth = "copy" if cuda else "read"
    rows = (2048 if quick else 8192) if cuda else (64 if quick else 256)
    width = 4096 if cuda else 256
    linear_rows = rows if cuda else (64 if quick else 256)
    product_type = torch.bfloat16 if cuda else torch.float32

    def logits_case(top_p: float | None) -> Callable[[], Timing]:
        def run() -> Timing:
            x, targets = normal(rows, VOCABULARY).mul_(4), targets_of(rows)
            if top_p is None:
                error = _stats_error(token_stats(x, targets), x, targets)
                work: Callable[[], object] = lambda: token_stats(x, targets)  # noqa: E731
            else:
                p = top_p
                few = nucleus_stats(x[:8], targets[:8], top_p=p)
                exact = nucleus_stats(x[:8].cpu(), targets[:8].cpu(), top_p=p)
                error = _acceptable(
                    float((few.kept_mass.cpu() - exact.kept_mass).abs().max()), "kept mass"
                )
                work = lambda: nucleus_stats(x, targets, top_p=p)  # noqa: E731
            name = "token_stats" if top_p is None else f"with top-p {top_p}"
            size = x.numel() * x.element_size()
            return bench.timing(f"{name} bf16 [{rows}, {VOCABULARY}]", work, bandwidth, size, error)

        return run

    def linear_case() -> Timing:
        hidden = normal(linear_rows, width, dtype=product_type)
        weight = (normal(VOCABULARY, width, dtype=torch.float32) * (4 / width**0.5)).to(
            product_type
        )
        targets = targets_of(linear_rows)
        few = slice(0, 8)
        x = hidden[few].double() @ weight.double().t()
        stats = linear_token_stats(hidden, weight, targets)
        error = _stats_error(stats, x, targets)
        return bench.timing(
            f"linear_token_stats {str(product_type)[6:]} {linear_rows} x {width} x {VOCABULARY}",
            lambda: linear_token_stats(hidden, weight, targets),
            "product", 2.0 * linear_rows * width * VOCABULARY, error,
        )  # fmt: skip

    def divergence_case() -> Timing:
        hidden = normal(linear_rows, width, dtype=product_type)
        weight = (normal(VOCABULARY, width, dtype=torch.float32) * (4 / width**0.5)).to(
            product_type
        )
        other = (hidden.float() * 0.9).to(product_type)
        few = slice(0, 8)
        x_p, x_q = (h[few].double() @ weight.double().t() for h in (hidden, other))
        log_p, log_q = torch.log_softmax(x_p, -1), torch.log_softmax(x_q, -1)
        out = linear_divergence(hidden, weight, other, weight)
        exact = (log_p.exp() * (log_p - log_q)).sum(-1)
        error = float((out.kl_pq[few].double() - exact).abs().max())
        return bench.timing(
            f"linear_divergence {str(product_type)[6:]} {linear_rows} x {width} x {VOCABULARY}",
            lambda: linear_divergence(hidden, weight, other, weight),
            "product", 4.0 * linear_rows * width * VOCABULARY, _acceptable(error, "divergence"),
        )  # fmt: skip

    cases = [logits_case(None)]
    if cuda or not quick:
        cases.append(logits_case(0.95))
    return [*cases, linear_case, divergence_case]


def _stats_error(stats: Any, x: torch.Tensor, targets: torch.Tensor) -> float:
    """Largest error of log-prob and entropy on the first rows."""
    few = slice(0, 8)
    log_p = torch.log_softmax(x[few].double(), -1)
    logprob = log_p.gather(-1, targets[few, None])[:, 0]
    entropy = -(log_p.exp() * log_p).sum(-1)
    error = max(
        float((stats.logprob[few].double() - logprob).abs().max()),
        float((stats.entropy[few].double() - entropy).abs().max()),
    )
    return _acceptable(error, "statistics")


def _acceptable(error: float, what: str) -> float:
    if not error < 2e-4:
        raise RlvrError(
            f"bench: the {what} differ from float64 by {error:.2g} nats, more than 2e-4; "
            "figures of wrong results mean nothing. Please report this."
        )
    return error
