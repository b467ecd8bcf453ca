"""Prompts by a Hugging Face tokenizer, for the engines that have one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.sampling.chat_templates import ChatTemplate

__all__ = ["TokenizerPrompts"]


class TokenizerPrompts:
    """The part of the `Engine` protocol that makes prompts; a base class.

    A derived class sets `_tokenizer` and `model`.
    """

    _tokenizer: Any
    model: str
    _chat: ChatTemplate | None = None

    @property
    def chat_template(self) -> str | None:
        """The tokenizer's chat template, None if it has none."""
        template = getattr(self._tokenizer, "chat_template", None)
        return template if isinstance(template, str) else None

    def render_chat(self, question: str) -> str:
        """The user's turn with `question`, and the start of the assistant's turn.

        Raises:
            InvalidInputError: as `ChatTemplate.render`.
        """
        source = self.chat_template or ""
        if self._chat is None or self._chat.source != source:
            names = getattr(self._tokenizer, "special_tokens_map", {})
            self._chat = ChatTemplate(self.model, source, names)
        return self._chat.render(question)

    def encode(self, prompts: Sequence[str], *, special_tokens: bool = True) -> list[list[int]]:
        """Token ids of each prompt."""
        if not prompts:
            return []
        try:
            encoded = self._tokenizer(list(prompts), add_special_tokens=special_tokens)["input_ids"]
        except Exception as error:  # those of a library in Rust have no class of their own
            raise InvalidInputError(
                f"{self.model}: its tokenizer cannot encode the prompts ({str(error)[:300]})"
            ) from error
        return [list(ids) for ids in encoded]
