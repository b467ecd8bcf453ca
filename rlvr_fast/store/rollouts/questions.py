"""The question of a rollout: text, chat list or rendered prompt, reduced to the last user turn."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.store.rollouts.columns import (
    Column,
    clean_text,
    distinct_values,
    is_absent,
    is_list,
    refuse_deep_nesting,
)
from rlvr_fast.store.rollouts.messages import content_text, is_chat, plain_messages
from rlvr_fast.store.rollouts.question_keys import question_key
from rlvr_fast.store.rollouts.templates import last_user_turn

__all__ = ["Question", "question_key", "read_question", "read_questions"]


@dataclass(frozen=True, slots=True)
class Question:
    """What a rollout asks.

    Attributes:
        text: the problem: the last user message, or the whole text where it is no prompt of a
            chat template.
        prompt: the text that the source gives as the prompt, unchanged; "" where it gives a chat
            list.
        messages: the chat list as plain JSON, [{"role", "content"}, ...]; None where the source
            gives text without a system prompt.
    """

    text: str
    prompt: str = ""
    messages: list[dict[str, Any]] | None = None


def read_question(value: Any, system: str | None = None) -> Question | None:
    r"""The question of one row.

    Args:
        value: text; a chat list, [{"role", "content"}, ...] or ShareGPT's [{"from", "value"}, ...],
            content as text or parts; the JSON text of a chat list; an object that holds one under
            "messages", "prompt", "input" or "content"; or a list of one of these.
        system: the system prompt, where the value does not hold it.

    Returns:
        The question; None where the row has none (null, a missing field, blank text, or a chat
        list without text).

    Raises:
        InvalidInputError: a value of another kind.

    Example:
        >>> read_question([{"role": "user", "content": "What is 1+1?"}]).text
        'What is 1+1?'
    """
    if isinstance(value, str):
        return _from_text(value, system)
    if is_absent(value):
        return None
    if is_list(value):
        values = list(value)
        if is_chat(values):
            return _from_messages(values, system)
        if not values:
            return None
        if all(isinstance(part, Mapping) for part in values):
            text = content_text(values)
            return _from_text(text, system) if text and text.strip() else None
        if len(values) == 1:
            return read_question(values[0], system)
        raise InvalidInputError(
            f"expected the question as text or as a chat list, got a list of {len(values)}: "
            f"{values!r:.80}"
        )
    if not isinstance(value, Mapping):
        raise InvalidInputError(
            f"expected the question as text or as a chat list, got {value!r:.80}"
        )
    if is_chat([value]):
        return _from_messages([value], system)
    for key in ("messages", "prompt", "input", "question", "content", "text"):
        if value.get(key) is not None:
            return read_question(value[key], system)
    raise InvalidInputError(
        "expected the question as text or as a chat list, got an object with the keys "
        f"{', '.join(map(str, value))}"
    )


@refuse_deep_nesting
def read_questions(
    column: Column, systems: Column | None = None
) -> tuple[npt.NDArray[np.int64], list[Question]]:
    """The questions of a column; each distinct value is read once.

    Args:
        column: the questions.
        systems: the system prompts of the rows, text or null, where the questions lack them.

    Returns:
        (codes, questions): row i asks `questions[codes[i]]`; -1 where a row has no question.

    Raises:
        InvalidInputError: a value that is no question; the message says which row of the column.
    """
    codes, values = distinct_values(column)
    pairs = [(value, "") for value in values]
    if systems is not None:
        prompts, prompt_codes = _system_prompts(systems)
        both = np.where(codes < 0, -1, codes * len(prompts) + prompt_codes)
        kinds, combined = np.unique(both, return_inverse=True)
        skip = int(kinds.size > 0 and kinds[0] < 0)
        codes = combined.astype(np.int64) - skip
        pairs = [
            (values[kind // len(prompts)], prompts[kind % len(prompts)])
            for kind in kinds[skip:].tolist()
        ]
    questions: list[Question] = []
    numbers = np.full(len(pairs) + 1, -1, np.int64)
    for index, (value, system) in enumerate(pairs):
        try:
            question = read_question(value, system)
        except InvalidInputError as error:
            row = int(np.argmax(codes == index))
            raise InvalidInputError(f"row {row + 1} of these rows: {error}") from None
        if question is not None:
            numbers[index] = len(questions)
            questions.append(question)
    return numbers[codes], questions


def _system_prompts(systems: Column) -> tuple[list[str], npt.NDArray[np.int64]]:
    """The distinct system prompts, "" for none, and the number of the prompt of each row."""
    codes, values = distinct_values(systems)
    known = {"": 0}
    numbers = [
        known.setdefault(value if isinstance(value, str) and value.strip() else "", len(known))
        for value in values
    ]
    # The code of a row without a value is -1: the last entry.
    return list(known), np.array([*numbers, 0], np.int64)[codes]


def _from_text(text: str, system: str | None) -> Question | None:
    if not text.strip():
        return None
    if text.lstrip()[:1] in "[{":
        messages = _json_messages(text)
        if messages is not None:
            return _from_messages(messages, system)
    text = clean_text(text)
    question = last_user_turn(text) or text
    messages = None
    if system:
        messages = plain_messages(
            [{"role": "system", "content": system}, {"role": "user", "content": question}]
        )
    return Question(question, text, messages)


def _json_messages(text: str) -> list[Any] | None:
    if '"role"' not in text and '"from"' not in text:
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    messages = value.get("messages") if isinstance(value, dict) else value
    return messages if isinstance(messages, list) and is_chat(messages) else None


def _from_messages(values: Sequence[Any], system: str | None) -> Question | None:
    messages = plain_messages(values)
    if system and messages[0]["role"] != "system":
        messages = plain_messages([{"role": "system", "content": system}]) + messages
    users = [message for message in messages if message["role"] == "user"]
    # A prompt for a model without a chat template may stand under any role.
    asked = users[-1] if users else messages[-1]
    text = content_text(asked["content"]) or ""
    if not text.strip():
        return None
    if len(messages) == 1 and (turn := last_user_turn(text)):
        return Question(turn, text, messages)
    return Question(text, "", messages)
