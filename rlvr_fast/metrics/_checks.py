"""What every function here asks of its arrays: whole, non-negative counts, and a named culprit."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlvr_fast.errors import InvalidInputError

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Bools = NDArray[np.bool_]


def first_index(bad: Bools) -> str:
    """Names the first offending entry: "entry 17", or "the value" of a scalar."""
    if bad.ndim == 0:
        return "the value"
    where = np.argwhere(bad)[0]
    return f"entry {where[0]}" if len(where) == 1 else f"entry {tuple(int(i) for i in where)}"


def as_counts(name: str, values: ArrayLike) -> Counts:
    """int64 array of whole numbers >= 0; anything else is an InvalidInputError naming the entry."""
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
    """Broadcasts (samples, correct) against each other and refuses more correct than drawn."""
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


def same_length(named: dict[str, NDArray[Any]]) -> None:
    """Refuses arrays of different shapes, naming both."""
    items = list(named.items())
    first_name, first = items[0]
    for name, array in items[1:]:
        if array.shape != first.shape:
            raise InvalidInputError(
                f"{first_name} and {name} must describe the same problems; "
                f"got shapes {first.shape} and {array.shape}"
            )


def probability(name: str, value: float) -> float:
    """A float strictly between 0 and 1."""
    if not 0.0 < float(value) < 1.0:
        raise InvalidInputError(f"{name} must lie strictly between 0 and 1, got {value}")
    return float(value)
