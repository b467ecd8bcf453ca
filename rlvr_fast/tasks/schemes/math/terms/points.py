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
# The signs of the first three symbols are independent, and those of any two.
_MASKS = (1, 2, 4, 7, 3, 5, 6)
# The values of all symbols lie between these in the first turns.
_FIRST_RANGES = ((1, 4), (0, 1), (200, 3000))
# Later they go evenly through the numbers to 8 and, in every other turn, through the powers of two
# from 2^-5 to 2^7: fractional parts of multiples of numbers that have no simple relation, one for
# each symbol.
_EVEN_TO = 8
_OCTAVES = 12
_LOWEST_OCTAVE = -5
_UNIT = 10**10
_STEPS = (6180339887, 7548776662, 5698402910, 8191725134, 6710436067, 4142135624, 7320508076)
_INTEGER_RANGES = ((1, 6), (2, 10), (3, 25), (1, 12), (0, 4), (4, 40), (1, 8), (2, 18))
_LARGE = 10**9
# A prime: values are no integers, nor halves, nor tenths.
_DENOMINATOR = 9973


def _draw(name: str, index: int, what: str) -> int:
    digest = hashlib.blake2b(f"{what}{index}/{name}".encode(), digest_size=6).digest()
    return int.from_bytes(digest, "big")


def _real(name: str, position: int, index: int) -> fmpq:
    turn, pattern = divmod(index, _SIGNS)
    if turn < len(_FIRST_RANGES):
        low, high = _FIRST_RANGES[turn]
        steps = _draw(name, index, "real") % ((high - low) * _DENOMINATOR - 1) + 1
        return fmpq(low * _DENOMINATOR + steps, _DENOMINATOR)
    # Each combination of signs has a sequence of its own.
    share = (turn * _STEPS[position % len(_STEPS)] + _draw(name, pattern, "start")) % _UNIT
    if turn % 2:
        return fmpq(share * _EVEN_TO + 1, _UNIT + 1)
    octave, rest = divmod(share * _OCTAVES, _UNIT)
    steps = _DENOMINATOR + rest * _DENOMINATOR // _UNIT + 1
    return fmpq(2) ** (octave + _LOWEST_OCTAVE) * fmpq(steps, _DENOMINATOR + 2)


def _dyadic(name: str, position: int, index: int) -> arb:
    # A part of a complex number is a ball, and has to be exact at any precision.
    return arb(fmpq((_real(name, position, index) * 8192).floor() + 1, 8192))


def _integer(name: str, index: int) -> fmpq:
    low, high = _INTEGER_RANGES[index // _SIGNS % len(_INTEGER_RANGES)]
    return fmpq(low + _draw(name, index, "integer") % (high - low + 1))


def _large(name: str, index: int) -> fmpq:
    return fmpq(_draw(name, index, "large") % _LARGE + 1)


def _sign(name: str, position: int, index: int) -> int:
    # All are positive, then combinations of signs, at last all negative.
    turn, pattern = divmod(index, _SIGNS)
    if pattern in (0, _SIGNS - 1):
        return -1 if pattern else 1
    odd = (_MASKS[position % len(_MASKS)] & pattern).bit_count() % 2
    if turn:
        odd ^= _draw(name, index, "sign") % 2
    return -1 if odd else 1


def points(
    names: Collection[str],
    *,
    count: int,
    naturals: Collection[str] = (),
    integers: Collection[str] = (),
    complexes: Collection[str] = (),
    large: bool = False,
) -> Iterator[Point]:
    """Yields `count` points: a value for each name.

    Args:
        names: the symbols.
        count: how many points.
        naturals: those that stand for integers of either sign, mostly positive ones.
        integers: those that stand for integers as exponents do.
        complexes: those that stand for complex numbers.
        large: whether the naturals are large: what holds of small ones may not hold of them.
    """
    ordered = sorted(names)
    for index in range(count):
        point: Point = {}
        for position, name in enumerate(ordered):
            sign = _sign(name, position, index)
            if name in naturals:
                # A negative integer has no factorial; one in eight is enough for gcd and sums.
                size = _large(name, index) if large else _integer(name, index)
                point[name] = size * (1 if index % _SIGNS else sign)
            elif name in integers:
                point[name] = _integer(name, index) * sign
            elif name in complexes:
                point[name] = acb(
                    _dyadic(name, position, index) * sign,
                    _dyadic(name + "'", position + 3, index)
                    * _sign(name + "'", position + 3, index),
                )
            else:
                point[name] = _real(name, position, index) * sign
        yield point
