"""The LM heads of the known architectures: from the last hidden states to the statistics of tokens.

logits = softcap(scale * (hidden weight^T + bias)). Many architectures differ from Llama by a factor
or a cap in the last line of their forward pass, and scores without this factor or cap would be
wrong without a sign: what is not in the table is scored by its own logits (`own_logits.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from rlvr_fast.scoring.kernels.linear import linear_token_stats_each
from rlvr_fast.scoring.kernels.nucleus import linear_truncation
from rlvr_fast.scoring.results import TokenStats, Truncation

__all__ = ["HEADS", "Architecture", "LinearHead", "linear_head"]


@dataclass(frozen=True, slots=True)
class LinearHead:
    """The part of a model above its last hidden states, as a matrix: no logits are stored.

    Attributes:
        decoder: a module: input_ids -> last_hidden_state [B, T, H], after the final norm.
        weight: [V, H].
        bias: [V], or None.
        scale: factor of the logits.
        softcap: c of c tanh(z / c), or None.
        trees: whether the decoder takes any position_ids and any mask [B, 1, T, T].
    """

    decoder: Any
    weight: torch.Tensor
    bias: torch.Tensor | None
    scale: float
    softcap: float | None
    trees: bool

    @property
    def vocab_size(self) -> int:
        """Number of logits."""
        return int(self.weight.shape[0])

    @property
    def dtype(self) -> torch.dtype:
        """The type of the head's weight."""
        return self.weight.dtype

    @property
    def device(self) -> torch.device:
        """Where the hidden states have to lie."""
        return self.weight.device

    def token_stats(
        self, rows: torch.Tensor, targets: torch.Tensor, temperatures: Sequence[float]
    ) -> list[TokenStats]:
        """As `distributions.Readout`."""
        return linear_token_stats_each(
            rows, self.weight, targets, temperatures=temperatures, bias=self.bias,
            softcap=self.softcap, scale=self.scale,
        )  # fmt: skip

    def truncation(self, rows: torch.Tensor, temperature: float, **cut: Any) -> Truncation:
        """As `distributions.Readout`."""
        return linear_truncation(
            rows, self.weight, temperature=temperature, bias=self.bias, softcap=self.softcap,
            scale=self.scale, **cut,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Architecture:
    """The last lines of the forward pass of an architecture.

    Attributes:
        decoder: path of the decoder's attribute, from the model.
        scale: factor of the logits, from the configuration.
        softcap: softcap of the logits, or None, from the configuration.
        trees: as in `Head`.
    """

    decoder: str = "model"
    scale: Callable[[Any], float] = lambda config: 1.0
    softcap: Callable[[Any], float | None] = lambda config: None
    trees: bool = True


def _softcap(config: Any) -> float | None:
    cap = config.get_text_config().final_logit_softcapping
    return None if cap is None else float(cap)


_PLAIN = Architecture()
_LOGIT_SCALE = Architecture(scale=lambda config: float(config.logit_scale))
_LOGITS_SCALING = Architecture(scale=lambda config: 1.0 / float(config.logits_scaling))
_FINAL_SOFTCAP = Architecture(softcap=_softcap)

# Class name -> the end of its forward pass (transformers 5); a test compares each with that pass.
HEADS: dict[str, Architecture] = {
    "LlamaForCausalLM": _PLAIN,
    "MistralForCausalLM": _PLAIN,
    "MixtralForCausalLM": _PLAIN,
    "Qwen2ForCausalLM": _PLAIN,
    "Qwen2MoeForCausalLM": _PLAIN,
    "Qwen3ForCausalLM": _PLAIN,
    "Qwen3MoeForCausalLM": _PLAIN,
    "Qwen2_5_VLForConditionalGeneration": Architecture(decoder="model.language_model", trees=False),
    "PhiForCausalLM": _PLAIN,
    "Phi3ForCausalLM": _PLAIN,
    "OlmoForCausalLM": _PLAIN,
    "Olmo2ForCausalLM": _PLAIN,
    "Olmo3ForCausalLM": _PLAIN,
    "SmolLM3ForCausalLM": _PLAIN,
    "StableLmForCausalLM": _PLAIN,
    "Starcoder2ForCausalLM": _PLAIN,
    "GemmaForCausalLM": _PLAIN,
    "Gemma2ForCausalLM": _FINAL_SOFTCAP,
    "Gemma3ForCausalLM": _FINAL_SOFTCAP,
    "CohereForCausalLM": _LOGIT_SCALE,
    "Cohere2ForCausalLM": _LOGIT_SCALE,
    "GraniteForCausalLM": _LOGITS_SCALING,
    "GraniteMoeForCausalLM": _LOGITS_SCALING,
    "GPT2LMHeadModel": Architecture(decoder="transformer"),
    "GPTJForCausalLM": Architecture(decoder="transformer"),
    "GPTNeoXForCausalLM": Architecture(decoder="gpt_neox"),
}


def linear_head(model: Any) -> LinearHead | None:
    """The head of a loaded model; None where its architecture or its layer is another.

    The layer of a head is a plain torch.nn.Linear, and not one with an adapter, a quantised one, or
    one whose weight a device_map has put away and loads for each call.
    """
    architecture = HEADS.get(type(model).__name__)
    layer = model.get_output_embeddings()
    if architecture is None or type(layer) is not torch.nn.Linear:
        return None
    if layer.weight.is_meta:
        return None
    decoder = model
    for part in architecture.decoder.split("."):
        decoder = getattr(decoder, part)
    return LinearHead(
        decoder=decoder,
        weight=layer.weight.detach(),
        bias=None if layer.bias is None else layer.bias.detach(),
        scale=architecture.scale(model.config),
        softcap=architecture.softcap(model.config),
        trees=architecture.trees,
    )
