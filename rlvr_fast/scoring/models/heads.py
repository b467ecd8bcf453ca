"""The LM heads of the known architectures: from the last hidden states to the logits.

logits = softcap(scale * (hidden weight^T + bias)). An architecture that is not in the table is
refused: many differ from Llama by a factor or a cap in the last line of their forward pass, and
scores without this factor or cap would be wrong without a sign.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from rlvr_fast.errors import UnsupportedModelError

__all__ = ["HEADS", "Architecture", "Head", "architecture_of", "head_of"]


@dataclass(frozen=True, slots=True)
class Head:
    """The part of a model above its last hidden states.

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


def architecture_of(name: str) -> Architecture:
    """The end of the forward pass of a class of transformers, by the name of the class.

    Raises:
        UnsupportedModelError: the architecture is not in `HEADS`; the message names it.
    """
    architecture = HEADS.get(name)
    if architecture is None:
        advice = (
            "give its base model by name, and the folder of the adapter (Scorer(base, adapter=...))"
            if name.startswith("Peft")
            else "score its logits with token_stats, or add the architecture to "
            "rlvr_fast/scoring/models/heads.py with a test"
        )
        raise UnsupportedModelError(
            f"{name}: not one of the architectures whose head is known "
            f"({', '.join(sorted(HEADS))}); {advice}"
        )
    return architecture


def head_of(model: Any) -> Head:
    """The head of a loaded Hugging Face model.

    Raises:
        UnsupportedModelError: the architecture is not in `HEADS`, or the head is not a plain linear
            layer (but an adapter or a quantised layer); the message names the architecture.
    """
    name = type(model).__name__
    architecture = architecture_of(name)
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
