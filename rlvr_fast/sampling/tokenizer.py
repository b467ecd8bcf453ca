"""Prompts by a Hugging Face tokenizer, for the engines that have one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["TokenizerPrompts"]


class TokenizerPrompts:
    """The part of the `Engine` protocol that makes prompts; a base class.

    A derived class sets `_tokenizer`.
    """

    _tokenizer: Any

    @property
    def chat_template(self) -> str | None:
        """The tokenizer's chat template, None if it has none."""
        template = getattr(self._tokenizer, "chat_template", None)
        return template if isinstance(template, str) else None

    def render_chat(self, question: str) -> str:
        """The user's turn with `question`, and the start of the assistant's turn."""
        text = self._tokenizer.apply_chat_template(
            [{"role": "user", "content": question}], tokenize=False, add_generation_prompt=True
        )
        return str(text)

    def encode(self, prompts: Sequence[str], *, special_tokens: bool = True) -> list[list[int]]:
        """Token ids of each prompt."""
        if not prompts:
            return []
        encoded = self._tokenizer(list(prompts), add_special_tokens=special_tokens)["input_ids"]
        return [list(ids) for ids in encoded]
