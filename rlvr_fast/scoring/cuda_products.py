"""Tiles of a product from torch's matrix library, in float32 and of one shape, for the kernels."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch

from rlvr_fast import _core

__all__ = ["ROWS", "Product", "exact_products"]

# Rows of a tile: with TILE_COLUMNS float32 columns it is 32 MB and stays in the L2 cache.
ROWS = 2048


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
