"""The hidden states of a batch: its tokens go through the decoder of a model once."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from transformers import DynamicCache

from rlvr_fast.onednn import OneDnnLinears
from rlvr_fast.scoring.models.batches import TokenBatch

__all__ = ["Forward"]


class _Prompt(NamedTuple):
    """A prompt that went through the model.

    Attributes:
        tokens: its tokens; the array itself tells one prompt from another.
        states: keys and values of each layer, [1, heads, tokens, size].
        last: the hidden state [1, H] of its last token.
    """

    tokens: Any
    states: list[tuple[torch.Tensor, torch.Tensor]]
    last: torch.Tensor


class Forward:
    """Runs the decoder of one model, and keeps the prompt of the last batch.

    Args:
        decoder: a module: input_ids -> last_hidden_state [B, T, H].
        device: where the tokens go.
        dtype: type of attention masks.
    """

    def __init__(self, decoder: Any, device: torch.device, dtype: torch.dtype) -> None:
        self._decoder = decoder
        self._device = device
        self._dtype = dtype
        self._prompt: _Prompt | None = None

    def hidden(self, batch: TokenBatch) -> torch.Tensor:
        """The hidden states [targets, H] of the positions that predict the targets of a batch."""
        positions = torch.from_numpy(batch.positions).to(self._device)
        if batch.prompt is None:
            # No attention mask: the padding is to the right, where causal attention reads no token.
            states = self._run(batch.tokens, **self._tree(batch)).last_hidden_state
            return states.reshape(-1, states.shape[-1])[positions]
        if self._prompt is None or self._prompt.tokens is not batch.prompt:
            self._prompt = None  # its memory is free before the next one's is taken
            self._prompt = self._through(batch.prompt)
        prompt = self._prompt
        if not batch.tokens.size:
            return prompt.last[positions]
        rows = len(batch.tokens)
        cache = DynamicCache()
        for layer, (keys, values) in enumerate(prompt.states):
            cache.update(keys.expand(rows, -1, -1, -1), values.expand(rows, -1, -1, -1), layer)
        states = self._run(batch.tokens, past_key_values=cache, use_cache=True).last_hidden_state
        return torch.cat([prompt.last, states.reshape(-1, states.shape[-1])])[positions]

    def _through(self, tokens: Any) -> _Prompt:
        found = self._run(tokens[None], past_key_values=DynamicCache(), use_cache=True)
        layers = found.past_key_values.layers
        states = [(layer.keys, layer.values) for layer in layers]
        return _Prompt(tokens, states, found.last_hidden_state[0, -1:])

    def _run(self, tokens: Any, **options: Any) -> Any:
        ids = torch.from_numpy(np.ascontiguousarray(tokens)).to(self._device)
        with OneDnnLinears():
            return self._decoder(input_ids=ids, **{"use_cache": False, **options})

    def _tree(self, batch: TokenBatch) -> dict[str, Any]:
        if batch.ancestors is None or batch.depths is None:
            return {}
        seen = torch.from_numpy(batch.ancestors).to(self._device).unsqueeze(1)
        mask = torch.zeros(seen.shape, dtype=self._dtype, device=self._device)
        mask.masked_fill_(~seen, torch.finfo(self._dtype).min)
        depths = torch.from_numpy(batch.depths).to(self._device)
        return {"position_ids": depths, "attention_mask": mask}
