"""Token ids of prompts by a Hugging Face tokenizer, in one way for sampling and for scoring."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["begin_tokens", "prompt_tokens"]

# Any text; what stands in front of its tokens stands in front of every text.
_ANY = "a"


def prompt_tokens(
    tokenizer: Any, prompts: Sequence[str], *, special_tokens: bool = True
) -> list[list[int]]:
    """The token ids of texts that a completion follows.

    Args:
        tokenizer: of transformers.
        prompts: the texts.
        special_tokens: put the tokens that begin a text in front, unless the text begins with them
            itself. None is put behind it: a tokenizer that was saved in training may add the
            token that ends a text, after which nothing comes.
    """
    if not prompts:
        return []
    bare = [list(ids) for ids in tokenizer(list(prompts), add_special_tokens=False)["input_ids"]]
    first = begin_tokens(tokenizer) if special_tokens else []
    return [ids if ids[: len(first)] == first else first + ids for ids in bare]


def begin_tokens(tokenizer: Any) -> list[int]:
    """The tokens that a tokenizer puts in front of a text, as its beginning-of-sequence token."""
    whole = list(tokenizer([_ANY])["input_ids"][0])
    bare = list(tokenizer([_ANY], add_special_tokens=False)["input_ids"][0])
    places = range(len(whole) - len(bare) + 1)
    return next((whole[:at] for at in places if whole[at : at + len(bare)] == bare), [])
