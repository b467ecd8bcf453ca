"""The question of a row: a text, or the last user message of a chat list; and what is no text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

__all__ = ["MEDIA_FIELDS", "chat_messages", "media_in", "question_text"]

_KINDS = ("image", "video", "audio")
# Fields in which data sets have what a question shows or plays, beside `image_1` and so on.
MEDIA_FIELDS = tuple(
    f"{before}{kind}{behind}"
    for kind in _KINDS
    for before, behind in (("", ""), ("", "s"), ("", "_url"), ("", "_path"), ("decoded_", ""))
)
_NUMBERED = re.compile(rf"({'|'.join(_KINDS)})_?\d{{1,3}}", re.IGNORECASE)

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


def media_in(row: Mapping[str, Any], asked: Any) -> str | None:
    """What of a row is no text but belongs to its question, in words; None where all is text.

    Args:
        row: the row, or those of its fields that are read.
        asked: the question of the row.

    Example:
        >>> media_in({"question": "What is shown?", "images": ["a.png"]}, "What is shown?")
        "field 'images'"
    """
    for field, value in row.items():
        known = field.lower() in MEDIA_FIELDS or _NUMBERED.fullmatch(field)
        if known and _holds(value):
            return f"field {field!r}"
    messages = asked.get("messages", [asked]) if isinstance(asked, Mapping) else asked
    for message in messages if isinstance(messages, Sequence) else ():
        content = message.get("content") if isinstance(message, Mapping) else None
        parts: Iterable[Any] = content if isinstance(content, Sequence) else ()
        for part in parts:
            kind = part.get("type") if isinstance(part, Mapping) else None
            if isinstance(kind, str) and any(each in kind.lower() for each in _KINDS):
                return f"the part {kind!r} of a message"
    return None


def _holds(value: Any) -> bool:
    """Whether a value is more than an empty one, as {"bytes": None, "path": None} is."""
    if isinstance(value, Mapping):
        return any(map(_holds, value.values()))
    if isinstance(value, list):
        return any(map(_holds, value))
    return bool(value) and not isinstance(value, bool)


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
