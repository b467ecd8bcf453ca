"""Functions of which nothing is known.

Two terms with such functions are equal where they are equal whatever the functions are. Here a
fixed analytic function of no special property stands for each: it is not linear, symmetric, even,
odd or periodic, and its numbers follow from its name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

from flint import acb, arb, fmpq

__all__ = ["generic_value"]

Ball = TypeVar("Ball", arb, acb)


def _number(name: str, index: int) -> fmpq:
    digest = hashlib.blake2b(f"{index}/{name}".encode(), digest_size=8).digest()
    return fmpq(int.from_bytes(digest, "big") % 90_001 + 10_000, 100_003)


def generic_value(name: str, arguments: Sequence[Ball]) -> Ball:
    """The value of the function that stands for a name, at its arguments.

    Args:
        name: the name with all that belongs to it, such as an index.
        arguments: all real or all complex.
    """
    inside = arguments[0] * 0 + _number(name, 0)
    value = inside
    for index, argument in enumerate(arguments):
        inside += argument * _number(name, 3 * index + 1)
        value += argument * argument * _number(name, 3 * index + 2)
        value += (argument * _number(name, 3 * index + 3)).sin()
    return value + inside.cos() * len(arguments)
