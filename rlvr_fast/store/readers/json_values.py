"""One JSON text: its value, and about what the value takes in memory."""

from __future__ import annotations

import json
import re
from typing import Any

import orjson

from rlvr_fast.store.readers.archives import MAX_IN_MEMORY

__all__ = ["check_row", "json_value", "size_in_memory"]

_WIDE = 3
_MARK = b"\xef\xbb\xbf"
_SURROGATE = re.compile("[\ud800-\udfff]")
# UTF-8, or an escape, of a character that Python keeps four bytes for.
_BEYOND_TWO_BYTES = re.compile(rb"[\xf0-\xf4]|\\u[dD][89abAB]")
_EXACT = float(1 << 53)
# Where a gold may stand: log-probabilities and token ids are longer lists.
_GOLD_ITEMS, _GOLD_DEPTH = 64, 20
# The most bytes of the Python objects of one row.
_MOST_OBJECTS = 256 << 20


def json_value(data: bytes) -> Any:
    """The value of a JSON text.

    NaN and Infinity are numbers and half of a surrogate pair is U+FFFD. Integers are exact at any
    size, but for those beyond 64 bits in lists of more than 64 values, which are no golds.

    Raises:
        ValueError: not JSON, or not UTF-8; the message says why.
    """
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        return _slow_value(data)
    # orjson turns integers beyond 64 bits into floats.
    return _slow_value(data) if _has_large_float(value, 0) else value


def _has_large_float(value: Any, depth: int) -> bool:
    kind = type(value)
    if kind is float:
        return bool(value >= _EXACT or value <= -_EXACT)
    if kind is dict and depth < _GOLD_DEPTH:
        return any(
            _has_large_float(item, depth + 1)
            for item in value.values()
            if type(item) is not str  # most values of a row
        )
    if kind is list and len(value) <= _GOLD_ITEMS and depth < _GOLD_DEPTH:
        return any(_has_large_float(item, depth + 1) for item in value)
    return False


def _slow_value(data: bytes) -> Any:
    try:
        text = data.removeprefix(_MARK).decode()
    except UnicodeDecodeError as error:
        byte = data[error.start] if error.start < len(data) else 0
        raise ValueError(f"not UTF-8: byte 0x{byte:02x} at {error.start}") from None
    try:
        value = json.loads(text)
        return _without_surrogates(value) if "\\u" in text else value
    except json.JSONDecodeError as error:
        shown = text.strip()[:60]
        raise ValueError(f"not JSON: {error.msg} at character {error.pos} of {shown!r}") from None
    except ValueError as error:  # more digits than Python converts
        raise ValueError(f"not JSON: {error}") from None
    except RecursionError:
        raise ValueError("not JSON: nested too deep") from None


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_surrogates(k): _without_surrogates(v) for k, v in value.items()}
    return value


def size_in_memory(data: bytes) -> int:
    """About what a text takes as Python objects, by which batches are cut."""
    # Python keeps 4 bytes for each character of a text that has one beyond U+FFFF.
    plain = data.isascii() and b"\\u" not in data
    return max(len(data) if plain else _WIDE * len(data), _objects(data) // 4)


def _objects(data: bytes) -> int:
    """At most about the bytes of the lists, mappings and values of a text as Python objects."""
    return 64 * data.count(b"[") + 240 * data.count(b"{") + 60 * data.count(b",")


def check_row(data: bytes) -> None:
    """Refuses a row that takes too much memory: of long texts, or of very many values.

    Raises:
        ValueError: the message gives the limit.
    """
    if len(data) > MAX_IN_MEMORY and _BEYOND_TWO_BYTES.search(data):
        raise ValueError(f"longer than {MAX_IN_MEMORY:,} bytes, with characters beyond U+FFFF")
    if _objects(data) <= _MOST_OBJECTS:
        return
    found = at = 0
    while found <= _MOST_OBJECTS:  # what stands outside of strings
        quote = data.find(b'"', at)
        found += _objects(data[at:quote] if quote >= 0 else data[at:])
        at = _end_of_string(data, quote + 1) if quote >= 0 else -1
        if at < 0:
            break
    if found > _MOST_OBJECTS:
        raise ValueError(f"more values than fit in {_MOST_OBJECTS >> 20} MiB of memory")


def _end_of_string(data: bytes, at: int) -> int:
    """The position behind the string that a position is in, -1 where it does not end."""
    start = at
    while (at := data.find(b'"', at)) >= 0:
        before = at - 1
        while before >= start and data[before] == 0x5C:
            before -= 1
        at += 1
        if (at - before) % 2 == 0:
            return at
    return -1
