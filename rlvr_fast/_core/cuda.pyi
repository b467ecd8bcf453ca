"""
CUDA kernels; addresses are of device memory.
"""

from __future__ import annotations

import typing

__all__: list[str] = [
    "FUSED_COLUMNS",
    "NUCLEUS_COLUMNS",
    "TILE_COLUMNS",
    "Device",
    "DivergenceOutputs",
    "HalfMatrix",
    "LogitRows",
    "RowOptions",
    "TokenOutputs",
    "built",
    "device_count",
    "device_name",
    "finish_pair",
    "finish_tiles",
    "fold_pair",
    "fold_tile",
    "fused_fold",
    "fused_pair_fold",
    "fused_supported",
    "fused_target_logits",
    "logits_stats",
    "logits_workspace_bytes",
    "pair_states_bytes",
    "place_targets",
    "tile_states_bytes",
]

class LogitRows:
    def __init__(
        self,
        data: typing.SupportsInt | typing.SupportsIndex,
        type: str,
        rows: typing.SupportsInt | typing.SupportsIndex,
        columns: typing.SupportsInt | typing.SupportsIndex,
        inner_rows: typing.SupportsInt | typing.SupportsIndex,
        outer_stride: typing.SupportsInt | typing.SupportsIndex,
        row_stride: typing.SupportsInt | typing.SupportsIndex,
    ) -> None: ...

class RowOptions:
    def __init__(
        self,
        temperatures: typing.SupportsInt | typing.SupportsIndex,
        temperature: typing.SupportsFloat | typing.SupportsIndex,
        bias: typing.SupportsInt | typing.SupportsIndex,
        scale: typing.SupportsFloat | typing.SupportsIndex,
        softcap: typing.SupportsFloat | typing.SupportsIndex,
    ) -> None: ...

class TokenOutputs:
    def __init__(
        self,
        logprob: typing.SupportsInt | typing.SupportsIndex,
        entropy: typing.SupportsInt | typing.SupportsIndex,
        logsumexp: typing.SupportsInt | typing.SupportsIndex,
        rank: typing.SupportsInt | typing.SupportsIndex,
        mass_above: typing.SupportsInt | typing.SupportsIndex,
    ) -> None: ...

class DivergenceOutputs:
    def __init__(
        self,
        kl_pq: typing.SupportsInt | typing.SupportsIndex,
        kl_qp: typing.SupportsInt | typing.SupportsIndex,
        entropy_p: typing.SupportsInt | typing.SupportsIndex,
        entropy_q: typing.SupportsInt | typing.SupportsIndex,
        logprob_p: typing.SupportsInt | typing.SupportsIndex,
        logprob_q: typing.SupportsInt | typing.SupportsIndex,
    ) -> None: ...

class Device:
    def __init__(
        self,
        index: typing.SupportsInt | typing.SupportsIndex,
        stream: typing.SupportsInt | typing.SupportsIndex,
    ) -> None: ...

class HalfMatrix:
    def __init__(
        self,
        data: typing.SupportsInt | typing.SupportsIndex,
        type: str,
        rows: typing.SupportsInt | typing.SupportsIndex,
        columns: typing.SupportsInt | typing.SupportsIndex,
        row_stride: typing.SupportsInt | typing.SupportsIndex,
    ) -> None: ...

def built() -> bool:
    """
    Whether this build has the CUDA kernels.
    """

def device_count() -> int:
    """
    The number of GPUs; raises CudaError without a driver.
    """

