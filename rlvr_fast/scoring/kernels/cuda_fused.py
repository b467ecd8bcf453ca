"""The fused path: one kernel multiplies and folds, so that no logit reaches memory.

`RLVR_LINEAR_PATH=fused` selects this path for GPUs of compute capability 8.0 or newer and 16-bit
inputs of one type. The path has not run on a GPU yet; the default is therefore `portable`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import torch

from rlvr_fast import _core
from rlvr_fast.errors import InvalidInputError
from rlvr_fast.scoring.kernels import cuda_kernels as kernels
from rlvr_fast.scoring.results import DivergenceStats, TokenStats

__all__ = [
    "BLOCK_ROWS",
    "KERNELS",
    "fused_divergence",
    "fused_divergence_fits",
    "fused_fits",
    "fused_kernel",
    "fused_token_stats",
    "linear_path",
]

# Limit of a chunk of rows: bytes of partial states, and bytes of gathered rows of the weight.
CHUNK_BYTES = 64 << 20

# The fastest first. The kernel decides the bits of a row, and the GPU alone decides the kernel:
# "wgmma" gives the bits of "wgmma_pairs".
KERNELS = ("wgmma_pairs", "wgmma", "mma")
BLOCK_ROWS = 128


def linear_path() -> str:
    """The value of RLVR_LINEAR_PATH: "portable" (the default) or "fused".

    Raises:
        InvalidInputError: another value.
    """
    path = os.environ.get("RLVR_LINEAR_PATH", "portable")
    if path not in ("portable", "fused"):
        raise InvalidInputError(f"RLVR_LINEAR_PATH must be 'portable' or 'fused', got {path!r}")
    return path


def fused_kernel(device: torch.device, rows: int = BLOCK_ROWS + 1) -> str | None:
    """The fused kernel for this GPU: wgmma on Hopper, mma on any other from sm_80 on.

    Args:
        device: a CUDA device.
        rows: number of hidden states; by default, the kernel for many rows is given.

    Returns:
        The name of the kernel, or None where the GPU has none.
    """
    # With so few rows, the second block of a pair would have no rows.
    few = tuple(name for name in KERNELS if name != "wgmma_pairs") if rows <= BLOCK_ROWS else ()
    index = device.index or 0
    return next((name for name in few or KERNELS if _core.cuda.fused_supported(index, name)), None)


def fused_fits(hidden: torch.Tensor, weight: torch.Tensor) -> bool:
    """Whether a fused kernel takes these tensors: rows must begin at multiples of 16 bytes."""
    return (
        hidden.dtype == weight.dtype
        and hidden.dtype in (torch.bfloat16, torch.float16)
        and hidden.shape[1] % 8 == 0
        and weight.stride(1) == 1
        and weight.stride(0) % 8 == 0
        and weight.data_ptr() % 16 == 0
        and fused_kernel(hidden.device, len(hidden)) is not None
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
    logprob_only: bool = False,
) -> None:
    """Computes the statistics of hidden states [N, H].

    Args:
        hidden: [N, H] bfloat16 or float16.
        weight: [V, H], of the same type.
        targets: int64 [N].
        bias: float32 [V], or None.
        temperature: a number, or float32 [N].
        softcap: c of c tanh(z / c), or None.
        scale: factor of the logits, before softcap.
        stats: the outputs, of shape [N].
        logprob_only: only logprob and logsumexp are correct, without bias, softcap and scale. The
            benchmarks measure the cost of the other statistics by this.
    """
    vocabulary, width = weight.shape
    device = hidden.device
    kernel = fused_kernel(device, len(targets))
    assert kernel is not None
    stream = kernels.launch_device(device)
    hidden = _aligned(hidden)
    per_row = max(_states_bytes(1, vocabulary), width * weight.element_size())
    for here in _chunks(len(targets), per_row):
        wanted = targets[here]
        options, kept_alive = kernels.row_options(
            kernels.rows_of(temperature, here), bias, scale, softcap
        )
        block = kernels.half_matrix(hidden[here])
        target_logits = _target_logits(hidden[here], weight, wanted, kernel)
        states = kernels.empty_bytes(_states_bytes(len(wanted), vocabulary), device)
        _core.cuda.fused_fold(
            block, kernels.half_matrix(weight), wanted.data_ptr(), target_logits.data_ptr(),
            options, states.data_ptr(), kernel, logprob_only, stream,
        )  # fmt: skip
        kernels.finish_tiles(
            states, vocabulary, wanted, target_logits, options,
            TokenStats(*(value[here] for value in stats)), _core.cuda.FUSED_COLUMNS,
        )  # fmt: skip
        del kept_alive


def fused_divergence_fits(
    hidden_p: torch.Tensor, weight_p: torch.Tensor, hidden_q: torch.Tensor, weight_q: torch.Tensor
) -> bool:
    """Whether a fused kernel takes both models; only the wgmma kernels do."""
    return (
        fused_fits(hidden_p, weight_p)
        and fused_fits(hidden_q, weight_q)
        and hidden_p.dtype == hidden_q.dtype
        and fused_kernel(hidden_p.device, len(hidden_p)) != "mma"
    )


def fused_divergence(
    hidden_p: torch.Tensor,
    weight_p: torch.Tensor,
    hidden_q: torch.Tensor,
    weight_q: torch.Tensor,
    targets: torch.Tensor | None,
    temperature: Any,
    out: DivergenceStats,
) -> None:
    """Fills `out` (shape [N]) from hidden states [N, Hp] and [N, Hq].

    The temperature is a number, or float32 [N].
    """
    vocabulary = len(weight_p)
    device = hidden_p.device
    kernel = fused_kernel(device, len(hidden_p))
    assert kernel is not None
    stream = kernels.launch_device(device)
    hidden_p, hidden_q = _aligned(hidden_p), _aligned(hidden_q)
    width = max(weight_p.shape[1], weight_q.shape[1])
    per_row = max(_pair_states_bytes(1, vocabulary), width * weight_p.element_size())
    for here in _chunks(len(hidden_p), per_row):
        options, kept_alive = kernels.row_options(
            kernels.rows_of(temperature, here), None, 1.0, None
        )
        wanted = target_p = target_q = None
        if targets is not None:
            wanted = targets[here]
            target_p = _target_logits(hidden_p[here], weight_p, wanted, kernel)
            target_q = _target_logits(hidden_q[here], weight_q, wanted, kernel)
        p, q = hidden_p[here], hidden_q[here]
        states = kernels.empty_bytes(_pair_states_bytes(len(p), vocabulary), device)
        _core.cuda.fused_pair_fold(
            kernels.half_matrix(p), kernels.half_matrix(weight_p), kernels.half_matrix(q),
            kernels.half_matrix(weight_q), options, states.data_ptr(), kernel, stream,
        )  # fmt: skip
        kernels.finish_pair(
            states, vocabulary, wanted, target_p, target_q, options,
            DivergenceStats(*(value[here] for value in out)), _core.cuda.FUSED_COLUMNS,
        )  # fmt: skip
        del kept_alive


def _target_logits(
    hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor, kernel: str
) -> torch.Tensor:
    gathered = weight[targets.clamp(0, len(weight) - 1)]
    logits = torch.empty(len(targets), device=hidden.device)
    _core.cuda.fused_target_logits(
        kernels.half_matrix(hidden), kernels.half_matrix(gathered), logits.data_ptr(), kernel,
        kernels.launch_device(hidden.device),
    )  # fmt: skip
    return logits


def _states_bytes(rows: int, vocabulary: int) -> int:
    return _core.cuda.tile_states_bytes(rows, vocabulary, _core.cuda.FUSED_COLUMNS)


def _pair_states_bytes(rows: int, vocabulary: int) -> int:
    return _core.cuda.pair_states_bytes(rows, vocabulary, _core.cuda.FUSED_COLUMNS)


def _aligned(hidden: torch.Tensor) -> torch.Tensor:
    if hidden.is_contiguous() and hidden.data_ptr() % 16 == 0:
        return hidden
    return hidden.clone(memory_format=torch.contiguous_format)


def _chunks(rows: int, bytes_a_row: int) -> Iterator[slice]:
    at_once = max(256, CHUNK_BYTES // bytes_a_row // 256 * 256)
    for start in range(0, rows, at_once):
        yield slice(start, min(start + at_once, rows))
