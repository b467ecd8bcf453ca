"""A small set of calls for compute-sanitizer: odd sizes, masks, every kernel. See run_gpu.sh.

With RLVR_LINEAR_PATH=fused, the script calls the fused kernels only.
"""

from __future__ import annotations

import math

import torch

import rlvr_fast
from rlvr_fast import _core
from rlvr_fast.scoring.kernels import cuda_fused
from rlvr_fast.scoring.kernels.nucleus import nucleus_stats


def fused() -> None:
    for kernel in ("mma", "wgmma", "wgmma_pairs"):
        if not _core.cuda.fused_supported(0, kernel):
            continue
        cuda_fused.KERNELS = (kernel,)
        for rows, columns, width in ((1, 1, 8), (5, 4100, 72), (300, 300, 256)):
            hidden = torch.randn(rows, width, device="cuda").bfloat16()
            weight = torch.randn(columns, width, device="cuda").bfloat16()
            bias = torch.randn(columns, device="cuda")
            targets = torch.arange(rows, device="cuda") % (columns + 1)
            rlvr_fast.linear_token_stats(hidden, weight, targets)
            rlvr_fast.linear_token_stats(hidden, weight, targets, bias=bias, softcap=9.0)
            rlvr_fast.linear_divergence(hidden, weight, -hidden, weight, targets=targets)


def main() -> None:
    torch.manual_seed(0)
    if cuda_fused.linear_path() == "fused":
        fused()
    else:
        unfused()
    torch.cuda.synchronize()
    print("sanitized calls done")


def unfused() -> None:
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        for rows, columns in ((1, 1), (3, 111), (2, 16385), (2, 20001)):
            wide = torch.randn(rows, columns + 3, device="cuda").to(dtype)
            for x in (wide[:, :columns].contiguous(), wide[:, 1 : columns + 1]):
                targets = torch.arange(rows, device="cuda") % columns
                targets[-1] = -100 if rows > 1 else 0
                rlvr_fast.token_stats(x, targets)
                rlvr_fast.token_stats(x, targets, softcap=5.0)
                nucleus_stats(x, targets, top_p=0.8)
                nucleus_stats(x, targets, top_p=0.8, softcap=5.0)
        for columns in (100, 9001):
            hidden = torch.randn(5, 32, device="cuda").to(dtype)
            weight = torch.randn(columns, 32, device="cuda").to(dtype)
            bias = torch.randn(columns, device="cuda")
            targets = torch.tensor([0, -100, columns - 1, columns, 5], device="cuda")
            rlvr_fast.linear_token_stats(hidden, weight, targets)
            rlvr_fast.linear_token_stats(hidden, weight, targets, bias=bias, softcap=9.0)
            rlvr_fast.linear_divergence(hidden, weight, -hidden, weight, targets=targets)
    masked = torch.full((2, 300), -math.inf, device="cuda")
    masked[1, 7] = 0
    stats = rlvr_fast.token_stats(masked, torch.tensor([7, 7], device="cuda"))
    assert stats.logprob.isnan().tolist() == [True, False]


if __name__ == "__main__":
    main()
