"""The CPU backend: the layout of tensors for the compiled core, and the tiles that the core folds.

Memory of the linear functions, besides the outputs (H up to 8192): a tile of float32 logits
(1024 x 4096, 16 MB), the float32 weight of a tile (at most 32 MB; none where the weight is
float32), a chunk of float32 hidden states (at most 32 MB).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from rlvr_fast import _core
from rlvr_fast.onednn import linear
from rlvr_fast.scoring.kernels.checks import IGNORED, check_target_range
from rlvr_fast.scoring.kernels.kept_mass import linear_kept_mass
from rlvr_fast.scoring.kernels.sorted_nucleus import sorted_nucleus_stats
from rlvr_fast.scoring.results import DivergenceStats, NucleusStats, TokenStats

__all__ = [
    "COLUMNS",
    "ROWS",
    "ROW_MULTIPLE",
    "WeightTiles",
    "linear_divergence",
    "linear_kept_mass",
    "linear_token_stats",
    "linear_token_stats_each",
    "nucleus_stats",
    "token_stats",
]

ROWS = 1024
COLUMNS = 4096
WEIGHT_ELEMENTS = 1 << 23  # elements of a float32 copy of the weight
TARGET_ROWS = 128
# For a few rows, matrix libraries take other routines, which add in another order.
ROW_MULTIPLE = 16

# An instruction set of `_core.instruction_sets()`; empty for the fastest. The tests set this.
instruction_set = ""


def token_stats(
    logits: torch.Tensor, targets: torch.Tensor, temperature: Any, softcap: float | None
) -> TokenStats:
    """`rlvr_fast.token_stats` of checked CPU tensors."""
    if logits.shape[-1] > 1 and logits.stride(-1) != 1:
        logits = logits.contiguous()
    stats = _empty_stats(targets.shape)
    _core.token_stats(
        logits,
        targets.contiguous(),
        _temperatures(temperature),
        softcap or 0.0,
        tuple(stats),
        instruction_set,
    )
    return stats


def nucleus_stats(
    logits: torch.Tensor,
    targets: torch.Tensor,
    temperature: Any,
    softcap: float | None,
    top_p: float,
    top_k: int = 0,
    min_p: float = 0.0,
) -> NucleusStats:
    """`rlvr_fast.nucleus_stats` of checked CPU tensors."""
    check_target_range(targets.reshape(-1), logits.shape[-1])
    return sorted_nucleus_stats(logits, targets, temperature, softcap, top_p, top_k, min_p)


def linear_token_stats(
    hidden: torch.Tensor,
    weight: torch.Tensor,
    targets: torch.Tensor,
    bias: torch.Tensor | None,
    temperature: Any,
    softcap: float | None,
    scale: float,
) -> TokenStats:
    """`rlvr_fast.linear_token_stats` of checked CPU tensors."""
    (stats,) = linear_token_stats_each(hidden, weight, targets, bias, [temperature], softcap, scale)
    return stats


def linear_token_stats_each(
    hidden: torch.Tensor,
    weight: torch.Tensor,
    targets: torch.Tensor,
    bias: torch.Tensor | None,
    temperatures: Sequence[Any],
    softcap: float | None,
    scale: float,
) -> list[TokenStats]:
    """`rlvr_fast.scoring.kernels.linear.linear_token_stats_each` of checked CPU tensors."""
    leading = targets.shape
    hidden = hidden.reshape(-1, hidden.shape[-1])
    flat = targets.reshape(-1)
    check_target_range(flat, weight.shape[0])
    rows = (flat != IGNORED).nonzero().reshape(-1)
    by_row = [_temperatures(temperature).reshape(-1) for temperature in temperatures]
    bias = None if bias is None else bias.to(torch.float32).contiguous()
    found = [
        TokenStats(
            *(torch.full(flat.shape, -1 if v.dtype == torch.int32 else torch.nan, dtype=v.dtype)
              for v in _empty_stats(torch.Size([0])))
        )
        for _ in by_row
    ]  # fmt: skip
    with torch.inference_mode():
        product = WeightTiles(weight)
        for start in range(0, len(rows), product.rows):
            chosen = rows[start : start + product.rows]
            chunk = product.pad(hidden, chosen)
            chunk_targets = flat[chosen]
            chunk_temperatures = [each[chosen] if len(each) > 1 else each for each in by_row]
            target_bias = None if bias is None else bias[chunk_targets]
            values = product.at_targets(chunk, chunk_targets)
            # The second round runs only where the library added the target's column in another
            # order within the tile: the sweep is then repeated with the value of the tile.
            for _ in range(2):
                folds = [
                    _core.RowFolds(
                        chunk_targets, values, target_bias, each, scale, softcap or 0.0,
                        instruction_set,
                    )
                    for each in chunk_temperatures
                ]  # fmt: skip
                for first, tile in product.tiles(chunk):
                    columns = None if bias is None else bias[first : first + tile.shape[1]]
                    for fold in folds:
                        fold.fold(tile[: len(chosen)], first, columns)
                values = torch.empty_like(values)
                if folds[0].seen_targets(values) == 0:
                    break
            for stats, fold in zip(found, folds, strict=True):
                part = _empty_stats(chosen.shape)
                fold.finalize(tuple(part))
                for whole, piece in zip(stats, part, strict=True):
                    whole[chosen] = piece
    return [TokenStats(*(value.reshape(leading) for value in stats)) for stats in found]


def linear_divergence(
    hidden_p: torch.Tensor,
    weight_p: torch.Tensor,
    hidden_q: torch.Tensor,
    weight_q: torch.Tensor,
    targets: torch.Tensor | None,
    temperature: Any,
) -> DivergenceStats:
    """`rlvr_fast.linear_divergence` of checked CPU tensors."""
    leading = hidden_p.shape[:-1]
    hidden_p = hidden_p.reshape(-1, hidden_p.shape[-1])
    hidden_q = hidden_q.reshape(-1, hidden_q.shape[-1])
    total = len(hidden_p)
    temperatures = _temperatures(temperature).reshape(-1)
    flat = None if targets is None else targets.reshape(-1)
    if flat is not None:
        check_target_range(flat, weight_p.shape[0])
    out = DivergenceStats(*(torch.empty(total) for _ in range(6)))
    with torch.inference_mode():
        p, q = WeightTiles(weight_p, weight_q), WeightTiles(weight_q, weight_p)
        for start in range(0, total, p.rows):
            chosen = torch.arange(start, min(start + p.rows, total))
            rows = len(chosen)
            chunk_p, chunk_q = p.pad(hidden_p, chosen), q.pad(hidden_q, chosen)
            chunk_temperatures = temperatures[chosen] if len(temperatures) > 1 else temperatures
            target_p, target_q = torch.full((rows,), torch.nan), torch.full((rows,), torch.nan)
            if flat is not None:
                wanted = flat[chosen]
                known = wanted != IGNORED
                target_p[known] = p.at_targets(chunk_p, wanted.clamp(min=0))[known]
                target_q[known] = q.at_targets(chunk_q, wanted.clamp(min=0))[known]
            folds = _core.PairFolds(rows, chunk_temperatures, instruction_set)
            for (_, tile_p), (_, tile_q) in zip(p.tiles(chunk_p), q.tiles(chunk_q), strict=True):
                folds.fold(tile_p[:rows], tile_q[:rows])
            part = tuple(value[start : start + rows] for value in out)
            folds.finalize(target_p, target_q, part)
    return DivergenceStats(*(value.reshape(leading) for value in out))


class WeightTiles:
    """The product hidden weight^T in float32, tile by tile.

    Args:
        weight: [V, H] float32, bfloat16 or float16.
        other: the weight of a second model, whose tiles must have the same columns.
    """

    def __init__(self, weight: torch.Tensor, other: torch.Tensor | None = None) -> None:
        self._weight = weight
        width = max(weight.shape[1], 0 if other is None else other.shape[1], 1)
        # The shape of the weight alone decides: the sums of a row must not depend on the batch.
        fitting = WEIGHT_ELEMENTS // width // 256 * 256
        self._columns = min(max(256, min(COLUMNS, fitting)), max(1, len(weight)))
        # A tile of few columns may have more rows.
        self.rows = max(ROWS, min(ROWS * COLUMNS // self._columns, WEIGHT_ELEMENTS // width))
        self._copies = weight.dtype != torch.float32
        self._single: tuple[torch.Tensor, torch.Tensor] | None = None  # the only tile of a chunk
        self._buffer = torch.empty(0)

    def pad(self, hidden: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """A float32 copy of these rows, with zeros below up to a multiple of ROW_MULTIPLE."""
        padded = -(-len(rows) // ROW_MULTIPLE) * ROW_MULTIPLE
        chunk = torch.zeros(padded, hidden.shape[1])
        chunk[: len(rows)] = hidden[rows]
        return chunk

    def at_targets(self, chunk: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """The product of each row with the weight's row of its target.

        This is the diagonal of a small product by the routine of the tiles, which adds over H in
        the same order.
        """
        if len(self._weight) <= self._columns:  # the only tile holds the values
            _, tile = next(self.tiles(chunk))
            return tile[: len(targets)].gather(1, targets[:, None]).squeeze(1)
        values = torch.empty(len(targets))
        for start in range(0, len(targets), TARGET_ROWS):
            wanted = targets[start : start + TARGET_ROWS]
            rows = self.pad(self._weight, wanted)
            block = linear(chunk[start : start + len(rows)], rows)
            values[start : start + len(wanted)] = block.diagonal()[: len(wanted)]
        return values

    def tiles(self, chunk: torch.Tensor) -> Iterator[tuple[int, torch.Tensor]]:
        """Yields the first column of each tile, and the float32 products of `chunk` with it."""
        if self._single is not None and self._single[0] is chunk:
            yield 0, self._single[1]
            return
        for first in range(0, len(self._weight), self._columns):
            columns = self._weight[first : first + self._columns]
            count = len(columns)
            if self._copies:
                if not self._buffer.numel():
                    self._buffer = torch.empty(self._columns, self._weight.shape[1])
                columns = self._buffer[:count].copy_(columns)
            tile = linear(chunk, columns)
            if count == len(self._weight):
                self._single = chunk, tile
            yield first, tile


def _temperatures(temperature: Any) -> torch.Tensor:
    if isinstance(temperature, torch.Tensor):
        return temperature.contiguous()
    return torch.tensor([temperature], dtype=torch.float32)


def _empty_stats(shape: torch.Size) -> TokenStats:
    return TokenStats(
        logprob=torch.empty(shape),
        entropy=torch.empty(shape),
        logsumexp=torch.empty(shape),
        rank=torch.empty(shape, dtype=torch.int32),
        mass_above=torch.empty(shape),
    )
