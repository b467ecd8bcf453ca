"""Folders of random LoRA adapters for the models of tests, as peft writes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["random_adapter"]


def random_adapter(
    model: str | Path | Any,
    folder: Path,
    *,
    seed: int = 0,
    rank: int = 4,
    size: float = 0.2,
    modules: Sequence[str] = ("q_proj", "v_proj", "down_proj"),
    **config: Any,
) -> Path:
    """Writes an adapter with random factors, which changes what the model draws.

    Args:
        model: a folder, a .gguf file or a loaded model, which stays as it is.
        folder: where to write it.
        seed: of the random numbers.
        rank: of the factors.
        size: standard deviation of lora_B; lora_A keeps the first values of peft.
        modules: ends of the names of the modules to change.
        config: further arguments of `peft.LoraConfig`.
    """
    import copy
    import warnings

    import peft
    import torch

    from rlvr_fast.models import load_causal_lm

    if isinstance(model, str | Path):
        loaded, _ = load_causal_lm(model, device="cpu")
    else:
        loaded = copy.deepcopy(model)
    torch.manual_seed(seed)
    chosen = {"task_type": "CAUSAL_LM", "lora_alpha": 2 * rank, **config}
    made = peft.LoraConfig(r=rank, target_modules=list(modules), **chosen)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on tied weights and on the weights of embeddings
        with_adapter = peft.get_peft_model(loaded, made)
        _write(with_adapter, folder, size)
    return folder


def _write(with_adapter: Any, folder: Path, size: float) -> None:
    import torch

    with torch.no_grad():
        for name, parameter in with_adapter.named_parameters():
            if "lora_B" in name or "lora_embedding_A" in name:  # zero at first
                parameter.normal_(std=size)
    with_adapter.save_pretrained(folder)
