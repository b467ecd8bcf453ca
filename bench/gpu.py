"""Timings of the CUDA kernels against the targets of docs/cuda.md; writes gpu.json and gpu.md.

    python bench/gpu.py [--out FOLDER] [--quick] [--fused]

Limits (copy bandwidth, bf16 product) are measured in the same run. Results are checked before they
are timed.
"""

from __future__ import annotations

import argparse
import importlib
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
from common import RESULTS, record

from rlvr_fast import _core, linear_divergence, linear_token_stats, token_stats
from rlvr_fast.errors import RlvrError
from rlvr_fast.scoring.kernels import cuda_fused, reference
from rlvr_fast.scoring.kernels.benchmarks import VOCABULARY, Bench, Timing, run_benchmarks


def few_rows(bench: Bench, rows: int = 16, windows: int = 64) -> Timing:
    """Times calls on a few rows each, replayed from a CUDA graph.

    The calls read different rows of a large tensor, so that no logits are in the cache. The graph
    excludes the time that Python takes to launch.
    """
    x = torch.randn(rows * windows * 2, VOCABULARY, device="cuda").mul_(4).to(torch.bfloat16)
    targets = torch.randint(0, VOCABULARY, (len(x),), device="cuda")

    def work() -> None:
        for window in range(0, len(x), rows):
            here = slice(window, window + rows)
            token_stats(x[here], targets[here])

    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        work()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        work()
    return bench.timing(
        f"token_stats bf16 [{rows}, {VOCABULARY}]", graph.replay, "copy",
        rows * VOCABULARY * 2.0, None, per_call=2 * windows,
    )  # fmt: skip


def eager_pytorch(bench: Bench, rows: int) -> Timing:
    """Times the same statistics computed by plain PyTorch."""
    x = torch.randn(rows, VOCABULARY, device="cuda").mul_(4).to(torch.bfloat16)
    targets = torch.randint(0, VOCABULARY, (rows,), device="cuda")

    def work() -> None:
        log_p = torch.log_softmax(x.float(), -1)
        p = log_p.exp()
        chosen = log_p.gather(-1, targets[:, None])
        above = log_p > chosen
        _ = -(p * log_p).sum(-1), above.sum(-1), (p * above).sum(-1)
        torch.logsumexp(x.float(), -1)

    return bench.timing(
        f"eager PyTorch bf16 [{rows}, {VOCABULARY}]", work, "copy", x.numel() * 2.0, None
    )


def trl_in_turns(bench: Bench, rows: int, columns: int = VOCABULARY) -> list[Timing]:
    """Times TRL's Triton kernel, which computes log-prob and entropy only, and ours, in turns.

    Raises:
        ImportError: If TRL is not installed (requirements/gpu-peers.txt).
    """
    selective = importlib.import_module("trl.kernels").selective_log_softmax_and_entropy
    x = torch.randn(rows, columns, device=bench.device).mul_(4).to(torch.bfloat16)
    targets = torch.randint(0, columns, (rows,), device=bench.device)
    works = {
        "token_stats": lambda: tuple(token_stats(x, targets)[:2]),
        "TRL Triton": lambda: selective(x, targets),
    }
    few = slice(0, 8)
    exact = reference.token_stats(x[few], targets[few])[:2]
    errors, seconds = {}, {}
    with torch.no_grad():
        for name, work in works.items():
            off = zip(work(), exact, strict=True)
            errors[name] = max(float((a[few].double() - b).abs().max()) for a, b in off)
            seconds[name] = []
        for _ in range(4):
            for name, work in works.items():
                seconds[name] += bench.times(work, 3)
    shape = f"bf16 [{rows}, {columns}]"
    names = {"token_stats": f"token_stats {shape} beside TRL", "TRL Triton": f"TRL Triton {shape}"}
    bandwidth = "copy" if bench.device.type == "cuda" else "read"
    limit = 2.0 * x.numel() / bench.limit(bandwidth)
    found = []
    for name, each in seconds.items():
        median = statistics.median(each)
        spread = (max(each) - min(each)) / median
        found.append(Timing(names[name], median, spread, len(each), bandwidth, limit, errors[name]))
    return found


def peak_workspace(rows: int) -> dict[str, float]:
    hidden = torch.randn(rows, 4096, device="cuda", dtype=torch.bfloat16)
    weight = torch.randn(VOCABULARY, 4096, device="cuda", dtype=torch.bfloat16)
    x = torch.randn(rows, VOCABULARY, device="cuda", dtype=torch.bfloat16)
    targets = torch.randint(0, VOCABULARY, (rows,), device="cuda")
    found = {}
    for name, work in {
        "token_stats": lambda: token_stats(x, targets),
        "linear_token_stats": lambda: linear_token_stats(hidden, weight, targets),
    }.items():
        work()
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        work()
        torch.cuda.synchronize()
        found[name] = (torch.cuda.max_memory_allocated() - before) / 2**20
    return found


