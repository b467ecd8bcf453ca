"""Ids, gold answers, token ids, log-probabilities, rewards and indices in the forms of any tool."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.store.rollouts.columns import (
    Column,
    arrow_array,
    clean_text,
    distinct_values,
    is_absent,
    is_list,
    python_values,
    refuse_deep_nesting,
)
from rlvr_fast.tasks.golds import gold_parts

__all__ = [
    "Gold",
    "read_gold",
    "read_golds",
    "read_id",
    "read_ids",
    "read_index",
    "read_indices",
    "read_logprobs",
    "read_reward",
    "read_rewards",
    "read_token_ids",
]

# CSV files and pandas write the integer 7 of a column with nulls as 7.0.
_INTEGRAL = re.compile(r"\s*([+-]?\d+)\.0+\s*")


def read_id(value: Any) -> str | None:
    """An id as text: 7, 7.0, "7" and "7.0" are "7".

    Args:
        value: text, a number, or a list or object, whose compact JSON is the id.

    Returns:
        The id; None for null, nan and blank text. White space around text is dropped, other text
        stays as it is ("007", "1e3").

    Raises:
        InvalidInputError: true, false, or bytes.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, str):
        integral = _INTEGRAL.fullmatch(value)
        return clean_text(integral[1] if integral else value.strip()) or None
    if is_absent(value):
        return None
    if isinstance(value, bool | bytes):
        raise InvalidInputError(
            f"expected an id as text or number, got {type(value).__name__}: {value!r:.60}"
        )
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    return json.dumps(_plain(value), ensure_ascii=True, separators=(",", ":"))


@refuse_deep_nesting
def read_ids(column: Column) -> pa.StringArray:
    """The ids of a column as text, null where a row has none; see `read_id`.

    Raises:
        InvalidInputError: a value that is no id; the message says which row of the column.
    """
    array = arrow_array(column)
    if array is not None and pa.types.is_integer(array.type):
        return array.cast(pa.string())
    codes, values = distinct_values(column)
    ids: list[str | None] = []
    for code, value in enumerate(values):
        try:
            ids.append(read_id(value))
        except InvalidInputError as error:
            row = int(np.argmax(codes == code)) + 1
            raise InvalidInputError(f"row {row} of these rows: {error}") from None
    at = np.where(codes < 0, len(values), codes)
    return pa.array([*ids, None], pa.string()).take(pa.array(at))


class Gold(NamedTuple):
    """The gold answer of a problem.

    Attributes:
        text: the final answer; several are joined by ", "; None where there is none.
        multiple: whether all of several answers are asked for.
        fault: why a value that is there gives no gold answer; None where it gives one.
    """

    text: str | None
    multiple: bool = False
    fault: str | None = None


_GOLD_KEYS = (
    *("ground_truth", "target", "answer", "final_answer", "expected_answer", "gold", "gt", "value"),
    *("label", "solution"),
)
_TEST_KEYS = frozenset(
    {"inputs", "outputs", "test_cases", "tests", "test", "input_output", "fn_name", "assert_case"}
    | {"unit_tests", "public_tests", "private_tests", "testcases", "test_list", "entry_point"}
    | {"input", "output", "instruction_id", "instruction_id_list", "functional"}
)


def read_gold(value: Any, field: str = "answer", *, where: str = "the gold answer") -> Gold:
    r"""The gold answer of one row.

    Args:
        value: text, a number, a list of these, a worked solution (the final answer follows the last
            '#### ' or stands in the last `\boxed{}`), JSON text of a list of texts, or an object
            with one of these under "ground_truth", "target", "answer" and the like.
        field: the name or path of the field: a "solution" has to hold a box or '#### '.
        where: begins the text of a fault: file and row.

    Returns:
        The gold answer. Null, nan, blank text and an empty list give none without a fault, and so
        do tests of programs: they are no answer.

    Example:
        >>> read_gold({"ground_truth": ["42"], "style": "rule"}).text
        '42'
    """
    parts: list[str] = []
    try:
        leaves = _gold_leaves(value, 0)
        for leaf in leaves:
            parts += gold_parts(leaf, where, field.rpartition(".")[2])
    except InvalidInputError as error:
        return Gold(None, fault=str(error))
    text = clean_text(", ".join(parts))
    return Gold(text or None, len(parts) > 1)


