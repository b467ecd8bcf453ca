"""Exact rational values of bounded size."""

from __future__ import annotations

from flint import fmpq, fmpz

__all__ = [
    "LARGEST_BITS",
    "binomial",
    "double_factorial",
    "factorial",
    "is_integer",
    "power",
    "root",
    "size",
]

# Values of more bits are not computed exactly; 1/2004! has 19 000.
LARGEST_BITS = 1 << 17
_LARGEST_FACTORIAL = 10_000
_LARGEST_DEGREE = 1000


def size(value: fmpq) -> int:
    """The bits of the larger of numerator and denominator."""
    return int(value.height_bits())


def is_integer(value: fmpq) -> bool:
    """Whether a rational number is an integer."""
    return bool(value.q == 1)


def power(base: fmpq, exponent: int) -> fmpq | None:
    """`base` to an integer power; None where that is too large.

    Raises:
        ZeroDivisionError: zero to a negative power.
    """
    if base == 1 or base == 0 or base == -1:
        if base == 0 and exponent < 0:
            raise ZeroDivisionError
        return fmpq(1) if exponent == 0 or (base == -1 and exponent % 2 == 0) else base
    if abs(exponent) * size(base) > LARGEST_BITS:
        return None
    return base**exponent


def _integer_root(value: fmpz, degree: int) -> fmpz | None:
    found = value.root(degree)
    return found if found**degree == value else None


def root(value: fmpq, degree: int) -> fmpq | None:
    """The exact root of a rational number that is not negative; None where it is not rational."""
    if degree > _LARGEST_DEGREE:
        return value if value == 0 or value == 1 else None
    numerator = _integer_root(value.p, degree)
    if numerator is None:
        return None
    denominator = _integer_root(value.q, degree)
    return None if denominator is None else fmpq(numerator, denominator)


def factorial(value: int) -> fmpq | None:
    """The factorial of an integer that is not negative; None where that is too large."""
    return fmpq(fmpz.fac_ui(fmpz(value))) if value <= _LARGEST_FACTORIAL else None


def double_factorial(value: int) -> fmpq | None:
    """The product of value, value - 2, ...; None where that is too large."""
    if value > _LARGEST_FACTORIAL:
        return None
    half = value // 2
    even = fmpz(2) ** half * fmpz.fac_ui(fmpz(half))
    if value % 2 == 0:
        return fmpq(even)
    return fmpq(fmpz.fac_ui(fmpz(value)) // even)


def binomial(upper: fmpq, lower: int) -> fmpq | None:
    """The binomial coefficient of any upper number; None where that is too large."""
    if lower < 0:
        return fmpq(0)
    if is_integer(upper) and upper >= 0:
        if lower > upper:
            return fmpq(0)
        lower = min(lower, int(upper.p) - lower)
    if lower > _LARGEST_FACTORIAL or lower * size(upper) > LARGEST_BITS:
        return None
    if is_integer(upper) and upper >= 0 and upper.p.bit_length() < 63:
        return fmpq(fmpz.bin_uiui(upper.p, lower))
    product = fmpq(1)
    for step in range(lower):
        product = product * (upper - step) / (step + 1)
    return product
