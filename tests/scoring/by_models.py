"""Small models of transformers, sequences for them, and their statistics from full logits."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import transformers

from rlvr_fast.scoring.kernels import reference
from rlvr_fast.scoring.results import TokenStats

VOCABULARY = 131
SMALL = {
    "vocab_size": VOCABULARY, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 96,
    "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip


def small(config: str, **options: Any) -> Any:
    """A configuration of a class of transformers, by its name."""
    return getattr(transformers, config)(**{**SMALL, **options})


def random_sequences(
    count: int, seed: int = 0, most: int = VOCABULARY, lengths: tuple[int, ...] = (1, 7, 20)
) -> tuple[list[list[int]], list[list[int]]]:
    """Completions of a few prompts: some share a prefix, some are prefixes of others, two equal."""
    rng = np.random.default_rng(seed)
    prompts = [rng.integers(0, most, n).tolist() for n in lengths]
    chosen, completions = [], []
    for _ in range(count):
        chosen.append(prompts[rng.integers(len(prompts))])
        start = [5, 6, 7, 8, 9, 10][: rng.integers(0, 7)]
        completions.append(start + rng.integers(0, most, rng.integers(0, 25)).tolist())
    return [*chosen, chosen[0]], [*completions, completions[0]]


def full_logits(model: Any, prompt: list[int], completion: list[int]) -> torch.Tensor:
    """The logits of one sequence alone that predict the completion's tokens."""
    with torch.no_grad():
        logits: torch.Tensor = model(input_ids=torch.tensor([prompt + completion])).logits[0]
    return logits[len(prompt) - 1 : -1]


def expected_statistics(
    model: Any, prompt: list[int], completion: list[int], temperature: float = 1.0
) -> TokenStats:
    logits = full_logits(model, prompt, completion)
    return reference.token_stats(logits, torch.tensor(completion), temperature=temperature)
