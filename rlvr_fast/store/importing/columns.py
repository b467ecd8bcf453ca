"""Columns of values: one for each row of a batch, as an Arrow array or as a list."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from rlvr_fast.store.readers.reader import MISSING

__all__ = ["Column", "coalesce", "is_null", "take", "to_list", "values_for_draws"]

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
