"""Dotted and indexed paths into a row: "reward_model.ground_truth", "resps[0]"."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["MISSING", "value_at"]


class _Missing:
    def __repr__(self) -> str:
        return "MISSING"

    def __bool__(self) -> bool:
        return False


MISSING: Any = _Missing()

_STEP = re.compile(r"\[(-?\d+)\]|([^.\[\]]+)")


def value_at(row: Any, path: str) -> Any:
    """The value at a dotted and indexed path; `MISSING` where the row does not have it.

    A key that is itself written with dots or brackets is taken as it stands first.

    Example:
        >>> value_at({"reward_model": {"ground_truth": "7"}}, "reward_model.ground_truth")
        '7'
        >>> value_at({"resps": [["a", "b"]]}, "resps[0]")
        ['a', 'b']
    """
    if isinstance(row, Mapping) and path in row:
        return row[path]
    value = row
    for index, key in _STEP.findall(path):
        if index:
            if not isinstance(value, Sequence) or isinstance(value, str | bytes):
                return MISSING
            try:
                value = value[int(index)]
            except IndexError:
                return MISSING
        elif isinstance(value, Mapping) and key in value:
            value = value[key]
        else:
            return MISSING
    return value
