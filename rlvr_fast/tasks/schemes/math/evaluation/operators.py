"""Limits, infinite series and integrals of a function that is given by its values."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from flint import acb, arb, ctx, fmpq

from rlvr_fast.tasks.schemes.math.evaluation import functions
from rlvr_fast.tasks.schemes.math.evaluation.outcomes import TooMuch, Undefined

__all__ = ["Numeric", "improper_integral", "infinite_series", "limit", "proper_integral"]

_Scalar: TypeAlias = "fmpq | arb | acb"
Function: TypeAlias = "Callable[[_Scalar], _Scalar]"

# Results of numerical methods are trusted to the bits to which two of them agree; fewer are none.
_FEWEST_BITS = 80
_MOST_BITS = 160
_STEP = 240  # a limit is approached to 2^-240
_LIMIT_PRECISION = 1024
_MOST_DIRECT_TERMS = 3000
_INTEGRAL_EVALUATIONS = 3000
_NESTED_EVALUATIONS = 60
_LEVIN_TERMS = (44, 56)
_LEVIN_PRECISION = 400
# The double exponential rule: nodes on either side, nodes in each unit of its variable.
_NODES = 717
_NODES_PER_UNIT = 128
_NODE_PRECISION = 800


@dataclass(frozen=True, slots=True)
class Numeric:
    """A value and how many of its bits are right; None where the ball bounds the error."""

    value: _Scalar
    bits: int | None = None


@contextlib.contextmanager
def _precision(bits: int) -> Iterator[None]:
    """Sets the precision to at least so many bits."""
    before = ctx.prec
    ctx.prec = max(before, bits)
    try:
        yield
    finally:
        ctx.prec = before


def limit(function: Function, point: _Scalar, side: str = "") -> Numeric:
    """The limit at a real point, from both sides or the one that is given, or at an infinite one.

    The function is evaluated very near the point, at several distances: for a limit that is
    approached like a power of the distance, all agree.
    """
    with _precision(_LIMIT_PRECISION):
        values = [
            function(near) for steps in (_STEP, _STEP + 17) for near in _nears(point, steps, side)
        ]
        if any(isinstance(value, acb) for value in values):
            raise TooMuch
        sizes = [functions.size_of(value) for value in values]
        if all(size > arb(2) ** 60 for size in sizes) and sizes[-1] > sizes[0] * 2:
            signs = {arb(value) > 0 for value in values if not isinstance(value, acb)}
            if len(signs) == 2:
                raise Undefined
            return Numeric(arb.pos_inf() if True in signs else -arb.pos_inf(), _MOST_BITS)
        if all(size < arb(2) ** -60 for size in sizes) and not sizes[-1] > sizes[0] / 2:
            return Numeric(fmpq(0), _FEWEST_BITS)
        return _agreed(values)


def _nears(point: _Scalar, steps: int, side: str) -> tuple[_Scalar, ...]:
    """Places near a point; the other side of the point too, where it is finite."""
    far = fmpq(2) ** steps
    if isinstance(point, arb) and not point.is_finite():
        return (far + fmpq(1, 3),) if point > 0 else (-far - fmpq(1, 3),)
    above, below = point + 3 / far, point - 3 / far
    return {"+": (above,), "-": (below,)}.get(side, (above, below))


def infinite_series(function: Function, first: int, adds: bool) -> Numeric:
    """The sum or product of the values at first, first + 1, ..."""
    with _precision(640):
        found = _direct(function, first, adds)
        return _extrapolated(function, first, adds) if found is None else found


def _direct(function: Function, first: int, adds: bool) -> Numeric | None:
    """Adds terms that shrink at least geometrically; None where they do not."""
    total: _Scalar = arb(0 if adds else 1)
    small = arb(2) ** -(_MOST_BITS + 40)
    earlier = arb(0)
    below = 0
    for index in range(_MOST_DIRECT_TERMS):
        value = function(fmpq(first + index))
        step = value if adds else value - 1
        total = total + value if adds else total * value
        size = functions.size_of(step)
        if not size.is_finite():
            raise TooMuch
        below = below + 1 if size.is_zero() or size < small * functions.size_of(total) else 0
        if below >= 8 and index > 16:
            return Numeric(total, _MOST_BITS)
        if index == 128:
            earlier = size
        # Terms that shrink slowly need another method.
        if index == 256 and not size < earlier * arb("1e-3"):
            return None
    return None


def _extrapolated(function: Function, first: int, adds: bool) -> Numeric:
    """Levin's transformation of two numbers of terms, where both agree."""
    import mpmath  # type: ignore[import-untyped,unused-ignore]

    def at(index: int) -> Any:
        value = function(fmpq(index))
        if isinstance(value, acb):
            raise TooMuch
        ball = arb(value) if adds else functions.real_log(arb(value))
        if not ball.is_finite():
            raise TooMuch
        return mpmath.mp.make_mpf(ball.mid()._mpf_)

    if not abs(at(first + 100_000)) < abs(at(first + 1000)):
        raise Undefined  # the terms do not tend to zero
    with mpmath.workprec(_LEVIN_PRECISION):
        terms = [at(first + index) for index in range(_LEVIN_TERMS[-1])]
        if 0 in terms:
            raise TooMuch
        results = []
        for count in _LEVIN_TERMS:
            try:
                found, _ = mpmath.levin(method="levin", variant="u").update(terms[:count])
            except (ArithmeticError, ValueError):
                raise TooMuch from None
            results.append(arb(found) if adds else arb(found).exp())
    return _agreed(results)


