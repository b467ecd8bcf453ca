"""How the logits of each known architecture come from its last hidden states.

logits = softcap(scale * (hidden weight^T + bias)). An architecture that is not in the table is
refused: many differ from Llama by a factor or a cap in the last line of their forward pass, and a
score without it would be silently wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from rlvr_fast.errors import UnsupportedModelError

__all__ = ["HEADS", "Head", "head_of"]


@dataclass(frozen=True, slots=True)
class Head:
    """The part of a model above its last hidden states."""

    decoder: Any  # a module: input_ids -> last_hidden_state [B, T, H], after the final norm
    weight: torch.Tensor  # [V, H]
    bias: torch.Tensor | None  # [V]
    scale: float
    softcap: float | None
    trees: bool  # whether the decoder takes position_ids and a mask [B, 1, T, T] as they are


@dataclass(frozen=True, slots=True)
class _Architecture:
    decoder: str = "model"
    scale: Callable[[Any], float] = lambda config: 1.0
    softcap: Callable[[Any], float | None] = lambda config: None
    trees: bool = True


def _softcap(config: Any) -> float | None:
    cap = config.get_text_config().final_logit_softcapping
    return None if cap is None else float(cap)


_PLAIN = _Architecture()
_LOGIT_SCALE = _Architecture(scale=lambda config: float(config.logit_scale))
_LOGITS_SCALING = _Architecture(scale=lambda config: 1.0 / float(config.logits_scaling))
_FINAL_SOFTCAP = _Architecture(softcap=_softcap)

# Class name -> how its forward pass ends (transformers 5); each is tested against that pass.
HEADS: dict[str, _Architecture] = {
    "LlamaForCausalLM": _PLAIN,
    "MistralForCausalLM": _PLAIN,
    "MixtralForCausalLM": _PLAIN,
    "Qwen2ForCausalLM": _PLAIN,
    "Qwen2MoeForCausalLM": _PLAIN,
    "Qwen3ForCausalLM": _PLAIN,
    "Qwen3MoeForCausalLM": _PLAIN,
    "Qwen2_5_VLForConditionalGeneration": _Architecture(
        decoder="model.language_model", trees=False
    ),
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
    "GPT2LMHeadModel": _Architecture(decoder="transformer"),
    "GPTJForCausalLM": _Architecture(decoder="transformer"),
    "GPTNeoXForCausalLM": _Architecture(decoder="gpt_neox"),
}


def head_of(model: Any) -> Head:
    """The head of a loaded Hugging Face model.

    Raises UnsupportedModelError naming an architecture that is not in `HEADS`, or a head that is
    not a plain linear layer (an adapter or a quantised one, say).
    """
    name = type(model).__name__
    architecture = HEADS.get(name)
    if architecture is None:
        advice = (
            "merge the adapter into the model first (merge_and_unload)"
            if name.startswith("Peft")
            else "score its logits with token_stats, or add how its logits are made to "
            "rlvr_fast/scoring/heads.py with a test"
        )
        raise UnsupportedModelError(
            f"{name}: not among the architectures whose head is known to be scored exactly "
            f"({', '.join(sorted(HEADS))}); {advice}"
        )
    layer = model.get_output_embeddings()
    if type(layer) is not torch.nn.Linear:
        raise UnsupportedModelError(
            f"{name}: its LM head is a {type(layer).__name__}, expected a plain torch.nn.Linear; "
            "load the model unquantised and without adapters"
        )
    decoder = model
    for part in architecture.decoder.split("."):
        decoder = getattr(decoder, part)
    return Head(
        decoder=decoder,
        weight=layer.weight.detach(),
        bias=None if layer.bias is None else layer.bias.detach(),
        scale=architecture.scale(model.config),
        softcap=architecture.softcap(model.config),
        trees=architecture.trees,
    )
