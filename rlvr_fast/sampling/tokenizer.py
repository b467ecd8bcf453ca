"""Prompts by a Hugging Face tokenizer, for the engines that have one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rlvr_fast.errors import InvalidInputError, shown
from rlvr_fast.model_files import is_damage
from rlvr_fast.prompt_tokens import prompt_tokens
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
        """The tokenizer's chat template, of several the one named default; None if it has none.

        Raises:
            InvalidInputError: several templates without a default, or one that is no text.
        """
        template = getattr(self._tokenizer, "chat_template", None)
        if not template:  # also an empty text, and no entry of several
            return None
        if isinstance(template, Mapping):
            if "default" not in template:
                raise InvalidInputError(
                    f"{self.model}: its tokenizer has the chat templates {shown(list(template))}, "
                    "expected one named 'default' among them; use --template plain, or a text "
                    "file that holds {question}"
                )
            template = template["default"]
        if not isinstance(template, str):
            raise InvalidInputError(
                f"{self.model}: the chat template of its tokenizer is {shown(template)}, expected "
                "a text; use --template plain, or a text file that holds {question}"
            )
        return template

    def render_chat(self, question: str) -> str:
        """The user's turn with `question`, and the start of the assistant's turn.

        Raises:
            InvalidInputError: as `ChatTemplate.render`.
        """
        return self._chat_template().render(question)

    def render_messages(
        self, messages: Sequence[Mapping[str, str]], arguments: Mapping[str, Any]
    ) -> str:
        """The turns of `messages`, and the start of the assistant's turn.

        Args:
            messages: each with "role" and "content".
            arguments: further names that the template reads, with values of JSON.

        Raises:
            InvalidInputError: as `ChatTemplate.render_messages`.
        """
        return self._chat_template().render_messages(messages, arguments)

    def _chat_template(self) -> ChatTemplate:
        source = self.chat_template or ""
        if self._chat is None or self._chat.source != source:
            names = getattr(self._tokenizer, "special_tokens_map", {})
            self._chat = ChatTemplate(self.model, source, names)
        return self._chat

    def encode(self, prompts: Sequence[str], *, special_tokens: bool = True) -> list[list[int]]:
        """Token ids of each prompt; see `prompt_tokens`."""
        try:
            return prompt_tokens(self._tokenizer, prompts, special_tokens=special_tokens)
        except BaseException as error:  # those of a library in Rust have no class of their own
            if not is_damage(error):
                raise
            raise InvalidInputError(
                f"{self.model}: its tokenizer cannot encode the prompts ({str(error)[:300]}); are "
                "tokenizer.json and tokenizer_config.json damaged?"
            ) from error

    def special_texts(self) -> list[str]:
        """The texts that the tokenizer reads as special tokens wherever they stand in a prompt."""
        added = getattr(self._tokenizer, "added_tokens_decoder", {})
        return [str(token.content) for token in added.values() if token.special]
