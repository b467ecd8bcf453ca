"""The CUDA path: lays tensors out for the kernels, and makes the tiles of products that they fold.

Everything is enqueued on the current stream of the tensors' device and nothing waits for it, so
that no value is looked at: a target outside [0, V) gives nan and rank -1, as an ignored one does,
and a temperature that is not positive gives nan.

A row's bits do not depend on its batch. `token_stats` cuts a row by its vocabulary alone and merges
in one order. The linear functions multiply tiles of one fixed shape, rows padded, operands always
at addresses of the same alignment, so that the matrix library has no reason to choose another
algorithm for another batch; the target's logit comes from one more tile of that very shape.

Memory of the linear functions besides the outputs: a tile of float32 logits (32 MB; two of them for
the divergence), a block of hidden states (2048 x H) and a tile of the weight (4096 x H): 80 MB for
bfloat16 at H = 4096. `token_stats` takes at most 64 MB.

`RLVR_LINEAR_PATH=fused` takes the kernel that multiplies and folds at once (linear_fused.cu) where
it can: on sm_90, 16-bit inputs of one type. It has not run on a GPU yet, so that the default is
`portable`.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import torch

from rlvr_fast import _core
from rlvr_fast.errors import CudaError, InvalidInputError
from rlvr_fast.scoring.results import DivergenceStats, TokenStats

__all__ = ["linear_divergence", "linear_token_stats", "nucleus_stats", "token_stats"]

# Rows of a tile: with TILE_COLUMNS float32 columns it is 32 MB and stays in the L2 cache.
ROWS = 2048

# Of the fused path: blocks that share a tile of the weight (1 or 2); bytes of partial states and of
# gathered rows of the weight that a chunk of rows may take.
FUSED_CLUSTER = 2
FUSED_BYTES = 64 << 20


def token_stats(
    logits: torch.Tensor, targets: torch.Tensor, temperature: Any, softcap: float | None
) -> TokenStats:
    """`rlvr_fast.token_stats` of checked CUDA tensors."""
    return _logits_stats(logits, targets, temperature, softcap, None)[0]


def nucleus_stats(
    logits: torch.Tensor,
    targets: torch.Tensor,
    temperature: Any,
    softcap: float | None,
    top_p: float,
) -> tuple[TokenStats, torch.Tensor, torch.Tensor]:
    """Token statistics, and log-prob and kept mass under top-p, of checked CUDA tensors."""
    if logits.shape[-1] > _core.cuda.NUCLEUS_COLUMNS:
        raise InvalidInputError(
            f"top_p takes at most {_core.cuda.NUCLEUS_COLUMNS} logits a row on CUDA, "
            f"got {logits.shape[-1]}"
        )
    stats, logprob, kept_mass = _logits_stats(logits, targets, temperature, softcap, top_p)
    assert logprob is not None
    assert kept_mass is not None
    return stats, logprob, kept_mass


def _logits_stats(
    logits: torch.Tensor,
    targets: torch.Tensor,
    temperature: Any,
    softcap: float | None,
    top_p: float | None,
) -> tuple[TokenStats, torch.Tensor | None, torch.Tensor | None]:
    _require_kernels()
    device = logits.device
    stats = empty_stats(targets.shape, device)
    nucleus = None
    if top_p is not None:
        nucleus = [torch.empty(targets.shape, device=device) for _ in range(2)]
    rows, columns = targets.numel(), logits.shape[-1]
    if rows == 0:
        return (stats, *(nucleus or (None, None)))
    if columns == 0:
        raise InvalidInputError("logits must have at least one column, got none")
    logits, inner_rows, outer_stride, row_stride = row_geometry(logits)
    targets = targets.contiguous()
    options, kept_alive = _row_options(temperature, None, 1.0, softcap)
    dtype = _dtype_name(logits)
    size = _core.cuda.logits_workspace_bytes(rows, columns, dtype)
    workspace = torch.empty(size, dtype=torch.uint8, device=device)
    geometry = _core.cuda.LogitRows(
        logits.data_ptr(), dtype, rows, columns, inner_rows, outer_stride, row_stride
    )
    with on(device):
        _core.cuda.logits_stats(
            geometry,
            targets.data_ptr(),
            options,
            workspace.data_ptr(),
            size,
            _token_outputs(stats),
            1.0 if top_p is None else top_p,
            0 if nucleus is None else nucleus[0].data_ptr(),
            0 if nucleus is None else nucleus[1].data_ptr(),
            _device(device),
        )
    del kept_alive
    return (stats, *(nucleus or (None, None)))


def linear_token_stats(
    hidden: torch.Tensor,
    weight: torch.Tensor,
    targets: torch.Tensor,
    bias: torch.Tensor | None,
    temperature: Any,
    softcap: float | None,
    scale: float,
) -> TokenStats:
    """`rlvr_fast.linear_token_stats` of checked CUDA tensors."""
    _require_kernels()
    device, leading = hidden.device, targets.shape
    vocabulary = weight.shape[0]
    hidden = hidden.reshape(-1, hidden.shape[-1])
    flat = targets.reshape(-1).contiguous()
    temperature = _flat(temperature)
    bias = None if bias is None else bias.to(torch.float32).contiguous()
    stats = empty_stats(flat.shape, device)
    if vocabulary == 0:
        raise InvalidInputError("weight must have at least one row, got none")
    if linear_path() == "fused" and fused_fits(hidden, weight):
        with torch.no_grad(), on(device):
            _fused_token_stats(hidden, weight, flat, temperature, bias, scale, softcap, stats)
        return TokenStats(*(value.reshape(leading) for value in stats))
    with torch.no_grad(), on(device), exact_products(device):
        product = Product(weight, hidden.dtype)
        for start in range(0, len(flat), ROWS):
            rows = min(ROWS, len(flat) - start)
            here = slice(start, start + rows)
            wanted = flat[here]
            block = product.block(hidden[here])
            options, kept_alive = _row_options(_part(temperature, here), bias, scale, softcap)
            states = _bytes(_core.cuda.tile_states_bytes(rows, vocabulary), device)
            target_logits = product.at_targets(block, wanted)
            for first, tile in product.tiles(block):
                _core.cuda.place_targets(
                    tile.data_ptr(), tile.stride(0), rows, first, tile.shape[1],
                    wanted.data_ptr(), target_logits.data_ptr(), _device(device),
                )  # fmt: skip
                _core.cuda.fold_tile(
                    _tile_rows(tile, rows), first, vocabulary, wanted.data_ptr(),
                    target_logits.data_ptr(), options, states.data_ptr(), _device(device),
                )  # fmt: skip
            _core.cuda.finish_tiles(
                states.data_ptr(), rows, vocabulary, wanted.data_ptr(), target_logits.data_ptr(),
                options, _token_outputs(TokenStats(*(value[here] for value in stats))),
                _device(device),
            )  # fmt: skip
            del kept_alive
    return TokenStats(*(value.reshape(leading) for value in stats))


def linear_path() -> str:
    """What RLVR_LINEAR_PATH asks for: "portable" (the default) or "fused"."""
    path = os.environ.get("RLVR_LINEAR_PATH", "portable")
    if path not in ("portable", "fused"):
        raise InvalidInputError(f"RLVR_LINEAR_PATH must be 'portable' or 'fused', got {path!r}")
    return path


def fused_fits(hidden: torch.Tensor, weight: torch.Tensor) -> bool:
    """Can the fused kernel take these? The copy engine wants rows at multiples of 16 bytes."""
    return (
        hidden.dtype == weight.dtype
        and hidden.dtype in (torch.bfloat16, torch.float16)
        and hidden.shape[1] % 8 == 0
        and weight.stride(1) == 1
        and weight.stride(0) % 8 == 0
        and weight.data_ptr() % 16 == 0
        and bool(_core.cuda.fused_supported(hidden.device.index or 0))
    )


def _fused_token_stats(
    hidden: torch.Tensor,
    weight: torch.Tensor,
    targets: torch.Tensor,
    temperature: Any,
    bias: torch.Tensor | None,
    scale: float,
    softcap: float | None,
    stats: TokenStats,
) -> None:
    vocabulary, width = weight.shape
    device = hidden.device
    if not hidden.is_contiguous() or hidden.data_ptr() % 16 != 0:
        hidden = hidden.clone(memory_format=torch.contiguous_format)
    per_row = max(_core.cuda.tile_states_bytes(1, vocabulary), width * weight.element_size())
    rows_at_once = max(256, FUSED_BYTES // per_row // 256 * 256)
    for start in range(0, len(targets), rows_at_once):
        rows = min(rows_at_once, len(targets) - start)
        here = slice(start, start + rows)
        wanted = targets[here]
        options, kept_alive = _row_options(_part(temperature, here), bias, scale, softcap)
        gathered = weight[wanted.clamp(0, vocabulary - 1)]
        target_logits = torch.empty(rows, device=device)
        block = _half_matrix(hidden[here])
        _core.cuda.fused_target_logits(
            block, _half_matrix(gathered), target_logits.data_ptr(), FUSED_CLUSTER,
            _device(device),
        )  # fmt: skip
        states = _bytes(_core.cuda.tile_states_bytes(rows, vocabulary), device)
        _core.cuda.fused_fold(
            block, _half_matrix(weight), wanted.data_ptr(), target_logits.data_ptr(), options,
            states.data_ptr(), FUSED_CLUSTER, _device(device),
        )  # fmt: skip
        _core.cuda.finish_tiles(
            states.data_ptr(), rows, vocabulary, wanted.data_ptr(), target_logits.data_ptr(),
            options, _token_outputs(TokenStats(*(value[here] for value in stats))),
            _device(device),
        )  # fmt: skip
        del kept_alive


def _half_matrix(matrix: torch.Tensor) -> Any:
    return _core.cuda.HalfMatrix(
        matrix.data_ptr(), _dtype_name(matrix), matrix.shape[0], matrix.shape[1], matrix.stride(0)
    )


def linear_divergence(
    hidden_p: torch.Tensor,
    weight_p: torch.Tensor,
    hidden_q: torch.Tensor,
    weight_q: torch.Tensor,
    targets: torch.Tensor | None,
    temperature: Any,
) -> DivergenceStats:
    """`rlvr_fast.linear_divergence` of checked CUDA tensors."""
    _require_kernels()
    device, leading = hidden_p.device, hidden_p.shape[:-1]
    vocabulary = weight_p.shape[0]
    hidden_p = hidden_p.reshape(-1, hidden_p.shape[-1])
    hidden_q = hidden_q.reshape(-1, hidden_q.shape[-1])
    flat = None if targets is None else targets.reshape(-1).contiguous()
    temperature = _flat(temperature)
    total = len(hidden_p)
    out = DivergenceStats(*(torch.empty(total, device=device) for _ in range(6)))
    if vocabulary == 0:
        raise InvalidInputError("weight_p must have at least one row, got none")
    with torch.no_grad(), on(device), exact_products(device):
        # Half the rows of a tile each: both tiles of a pair stay in the cache.
        p = Product(weight_p, hidden_p.dtype, ROWS // 2)
        q = Product(weight_q, hidden_q.dtype, ROWS // 2)
        for start in range(0, total, ROWS // 2):
            rows = min(ROWS // 2, total - start)
            here = slice(start, start + rows)
            wanted = None if flat is None else flat[here]
            options, kept_alive = _row_options(_part(temperature, here), None, 1.0, None)
            block_p, block_q = p.block(hidden_p[here]), q.block(hidden_q[here])
            target_p = None if wanted is None else p.at_targets(block_p, wanted)
            target_q = None if wanted is None else q.at_targets(block_q, wanted)
            states = _bytes(_core.cuda.pair_states_bytes(rows, vocabulary), device)
            for (first, tile_p), (_, tile_q) in zip(
                p.tiles(block_p), q.tiles(block_q), strict=True
            ):
                _core.cuda.fold_pair(
                    _tile_rows(tile_p, rows), _tile_rows(tile_q, rows), first, vocabulary,
                    options, options, states.data_ptr(), _device(device),
                )  # fmt: skip
            _core.cuda.finish_pair(
                states.data_ptr(), rows, vocabulary, _address(wanted), _address(target_p),
                _address(target_q), options, options,
                _core.cuda.DivergenceOutputs(*(value[here].data_ptr() for value in out)),
                _device(device),
            )  # fmt: skip
            del kept_alive
    return DivergenceStats(*(value.reshape(leading) for value in out))


class Product:
    """hidden weight^T in float32, in tiles of one shape, through buffers that are used again."""

    def __init__(self, weight: torch.Tensor, hidden_dtype: torch.dtype, rows: int = ROWS) -> None:
        self._weight = weight
        # The matrix library multiplies pairs of one type; anything else is multiplied in float32.
        same = weight.dtype == hidden_dtype
        self._dtype = weight.dtype if same else torch.float32
        width, device = weight.shape[1], weight.device
        self._rows = rows
        self._columns = min(_core.cuda.TILE_COLUMNS, len(weight))
        aligned = weight.data_ptr() % 16 == 0 and width * weight.element_size() % 16 == 0
        self._in_place = same and aligned and weight.is_contiguous()
        self._tile = torch.empty(rows, self._columns, device=device)
        self._block = torch.empty(rows, width, dtype=self._dtype, device=device)
        self._buffer = torch.empty(self._columns, width, dtype=self._dtype, device=device)

    def block(self, hidden: torch.Tensor) -> torch.Tensor:
        """These rows, zeros below: always the same shape at the same address."""
        self._block[: len(hidden)].copy_(hidden)
        self._block[len(hidden) :].zero_()
        return self._block

    def at_targets(self, block: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Each row's product with its target's row of the weight, in the bits of the tiles.

        As the diagonal of a product of the tiles' own shape, so that the library adds over H in the
        same order. Where there is one tile it is read from there.
        """
        # A target that is no column is masked later; here it must only not be read.
        targets = targets.clamp(0, len(self._weight) - 1)
        rows = torch.arange(len(targets), device=targets.device)
        if self._columns == len(self._weight):
            (_, tile), *_ = self.tiles(block)
            return tile[rows, targets]
        values = torch.empty(len(targets), device=targets.device)
        for start in range(0, len(targets), self._columns):
            wanted = targets[start : start + self._columns]
            self._buffer[: len(wanted)].copy_(self._weight[wanted])
            self._buffer[len(wanted) :].zero_()
            tile = self._multiply(block, self._buffer)
            some = rows[start : start + len(wanted)]
            values[start : start + len(wanted)] = tile[some, some - start]
        return values

    def tiles(self, block: torch.Tensor) -> Iterator[tuple[int, torch.Tensor]]:
        """(first column, products with these columns); a tile is overwritten by the next.

        The last tile begins earlier than it must, so as to have the others' shape; what it shares
        with the one before is left out of what is given.
        """
        vocabulary = len(self._weight)
        for first in range(0, vocabulary, self._columns):
            begin = min(first, vocabulary - self._columns)
            columns = self._weight[begin : begin + self._columns]
            if not self._in_place or columns.data_ptr() % 16 != 0:
                columns = self._buffer.copy_(columns)
            yield first, self._multiply(block, columns)[:, first - begin :]

    def _multiply(self, block: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
        if self._dtype == torch.float32:
            return torch.mm(block, columns.t(), out=self._tile)
        return torch.mm(block, columns.t(), out_dtype=torch.float32, out=self._tile)


def on(device: torch.device) -> contextlib.AbstractContextManager[Any]:
    """Makes it torch's current device: the kernels make it the driver's, and leave it so."""
    return torch.cuda.device(device) if device.type == "cuda" else contextlib.nullcontext()


@contextlib.contextmanager
def exact_products(device: torch.device) -> Iterator[None]:
    """Float32 products in float32, never TF32 nor autocast; 16-bit ones reduced in float32."""
    matmul: Any = torch.backends.cuda.matmul
    names = [
        # Newer torch names the precision; reading its older flag then warns, or fails.
        "fp32_precision" if hasattr(matmul, "fp32_precision") else "allow_tf32",
        "allow_bf16_reduced_precision_reduction",
        "allow_fp16_reduced_precision_reduction",
    ]
    former = {name: getattr(matmul, name) for name in names}
    try:
        for name in names:
            setattr(matmul, name, "ieee" if name == "fp32_precision" else False)
        with torch.autocast(device.type, enabled=False):
            yield
    finally:
        for name, value in former.items():
            setattr(matmul, name, value)


def row_geometry(logits: torch.Tensor) -> tuple[torch.Tensor, int, int, int]:
    """The tensor, and (inner_rows, outer_stride, row_stride) of its rows in elements.

    Copied only where the columns are not adjacent or the leading dimensions need three strides.
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
    """Uninitialised outputs."""

    def floats() -> torch.Tensor:
        return torch.empty(shape, device=device)

    rank = torch.empty(shape, dtype=torch.int32, device=device)
    return TokenStats(floats(), floats(), floats(), rank, floats())


def _require_kernels() -> None:
    if not _core.cuda.built():
        raise CudaError(
            "the CUDA kernels are not in this build of rlvr_fast: rebuild it with RLVR_CUDA=ON "
            "where nvcc is (docs/cuda.md), or move the tensors to the CPU"
        )


def _row_options(temperature: Any, bias: Any, scale: float, softcap: float | None) -> Any:
    """The kernels' options, and what must live until they are enqueued."""
    each = temperature.contiguous() if isinstance(temperature, torch.Tensor) else None
    options = _core.cuda.RowOptions(
        _address(each), 1.0 if each is not None else temperature, _address(bias), scale,
        softcap or 0.0,
    )  # fmt: skip
    return options, (each, bias)


def _tile_rows(tile: torch.Tensor, rows: int) -> Any:
    return _core.cuda.LogitRows(
        tile.data_ptr(), "float32", rows, tile.shape[1], rows, 0, tile.stride(0)
    )


def _token_outputs(stats: TokenStats) -> Any:
    return _core.cuda.TokenOutputs(
        logprob=stats.logprob.data_ptr(),
        entropy=stats.entropy.data_ptr(),
        logsumexp=stats.logsumexp.data_ptr(),
        rank=stats.rank.data_ptr(),
        mass_above=stats.mass_above.data_ptr(),
    )


def _device(device: torch.device) -> Any:
    return _core.cuda.Device(device.index, torch.cuda.current_stream(device).cuda_stream)


def _dtype_name(tensor: torch.Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _bytes(count: int, device: torch.device) -> torch.Tensor:
    return torch.empty(count, dtype=torch.uint8, device=device)


def _address(tensor: torch.Tensor | None) -> int:
    return 0 if tensor is None else tensor.data_ptr()


def _flat(temperature: Any) -> Any:
    if isinstance(temperature, torch.Tensor):
        return temperature.reshape(-1).contiguous()
    return temperature


def _part(temperature: Any, here: slice) -> Any:
    return temperature[here] if isinstance(temperature, torch.Tensor) else temperature