def driver() -> str:
    run = subprocess.run(
        ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return run.stdout.strip().splitlines()[0] if run.stdout.strip() else "unknown"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--fused", action="store_true", help="time the fused linear kernels only")
    options = parser.parse_args()
    if not torch.cuda.is_available():
        print("bench/gpu.py needs an NVIDIA GPU; this machine shows none", file=sys.stderr)
        return 2
    if options.fused:
        return fused(options.out, options.quick)
    facts, timings = run_benchmarks("cuda", quick=options.quick)
    facts["driver"] = driver()
    bench = Bench("cuda")
    rows = 2048 if options.quick else 8192
    timings.append(few_rows(bench))
    timings.append(eager_pytorch(bench, rows))
    absent: list[dict[str, Any]] = []
    try:
        timings += trl_in_turns(bench, rows)
    except Exception as error:  # list a peer that cannot run, and keep the other results
        absent = [{"what": "TRL Triton", "error": f"{type(error).__name__}: {error}"[:200]}]
    if not options.quick:
        timings.append(token_stats_of(bench, torch.float32))
        timings.append(token_stats_of(bench, torch.bfloat16, columns=50257))
    workspace = peak_workspace(rows)

    result: list[dict[str, Any]] = [{"what": "limits", **facts}]
    result += [timing.row() for timing in timings]
    result += absent
    result += [{"what": f"workspace of {k}", "mebibytes": v} for k, v in workspace.items()]
    record("gpu", result, options.out)
    table = markdown(facts, timings, workspace)
    (options.out / "gpu.md").write_text(table, "utf-8")
    print(table)
    return 0


def fused(out: Path, quick: bool) -> int:
    """Times the fused kernels and the portable path, in turns; writes gpu_fused.json."""
    names = ("mma", "wgmma", "wgmma_pairs")
    kernels = [name for name in names if _core.cuda.fused_supported(0, name)]
    bench = Bench("cuda", rounds=5)
    rows: list[dict[str, Any]] = [
        {"what": "limits", "device": torch.cuda.get_device_name(), "driver": driver(),
         "product_tflop_per_s": bench.limit("product") / 1e12}
    ]  # fmt: skip
    for width in (4096,) if quick else (4096, 1024):
        n = 2048 if quick else 8192
        hidden = torch.randn(n, width, device="cuda").to(torch.bfloat16)
        weight = (torch.randn(VOCABULARY, width, device="cuda") * (4 / width**0.5)).bfloat16()
        targets = torch.randint(0, VOCABULARY, (n,), device="cuda")
        few = slice(0, 8)
        exact = reference.linear_token_stats(hidden[few], weight, targets[few]).logprob
        for name in ["portable", *kernels] * 2:
            os.environ["RLVR_LINEAR_PATH"] = "fused" if name in kernels else "portable"
            cuda_fused.KERNELS = (name,)
            stats = linear_token_stats(hidden, weight, targets)
            error = float((stats.logprob[few].double() - exact).abs().max())
            if not error < 2e-4:
                raise RlvrError(f"{name}: log-probs are off by {error:.2g}")
            timing = bench.timing(
                f"linear_token_stats {name} bf16 {n} x {width} x {VOCABULARY}",
                lambda h=hidden, w=weight, t=targets: linear_token_stats(h, w, t),
                "product", 2.0 * n * width * VOCABULARY, error,
            )  # fmt: skip
            rows.append(timing.row())
        models = (hidden, weight, -hidden, weight)
        for name in [
            "portable",
            *(k for k in kernels if k != "mma"),
        ] * 2:  # mma computes one model only
            os.environ["RLVR_LINEAR_PATH"] = "fused" if name in kernels else "portable"
            cuda_fused.KERNELS = (name,)
            timing = bench.timing(
                f"linear_divergence {name} bf16 {n} x {width} x {VOCABULARY}",
                lambda m=models: linear_divergence(*m),
                "product", 4.0 * n * width * VOCABULARY, None,
            )  # fmt: skip
            rows.append(timing.row())
    record("gpu_fused", rows, out)
    return 0


def token_stats_of(bench: Bench, dtype: torch.dtype, columns: int = VOCABULARY) -> Timing:
    """Times token_stats; with 50 257 columns, rows begin at different alignments."""
    x = torch.randn(8192, columns, device="cuda").mul_(4).to(dtype)
    targets = torch.randint(0, columns, (8192,), device="cuda")
    return bench.timing(
        f"token_stats {str(dtype)[6:]} [8192, {columns}]", lambda: token_stats(x, targets), "copy",
        float(x.numel() * x.element_size()), None,
    )  # fmt: skip


def markdown(facts: dict[str, Any], timings: list[Timing], workspace: dict[str, float]) -> str:
    lines = [
        f"{facts['device']}, driver {facts['driver']}, torch {facts['torch']}; copies "
        f"{facts['copy_gb_per_s']:.0f} GB/s (read + written), multiplies bf16 at "
        f"{facts['product_tflop_per_s']:.0f} TFLOP/s, both measured in the same run.",
        "",
        "| what | ms (median) | spread | share of the limit | error against float64 |",
        "|---|---|---|---|---|",
    ]
    for t in timings:
        error = "" if t.error is None else f"{t.error:.1e}"
        lines.append(
            f"| {t.what} | {t.seconds * 1e3:.3f} | {t.spread:.1%} | {t.share:.0%} of {t.limit} "
            f"| {error} |"
        )
    lines += ["", "Workspace: " + ", ".join(f"{k} {v:.0f} MiB" for k, v in workspace.items()), ""]
    return "\n".join(lines)


if __name__ == "__main__":
    torch.manual_seed(0)
    sys.exit(main())
