"""A key-value cache whose rows are sequences of different lengths, written in place.

The DynamicCache of transformers copies the whole cache at every token and holds rows of one length.
Here row r holds `lengths[r]` tokens at the start of preallocated room; a finished row is given to
the next draw, which overwrites it.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer

__all__ = ["RaggedCache"]


class _RaggedLayer(DynamicLayer):  # type: ignore[misc]
    """One layer: keys and values [rows, heads, room, width]; `owner` holds the lengths."""

    def __init__(self, owner: RaggedCache) -> None:
        super().__init__()
        self.owner = owner

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Writes the keys and values [rows, heads, 1, width] of one token behind each row."""
        owner = self.owner
        self.keys[owner.row_numbers, :, owner.lengths] = key_states[:, :, 0]
        self.values[owner.row_numbers, :, owner.lengths] = value_states[:, :, 0]
        return self.keys, self.values

    def get_seq_length(self) -> int:
        """The number of tokens before the token that is fed, as transformers counts them."""
        return self.owner.room - 1

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """(width of the attention mask, offset of its first key)."""
        return self.owner.room, 0


class RaggedCache(Cache):  # type: ignore[misc]
    """The cache of `rows` sequences; see the module's docstring.

    Before each call of the model, `lengths` [rows] is set to how many tokens each row holds. The
    token that is fed is written behind them, so `room` must be larger than every length.
    """

    def __init__(self, like: DynamicCache, rows: int, room: int) -> None:
        """Makes room for `rows` sequences of `room` tokens, with the layers of the cache `like`."""
        super().__init__(layers=[_RaggedLayer(self) for _ in like.layers])
        for layer, other in zip(self.layers, like.layers, strict=True):
            for name in ("keys", "values"):
                _, heads, _, width = getattr(other, name).shape
                setattr(layer, name, getattr(other, name).new_zeros(rows, heads, room, width))
            layer.dtype, layer.device = other.keys.dtype, other.keys.device
            layer.is_initialized = True
        device = self.layers[0].keys.device
        self.room = room
        self.row_numbers = torch.arange(rows, device=device)
        self.lengths = torch.zeros(rows, dtype=torch.int64, device=device)

    def fill(self, rows: torch.Tensor, prompt: DynamicCache) -> None:
        """Makes `rows` hold the (single) sequence of `prompt`."""
        for layer, other in zip(self.layers, prompt.layers, strict=True):
            length = other.keys.shape[2]
            layer.keys[rows, :, :length] = other.keys
            layer.values[rows, :, :length] = other.values

    def reserve(self, room: int) -> None:
        """Grows every row to hold `room` tokens if it does not yet."""
        if room <= self.room:
            return
        for layer in self.layers:
            for name in ("keys", "values"):
                old = getattr(layer, name)
                new = old.new_zeros(*old.shape[:2], room, old.shape[3])
                new[:, :, : self.room] = old
                setattr(layer, name, new)
        self.room = room

    def keep(self, rows: torch.Tensor) -> None:
        """Drops all rows but `rows`."""
        for layer in self.layers:
            layer.keys, layer.values = layer.keys[rows], layer.values[rows]
        self.lengths = self.lengths[rows]
        self.row_numbers = self.row_numbers[: len(rows)]
