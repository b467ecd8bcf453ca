"""Conversations whose last message is the answer: ShareGPT and lists of messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.store.readers.naming import is_chat, is_list, speaker
from rlvr_fast.store.readers.reader import Reader, Rollout, Sample, SourceFile
from rlvr_fast.store.readers.resolution import resolve_roles
from rlvr_fast.store.readers.row_roles import roles_beside

__all__ = ["READER"]

_KEYS = (
    "conversations", "conversation", "messages", "full_messages", "chat_completions", "chat",
    "dialogue", "dialog", "turns", "trajectory", "message_log",
)  # fmt: skip


def _matches(sample: Sample) -> bool:
    rows = [row for row in sample.rows if isinstance(row, Mapping)]
    if not any(_chats(row) for row in rows):
        return False
    try:
        plain = resolve_roles(rows).columns
    except InvalidInputError:
        return False
    # A completion of its own beside a question: the conversation repeats them.
    return not ({"completion", "question"} <= plain.keys()) or plain["completion"] in (
        "text",
        "content",
    )


def _chats(row: Mapping[str, Any]) -> tuple[str, list[Any]] | None:
    """The key of the conversation and the conversations it holds, one for each draw."""
    for key in _KEYS:
        value = row.get(key)
        if not is_list(value) or not value:
            continue
        chats = list(value) if all(map(is_chat, value)) else [value]
        if all(is_chat(chat) and speaker(chat[-1]) == "assistant" for chat in chats):
            return key, chats
    return None


def _message(message: Mapping[str, Any]) -> dict[str, Any]:
    content = message.get("content", message.get("value", message.get("text")))
    others = {key: message[key] for key in ("reasoning_content", "reasoning") if message.get(key)}
    return {"role": speaker(message), "content": content, **others}


def _rows(row: Any, file: SourceFile) -> Iterator[Rollout]:
    if not isinstance(row, Mapping):
        return
    found = _chats(row)
    if found is None:
        # No answer: a row that is counted as left out.
        yield {"question": next((row[k] for k in _KEYS if is_chat(row.get(k))), None)}
        return
    key, chats = found
    beside = roles_beside(row, taken=(key,))
    beside.pop("question", None)
    for chat in chats:
        messages = [_message(message) for message in chat if isinstance(message, Mapping)]
        yield {**beside, "question": messages[:-1], "completion": messages[-1]}


READER = Reader(
    name="chat",
    help="ShareGPT conversations, or lists of messages that end with the assistant's answer",
    matches=_matches,
    fields={
        "question": "the messages before the answer",
        "completion": "the last message",
    },
    rows=_rows,
)
