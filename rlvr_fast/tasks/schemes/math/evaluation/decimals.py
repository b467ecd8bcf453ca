"""Terms that are one decimal number."""

from __future__ import annotations

from fractions import Fraction

from rlvr_fast.tasks.schemes.math.terms.nodes import Mul, Number, Pow, Term

__all__ = ["decimal_of", "ends", "first_place"]


def decimal_of(term: Term) -> tuple[Fraction, int] | None:
    """The value and the significant digits of a term that is one decimal number."""
    match term:
        case Number(value, digits) if digits > 0:
            return value, digits
        case Mul(parts) if 2 <= len(parts) <= 3:
            shown = [part.digits for part in parts if isinstance(part, Number) and part.digits]
            if len(shown) != 1:
                return None
            product = Fraction(1)
            for part in parts:
                factor = _factor(part)
                if factor is None:
                    return None
                product *= factor
            return product, shown[0]
    return None


def _factor(term: Term) -> Fraction | None:
    """A factor that only moves the point of a decimal or changes its sign, or the decimal."""
    match term:
        case Number(value, digits) if digits > 0 or value == -1:
            return value
        case Pow(Number(base), Number(exponent)) if base == 10 and exponent.denominator == 1:
            return base ** int(exponent) if abs(exponent) <= 4000 else None
    return None


def ends(denominator: int) -> bool:
    """Whether a fraction with this denominator has a decimal that ends."""
    for prime in (2, 5):
        while denominator % prime == 0:
            denominator //= prime
    return denominator == 1


def first_place(value: Fraction) -> int:
    """The power of ten of the first digit of a positive number."""
    bits = value.numerator.bit_length() - value.denominator.bit_length()
    found = int(bits * 0.30103) - 1
    ten = Fraction(10)
    while value >= ten ** (found + 1):
        found += 1
    while value < ten**found:
        found -= 1
    return found
