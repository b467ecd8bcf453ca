"""Chat messages and content parts in the forms of servers and data sets, as text."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rlvr_fast.store.rollouts.columns import clean_text, is_list

__all__ = [
    "content_text",
    "is_assistant",
    "is_chat",
    "is_message",
    "join_thinking",
    "message_text",
    "plain_messages",
    "role_of",
]

# The spellings of a role: ShareGPT, OpenCompass, Gemma, Responses.
_ROLES = {
    "human": "user",
    "gpt": "assistant",
    "bot": "assistant",
    "chatbot": "assistant",
    "model": "assistant",
    "ai": "assistant",
    "chatgpt": "assistant",
    "developer": "system",
    "function": "tool",
    "observation": "tool",
    "ipython": "tool",
}
_THINKING_KEYS = ("reasoning_content", "reasoning", "thinking")
_TEXT_KEYS = ("content", "value", "text", "output_text", "generated_text", "generation", "prompt")
_TEXT_PARTS = frozenset({"text", "output_text", "input_text"})


def role_of(message: Mapping[str, Any]) -> str | None:
    """The role: "system", "user", "assistant", "tool", else as given; None where there is none."""
    role = message.get("role", message.get("from"))
    if not isinstance(role, str):
        # OpenAI's Responses list items: a tool call between messages has a type and no role.
        kind = message.get("type")
        if isinstance(kind, str) and kind.endswith(("_call", "_call_output")):
            return "tool" if kind.endswith("_output") else "assistant"
        return None
    role = role.strip().lower()
    return _ROLES.get(role, role)


def is_message(value: Any) -> bool:
    """Whether a value is a message: an object with a role, or with ShareGPT's `from`."""
    return isinstance(value, Mapping) and (
        isinstance(value.get("role"), str)
        or (isinstance(value.get("from"), str) and "value" in value)
    )


def is_chat(values: Sequence[Any]) -> bool:
    """Whether a list is a chat list: objects, at least one of them a message."""
    return (
        len(values) > 0
        and all(isinstance(value, Mapping) for value in values)
        and any(is_message(value) for value in values)
    )


def is_assistant(message: Mapping[str, Any]) -> bool:
    """Whether a message, or an item of OpenAI's Responses, is the model's."""
    role = role_of(message)
    return role == "assistant" or (role is None and message.get("type") == "reasoning")


def plain_messages(values: Sequence[Any]) -> list[dict[str, Any]]:
    """A chat list as [{"role", "content", ...}], of JSON values only, without null fields."""
    messages = []
    for value in values:
        message: dict[str, Any] = {"role": role_of(value) or "user"}
        message["content"] = _plain(value.get("content", value.get("value", value.get("prompt"))))
        for key, item in value.items():
            if key not in ("role", "from", "content", "value", "prompt") and item is not None:
                message[str(key)] = _plain(item)
        messages.append(message)
    return messages


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return clean_text(value)
    if value is None or isinstance(value, bool | int):
        return value
    return json.loads(json.dumps(value, default=_jsonable, skipkeys=True))


def _jsonable(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)


def join_thinking(thinking: str | None, content: str | None) -> str | None:
    r"""Thinking and content as one text: "<think>\nTHINKING\n</think>\n\nCONTENT".

    Blank thinking adds nothing. Content that begins with "<think>" or holds "</think>" has its
    thinking already. Thinking without content stays open: the completion ended before the answer.
    """
    if thinking is None or not thinking.strip():
        return content
    if content and (content.lstrip().startswith("<think>") or "</think>" in content):
        return content
    thinking = thinking.strip()
    thinking = thinking.removeprefix("<think>").removesuffix("</think>").strip("\n")
    if not content or not content.strip():
        return f"<think>\n{thinking}"
    return f"<think>\n{thinking}\n</think>\n\n" + content.lstrip("\n")


def message_text(message: Mapping[str, Any]) -> str | None:
    """The text of one message or choice, its thinking in front; None where it has no text."""
    inner = message.get("message")
    if isinstance(inner, Mapping):
        return message_text(inner)
    content = next((message[key] for key in _TEXT_KEYS if message.get(key) is not None), None)
    if message.get("type") == "reasoning":
        return join_thinking(_part(message)[0], None)
    thinking = next(
        (text for key in _THINKING_KEYS if (text := _thinking(message.get(key)))), None
    ) or _thinking(message.get("reasoning_details"))
    return join_thinking(thinking, content_text(content))


def content_text(content: Any) -> str | None:
    """The text of a message's content: text, or parts of which thinking comes first.

    Parts of text are joined by line breaks; parts without text (images, calls of tools) are left
    out. None where there is no text.
    """
    if content is None or isinstance(content, str):
        return content
    if isinstance(content, Mapping):
        content = [content]
    if not is_list(content):
        return str(content)
    thinking: list[str] = []
    texts: list[str] = []
    for part in content:
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part, Mapping):
            thought, text = _part(part)
            thinking += [thought] if thought else []
            texts += [text] if text else []
    if not texts and not thinking:
        return None
    return join_thinking("\n".join(thinking), "\n".join(texts))


def _part(part: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """(thinking, text) of a content part."""
    kind = _string(part.get("type"))
    if kind in ("reasoning", "thinking", "reasoning_text", "reasoning_content"):
        if part.get("redacted") is True:
            return _thinking(part.get("summary")), None
        for key in ("thinking", "reasoning", "text", "content", "summary"):
            if thought := _thinking(part.get(key)):
                return thought, None
        return None, None
    if kind == "message" or "role" in part:
        return None, message_text(part)
    if kind == "refusal":
        return None, _string(part.get("refusal"))
    if kind in _TEXT_PARTS or kind is None:
        return None, _string(part.get("text", part.get("content", part.get("value"))))
    return None, None


def _thinking(value: Any) -> str | None:
    """Thinking given as text, or as a list of parts with `text` or `thinking`."""
    if isinstance(value, str):
        return value or None
    if not is_list(value):
        return None
    parts = [
        part if isinstance(part, str) else part.get("text", part.get("thinking"))
        for part in value
        if isinstance(part, str | Mapping)
    ]
    return "\n".join(part for part in parts if isinstance(part, str)) or None


def _string(value: Any) -> str | None:
    return value if isinstance(value, str) else None
