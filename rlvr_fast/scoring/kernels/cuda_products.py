"""Tiles of a product from torch's matrix library, in float32 and of one shape, for the kernels."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch

from rlvr_fast import _core

__all__ = ["ROWS", "Product", "exact_products"]

# Rows of a tile. With TILE_COLUMNS float32 columns a tile has 32 MB and stays in the L2 cache.
ROWS = 2048


class Product:
    """The product hidden weight^T in float32, in tiles of one shape, by buffers that are reused.

    Args:
        weight: [V, H] on CUDA.
        hidden_dtype: type of the hidden states.
        rows: number of rows of a tile.

    Attributes:
        output: the float32 tile, which the next product overwrites.
    """

    def __init__(self, weight: torch.Tensor, hidden_dtype: torch.dtype, rows: int = ROWS) -> None:
        self._weight = weight
        # The matrix library multiplies operands of one type; others are converted to float32.
        same = weight.dtype == hidden_dtype
        self._dtype = weight.dtype if same else torch.float32
        width, device = weight.shape[1], weight.device
        self._rows = rows
        self._columns = min(_core.cuda.TILE_COLUMNS, len(weight))
        aligned = weight.data_ptr() % 16 == 0 and width * weight.element_size() % 16 == 0
        self._in_place = same and aligned and weight.is_contiguous()
        self.output = torch.empty(rows, self._columns, device=device)
        self._block = torch.empty(rows, width, dtype=self._dtype, device=device)
        self._buffer = torch.empty(self._columns, width, dtype=self._dtype, device=device)

    def block(self, hidden: torch.Tensor) -> torch.Tensor:
        """A copy of these rows, with zeros below: always one shape at one address."""
        self._block[: len(hidden)].copy_(hidden)
        self._block[len(hidden) :].zero_()
        return self._block

    def at_targets(self, block: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """The product of each row with the weight's row of its target, in the bits of the tiles.

        This is the diagonal of a product of the tiles' shape, so that the library adds over H in
        the same order. Where there is one tile, the values are read from that tile.
        """
        # The kernels mask a target that is no column; here no address outside may be read.
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
            tile = self.multiply(block, self._buffer)
            some = rows[start : start + len(wanted)]
            values[start : start + len(wanted)] = tile[some, some - start]
        return values

    def tiles(self, block: torch.Tensor) -> Iterator[tuple[int, torch.Tensor]]:
        """Yields the first column of each tile, and the products with its columns.

        The next tile overwrites the products. The last tile begins early enough to have the shape
        of the others; the columns that the previous tile has are cut off.
        """
        vocabulary = len(self._weight)
        for first in range(0, vocabulary, self._columns):
            begin = min(first, vocabulary - self._columns)
            columns = self._weight[begin : begin + self._columns]
            if not self._in_place or columns.data_ptr() % 16 != 0:
                columns = self._buffer.copy_(columns)
            yield first, self.multiply(block, columns)[:, first - begin :]

    def multiply(self, block: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
        """The product block columns^T in float32, in the one output buffer."""
        if self._dtype == torch.float32:
            return torch.mm(block, columns.t(), out=self.output)
        return torch.mm(block, columns.t(), out_dtype=torch.float32, out=self.output)


@contextlib.contextmanager
def exact_products(device: torch.device) -> Iterator[None]:
    """Sets torch to multiply float32 in float32 (no TF32, no autocast), and to sum in float32."""
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
