"""The CUDA backend: the layout of tensors for the kernels, and the tiles that the kernels fold.

All work is enqueued on the current stream of the tensors' device, and the host does not wait. The
host therefore reads no value: a target outside [0, V) gives nan and rank -1, as an ignored target
does, and a temperature that is not positive gives nan.

The bits of a row do not depend on its batch. `token_stats` cuts a row by its vocabulary alone and
merges the parts in one order. The linear functions multiply tiles of one fixed shape, with padded
rows and operands of one alignment, so that the matrix library chooses one algorithm for every
batch. The logit of the target comes from one more tile of the same shape.

Memory of the linear functions besides the outputs: a tile of float32 logits (32 MB; two for the
divergence), a block of hidden states (2048 x H) and a tile of the weight (4096 x H): 80 MB for
bfloat16 at H = 4096. `token_stats` takes at most 64 MB.

This file holds the functions; cuda_kernels.py passes tensors to the kernels, cuda_products.py makes
the tiles, and cuda_fused.py is the path without tiles.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from rlvr_fast import _core
from rlvr_fast.errors import InvalidInputError
from rlvr_fast.scoring.kernels import cuda_kernels as kernels
from rlvr_fast.scoring.kernels.cuda_fused import (
    fused_divergence,
    fused_divergence_fits,
    fused_fits,
    fused_token_stats,
    linear_path,
)
from rlvr_fast.scoring.kernels.cuda_products import ROWS, Product, exact_products
from rlvr_fast.scoring.kernels.kept_mass import LOGIT_ELEMENTS
from rlvr_fast.scoring.kernels.kept_mass import linear_kept_mass as kept_mass_by_torch
from rlvr_fast.scoring.kernels.sorted_nucleus import sorted_nucleus_stats
from rlvr_fast.scoring.results import DivergenceStats, NucleusStats, TokenStats

__all__ = [
    "linear_divergence",
    "linear_kept_mass",
    "linear_token_stats",
    "linear_token_stats_each",
    "nucleus_stats",
    "token_stats",
]


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
    top_k: int = 0,
    min_p: float = 0.0,
) -> NucleusStats:
    """`rlvr_fast.nucleus_stats` of checked CUDA tensors.

    The kernels take top_p alone: with top_k or min_p, torch sorts the probabilities in float64.

    Raises:
        InvalidInputError: more columns than the kernel takes.
    """
    if top_k or min_p:
        return sorted_nucleus_stats(logits, targets, temperature, softcap, top_p, top_k, min_p)
    if logits.shape[-1] > _core.cuda.NUCLEUS_COLUMNS:
        raise InvalidInputError(
            f"top_p takes at most {_core.cuda.NUCLEUS_COLUMNS} logits a row on CUDA, "
            f"got {logits.shape[-1]}"
        )
    _, nucleus = _logits_stats(logits, targets, temperature, softcap, top_p)
    assert nucleus is not None
    return nucleus


def _logits_stats(
    logits: torch.Tensor,
    targets: torch.Tensor,
    temperature: Any,
    softcap: float | None,
    top_p: float | None,
) -> tuple[TokenStats, NucleusStats | None]:
    kernels.require_kernels()
    device = logits.device
    stats = kernels.empty_stats(targets.shape, device)
    nucleus = None
    if top_p is not None:
        nucleus = NucleusStats(*(torch.empty(targets.shape, device=device) for _ in range(2)))
    rows, columns = targets.numel(), logits.shape[-1]
    if rows == 0:
        return stats, nucleus
    if columns == 0:
        raise InvalidInputError("logits must have at least one column, got none")
    logits, inner_rows, outer_stride, row_stride = kernels.row_geometry(logits)
    targets = targets.contiguous()
    options, kept_alive = kernels.row_options(temperature, None, 1.0, softcap)
    dtype = kernels.dtype_name(logits)
    size = _core.cuda.logits_workspace_bytes(rows, columns, dtype)
    workspace = torch.empty(size, dtype=torch.uint8, device=device)
    geometry = _core.cuda.LogitRows(
        logits.data_ptr(), dtype, rows, columns, inner_rows, outer_stride, row_stride
    )
    with kernels.on(device):
        _core.cuda.logits_stats(
            geometry,
            targets.data_ptr(),
            options,
            workspace.data_ptr(),
            size,
            kernels.token_outputs(stats),
            1.0 if top_p is None else top_p,
            0 if nucleus is None else nucleus.logprob.data_ptr(),
            0 if nucleus is None else nucleus.kept_mass.data_ptr(),
            kernels.launch_device(device),
        )
    del kept_alive
    return stats, nucleus


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
    kernels.require_kernels()
    device, leading = hidden.device, targets.shape
    vocabulary = weight.shape[0]
    hidden = hidden.reshape(-1, hidden.shape[-1])
    flat = targets.reshape(-1).contiguous()
    temperature = _flat(temperature)
    bias = None if bias is None else bias.to(torch.float32).contiguous()
    stats = kernels.empty_stats(flat.shape, device)
    if vocabulary == 0:
        raise InvalidInputError("weight must have at least one row, got none")
    if linear_path() == "fused" and fused_fits(hidden, weight):
        with torch.no_grad(), kernels.on(device):
            fused_token_stats(hidden, weight, flat, bias, temperature, softcap, scale, stats)
        return TokenStats(*(value.reshape(leading) for value in stats))
    with torch.no_grad(), kernels.on(device), exact_products(device):
        product = Product(weight, hidden.dtype)
        stream = kernels.launch_device(device)
        for start in range(0, len(flat), ROWS):
            rows = min(ROWS, len(flat) - start)
            here = slice(start, start + rows)
            wanted = flat[here]
            block = product.block(hidden[here])
            options, kept_alive = kernels.row_options(
                kernels.rows_of(temperature, here), bias, scale, softcap
            )
            size = _core.cuda.tile_states_bytes(rows, vocabulary, _core.cuda.TILE_COLUMNS)
            states = kernels.empty_bytes(size, device)
            target_logits = product.at_targets(block, wanted)
            for first, tile in product.tiles(block):
                _core.cuda.place_targets(
                    tile.data_ptr(), tile.stride(0), rows, first, tile.shape[1],
                    wanted.data_ptr(), target_logits.data_ptr(), stream,
                )  # fmt: skip
                _core.cuda.fold_tile(
                    kernels.tile_rows(tile, rows), first, vocabulary, wanted.data_ptr(),
                    target_logits.data_ptr(), options, states.data_ptr(), stream,
                )  # fmt: skip
            kernels.finish_tiles(
                states, vocabulary, wanted, target_logits, options,
                TokenStats(*(value[here] for value in stats)), _core.cuda.TILE_COLUMNS,
            )  # fmt: skip
            del kept_alive
    return TokenStats(*(value.reshape(leading) for value in stats))


def linear_token_stats_each(
    hidden: torch.Tensor,
    weight: torch.Tensor,
    targets: torch.Tensor,
    bias: torch.Tensor | None,
    temperatures: Sequence[Any],
    softcap: float | None,
    scale: float,
) -> list[TokenStats]:
    """`rlvr_fast.scoring.kernels.linear.linear_token_stats_each` of checked CUDA tensors."""
    return [
        linear_token_stats(hidden, weight, targets, bias, temperature, softcap, scale)
        for temperature in temperatures
    ]


def linear_kept_mass(
    hidden: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    temperature: float,
    softcap: float | None,
    scale: float,
    top_p: float,
    at_once: int | None = None,
) -> torch.Tensor:
    """`rlvr_fast.scoring.kernels.nucleus.linear_kept_mass` of CUDA tensors, for top_p < 1.

    Without CUDA kernels in the build, and for a vocabulary that the kernel does not take, torch
    computes the result.

    Args:
        hidden: [N, H].
        weight: [V, H].
        bias: [V], or None.
        temperature: a positive number.
        softcap: c of c tanh(z / c), or None.
        scale: factor of the logits, before softcap.
        top_p: in (0, 1).
        at_once: number of rows whose logits are held together. By default the vocabulary alone
            decides, so that the product of a row has the same bits in any batch.

    Returns:
        float32 [N].
    """
    vocabulary, device = len(weight), hidden.device
    if not _core.cuda.built() or vocabulary > _core.cuda.NUCLEUS_COLUMNS:
        return kept_mass_by_torch(hidden, weight, bias, temperature, softcap, scale, top_p)
    kept_mass = torch.empty(len(hidden), device=device)
    at_once = min(ROWS, at_once or max(1, LOGIT_ELEMENTS // max(1, vocabulary)))
    with torch.no_grad(), kernels.on(device), exact_products(device):
        product = Product(weight, hidden.dtype, at_once)
        logits = torch.empty(at_once, vocabulary, device=device)
        for start in range(0, len(hidden), at_once):
            here = slice(start, min(start + at_once, len(hidden)))
            for first, tile in product.tiles(product.block(hidden[here])):
                logits[:, first : first + tile.shape[1]].copy_(tile)
            if bias is not None:
                logits += bias
            if scale != 1:
                logits *= scale
            rows = logits[: here.stop - here.start]
            any_target = torch.zeros(len(rows), dtype=torch.int64, device=device)
            nucleus = nucleus_stats(rows, any_target, temperature, softcap, top_p)
            kept_mass[here] = nucleus.kept_mass
    return kept_mass


def linear_divergence(
    hidden_p: torch.Tensor,
    weight_p: torch.Tensor,
    hidden_q: torch.Tensor,
    weight_q: torch.Tensor,
    targets: torch.Tensor | None,
    temperature: Any,
) -> DivergenceStats:
    """`rlvr_fast.linear_divergence` of checked CUDA tensors."""
    kernels.require_kernels()
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
    models = (hidden_p, weight_p, hidden_q, weight_q)
    if linear_path() == "fused" and fused_divergence_fits(*models):
        with torch.no_grad(), kernels.on(device):
            fused_divergence(*models, flat, temperature, out)
        return DivergenceStats(*(value.reshape(leading) for value in out))
    with torch.no_grad(), kernels.on(device), exact_products(device):
        # Each tile has half the rows, so that both tiles of a pair stay in the cache.
        p = Product(weight_p, hidden_p.dtype, ROWS // 2)
        q = Product(weight_q, hidden_q.dtype, ROWS // 2)
        stream = kernels.launch_device(device)
        for start in range(0, total, ROWS // 2):
            rows = min(ROWS // 2, total - start)
            here = slice(start, start + rows)
            wanted = None if flat is None else flat[here]
            options, kept_alive = kernels.row_options(
                kernels.rows_of(temperature, here), None, 1.0, None
            )
            block_p, block_q = p.block(hidden_p[here]), q.block(hidden_q[here])
            target_p = None if wanted is None else p.at_targets(block_p, wanted)
            target_q = None if wanted is None else q.at_targets(block_q, wanted)
            size = _core.cuda.pair_states_bytes(rows, vocabulary, _core.cuda.TILE_COLUMNS)
            states = kernels.empty_bytes(size, device)
            for (first, tile_p), (_, tile_q) in zip(
                p.tiles(block_p), q.tiles(block_q), strict=True
            ):
                _core.cuda.fold_pair(
                    kernels.tile_rows(tile_p, rows), kernels.tile_rows(tile_q, rows), first,
                    vocabulary, options, options, states.data_ptr(), stream,
                )  # fmt: skip
            kernels.finish_pair(
                states, vocabulary, wanted, target_p, target_q, options,
                DivergenceStats(*(value[here] for value in out)), _core.cuda.TILE_COLUMNS,
            )  # fmt: skip
            del kept_alive
    return DivergenceStats(*(value.reshape(leading) for value in out))


def _flat(temperature: Any) -> Any:
    if isinstance(temperature, torch.Tensor):
        return temperature.reshape(-1).contiguous()
    return temperature
