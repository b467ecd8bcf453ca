"""Timings of the scoring kernels, each beside the limit of this machine measured in the same run.

`rlvr-fast bench` runs this file from the installed package: on a GPU where there is one, else on
the CPU. Every result is compared with the float64 reference before its timing.
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
from rlvr_fast.models import torch_device
from rlvr_fast.onednn import linear
from rlvr_fast.progress import Progress
from rlvr_fast.scoring.kernels import reference
from rlvr_fast.scoring.kernels.linear import linear_divergence, linear_token_stats
from rlvr_fast.scoring.kernels.logits import token_stats
from rlvr_fast.scoring.kernels.nucleus import nucleus_stats
from rlvr_fast.scoring.results import TokenStats

__all__ = ["VOCABULARY", "Bench", "Timing", "run_benchmarks"]

VOCABULARY = 151_936
CHECKED_ROWS = 8
LARGEST_ERROR = 2e-4  # nats


@dataclass(frozen=True, slots=True)
class Timing:
    """One result: the median of the rounds, and the share of the machine's limit.

    Attributes:
        what: the function and its shape.
        seconds: median of the rounds.
        spread: (largest - smallest) / median.
        rounds: number of rounds.
        limit: what bounds the time: "read", "copy" or "product".
        limit_seconds: time of this machine at the limit, as measured in this run.
        error: largest error against float64, nats; None where no result was compared.
    """

    what: str
    seconds: float
    spread: float
    rounds: int
    limit: str
    limit_seconds: float
    error: float | None

    @property
    def share(self) -> float:
        """The share of the limit: 1 is as fast as this machine reads, copies or multiplies."""
        return self.limit_seconds / self.seconds

    def row(self) -> dict[str, Any]:
        """The result as a row of a table, with times in milliseconds."""
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
    """Measures times on one device, and the limits of the device on first use."""

    def __init__(self, device: str, rounds: int = 9) -> None:
        self.device = torch.device(device)
        self.rounds = rounds
        self._limits: dict[str, float] = {}

    def times(self, work: Callable[[], object], rounds: int | None = None) -> list[float]:
        """The seconds of each round, after two rounds that are not counted."""
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
        """The timing of `work`.

        Args:
            what: the function and its shape.
            work: the call, which does `per_call` equal pieces of work.
            limit: "read", "copy" or "product".
            amount: bytes or operations of one piece.
            error: largest error against float64, or None.
            per_call: number of pieces of a call.
        """
        seconds = [value / per_call for value in self.times(work)]
        median = statistics.median(seconds)
        return Timing(
            what, median, (max(seconds) - min(seconds)) / median, len(seconds), limit,
            amount / self.limit(limit), error,
        )  # fmt: skip

    def limit(self, name: str) -> float:
        """The limit "read", "copy" or "product": bytes or operations in a second.

        The fastest round counts: other programs slow the others.
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
        else:  # by the library of our own products
            seconds = min(self.times(lambda: linear(a, b)))
        return 2.0 * rows * columns * width / seconds


def run_benchmarks(
    device: str = "auto", *, quick: bool = False, progress: Progress | None = None
) -> tuple[dict[str, Any], list[Timing]]:
    """Measures the kernels on one device.

    Args:
        device: "auto", "cpu" or "cuda".
        quick: whether to take smaller shapes and fewer rounds.
        progress: called as progress("bench", timings done, timings in all).

    Returns:
        ({"device", "torch", and the measured limits}, timings).

    Raises:
        CudaError: `device` is "cuda", and the build has no CUDA kernels.
        InvalidInputError: another device, or no CUDA device here.
        RlvrError: a result differs from the float64 reference.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() and _core.cuda.built() else "cpu"
    if device not in ("cpu", "cuda"):
        raise InvalidInputError(f"device must be 'auto', 'cpu' or 'cuda', got {device!r}")
    torch_device(device)
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

    few = slice(0, CHECKED_ROWS)
    bandwidth = "copy" if cuda else "read"
    rows = (2048 if quick else 8192) if cuda else (64 if quick else 256)
    width = 4096 if cuda else 256
    linear_rows = rows if cuda else (64 if quick else 256)
    product_type = torch.bfloat16 if cuda else torch.float32

    def logits_case(top_p: float | None) -> Callable[[], Timing]:
        def run() -> Timing:
            x, targets = normal(rows, VOCABULARY).mul_(4), targets_of(rows)
            if top_p is None:
                exact = reference.token_stats(x[few], targets[few])
                error = _stats_error(token_stats(x, targets), exact)
                work: Callable[[], object] = lambda: token_stats(x, targets)  # noqa: E731
            else:
                p = top_p
                found = nucleus_stats(x[few], targets[few], top_p=p)
                kept = reference.nucleus_stats(x[few], targets[few], top_p=p).kept_mass
                error = _acceptable(_largest(found.kept_mass, kept), "kept mass")
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
        exact = reference.linear_token_stats(hidden[few], weight, targets[few])
        error = _stats_error(linear_token_stats(hidden, weight, targets), exact)
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
        exact = reference.linear_divergence(hidden[few], weight, other[few], weight)
        out = linear_divergence(hidden, weight, other, weight)
        error = _largest(out.kl_pq[few], exact.kl_pq)
        return bench.timing(
            f"linear_divergence {str(product_type)[6:]} {linear_rows} x {width} x {VOCABULARY}",
            lambda: linear_divergence(hidden, weight, other, weight),
            "product", 4.0 * linear_rows * width * VOCABULARY, _acceptable(error, "divergence"),
        )  # fmt: skip

    cases = [logits_case(None)]
    if cuda or not quick:
        cases.append(logits_case(0.95))
    return [*cases, linear_case, divergence_case]


def _stats_error(stats: TokenStats, exact: TokenStats) -> float:
    """The largest error of log-prob and entropy on the first rows."""
    few = slice(0, CHECKED_ROWS)
    error = max(
        _largest(stats.logprob[few], exact.logprob), _largest(stats.entropy[few], exact.entropy)
    )
    return _acceptable(error, "token statistics")


def _largest(found: torch.Tensor, exact: torch.Tensor) -> float:
    return float((found.double() - exact).abs().max())


def _acceptable(error: float, what: str) -> float:
    if not error < LARGEST_ERROR:
        raise RlvrError(
            f"bench: the result ({what}) differs from float64 by {error:.2g} nats, more than "
            f"{LARGEST_ERROR}: the timing of a wrong result says nothing. Please report this."
        )
    return error
