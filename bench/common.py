"""Shared by the benchmarks: interleaved timing, the limits of this machine, results as JSON.

A benchmark first checks its results and then times all rivals in turn, in several rounds, so that
other load on the machine slows all rivals alike. It reports medians, spreads and ratios.
"""

from __future__ import annotations

import argparse
import datetime
import gc
import json
import os
import platform
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results"
_PACKAGES = ("rlvr-fast", "torch", "transformers", "numpy", "pyarrow", "polars", "vllm", "triton")


def interleave(
    rivals: Mapping[str, Callable[[], object]], *, rounds: int = 7, warmup: int = 1
) -> dict[str, list[float]]:
    """Times the rivals one after another in each of `rounds` rounds; returns seconds by rival."""
    return {
        name: [wall for wall, _ in both]
        for name, both in interleave_both(rivals, rounds=rounds, warmup=warmup).items()
    }


def interleave_both(
    rivals: Mapping[Any, Callable[[], object]], *, rounds: int = 7, warmup: int = 1
) -> dict[Any, list[tuple[float, float]]]:
    """As `interleave`; returns wall seconds and the processor seconds of all threads."""
    for _ in range(warmup):
        for run in rivals.values():
            run()
    seconds: dict[Any, list[tuple[float, float]]] = {name: [] for name in rivals}
    for _ in range(rounds):
        for name, run in rivals.items():
            gc.collect()
            wall, processor = time.perf_counter(), time.process_time()
            run()
            seconds[name].append((time.perf_counter() - wall, time.process_time() - processor))
    return seconds


def summary(seconds: Sequence[float]) -> dict[str, float]:
    """Returns median, smallest and largest of timings in seconds."""
    return {
        "median_s": statistics.median(seconds),
        "min_s": min(seconds),
        "max_s": max(seconds),
        "rounds": len(seconds),
    }


def read_bandwidth(gigabytes: float = 1.0) -> Callable[[], float]:
    """Returns a function that reads a buffer of this size with all threads, in bytes per second.

    Time the function among the rivals: `interleave({"read": limit, ...})` and bytes / median.
    """
    import torch

    from rlvr_fast import _core

    words = torch.ones(int(gigabytes * (1 << 30)) // 8, dtype=torch.int64)

    def read() -> float:
        start = time.perf_counter()
        total = _core.sum_words(words)
        seconds = time.perf_counter() - start
        if total != words.numel():
            raise AssertionError("the buffer was not read completely")
        return words.numel() * 8 / seconds

    return read


class PeakMemory:
    """The largest growth of the resident set of this process inside the context, in bytes.

    Sampled every half millisecond from /proc. Freed memory is first returned to the system, so that
    allocations inside the context do not reuse it unnoticed.
    """

    def __enter__(self) -> PeakMemory:
        gc.collect()
        trim_memory()
        self.before = self.peak = resident_bytes()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._stop.wait(0.0005):
            self.peak = max(self.peak, resident_bytes())

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self.peak = max(self.peak, resident_bytes())

    @property
    def extra_bytes(self) -> int:
        return self.peak - self.before


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def trim_memory() -> None:
    """Returns free memory of malloc to the system (glibc)."""
    import ctypes

    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    except (OSError, AttributeError):
        return


def machine() -> dict[str, Any]:
    """Describes the machine."""
    cpu = platform.processor()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text("utf-8").splitlines():
            if line.startswith("model name"):
                cpu = line.split(":", 1)[1].strip()
                break
    memory = Path("/proc/meminfo")
    found: dict[str, Any] = {
        "cpu": cpu,
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": (
            round(int(memory.read_text("ascii").split()[1]) / 2**20, 1) if memory.exists() else None
        ),
        "load_average": os.getloadavg()[0],
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
    }
    try:
        from rlvr_fast import _core

        found["instruction_sets"] = _core.instruction_sets()
    except ImportError:
        pass
    try:
        import torch

        if torch.cuda.is_available():
            found["gpu"] = torch.cuda.get_device_name()
            found["cuda"] = torch.version.cuda
    except ImportError:
        pass
    return found


def versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def commit() -> str | None:
    run = subprocess.run(
        ["git", "-C", str(RESULTS.parent), "rev-parse", "--short", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
    )
    return run.stdout.strip() or None


def record(name: str, rows: Sequence[Mapping[str, Any]], out: Path | None = None) -> Path:
    """Writes bench/results/NAME.json: the rows, with machine, versions, date and commit.

    A row names the measurement ("what"), has figures with units in their names, and may have a
    target ("target") and whether the target was met ("met").
    """
    folder = out or RESULTS
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    value = {
        "name": name,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": machine(),
        "versions": versions(),
        "rows": [dict(row) for row in rows],
    }
    path.write_text(json.dumps(value, indent=2) + "\n", "utf-8")
    for row in rows:
        print(json.dumps(row))
    return path


def record_parts(
    name: str,
    parts: Mapping[str, Callable[[Path, argparse.Namespace], list[dict[str, Any]]]],
    asked: argparse.Namespace,
) -> None:
    """Measures the parts of a benchmark, each in a temporary folder, prints and records the rows.

    Args:
        name: of the benchmark.
        parts: name to function of a part, called as part(folder, asked).
        asked: the arguments of the command line; `only` names one part or is None, and `dry` is
            whether nothing is recorded. One part is not recorded: the page shows all of them.
    """
    rows: list[dict[str, Any]] = []
    for key, part in parts.items():
        if asked.only in (None, key):
            with tempfile.TemporaryDirectory() as folder:
                rows += part(Path(folder), asked)
    print(json.dumps(rows, indent=1))
    if not asked.dry and asked.only is None:
        record(name, rows)