@refuse_deep_nesting
def read_golds(column: Column, field: str = "answer") -> tuple[npt.NDArray[np.int64], list[Gold]]:
    """The gold answers of a column; each distinct value is read once.

    Returns:
        (codes, golds): row i has the gold `golds[codes[i]]`; -1 where a row has no value.
    """
    codes, values = distinct_values(column)
    return codes, [read_gold(value, field) for value in values]


def _gold_leaves(value: Any, depth: int) -> list[Any]:
    """The texts and numbers that a gold consists of."""
    if isinstance(value, np.generic):
        value = value.item()
    if is_absent(value) or (isinstance(value, str) and not value.strip()):
        return []
    if depth > 8:
        raise InvalidInputError("the gold answer is nested too deep")
    if isinstance(value, str):
        inner = _json_gold(value)
        return [value] if inner is None else _gold_leaves(inner, depth + 1)
    if isinstance(value, Mapping):
        for key in _GOLD_KEYS:
            if not is_absent(value.get(key)):
                return _gold_leaves(value[key], depth + 1)
        if not value or _TEST_KEYS & value.keys():
            return []
        raise InvalidInputError(
            "expected the gold answer as text, number or list, got an object with the keys "
            f"{', '.join(map(str, value))}"
        )
    if is_list(value):
        return [leaf for item in value for leaf in _gold_leaves(item, depth + 1)]
    return [value]


def _json_gold(text: str) -> Any | None:
    """JSON text of a list of texts, or of an object with a gold or tests; else None.

    A list of numbers stays text: "[1, 2]" is an answer itself.
    """
    if text.lstrip()[:1] not in ("[", "{"):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if isinstance(value, dict):
        return value if (set(_GOLD_KEYS) | _TEST_KEYS) & value.keys() else None
    texts = value and all(isinstance(item, str) for item in value)
    tests = value and all(isinstance(item, dict) and _TEST_KEYS & item.keys() for item in value)
    return value if texts or tests else None


@refuse_deep_nesting
def read_token_ids(column: Column) -> pa.ListArray:
    """The token ids of a column: lists of int32.

    Args:
        column: lists or arrays of integers, also as floats of integer value. -100 at the end
            (labels that are ignored) is dropped.

    Returns:
        The lists; null where a row has none, or has other values than ids from 0.
    """
    kind = pa.list_(pa.int32())
    array = arrow_array(column)
    if array is not None and _is_number_list(array.type):
        try:
            ids = array.cast(kind)
            if ids.null_count == len(ids) or (pc.min(ids.flatten()).as_py() or 0) >= 0:
                return ids
        except pa.ArrowInvalid:
            pass
    return pa.array([_token_ids(value) for value in python_values(column)], kind)


def _is_number_list(kind: pa.DataType) -> bool:
    lists = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    if not any(is_kind(kind) for is_kind in lists):
        return False
    inner = kind.value_type
    return bool(pa.types.is_integer(inner) or pa.types.is_floating(inner))


def _token_ids(value: Any) -> npt.NDArray[np.int32] | None:
    if is_list(value) and len(value) == 1 and is_list(value[0]):
        value = value[0]
    ids = _numbers(value)
    if ids is None:
        return None
    kept = np.flatnonzero(ids != -100)
    ids = ids[: kept[-1] + 1] if kept.size else ids[:0]
    if not np.all((ids >= 0) & (ids < 2**31) & (ids == np.floor(ids))):
        return None
    return ids.astype(np.int32)


def _numbers(value: Any) -> npt.NDArray[np.float64] | None:
    """A list of numbers; null is nan; None for anything else."""
    if not is_list(value):
        return None
    try:
        items = [np.nan if item is None else item for item in value]
        if any(isinstance(item, str | bool) for item in items):
            return None
        numbers = np.asarray(items, np.float64)
    except (TypeError, ValueError, OverflowError):
        return None
    return numbers if numbers.ndim == 1 else None


@refuse_deep_nesting
def read_logprobs(column: Column) -> pa.ListArray:
    """The log-probabilities of the tokens of each completion: lists of float32, in nats.

    Args:
        column: lists of numbers; OpenAI's {"content": [{"token", "logprob"}]} and
            {"token_logprobs": [...]}; vLLM's lists of {token id: {"logprob"}}, of which the first
            entry is the token drawn; SGLang's lists of [logprob, token id, text].

    Returns:
        The lists, nan where a token has none; null where a row has no log-probabilities.
    """
    kind = pa.list_(pa.float32())
    array = arrow_array(column)
    if array is not None and _is_number_list(array.type):
        return array.cast(kind, safe=False)
    return pa.array([_logprobs(value) for value in python_values(column)], kind)


