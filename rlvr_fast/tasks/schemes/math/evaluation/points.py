"""The points at which two terms with symbols are compared.

The points follow from the names alone, so that a verdict never changes. They go through all
combinations of signs (of few symbols), and through small and large values.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator

from flint import acb, arb, fmpq

__all__ = ["Point", "points", "step_points"]

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
# A prime: values are no integers, nor halves, nor tenths.
_DENOMINATOR = 9973


def _about(numbers: Iterable[int], *offsets: int) -> list[int]:
    return [number + offset for number in numbers for offset in offsets]


# Integers about which step functions jump: multiples of small ones, powers, and what is so large
# that a factor that is nearly 1 moves a jump over it.
_JUMPS = tuple(
    dict.fromkeys(
        (
            *range(1, 26),
            *_about((50, 100, 144, 729, 1000, 1024, 7744), -1, 0, 1, 2),
            *_about((10**6, 10**7, 2**20, 2**26, 215**3, 1009**2, 9876**2), -1, 0, 1, 2),
            *(10**6 + 8_765_431 * index for index in range(11)),
        )
    )
)
_LARGEST_BOUND = 100
_MOST_STEPS = 240


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
            sign = _sign(name, position, index)
            if name in naturals:
                # A negative integer has no factorial; one in eight is enough for gcd and sums.
                point[name] = _integer(name, index) * (1 if index % _SIGNS else sign)
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


def step_points(
    names: Collection[str], steps: Collection[str], integers: Collection[str], *, bounds: bool
) -> Iterator[Point]:
    """Yields points at which terms with step functions are compared.

    Args:
        names: the symbols.
        steps: those in the argument of a step function, one at least.
        integers: those that stand for integers.
        bounds: whether a symbol may be the number of terms of a sum, so that it has to be small.
    """
    jumps = [jump for jump in _JUMPS if not bounds or jump <= _LARGEST_BOUND]
    ordered = sorted(steps)
    turns: list[Collection[str]] = [(name,) for name in ordered]
    if len(ordered) > 1:
        turns.append(ordered)
    stride = -(-len(jumps) * len(turns) // _MOST_STEPS)
    for turn, jumping in enumerate(turns):
        for index in range(turn % stride, len(jumps), stride):
            point: Point = {}
            for position, name in enumerate(sorted(names)):
                if name in jumping:
                    other = jumps[(index + 7 * position * (len(jumping) > 1)) % len(jumps)]
                    between = 0 if name in integers or index % 3 else _DENOMINATOR // 3
                    point[name] = other + fmpq(between, _DENOMINATOR)
                elif name in integers:
                    point[name] = _integer(name, index)
                else:
                    point[name] = _real(name, position, index)
            yield point
