"""Columns given to and received from the compiled core; an Arrow array is passed without a copy."""

from __future__ import annotations

from typing import Any

from rlvr_fast.errors import InvalidInputError

__all__ = ["is_arrow", "string_array", "to_problem_column", "to_string_column"]


def is_arrow(values: Any) -> bool:
    """Whether `values` gives access to its memory through the Arrow PyCapsule protocol."""
    return hasattr(values, "__arrow_c_stream__") or hasattr(values, "__arrow_c_array__")


def _clean(text: str) -> str:
    # UTF-8 cannot encode a lone surrogate, which a JSON escape can spell.
    return text.encode("utf-8", "replace").decode("utf-8")


def to_string_column(values: Any, what: str) -> Any:
    """An Arrow column of strings.

    Args:
        values: an Arrow array, which is returned unchanged, or a sequence of str, bytes and None.
        what: name of the column, for the message of an error.

    Raises:
        InvalidInputError: a value is of another type; the message names its row.
    """
    if is_arrow(values):
        return values
    import pyarrow as pa

    if isinstance(values, (str, bytes)):
        raise InvalidInputError(
            f"{what}: expected a list or an Arrow array of strings, got one string"
        )
    rows = list(values)
    try:
        return pa.array(rows, pa.large_string())
    except (UnicodeEncodeError, pa.ArrowInvalid, pa.ArrowTypeError, TypeError):
        pass
    for row, value in enumerate(rows):
        if value is None:
            continue
        if isinstance(value, bytes):
            rows[row] = value.decode("utf-8", "replace")
        elif isinstance(value, str):
            rows[row] = _clean(value)
        else:
            raise InvalidInputError(
                f"{what}: row {row}: expected a string or None, got {type(value).__name__}"
            )
    return pa.array(rows, pa.large_string())


def to_problem_column(values: Any) -> Any:
    """An Arrow column of problem ids, integers or strings.

    Args:
        values: an Arrow array, which is returned unchanged, a numpy array, or a sequence.

    Raises:
        InvalidInputError: a value of another type; the message names its row.
    """
    if is_arrow(values):
        return values
    import numpy as np
    import pyarrow as pa

    if isinstance(values, (str, bytes)):
        raise InvalidInputError("problem_ids: expected a list or an Arrow array, got one string")
    if isinstance(values, np.ndarray) and values.dtype.kind in "iu":
        return pa.array(np.ascontiguousarray(values))
    rows = [v.item() if isinstance(v, np.generic) else v for v in values]
    if not rows:
        return pa.array([], pa.large_string())
    kind = int if isinstance(rows[0], int) else str
    for row, value in enumerate(rows):
        if not isinstance(value, kind) or isinstance(value, bool):
            raise InvalidInputError(
                f"problem_ids: row {row}: expected {kind.__name__} as in the rows before it "
                f"(all integers or all strings); got {type(value).__name__}"
            )
    if kind is str:
        return to_string_column(rows, "problem_ids")
    try:
        return pa.array(rows, pa.int64())
    except (OverflowError, pa.ArrowInvalid) as error:
        raise InvalidInputError(f"problem_ids: integers must fit 64 bits: {error}") from error


def string_array(parts: tuple[Any, Any, Any]) -> Any:
    """A pyarrow large_string array over the buffers (offsets, bytes, valid) from the core."""
    import numpy as np
    import pyarrow as pa

    offsets, data, valid = parts
    rows = len(valid)
    nulls = rows - int(np.count_nonzero(valid))
    bitmap = pa.py_buffer(np.packbits(valid, bitorder="little")) if nulls else None
    return pa.Array.from_buffers(
        pa.large_string(), rows, [bitmap, pa.py_buffer(offsets), pa.py_buffer(data)], nulls
    )
