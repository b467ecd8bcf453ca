"""Columns of values: Python lists, and Arrow arrays read without a Python object for each row."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.store.readers.reader import MISSING

__all__ = [
    "Column",
    "arrow_array",
    "clean_text",
    "distinct_values",
    "is_absent",
    "is_list",
    "is_text_type",
    "python_values",
    "refuse_deep_nesting",
    "text_array",
]

# A list of Python values, or an Arrow array.
Column: TypeAlias = Sequence[Any] | pa.Array | pa.ChunkedArray


_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


def refuse_deep_nesting(
    function: Callable[_Parameters, _Result],
) -> Callable[_Parameters, _Result]:
    """The function, with an InvalidInputError where values are nested too deep to be walked."""

    @functools.wraps(function)
    def refusing(*args: _Parameters.args, **kwargs: _Parameters.kwargs) -> _Result:
        try:
            return function(*args, **kwargs)
        except RecursionError:
            raise InvalidInputError("a value of these rows is nested too deep") from None

    return refusing


def is_absent(value: Any) -> bool:
    """Whether a row has no value: null, a missing field, or the nan that stands for null."""
    return value is None or value is MISSING or (isinstance(value, float) and value != value)


def is_list(value: Any) -> bool:
    """Whether a value is a list, a tuple or a numpy array."""
    return isinstance(value, list | tuple | np.ndarray)


def is_text_type(kind: pa.DataType) -> bool:
    """Whether an Arrow type holds text."""
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or kind == pa.string_view()
    )


def arrow_array(column: Column) -> pa.Array | None:
    """An Arrow column as one plain array; None for a list of Python values.

    Bytes of a text that are not UTF-8 become U+FFFD.

    Raises:
        InvalidInputError: a text inside a nested value is not UTF-8.
    """
    if isinstance(column, pa.ChunkedArray):
        chunks = column.chunks
        column = chunks[0] if len(chunks) == 1 else column.combine_chunks()
    if not isinstance(column, pa.Array):
        return None
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if column.type == pa.string_view():  # views lack most functions of Arrow
        column = column.cast(pa.large_string())
    try:
        column.validate(full=True)
    except pa.ArrowInvalid as error:
        # Parquet files are read without a check of their texts.
        if not is_text_type(column.type):
            raise InvalidInputError(f"a value of these rows is no text ({error})") from None
        texts = column.cast(pa.large_binary()).to_pylist()
        decoded = [None if text is None else text.decode("utf-8", "replace") for text in texts]
        return pa.array(decoded, pa.large_string())
    return column


def python_values(column: Column) -> list[Any]:
    """The values of a column; None where a row has none."""
    if isinstance(column, pa.Array | pa.ChunkedArray):
        return list(column.to_pylist())
    return [None if value is MISSING else value for value in column]


def clean_text(text: str) -> str:
    """The text with U+FFFD in place of each lone surrogate, which UTF-8 cannot encode."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def text_array(values: Sequence[str | None]) -> pa.LargeStringArray:
    """Texts as an Arrow array; a lone surrogate becomes U+FFFD."""
    try:
        return pa.array(values, pa.large_string())
    except UnicodeEncodeError:
        clean = [None if value is None else clean_text(value) for value in values]
        return pa.array(clean, pa.large_string())


@refuse_deep_nesting
def distinct_values(column: Column) -> tuple[npt.NDArray[np.int64], list[Any]]:
    """The distinct values of a column, and the number of the value of each row.

    Args:
        column: values of any JSON type.

    Returns:
        (codes, values): row i holds `values[codes[i]]`; -1 where a row has no value. The values
        stand in the order of their first rows.
    """
    array = arrow_array(column)
    if array is None:
        return _distinct_objects(column)
    try:
        return _distinct_in_arrow(array)
    except pa.ArrowNotImplementedError:  # a nested type without a dictionary: views, unions
        return _distinct_objects(array.to_pylist())


def _distinct_in_arrow(array: pa.Array) -> tuple[npt.NDArray[np.int64], list[Any]]:
    codes = _row_codes(array)
    present = np.flatnonzero(codes >= 0)
    _, first, inverse = np.unique(codes[present], return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    codes[present] = rank[inverse]
    return codes, array.take(pa.array(present[first[order]])).to_pylist()


def _distinct_objects(column: Sequence[Any]) -> tuple[npt.NDArray[np.int64], list[Any]]:
    codes = np.full(len(column), -1, np.int64)
    known: dict[Any, int] = {}
    values: list[Any] = []
    for row, value in enumerate(column):
        kind = type(value)
        if kind is str:
            key: Any = value
        elif is_absent(value):
            continue
        elif kind is bool or kind is int or kind is float:
            key = (kind, value)  # the type keeps 1, 1.0 and true apart
        else:
            key = (kind, json.dumps(value, default=repr, skipkeys=True))
        code = known.setdefault(key, len(values))
        if code == len(values):
            values.append(value)
        codes[row] = code
    return codes, values


def _row_codes(array: pa.Array) -> npt.NDArray[np.int64]:
    """A number for each row, equal for rows of equal value; -1 for null. Nested types too."""
    kind = array.type
    if pa.types.is_dictionary(kind):
        return _row_codes(array.cast(kind.value_type))
    if pa.types.is_null(kind):
        return np.full(len(array), -1, np.int64)
    if pa.types.is_struct(kind):
        codes = np.zeros(len(array), np.int64)
        for index in range(kind.num_fields):
            child = _row_codes(pc.struct_field(array, [index]))
            _, codes = np.unique(
                codes * (child.max(initial=0) + 2) + child + 1, return_inverse=True
            )
        return _with_nulls(codes, array)
    if pa.types.is_fixed_size_list(kind):
        return _row_codes(array.cast(pa.large_list(kind.value_type)))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        counts = np.asarray(pc.fill_null(pc.list_value_length(array), 0), np.int64)
        inner = _row_codes(array.flatten()).astype(np.int64)
        ends = np.cumsum(counts)
        data, width = inner.tobytes(), inner.itemsize
        known: dict[bytes, int] = {}
        starts = ((ends - counts) * width).tolist()
        rows = [
            known.setdefault(data[start:end], len(known))
            for start, end in zip(starts, (ends * width).tolist(), strict=True)
        ]
        return _with_nulls(np.array(rows, np.int64), array)
    if pa.types.is_map(kind):
        return _distinct_objects([None if v is None else dict(v) for v in array.to_pylist()])[0]
    encoded = array.dictionary_encode()
    return np.asarray(pc.fill_null(encoded.indices.cast(pa.int64()), -1), np.int64).copy()


def _with_nulls(codes: npt.NDArray[Any], array: pa.Array) -> npt.NDArray[np.int64]:
    codes = codes.astype(np.int64)
    if array.null_count:
        codes[np.asarray(array.is_null())] = -1
    return codes
