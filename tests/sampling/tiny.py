"""Tiny random models for the tests of sampling."""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

from rlvr_fast.tasks import Problem

VOCABULARY = 96
END = 1


def save_tiny(path: Path, config_class: type, *, seed: int = 0, **config: object) -> str:
    """Saves a random model of `config_class` with a word-level tokenizer; returns its folder."""
    torch.manual_seed(seed)
    words = {"<unk>": 0, "<end>": END, **{f"w{i}": i for i in range(2, VOCABULARY)}}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    defaults: dict[str, object] = {
        "vocab_size": VOCABULARY,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 64,
        "eos_token_id": END,
        "bos_token_id": None,
        "pad_token_id": None,
        "initializer_range": 0.4,
    }
    model = AutoModelForCausalLM.from_config(config_class(**{**defaults, **config}))
    model.save_pretrained(path)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<end>", unk_token="<unk>"
    ).save_pretrained(path)
    return str(path)


class Words:
    """A task whose questions are made of the tokenizer's words."""

    name = "words"
    spec = "words:"
    domain = "words"

    def __init__(self, count: int = 3, length: int = 4) -> None:
        self.count, self.length = count, length

    def problems(self) -> list[Problem]:
        return [
            Problem(
                problem_id=f"words/{i}",
                task=self.name,
                question=" ".join(f"w{2 + (i + j) % 90}" for j in range(self.length + i)),
                gold=None,
                metadata={"index": i},
            )
            for i in range(self.count)
        ]
