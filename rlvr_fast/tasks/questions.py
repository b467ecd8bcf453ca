"""The question of a row: a text, or the last user message of a chat list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["chat_messages", "question_text"]

# Who speaks, in the words of the layouts {role, content} and {from, value}.
_ROLES = {"human": "user", "gpt": "assistant", "bot": "assistant", "developer": "system"}


def question_text(value: Any) -> str | None:
    """The text of a question, of the last user message in a chat list; None where there is none.

    Example:
        >>> question_text([{"role": "system", "content": "Be brief."},
        ...                {"role": "user", "content": "1 + 1?"}])
        '1 + 1?'
    """
    if isinstance(value, str):
        return value if value.strip() else None
    asked = [text for role, text in chat_messages(value) or () if role == "user"]
    return asked[-1] if asked and asked[-1].strip() else None


def chat_messages(value: Any) -> list[tuple[str, str]] | None:
    """(role, text) of each message of a chat list; None where the value is no chat list."""
    if isinstance(value, Mapping):
        value = value.get("messages", [value])
    if not isinstance(value, Sequence) or isinstance(value, str | bytes) or not value:
        return None
    messages = []
    for message in value:
        if not isinstance(message, Mapping):
            return None
        role = message.get("role", message.get("from"))
        text = _content_text(message.get("content", message.get("value")))
        if not isinstance(role, str) or text is None:
            return None
        messages.append((_ROLES.get(role.lower(), role.lower()), text))
    return messages


def _content_text(content: Any) -> str | None:
    """The text of a message: a text, or the parts of type text; None for anything else."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if not isinstance(content, Sequence) or isinstance(content, bytes):
        return None
    parts = [part.get("text") if isinstance(part, Mapping) else part for part in content]
    return "".join(part for part in parts if isinstance(part, str))
