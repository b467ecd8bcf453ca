"""The text of completions, and rows that hold several of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.store.rollouts.columns import (
    Column,
    arrow_array,
    is_absent,
    is_list,
    is_text_type,
    python_values,
    refuse_deep_nesting,
    text_array,
)
from rlvr_fast.store.rollouts.messages import (
    content_text,
    is_assistant,
    is_chat,
    is_message,
    join_thinking,
    message_text,
    role_of,
)

__all__ = ["completion_texts", "draws_per_row", "is_several"]


def is_several(value: Any) -> bool:
    """Whether a value holds several completions, or none: a list other than one completion.

    One completion: text, a message, a list of messages, or a list of content parts. Several: a
    list of texts, of lists, or of choices ({"message": ...}, {"text": ...}). A list of messages is
    one completion however many of them are the assistant's.
    """
    if not is_list(value):
        return False
    items = [item for item in value if not is_absent(item)]
    if not items or not all(isinstance(item, Mapping) for item in items):
        return True
    return not is_chat(items) and not any(isinstance(item.get("type"), str) for item in items)


@refuse_deep_nesting
def draws_per_row(column: Column) -> tuple[npt.NDArray[np.int64] | None, Column]:
    """The completions of a column, one a value.

    Args:
        column: values that hold one completion each, or lists of completions, also nested
            ([["a", "b"]] holds two).

    Returns:
        (counts, completions). `counts` is the number of completions of each row, to repeat the
        values of the other roles by; None where no row holds a list: then every row is one
        completion, null included, and the column comes back as it is. With lists, a row
        without one has count 1 if it holds a completion, and 0 if it holds nothing.
    """
    array = arrow_array(column)
    if array is not None:
        if not _holds_several(array.type):
            return None, array
        counts = np.asarray(pc.fill_null(pc.list_value_length(array), 0), np.int64)
        inner, flat = draws_per_row(array.flatten())
        if inner is not None:
            ends = np.concatenate(([0], np.cumsum(inner)))
            rows = np.concatenate(([0], np.cumsum(counts)))
            counts = np.diff(ends[rows])
        return counts, flat
    if not any(is_list(value) and is_several(value) for value in column):
        return None, column
    rows_of_draws = [_draws(value) for value in column]
    return (
        np.array([len(draws) for draws in rows_of_draws], np.int64),
        [draw for draws in rows_of_draws for draw in draws],
    )


def _draws(value: Any) -> list[Any]:
    if is_several(value):
        # A null inside a list is a draw without completion.
        return [draw for item in value for draw in ([None] if is_absent(item) else _draws(item))]
    return [] if is_absent(value) else [value]


def _is_arrow_list(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    )


def _holds_several(kind: pa.DataType) -> bool:
    if not _is_arrow_list(kind):
        return False
    if not pa.types.is_struct(kind.value_type):
        return True
    names = {field.name for field in kind.value_type}
    return not names & {"role", "type"} and not {"from", "value"} <= names


@refuse_deep_nesting
def completion_texts(values: Column, reasoning: Column | None = None) -> pa.LargeStringArray:
    """The text of each completion.

    A chat list gives all that the assistant says after the last user message: its turns joined by
    a blank line where calls of tools stand between. Thinking beside or inside a message comes
    first, as <think>...</think> (see `join_thinking`). A number is its text.

    Args:
        values: text, a message, content parts, a chat list, a choice, or the JSON text of a
            message or chat list.
        reasoning: the thinking that came beside each completion; null where there is none.

    Returns:
        The texts; null where a row has no completion, or a chat list no turn of the assistant after
        the last user message. A lone surrogate becomes U+FFFD.

    Raises:
        InvalidInputError: true, false, bytes, or an object without text; the message says which
            row of the column.
    """
    texts = _arrow_texts(values)
    if texts is None:
        rows = python_values(values)
        # Most columns hold nothing but text.
        if set(map(type, rows)) <= {str, type(None)}:
            texts = _arrow_texts(text_array(rows))
        if texts is None:
            texts = text_array([_text(value, row) for row, value in enumerate(rows)])
    if reasoning is None:
        return texts
    thoughts = completion_texts(reasoning)
    if thoughts.null_count == len(thoughts):
        return texts
    pairs = zip(thoughts.to_pylist(), texts.to_pylist(), strict=True)
    return text_array([join_thinking(thought, text) for thought, text in pairs])


def _arrow_texts(values: Column) -> pa.LargeStringArray | None:
    """The texts of an Arrow column by columns; None where its values have to be looked at."""
    array = arrow_array(values)
    if array is None:
        return None
    kind = array.type
    if is_text_type(kind):
        texts = array.cast(pa.large_string())
        # The beginning of JSON text of a message.
        return None if _any(pc.match_substring_regex(texts, _JSON_MESSAGE)) else texts
    if pa.types.is_null(kind) or pa.types.is_integer(kind):
        return array.cast(pa.large_string())
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        try:
            return array.cast(pa.large_string())
        except pa.ArrowInvalid as error:
            raise InvalidInputError(
                f"expected completions as text, got bytes that are not UTF-8 ({error})"
            ) from None
    if _is_arrow_list(kind) and pa.types.is_struct(kind.value_type):
        counts = pc.list_value_length(array)
        if array.null_count or not pc.all(pc.equal(counts, 1)).as_py():
            return None
        return _arrow_texts(array.flatten())
    if pa.types.is_struct(kind):
        return _struct_texts(array)
    return None


def _struct_texts(array: pa.StructArray) -> pa.LargeStringArray | None:
    """The contents of messages of an assistant that hold nothing else."""
    fields = {field.name: field.type for field in array.type}
    if "role" not in fields or not is_text_type(fields.get("content", pa.null())):
        return None
    for name in fields.keys() - {"role", "content"}:
        if pc.struct_field(array, [name]).null_count < len(array):
            return None
    roles = pc.unique(pc.struct_field(array, ["role"])).to_pylist()
    if not all(role is not None and is_assistant({"role": role}) for role in roles):
        return None
    return pc.struct_field(array, ["content"]).cast(pa.large_string())


_JSON_MESSAGE = r'^\s*\[?\s*\{\s*"(?:role|from|content)"\s*:'


def _any(mask: pa.BooleanArray) -> bool:
    return bool(pc.any(mask).as_py())


def _text(value: Any, row: int) -> str | None:
    if isinstance(value, str):
        decoded = _json_message(value)
        return value if decoded is None else _text(decoded, row)
    if is_absent(value):
        return None
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, Mapping):
        if isinstance(value.get("output"), list):  # a whole response of OpenAI's Responses
            return _text(value["output"], row)
        if is_list(value.get("generated_text")):  # a chat pipeline of transformers
            return _text(value["generated_text"], row)
        if is_message(value) and not is_assistant(value):
            return None
        text = message_text(value)
        if text is None and not ({"content", "role", "message", "text", "type"} & value.keys()):
            raise InvalidInputError(
                f"row {row + 1} of these rows: expected a completion as text or as a message, got "
                f"an object with the keys {', '.join(map(str, value))}"
            )
        return text
    if is_list(value):
        items = list(value)
        if is_chat(items):
            return _chat_text(items)
        if all(isinstance(item, str | Mapping) for item in items):
            return content_text(items)
    raise InvalidInputError(
        f"row {row + 1} of these rows: expected a completion as text, as a message or as a list of "
        f"messages, got {type(value).__name__}: {value!r:.60}"
    )


def _chat_text(items: list[Mapping[str, Any]]) -> str | None:
    asked = [index for index, item in enumerate(items) if role_of(item) == "user"]
    turns: list[str] = []
    thinking: list[str] = []
    for item in items[asked[-1] + 1 if asked else 0 :]:
        if not is_assistant(item):
            continue
        text = message_text(item)
        if not text:
            continue
        if item.get("type") == "reasoning":
            thinking.append(text.removeprefix("<think>\n"))
            continue
        turns.append(join_thinking("\n".join(thinking), text) or "")
        thinking = []
    if thinking:
        turns.append(join_thinking("\n".join(thinking), None) or "")
    if turns:
        return "\n\n".join(turns)
    # An assistant that said nothing has an empty completion; without an assistant there is none.
    said = any(is_assistant(item) for item in items[asked[-1] + 1 if asked else 0 :])
    return "" if said else None


def _json_message(text: str) -> Any | None:
    if text[:1] not in "[{" or ('"role"' not in text and '"from"' not in text):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if isinstance(value, dict):
        return value if is_message(value) else None
    return value if isinstance(value, list) and is_chat(value) else None
