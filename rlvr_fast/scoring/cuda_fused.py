"""The fused path: one kernel multiplies and folds, so that no logit reaches memory.

`RLVR_LINEAR_PATH=fused` takes it where it can: compute capability 8.0 or newer and 16-bit inputs of
one type. It has not run on a GPU yet, so that the default is `portable`.
"""

from __future__ import annotations

import os
from typing import Any

import torch

from rlvr_fast import _core
from rlvr_fast.errors import InvalidInputError
from rlvr_fast.scoring import cuda_kernels as kernels
from rlvr_fast.scoring.results import TokenStats

__all__ = ["fused_fits", "fused_kernel", "fused_token_stats", "linear_path"]

# Bytes of partial states, and of gathered rows of the weight, that a chunk of rows may take.
CHUNK_BYTES = 64 << 20

# Best first. A row's bits are those of the kernel, which the GPU alone decides; "wgmma" gives the
# bits of "wgmma_pairs" and is here to be measured and tested.
KERNELS = ("wgmma_pairs", "mma")


def linear_path() -> str:
    """What RLVR_LINEAR_PATH asks for: "portable" (the default) or "fused"."""
    path = os.environ.get("RLVR_LINEAR_PATH", "portable")
    if path not in ("portable", "fused"):
        raise InvalidInputError(f"RLVR_LINEAR_PATH must be 'portable' or 'fused', got {path!r}")
    return path


def fused_kernel(device: torch.device) -> str | None:
    """The fused kernel for this GPU: wgmma on Hopper, mma on any other from sm_80 on."""
    index = device.index or 0
    return next((name for name in KERNELS if _core.cuda.fused_supported(index, name)), None)


def fused_fits(hidden: torch.Tensor, weight: torch.Tensor) -> bool:
    """Can a fused kernel take these? Rows must begin at multiples of 16 bytes."""
    return (
        hidden.dtype == weight.dtype
        and hidden.dtype in (torch.bfloat16, torch.float16)
        and hidden.shape[1] % 8 == 0
        and weight.stride(1) == 1
        and weight.stride(0) % 8 == 0
        and weight.data_ptr() % 16 == 0
        and fused_kernel(hidden.device) is not None
    )


def fused_token_stats(
    hidden: torch.Tensor,
    weight: torch.Tensor,
    targets: torch.Tensor,
    bias: torch.Tensor | None,
    temperature: Any,
    softcap: float | None,
    scale: float,
    stats: TokenStats,
) -> None:
    """Fills `stats` of hidden [N, H]; temperature is a number or [N], targets are [N]."""
    vocabulary, width = weight.shape
    device = hidden.device
    kernel = fused_kernel(device)
    assert kernel is not None
    stream = kernels.launch_device(device)
    if not hidden.is_contiguous() or hidden.data_ptr() % 16 != 0:
        hidden = hidden.clone(memory_format=torch.contiguous_format)
    per_row = max(_core.cuda.tile_states_bytes(1, vocabulary), width * weight.element_size())
    rows_at_once = max(256, CHUNK_BYTES // per_row // 256 * 256)
    for start in range(0, len(targets), rows_at_once):
        here = slice(start, min(start + rows_at_once, len(targets)))
        wanted = targets[here]
        each = temperature[here] if isinstance(temperature, torch.Tensor) else temperature
        options, kept_alive = kernels.row_options(each, bias, scale, softcap)
        gathered = weight[wanted.clamp(0, vocabulary - 1)]
        target_logits = torch.empty(len(wanted), device=device)
        block = kernels.half_matrix(hidden[here])
        _core.cuda.fused_target_logits(
            block, kernels.half_matrix(gathered), target_logits.data_ptr(), kernel, stream
        )
        states_size = _core.cuda.tile_states_bytes(len(wanted), vocabulary)
        states = kernels.empty_bytes(states_size, device)
        _core.cuda.fused_fold(
            block, kernels.half_matrix(weight), wanted.data_ptr(), target_logits.data_ptr(),
            options, states.data_ptr(), kernel, stream,
        )  # fmt: skip
        kernels.finish_tiles(
            states, vocabulary, wanted, target_logits, options,
            TokenStats(*(value[here] for value in stats)),
        )  # fmt: skip
        del kept_alive
