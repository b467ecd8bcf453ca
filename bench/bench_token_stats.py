"""token_stats on the CPU, beside torch and beside the memory bandwidth of the machine.

python bench/bench_token_stats.py [--rows 1024] [--rounds 5]
"""

from __future__ import annotations

import argparse
from typing import Any

import common
import torch

import rlvr_fast
from rlvr_fast import _core
from rlvr_fast.scoring.kernels import reference

VOCABULARY = 151_936


def by_torch(logits: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The usual code: log-softmax in float32, entropy, gather."""
    log_probabilities = torch.log_softmax(logits.float(), -1)
    entropy = -(log_probabilities.exp() * log_probabilities).sum(-1)
    return log_probabilities.gather(-1, targets[:, None]).squeeze(-1), entropy


def worst_error(logits: torch.Tensor, targets: torch.Tensor) -> dict[str, float]:
    """The largest error against the float64 reference."""
    stats = rlvr_fast.token_stats(logits, targets)
    exact = reference.token_stats(logits, targets)
    return {
        name: float((getattr(stats, name).double() - getattr(exact, name)).abs().max())
        for name in ("logprob", "entropy")
    }


def random_logits(rows: int, dtype: torch.dtype) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    logits = torch.empty(rows, VOCABULARY, dtype=dtype)
    for row in range(0, rows, 32):
        piece = logits[row : row + 32]
        piece.copy_(torch.randn(piece.shape, generator=generator) * 3)
    return logits


def measure(dtype: torch.dtype, rows: int, rounds: int, *, with_torch: bool) -> dict[str, Any]:
    logits = random_logits(rows, dtype)
    targets = torch.randint(0, VOCABULARY, (rows,), generator=torch.Generator().manual_seed(1))
    checked = slice(0, min(rows, 256))
    errors = worst_error(logits[checked], targets[checked])
    if max(errors.values()) > 2e-5:
        raise AssertionError(f"token_stats differs from the float64 reference: {errors}")
    with common.PeakMemory() as memory:
        rlvr_fast.token_stats(logits, targets)
    rates = []
    read = common.read_bandwidth(1.0)
    rivals = {
        "read": lambda: rates.append(read()),
        "rlvr_fast": lambda: rlvr_fast.token_stats(logits, targets),
    }
    if with_torch:
        rivals["torch"] = lambda: by_torch(logits, targets)
    seconds = {
        name: common.summary(v) for name, v in common.interleave(rivals, rounds=rounds).items()
    }
    ours = seconds["rlvr_fast"]["median_s"]
    bandwidth = (1 << 30) / seconds["read"]["median_s"]
    share = logits.nbytes / ours / bandwidth
    name = str(dtype).removeprefix("torch.")
    target = 0.5 if dtype == torch.float32 else 0.25
    row: dict[str, Any] = {
        "what": f"token_stats {name} [{rows}, {VOCABULARY}]",
        "threads": _core.num_threads(),
        "instruction_set": _core.instruction_sets()[0],
        "median_ms": ours * 1e3,
        "spread_ms": [seconds["rlvr_fast"]["min_s"] * 1e3, seconds["rlvr_fast"]["max_s"] * 1e3],
        "gigalogits_per_s": logits.numel() / ours / 1e9,
        "gigabytes_per_s": logits.nbytes / ours / 1e9,
        "read_bandwidth_gigabytes_per_s": bandwidth / 1e9,
        "share_of_read_bandwidth": share,
        "worst_error": errors,
        "extra_memory_mb": memory.extra_bytes / 1e6,
        "target": {"share_of_read_bandwidth": target, "extra_memory_mb": 64, "error": 2e-5},
        "met": share >= target and memory.extra_bytes <= 64e6,
    }
    if with_torch:
        ratio = seconds["torch"]["median_s"] / ours
        row["torch_median_ms"] = seconds["torch"]["median_s"] * 1e3
        row["torch_spread_ms"] = [seconds["torch"][k] * 1e3 for k in ("min_s", "max_s")]
        row["times_faster_than_torch"] = ratio
        if dtype == torch.bfloat16:
            row["target"]["times_faster_than_torch"] = 80
            row["met"] = row["met"] and ratio >= 80
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    rows = [
        measure(torch.bfloat16, options.rows, options.rounds, with_torch=True),
        measure(torch.float32, options.rows, options.rounds, with_torch=False),
        measure(torch.float16, options.rows, options.rounds, with_torch=False),
    ]
    common.record("token_stats", rows)


if __name__ == "__main__":
    main()
