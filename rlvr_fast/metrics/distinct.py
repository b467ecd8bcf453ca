"""Rows of equal numbers, computed once.

Many problems have few distinct pairs of counts. A function of the counts alone has one value for
each pair, however many problems share the pair.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlvr_fast.metrics.checks import Counts

__all__ = ["FEW_ROWS", "by_distinct", "distinct_rows"]

# Up to so many rows there is nothing to gain.
FEW_ROWS = 4096


def distinct_rows(columns: list[NDArray[Any]]) -> tuple[Counts, Counts, Counts] | None:
    """The distinct rows of a table of numbers.

    Args:
        columns: of int64 or float64, each of shape [rows].

    Returns:
        (a row of each kind, the kind of each row, number of rows of each kind); None where more
        than a quarter of the rows are distinct.
    """
    key = np.zeros(len(columns[0]), dtype=np.uint64)
    for column in columns:
        # -0.0 and 0.0 are one number
        bits = np.ascontiguousarray(column + 0).view(np.uint64)
        key = (key ^ bits) * np.uint64(0x9E3779B97F4A7C15)
        key ^= key >> np.uint64(29)
    _, first, kind, copies = np.unique(
        key, return_index=True, return_inverse=True, return_counts=True
    )
    if 4 * len(first) > len(key):
        return None
    # rows of equal keys could differ
    same = (np.array_equal(c[first][kind], c, equal_nan=c.dtype.kind == "f") for c in columns)
    return (first, kind, copies) if all(same) else None


def by_distinct(function: Callable[..., NDArray[Any]], *columns: NDArray[Any]) -> NDArray[Any]:
    """A function of each row, computed once for equal rows.

    Args:
        function: of the columns, elementwise along their one axis; its result may have leading
            axes, and the rows are its last one.
        columns: int64 or float64, of equal shape.
    """
    if columns[0].ndim != 1 or columns[0].size <= FEW_ROWS:
        return function(*columns)
    rows = distinct_rows(list(columns))
    if rows is None:
        return function(*columns)
    first, kind, _ = rows
    return function(*(column[first] for column in columns))[..., kind]
