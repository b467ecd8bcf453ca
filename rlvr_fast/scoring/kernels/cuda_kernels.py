"""The arguments of the CUDA kernels: addresses, strides, options, the current stream."""

from __future__ import annotations

import contextlib
from typing import Any

import torch

from rlvr_fast import _core
from rlvr_fast.errors import CudaError
from rlvr_fast.scoring.results import DivergenceStats, TokenStats

__all__ = [
    "address",
    "dtype_name",
    "empty_bytes",
    "empty_stats",
    "finish_pair",
    "finish_tiles",
    "half_matrix",
    "index_and_stream",
    "launch_device",
    "on",
    "require_kernels",
    "row_geometry",
    "row_options",
    "rows_of",
    "tile_rows",
    "token_outputs",
]


def require_kernels() -> None:
    """Checks that this build has the CUDA kernels.

    Raises:
        CudaError: the build has none.
    """
    if not _core.cuda.built():
        raise CudaError(
            "the CUDA kernels are not in this build of rlvr_fast: rebuild it with RLVR_CUDA=ON "
            "where nvcc is (docs/cuda.md), or move the tensors to the CPU"
        )


def on(device: torch.device) -> contextlib.AbstractContextManager[Any]:
    """Makes `device` torch's current device: the kernels set the driver's and do not reset it."""
    return torch.cuda.device(device) if device.type == "cuda" else contextlib.nullcontext()


def launch_device(device: torch.device) -> Any:
    """The device and its current stream, for the kernels."""
    return _core.cuda.Device(*index_and_stream(device))


def index_and_stream(device: torch.device) -> tuple[int, int]:
    """The index of the device, and the address of its current stream."""
    return device.index, torch.cuda.current_stream(device).cuda_stream


def row_geometry(logits: torch.Tensor) -> tuple[torch.Tensor, int, int, int]:
    """The layout of the rows of logits [..., V].

    Returns:
        (tensor, inner_rows, outer_stride, row_stride), strides in elements. The tensor is a copy
        only where the columns are not adjacent or the leading dimensions need three strides.
    """
    columns = logits.shape[-1]
    if columns > 1 and logits.stride(-1) != 1:
        logits = logits.contiguous()
    shape: list[int] = []
    strides: list[int] = []
    for size, stride in zip(logits.shape[:-1], logits.stride()[:-1], strict=True):
        if size == 1:
            continue
        if shape and strides[-1] == stride * size:
            shape[-1], strides[-1] = shape[-1] * size, stride
        else:
            shape.append(size)
            strides.append(stride)
    if len(shape) > 2:
        return logits.contiguous(), max(1, logits.numel() // columns), 0, columns
    if not shape:
        return logits, 1, 0, columns
    if len(shape) == 1:
        return logits, shape[0], 0, strides[0]
    return logits, shape[1], strides[0], strides[1]


def empty_stats(shape: torch.Size, device: torch.device) -> TokenStats:
    """Outputs without initial values."""

    def floats() -> torch.Tensor:
        return torch.empty(shape, device=device)

    rank = torch.empty(shape, dtype=torch.int32, device=device)
    return TokenStats(floats(), floats(), floats(), rank, floats())


def empty_bytes(count: int, device: torch.device) -> torch.Tensor:
    """Workspace from torch's allocator."""
    return torch.empty(count, dtype=torch.uint8, device=device)


def row_options(temperature: Any, bias: Any, scale: float, softcap: float | None) -> Any:
    """The options of the kernels, and the tensors that must live until the kernels are enqueued."""
    each = temperature.contiguous() if isinstance(temperature, torch.Tensor) else None
    options = _core.cuda.RowOptions(
        address(each), 1.0 if each is not None else temperature, address(bias), scale,
        softcap or 0.0,
    )  # fmt: skip
    return options, (each, bias)


def rows_of(temperature: Any, here: slice) -> Any:
    """The temperature of some rows, where it is a number or one for each row."""
    return temperature[here] if isinstance(temperature, torch.Tensor) else temperature


def tile_rows(tile: torch.Tensor, rows: int) -> Any:
    """The first rows of a tile of float32 products."""
    return _core.cuda.LogitRows(
        tile.data_ptr(), "float32", rows, tile.shape[1], rows, 0, tile.stride(0)
    )


def half_matrix(matrix: torch.Tensor) -> Any:
    """A matrix of 16-bit elements whose columns are adjacent."""
    rows, columns = matrix.shape
    # A single row may have any stride; the copy engine takes few.
    row_stride = matrix.stride(0) if rows > 1 else columns
    return _core.cuda.HalfMatrix(matrix.data_ptr(), dtype_name(matrix), rows, columns, row_stride)


def token_outputs(stats: TokenStats) -> Any:
    """The addresses of the outputs."""
    return _core.cuda.TokenOutputs(
        logprob=stats.logprob.data_ptr(),
        entropy=stats.entropy.data_ptr(),
        logsumexp=stats.logsumexp.data_ptr(),
        rank=stats.rank.data_ptr(),
        mass_above=stats.mass_above.data_ptr(),
    )


def finish_tiles(
    states: torch.Tensor,
    vocabulary: int,
    targets: torch.Tensor,
    target_logits: torch.Tensor,
    options: Any,
    stats: TokenStats,
    state_columns: int,
) -> None:
    """The statistics of rows from their partial states, one for each `state_columns` tokens."""
    _core.cuda.finish_tiles(
        states.data_ptr(), len(targets), vocabulary, targets.data_ptr(), target_logits.data_ptr(),
        options, token_outputs(stats), state_columns, launch_device(targets.device),
    )  # fmt: skip


def finish_pair(
    states: torch.Tensor,
    vocabulary: int,
    targets: torch.Tensor | None,
    target_p: torch.Tensor | None,
    target_q: torch.Tensor | None,
    options: Any,
    out: DivergenceStats,
    state_columns: int,
) -> None:
    """The divergence of rows from their partial states, one for each `state_columns` tokens."""
    _core.cuda.finish_pair(
        states.data_ptr(), len(out.kl_pq), vocabulary, address(targets), address(target_p),
        address(target_q), options, options,
        _core.cuda.DivergenceOutputs(*(value.data_ptr() for value in out)), state_columns,
        launch_device(states.device),
    )  # fmt: skip


def dtype_name(tensor: torch.Tensor) -> str:
    """The name of the type in the kernels, such as "bfloat16"."""
    return str(tensor.dtype).removeprefix("torch.")


def address(tensor: torch.Tensor | None) -> int:
    """The address of the first element; 0 for None."""
    return 0 if tensor is None else tensor.data_ptr()
