"""Columns of values: one for each row of a batch, as an Arrow array or as a list."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from rlvr_fast.store.readers.reader import MISSING

__all__ = ["Column", "coalesce", "encode", "is_null", "take", "to_list", "values_for_draws"]

# One value for each row. In a list, MISSING and None stand where a row has no value.
Column: TypeAlias = "pa.Array | pa.ChunkedArray | list[Any]"
Codes: TypeAlias = npt.NDArray[np.int64]


def to_list(column: Column) -> list[Any]:
    """The values as Python values."""
    return column if isinstance(column, list) else column.to_pylist()


def is_null(column: Column) -> npt.NDArray[np.bool_]:
    """For each row, whether it has no value."""
    if isinstance(column, list):
        return np.fromiter((v is None or v is MISSING for v in column), np.bool_, len(column))
    return np.asarray(column.is_null().to_numpy(zero_copy_only=False), np.bool_)


def take(column: Column, rows: npt.NDArray[np.int64]) -> Column:
    """The values of some rows."""
    if isinstance(column, list):
        return [column[row] for row in rows.tolist()]
    return column.take(pa.array(rows))


def coalesce(columns: Sequence[Column]) -> Column:
    """For each row the first value that is present."""
    first = columns[0]
    if len(columns) == 1 or not is_null(first).any():
        return first
    merged = list(to_list(first))
    for column in columns[1:]:
        for row, value in enumerate(to_list(column)):
            if merged[row] is None or merged[row] is MISSING:
                merged[row] = value
    return merged


def encode(column: Column) -> tuple[Codes, list[Any]]:
    """(code of each row, distinct values); -1 where a row has no value.

    Values that cannot be hashed, such as chat lists, are told apart by their JSON.
    """
    if not isinstance(column, list):
        kind = column.type
        if pa.types.is_dictionary(kind) or not pa.types.is_nested(kind):
            whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
            coded = whole if pa.types.is_dictionary(kind) else whole.dictionary_encode()
            codes = pc.fill_null(coded.indices.cast(pa.int64()), -1)
            return np.asarray(codes.to_numpy(), np.int64), coded.dictionary.to_pylist()
        column = column.to_pylist()
    known: dict[Any, int] = {}
    values: list[Any] = []
    codes_of = np.full(len(column), -1, np.int64)
    for row, value in enumerate(column):
        if value is None or value is MISSING:
            continue
        # 1, 1.0 and True are equal in Python and are different values here.
        key = value if type(value) is str else (type(value).__name__, _hashable(value))
        code = known.get(key)
        if code is None:
            code = known[key] = len(values)
            values.append(value)
        codes_of[row] = code
    return codes_of, values


def _hashable(value: Any) -> Any:
    if isinstance(value, int | float | bool):
        return value
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    except TypeError:
        return repr(value)


def values_for_draws(
    column: Column,
    repeats: npt.NDArray[np.int64],
    *,
    fault: Callable[[int, str], None],
) -> Column:
    """A value for each draw, of a column over rows that hold several draws each.

    A list of as many values as the row has draws gives one to each draw; any other value that is
    not a list belongs to all draws of the row.

    Args:
        column: one value for each row.
        repeats: the number of draws of each row.
        fault: called with a row and the reason where a list has another length.
    """
    if not isinstance(column, list):
        whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        kind = whole.type
        if pa.types.is_list(kind) or pa.types.is_large_list(kind):
            lengths = pc.fill_null(pc.list_value_length(whole), -1).to_numpy()
            if (lengths == repeats).all():
                return whole.flatten()
            column = whole.to_pylist()
        else:
            return whole.take(pa.array(np.repeat(np.arange(len(whole)), repeats)))
    out: list[Any] = []
    for row, (value, number) in enumerate(zip(column, repeats.tolist(), strict=True)):
        if isinstance(value, list | tuple):
            if len(value) == number:
                out += value
                continue
            fault(row, f"a list of {len(value)} beside {number} completions")
            value = None
        out += [value] * number
    return out