def proper_integral(
    function: Callable[[acb, bool], acb], lower: acb, upper: acb, nested: bool
) -> acb:
    """The integral along the line between two points; a wide ball where it is not found."""
    return acb.integral(
        function,
        lower,
        upper,
        eval_limit=_NESTED_EVALUATIONS if nested else _INTEGRAL_EVALUATIONS,
        rel_tol=arb(2) ** -(ctx.prec // 2 + 32),
    )


@functools.cache
def _nodes(shape: str) -> tuple[tuple[arb, arb, bool], ...]:
    """Places and weights of the double exponential rule, and whether the coarse rule has them.

    Args:
        shape: "both" of the interval (-1, 1), "right" of (0, infinity), "line" of all real numbers.
    """
    found = []
    with _precision(_NODE_PRECISION):
        for index in range(-_NODES, _NODES + 1):
            t = arb(index) / _NODES_PER_UNIT
            inner = arb.pi() / 2 * t.sinh()
            weight = arb.pi() / 2 * t.cosh() / _NODES_PER_UNIT
            if shape == "both":
                place, slope = inner.tanh(), inner.sech() ** 2
            elif shape == "right":
                place = slope = inner.exp()
            else:
                place, slope = inner.sinh(), inner.cosh()
            found.append((place, weight * slope, index % 2 == 0))
    return tuple(found)


def improper_integral(function: Function, lower: arb, upper: arb) -> Numeric:
    """The integral between real or infinite ends, by the double exponential rule."""
    if not (lower < upper):
        raise TooMuch
    with _precision(_NODE_PRECISION):
        shape, start, scale = "line", arb(0), arb(1)
        if lower.is_finite() and upper.is_finite():
            shape, start, scale = "both", (lower + upper) / 2, (upper - lower) / 2
        elif lower.is_finite():
            shape, start = "right", lower
        elif upper.is_finite():
            shape, start, scale = "right", upper, arb(-1)
        fine, coarse = arb(0), arb(0)
        for place, weight, in_coarse in _nodes(shape):
            value = function(start + scale * place)
            if isinstance(value, acb):
                raise TooMuch
            part = value * weight
            fine += part
            if in_coarse:
                coarse += 2 * part
        size = abs(scale)
        return _agreed([coarse * size, fine * size])


def _agreed(values: Sequence[_Scalar]) -> Numeric:
    """The last of several approximations, with the bits to which all agree with it."""
    last = values[-1]
    size = functions.size_of(last)
    difference = max(
        (functions.size_of(value - last).upper() for value in values[:-1]), default=arb(0)
    )
    if not (difference.is_finite() and size.is_finite()):
        raise TooMuch
    for bits in (_MOST_BITS, 128, 96, _FEWEST_BITS):
        if difference < size * arb(2) ** -bits:
            return Numeric(last, bits)
    raise TooMuch
