"""The logits of any causal language model, a block of rows at a time, by its own forward pass.

What stands between the last hidden states and the logits (a factor, a cap, a bias, a quantised
layer) differs from architecture to architecture. It is not known here, but run: the decoder of the
model is replaced, for one call, by hidden states that it has given before.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from rlvr_fast.errors import UnsupportedModelError
from rlvr_fast.scoring.kernels.kept_mass import LOGIT_ELEMENTS, truncation_of
from rlvr_fast.scoring.kernels.logits import token_stats
from rlvr_fast.scoring.results import TokenStats, Truncation

__all__ = ["OwnLogits"]

# The own path and the whole forward pass are compared on so many tokens, up to this difference of a
# logit in units of the largest one: the blocks of a product may be added in another order.
_PROBE = 12
_TOLERANCE = {torch.float32: 1e-4, torch.float16: 2e-2, torch.bfloat16: 1e-1}


class OwnLogits:
    """The part of a model above its last hidden states, by the code of the model itself.

    Args:
        model: a loaded causal language model of transformers.

    Attributes:
        decoder: the part below, which is called as a module.
        vocab_size: number of logits.
        trees: False: nothing is known of the masks and positions that the decoder takes.

    Raises:
        UnsupportedModelError: the model does not make its logits from the last hidden states of
            its decoder, position by position.
    """

    trees = False

    def __init__(self, model: Any) -> None:
        self._model = model
        self._output: Any = None
        self.vocab_size = 0
        refused = "it has no decoder that transformers names"
        for base in self._decoders():
            self._base = base
            refused = self._difference()
            if not refused:
                return
        raise self._unsupported(refused)

    @property
    def dtype(self) -> torch.dtype:
        """The type of the model's weights."""
        dtype: torch.dtype = self._model.dtype
        return dtype

    @property
    def device(self) -> torch.device:
        """Where the hidden states lie."""
        weight: torch.Tensor = self._model.get_input_embeddings().weight
        if weight.is_meta:  # a device_map has put it away: accelerate moves what comes in
            return torch.device("cuda" if torch.cuda.is_available() else "cpu")
        return weight.device

    def decoder(self, **inputs: Any) -> Any:
        """The output of the decoder, with last_hidden_state [B, T, H]."""
        return self._base(**inputs)

    def token_stats(
        self, rows: torch.Tensor, targets: torch.Tensor, temperatures: Sequence[float]
    ) -> list[TokenStats]:
        """As `distributions.Readout`."""
        parts: list[list[TokenStats]] = []
        for here, logits in self._blocks(rows):
            parts.append([token_stats(logits, targets[here], temperature=t) for t in temperatures])
        return [
            TokenStats(*(torch.cat(values) for values in zip(*each, strict=True)))
            for each in zip(*parts, strict=True)
        ]

    def truncation(self, rows: torch.Tensor, temperature: float, **cut: Any) -> Truncation:
        """As `distributions.Readout`."""
        parts = [
            truncation_of(logits.float() / temperature, **cut) for _, logits in self._blocks(rows)
        ]
        return Truncation(*(torch.cat(values) for values in zip(*parts, strict=True)))

    def _blocks(self, rows: torch.Tensor) -> Iterator[tuple[slice, torch.Tensor]]:
        """Some of the rows, and their logits [rows, V]."""
        size = max(1, LOGIT_ELEMENTS // max(1, self.vocab_size))
        for start in range(0, len(rows), size):
            here = slice(start, start + size)
            yield here, self._logits(rows[here])

    def _logits(self, rows: torch.Tensor) -> torch.Tensor:
        with self._given(rows[None]):
            ids = torch.zeros((1, len(rows)), dtype=torch.int64, device=self.device)
            logits: torch.Tensor = self._model(input_ids=ids, use_cache=False).logits
        return logits[0]

    @contextlib.contextmanager
    def _given(self, states: torch.Tensor) -> Iterator[None]:
        """A block in which the decoder gives these hidden states, whatever it is asked."""
        output = type(self._output)(last_hidden_state=states)
        forward = self._base.forward
        self._base.forward = lambda *_, **__: output
        try:
            yield
        finally:
            self._base.forward = forward

    def _decoders(self) -> list[Any]:
        """What the model may call for its last hidden states, as transformers names it."""
        get = getattr(self._model, "get_decoder", None)
        found = [getattr(self._model, "base_model", None), None if get is None else get()]
        return [each for each in dict.fromkeys(found) if each not in (None, self._model)]

    def _difference(self) -> str:
        """How logits of hidden states differ from those of the whole model; "" where they do not.

        Sets the number of logits, and what the decoder gives.
        """
        known = self._model.get_input_embeddings().weight.shape[0]
        ids = torch.arange(_PROBE, device=self.device)[None] % known
        try:
            with torch.inference_mode():
                wanted = self._model(input_ids=ids, use_cache=False).logits[0].float()
                self._output = self._base(input_ids=ids, use_cache=False)
                states = self._output.last_hidden_state[0]
                self.vocab_size = wanted.shape[-1]
                found = torch.cat([self._logits(states[:5]), self._logits(states[5:])]).float()
        except (AttributeError, TypeError, ValueError, RuntimeError, IndexError) as error:
            return f"{type(error).__name__}: {str(error)[:300]}"
        self._output = type(self._output)(last_hidden_state=states[None])
        largest = float(wanted.abs().max())
        far = float((found - wanted).abs().max()) if found.shape == wanted.shape else float("inf")
        if far <= _TOLERANCE.get(self.dtype, 1e-1) * max(largest, 1e-6):
            return ""
        return f"logits made from its last hidden states differ by up to {far:.3g} from its own"

    def _unsupported(self, why: str) -> UnsupportedModelError:
        name = type(self._model).__name__
        advice = (
            "give its base model by name, and the folder of the adapter (Scorer(base, adapter=...))"
            if name.startswith("Peft")
            else "score its logits with token_stats, or add the architecture to "
            "rlvr_fast/scoring/models/heads.py with a test"
        )
        return UnsupportedModelError(
            f"{name}: its logits cannot be made in blocks ({why}); {advice}"
        )