def device_name(device: typing.SupportsInt | typing.SupportsIndex) -> str: ...
def finish_pair(
    states: typing.SupportsInt | typing.SupportsIndex,
    rows: typing.SupportsInt | typing.SupportsIndex,
    vocabulary: typing.SupportsInt | typing.SupportsIndex,
    targets: typing.SupportsInt | typing.SupportsIndex,
    target_p: typing.SupportsInt | typing.SupportsIndex,
    target_q: typing.SupportsInt | typing.SupportsIndex,
    options_p: RowOptions,
    options_q: RowOptions,
    out: DivergenceOutputs,
    state_columns: typing.SupportsInt | typing.SupportsIndex,
    device: Device,
) -> None: ...
def finish_tiles(
    states: typing.SupportsInt | typing.SupportsIndex,
    rows: typing.SupportsInt | typing.SupportsIndex,
    vocabulary: typing.SupportsInt | typing.SupportsIndex,
    targets: typing.SupportsInt | typing.SupportsIndex,
    target_logits: typing.SupportsInt | typing.SupportsIndex,
    options: RowOptions,
    out: TokenOutputs,
    state_columns: typing.SupportsInt | typing.SupportsIndex,
    device: Device,
) -> None: ...
def fold_pair(
    tile_p: LogitRows,
    tile_q: LogitRows,
    first_column: typing.SupportsInt | typing.SupportsIndex,
    vocabulary: typing.SupportsInt | typing.SupportsIndex,
    options_p: RowOptions,
    options_q: RowOptions,
    states: typing.SupportsInt | typing.SupportsIndex,
    device: Device,
) -> None: ...
def fold_tile(
    tile: LogitRows,
    first_column: typing.SupportsInt | typing.SupportsIndex,
    vocabulary: typing.SupportsInt | typing.SupportsIndex,
    targets: typing.SupportsInt | typing.SupportsIndex,
    target_logits: typing.SupportsInt | typing.SupportsIndex,
    options: RowOptions,
    states: typing.SupportsInt | typing.SupportsIndex,
    device: Device,
) -> None: ...
def fused_fold(
    hidden: HalfMatrix,
    weight: HalfMatrix,
    targets: typing.SupportsInt | typing.SupportsIndex,
    target_logits: typing.SupportsInt | typing.SupportsIndex,
    options: RowOptions,
    states: typing.SupportsInt | typing.SupportsIndex,
    kernel: str,
    logprob_only: bool,
    device: Device,
) -> None: ...
def fused_pair_fold(
    hidden_p: HalfMatrix,
    weight_p: HalfMatrix,
    hidden_q: HalfMatrix,
    weight_q: HalfMatrix,
    options: RowOptions,
    states: typing.SupportsInt | typing.SupportsIndex,
    kernel: str,
    device: Device,
) -> None: ...
def fused_supported(device: typing.SupportsInt | typing.SupportsIndex, kernel: str = "mma") -> bool:
    """
    Whether this GPU runs this fused kernel: "mma", "wgmma" or "wgmma_pairs".
    """

def fused_target_logits(
    hidden: HalfMatrix,
    gathered: HalfMatrix,
    out: typing.SupportsInt | typing.SupportsIndex,
    kernel: str,
    device: Device,
) -> None: ...
def logits_stats(
    logits: LogitRows,
    targets: typing.SupportsInt | typing.SupportsIndex,
    options: RowOptions,
    workspace: typing.SupportsInt | typing.SupportsIndex,
    workspace_bytes: typing.SupportsInt | typing.SupportsIndex,
    out: TokenOutputs,
    top_p: typing.SupportsFloat | typing.SupportsIndex,
    nucleus_logprob: typing.SupportsInt | typing.SupportsIndex,
    nucleus_mass: typing.SupportsInt | typing.SupportsIndex,
    device: Device,
) -> None: ...
def logits_workspace_bytes(
    rows: typing.SupportsInt | typing.SupportsIndex,
    columns: typing.SupportsInt | typing.SupportsIndex,
    type: str,
) -> int: ...
def pair_states_bytes(
    rows: typing.SupportsInt | typing.SupportsIndex,
    columns: typing.SupportsInt | typing.SupportsIndex,
    state_columns: typing.SupportsInt | typing.SupportsIndex,
) -> int: ...
def place_targets(
    tile: typing.SupportsInt | typing.SupportsIndex,
    row_stride: typing.SupportsInt | typing.SupportsIndex,
    rows: typing.SupportsInt | typing.SupportsIndex,
    first_column: typing.SupportsInt | typing.SupportsIndex,
    columns: typing.SupportsInt | typing.SupportsIndex,
    targets: typing.SupportsInt | typing.SupportsIndex,
    target_logits: typing.SupportsInt | typing.SupportsIndex,
    device: Device,
) -> None: ...
def tile_states_bytes(
    rows: typing.SupportsInt | typing.SupportsIndex,
    columns: typing.SupportsInt | typing.SupportsIndex,
    state_columns: typing.SupportsInt | typing.SupportsIndex,
) -> int: ...

FUSED_COLUMNS: int = 512
NUCLEUS_COLUMNS: int = 524288
TILE_COLUMNS: int = 4096
