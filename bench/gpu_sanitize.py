"""A small set of calls for compute-sanitizer: odd sizes, masks, every kernel. See run_gpu.sh."""

from __future__ import annotations

import math

import torch

import rlvr_fast
from rlvr_fast.scoring.nucleus import nucleus_stats


def main() -> None:
    torch.manual_seed(0)
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
    torch.cuda.synchronize()
    print("sanitized calls done")


if __name__ == "__main__":
    main()
