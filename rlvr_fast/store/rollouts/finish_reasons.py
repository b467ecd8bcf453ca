"""Why completions ended, in the words of every server, as stop, length or unknown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from rlvr_fast.store.rollouts.columns import Column, distinct_values, is_absent, is_list
from rlvr_fast.vocabulary import FinishReason

__all__ = ["read_finish_reason", "read_finish_reasons"]

# The completion ended by itself, or at a stop text.
_STOP = frozenset(
    """
    complete completed completion_end done end end_of_sequence end_of_text end_of_turn end_turn
    endoftext eos eos_id eos_token eos_token_id finish finished natural normal stop stop_sequence
    stop_str stop_string stop_token stop_token_id stopped success
    """.split()  # noqa: SIM905 - a table of words reads better than a list of literals
)
# A limit on tokens ended the completion.
_LENGTH = frozenset(
    """
    context_length context_length_exceeded context_window_exceeded cutoff incomplete length
    length_capped limit max_completion_tokens max_context_length max_len max_length max_model_len
    max_new_tokens max_output_tokens max_response_length max_seq_len max_tokens max_tokens_reached
    model_context_window_exceeded model_length out_of_tokens token_limit truncated truncation
    """.split()  # noqa: SIM905
)
# The completion is no draw of the model's distribution over answers, or not a whole one.
_LEFT_OUT = frozenset(
    """
    abort aborted blocked blocklist cancel canceled cancelled content_filter error errored exception
    fail failed function_call language malformed_function_call network_error pause_turn pending
    prohibited_content recitation refusal repetition running safety sensitive spii timeout tool_call
    tool_calls tool_use
    """.split()  # noqa: SIM905
)


def read_finish_reason(value: Any) -> tuple[FinishReason, str | None]:
    """Why one completion ended.

    Args:
        value: a word, an object with a word under "type", "finish_reason", "reason" or "name"
            (SGLang), a list of which the last entry counts, or a boolean: true where the
            completion was truncated, false where it ended by itself.

    Returns:
        (reason, word): the reason, and the word of the source; None where the source says nothing.
        A word that is not known gives "unknown".
    """
    if isinstance(value, np.generic):
        value = value.item()
    for _ in range(4):
        if isinstance(value, Mapping):
            keys = ("type", "finish_reason", "stop_reason", "reason", "name", "value")
            value = next((value[key] for key in keys if value.get(key) is not None), None)
        elif is_list(value):
            value = value[-1] if len(value) else None
    if is_absent(value):
        return "unknown", None
    if isinstance(value, bool):
        return ("length", "truncated") if value else ("stop", "not truncated")
    word = value.strip() if isinstance(value, str) else repr(value)[:80]
    plain = _plain(word)
    if plain in ("", "none", "null", "nan", "unknown", "unspecified"):
        return "unknown", None
    if plain in _STOP:
        return "stop", word
    if plain in _LENGTH:
        return "length", word
    # True and False of CSV files.
    if plain in ("true", "false"):
        return read_finish_reason(plain == "true")
    return "unknown", word


def _plain(word: str) -> str:
    """The word in lower case, without the name of an enumeration: FinishReason.STOP is stop."""
    word = re.sub(r"[\s-]+", "_", word.rpartition(".")[2].strip("<>|\"' ").lower())
    return word.removeprefix("finish_reason_").removeprefix("finish_")


def read_finish_reasons(
    column: Column | None, n: int
) -> tuple[pa.StringArray, npt.NDArray[np.bool_], list[str | None]]:
    """Why the completions of a column ended.

    Args:
        column: values as `read_finish_reason` takes them; None where the rows have no such field.
        n: the number of rows.

    Returns:
        (reasons, leave_out, words). `reasons` holds stop, length or unknown; `leave_out` is true
        where the completion was aborted, failed, filtered, or ended in a call of a tool; `words`
        are the words of the source, None where it says nothing.
    """
    if column is None:
        return pa.array(["unknown"] * n, pa.string()), np.zeros(n, np.bool_), [None] * n
    codes, values = distinct_values(column)
    read = [read_finish_reason(value) for value in values]
    reasons = pa.array([reason for reason, _ in read] + ["unknown"], pa.string())
    words = [word for _, word in read] + [None]
    left = [word is not None and _plain(word) in _LEFT_OUT for word in words]
    # The code of a row without a value is -1: the last entry.
    at = np.where(codes < 0, len(values), codes)
    return (
        reasons.take(pa.array(at)),
        np.array(left, np.bool_)[at],
        [words[code] for code in at.tolist()],
    )
