"""Checks of the arguments of the metrics, and names of the array types.

Every check raises InvalidInputError with the name of the argument, the first offending entry and
its value.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlvr_fast.errors import InvalidInputError

__all__ = [
    "Bools",
    "Counts",
    "Floats",
    "as_counts",
    "as_probability",
    "as_samples_and_correct",
    "first_index",
    "same_shape",
]

Bools = NDArray[np.bool_]
Counts = NDArray[np.int64]
Floats = NDArray[np.float64]


def first_index(bad: Bools) -> str:
    """The position of the first true entry in words: "entry 17", or "the value" for a scalar."""
    if bad.ndim == 0:
        return "the value"
    where = np.argwhere(bad)[0]
    return f"entry {where[0]}" if len(where) == 1 else f"entry {tuple(int(i) for i in where)}"


def as_counts(name: str, values: ArrayLike) -> Counts:
    """The values as an int64 array.

    Args:
        name: name of the argument in messages.
        values: whole numbers >= 0 of any shape; integers, booleans, or floats without a fraction.

    Raises:
        InvalidInputError: a value that is negative, fractional, infinite, nan or not a number.
    """
    array: NDArray[Any] = np.asarray(values)
    if array.size == 0:
        return array.astype(np.int64)
    if array.dtype.kind == "b":
        return array.astype(np.int64)
    if array.dtype.kind == "f":
        bad = ~np.isfinite(array) | (array != np.floor(array))
        if bad.any():
            raise InvalidInputError(
                f"{name} must hold whole numbers; {first_index(bad)} is {array[bad].flat[0]}"
            )
        array = array.astype(np.int64)
    elif array.dtype.kind not in "iu":
        raise InvalidInputError(f"{name} must hold whole numbers, got dtype {array.dtype}")
    array = array.astype(np.int64)
    if (array < 0).any():
        bad = array < 0
        raise InvalidInputError(
            f"{name} must not be negative; {first_index(bad)} is {int(array[bad].flat[0])}"
        )
    return array


def as_samples_and_correct(
    num_samples: ArrayLike, num_correct: ArrayLike, *, name: str = "num"
) -> tuple[Counts, Counts]:
    """Both counts as int64 arrays, broadcast against each other.

    Args:
        num_samples: whole numbers >= 0, any shape.
        num_correct: whole numbers >= 0, at most num_samples.
        name: the word before the counts in messages ("base": "base_samples", "base_correct").

    Raises:
        InvalidInputError: as `as_counts`, shapes that do not broadcast, or more correct than
            sampled.
    """
    names = (f"{name}_samples", f"{name}_correct")
    n = as_counts(names[0], num_samples)
    c = as_counts(names[1], num_correct)
    try:
        n, c = np.broadcast_arrays(n, c)
    except ValueError:
        raise InvalidInputError(
            f"{names[0]} and {names[1]} must have one entry a problem; "
            f"got shapes {n.shape} and {c.shape}"
        ) from None
    bad = c > n
    if bad.any():
        raise InvalidInputError(
            f"{names[1]} exceeds {names[0]}: {first_index(bad)} has "
            f"{int(c[bad].flat[0])} correct of {int(n[bad].flat[0])} samples"
        )
    return n, c


def same_shape(named: dict[str, NDArray[Any]]) -> None:
    """Refuses arrays that do not have one entry for each of the same problems.

    Args:
        named: name of each argument in messages, and its array.

    Raises:
        InvalidInputError: two shapes differ.
    """
    items = list(named.items())
    first_name, first = items[0]
    for name, array in items[1:]:
        if array.shape != first.shape:
            raise InvalidInputError(
                f"{first_name} and {name} must describe the same problems; "
                f"got shapes {first.shape} and {array.shape}"
            )


def as_probability(name: str, value: float) -> float:
    """The value as a float.

    Raises:
        InvalidInputError: the value is not strictly between 0 and 1.
    """
    if not 0.0 < float(value) < 1.0:
        raise InvalidInputError(f"{name} must lie strictly between 0 and 1, got {value}")
    return float(value)