def _logprobs(value: Any) -> list[float] | npt.NDArray[np.float64] | None:
    if isinstance(value, Mapping):
        keys = ("content", "token_logprobs", "logprobs")
        value = next((value[key] for key in keys if value.get(key) is not None), None)
    if not is_list(value):
        return None
    numbers = _numbers(value)
    if numbers is not None:
        return numbers
    logprobs = [_logprob(item) for item in value]
    return (
        None if any(item is None for item in logprobs) else [x for x in logprobs if x is not None]
    )


def _logprob(item: Any) -> float | None:
    """The log-probability of one token; nan for null; None where the item is something else."""
    if item is None:
        return float("nan")
    if isinstance(item, Mapping):
        if "logprob" in item:
            return _logprob(item["logprob"])
        return _logprob(next(iter(item.values()), None))
    if is_list(item) and len(item):
        return _logprob(item[0])
    if isinstance(item, int | float) and not isinstance(item, bool):
        return float(item)
    return None


def read_reward(value: Any) -> float:
    """The reward of one completion; nan where there is none.

    Args:
        value: a number, true or false, numeric text, a list of rewards of tokens (their sum),
            an object with "score", "reward" or "value", or {name: {"score", "weight"}}, whose
            weighted sum is taken (a weight that is not given is 1).
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool | int | float):
        try:
            return float(value)
        except OverflowError:
            return float("nan")
    if isinstance(value, str):
        text = value.strip().lower()
        if text in ("true", "false"):
            return float(text == "true")
        try:
            return float(text) if "_" not in text else float("nan")
        except ValueError:
            return float("nan")
    if isinstance(value, Mapping):
        for key in ("score", "reward", "value"):
            if not is_absent(value.get(key)) and not isinstance(value[key], Mapping):
                return read_reward(value[key])
        parts = [part for part in value.values() if not is_absent(part)]
        if parts and all(isinstance(part, Mapping) and "score" in part for part in parts):
            weights = [part.get("weight") for part in parts]
            return sum(
                read_reward(part["score"]) * (1.0 if weight is None else read_reward(weight))
                for part, weight in zip(parts, weights, strict=True)
            )
        return float("nan")
    if is_list(value):
        numbers = _numbers(value)
        if numbers is not None and len(numbers):
            return float(np.sum(numbers))
        return read_reward(value[0]) if len(value) == 1 else float("nan")
    return float("nan")


@refuse_deep_nesting
def read_rewards(column: Column) -> npt.NDArray[np.float64]:
    """The rewards of a column; nan where a row has none. See `read_reward`."""
    array = arrow_array(column)
    if array is not None:
        if pa.types.is_integer(array.type) or pa.types.is_floating(array.type):
            return np.asarray(pc.fill_null(array.cast(pa.float64(), safe=False), np.nan))
        if pa.types.is_boolean(array.type):
            return np.asarray(pc.fill_null(array.cast(pa.int8()).cast(pa.float64()), np.nan))
    values = python_values(column)
    return np.array(
        [value if type(value) is float else read_reward(value) for value in values], np.float64
    )


def read_index(value: Any) -> int | None:
    """A whole number from 0 to 2**63 - 1; None for anything else."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, str):
        text = value.strip()
        integral = _INTEGRAL.fullmatch(text)
        text = integral[1] if integral else text
        value = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
        return None
    return value


def read_indices(column: Column) -> npt.NDArray[np.int64]:
    """The whole numbers of a column, as of sample indices or seeds; -1 where a row has none."""
    array = arrow_array(column)
    if array is not None and pa.types.is_signed_integer(array.type):
        given = np.asarray(pc.fill_null(array.cast(pa.int64()), -1), np.int64)
        return np.where(given < 0, -1, given)
    indices = [read_index(value) for value in python_values(column)]
    return np.array([-1 if index is None else index for index in indices], np.int64)


def _plain(value: Any) -> Any:
    """A value of JSON types: numpy and dates as lists and text, floats of integer value as such."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if is_list(value):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if value is None or isinstance(value, str | bool | int | float) else str(value)
