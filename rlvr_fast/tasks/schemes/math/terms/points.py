"""The points at which two terms with symbols are compared.

The points follow from the names alone, so that a verdict never changes. They go through all
combinations of signs (of few symbols), and through small and large values.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator

from flint import acb, arb, fmpq

__all__ = ["Point", "points"]

Point = dict[str, "fmpq | arb | acb"]

_SIGNS = 8
# The values of a symbol lie between these, in turn. Narrow domains need several points each.
_RANGES = ((1, 4), (0, 1), (10, 200), (0, 10), (0, 2), (1, 6), (2, 30), (200, 3000))
_INTEGER_RANGES = ((1, 6), (2, 10), (3, 25), (1, 12), (0, 4), (4, 40), (1, 8), (2, 18))
# A prime: values are no integers, nor halves, nor tenths.
_DENOMINATOR = 9973


def _draw(name: str, index: int, what: str) -> int:
    digest = hashlib.blake2b(f"{what}{index}/{name}".encode(), digest_size=6).digest()
    return int.from_bytes(digest, "big")


def _real(name: str, index: int) -> fmpq:
    low, high = _RANGES[index // _SIGNS % len(_RANGES)]
    steps = _draw(name, index, "real") % ((high - low) * _DENOMINATOR - 1) + 1
    return fmpq(low * _DENOMINATOR + steps, _DENOMINATOR)


def _dyadic(name: str, index: int) -> arb:
    # A part of a complex number is a ball, and has to be exact at any precision.
    return arb(fmpq((_real(name, index) * 8192).floor() + 1, 8192))


def _integer(name: str, index: int) -> fmpq:
    low, high = _INTEGER_RANGES[index // _SIGNS % len(_INTEGER_RANGES)]
    return fmpq(low + _draw(name, index, "integer") % (high - low + 1))


def _sign(position: int, index: int) -> int:
    # All are positive, then all negative, then those in which position and index share odd bits.
    pattern = index % _SIGNS
    if pattern == _SIGNS - 1:
        return -1
    return -1 if ((position + 1) & pattern).bit_count() % 2 else 1


def points(
    names: Collection[str],
    *,
    count: int,
    naturals: Collection[str] = (),
    integers: Collection[str] = (),
    complexes: Collection[str] = (),
) -> Iterator[Point]:
    """Yields `count` points: a value for each name.

    Args:
        names: the symbols.
        count: how many points.
        naturals: those that stand for integers of either sign, mostly positive ones.
        integers: those that stand for integers as exponents do.
        complexes: those that stand for complex numbers.
    """
    ordered = sorted(names)
    for index in range(count):
        point: Point = {}
        for position, name in enumerate(ordered):
            sign = _sign(position, index)
            if name in naturals:
                # A negative integer has no factorial; one in eight is enough for gcd and sums.
                point[name] = _integer(name, index) * (1 if index % _SIGNS else sign)
            elif name in integers:
                point[name] = _integer(name, index) * sign
            elif name in complexes:
                point[name] = acb(
                    _dyadic(name, index) * sign,
                    _dyadic(name + "'", index) * _sign(position + 3, index),
                )
            else:
                point[name] = _real(name, index) * sign
        yield point
