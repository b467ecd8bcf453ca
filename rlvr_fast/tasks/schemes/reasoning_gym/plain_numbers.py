"""Numbers as plain text, and whether a decimal is a rounding of an exact value."""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction

__all__ = ["is_rounding", "number", "numbers"]

# Digits of other scripts, underscores and leading zeros are no plain numbers; commas stand between
# groups of three digits.
_NUMBER = re.compile(
    r"[+-]?(?:(?:0|[1-9][0-9]{0,2}(?:,[0-9]{3})+|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)"
    r"(?P<exponent>[eE][+-]?[0-9]{1,3})?"
)
MOST_DIGITS = 4096
LEAST_DIGITS = 3  # that a rounded answer shows


def number(text: str, *, exponent: bool = True) -> Decimal | None:
    """The value of a plain number; None where a text is none.

    Args:
        text: blanks around the number are left out.
        exponent: whether it may have one.

    Example:
        >>> number("8,717.0"), number("1,2"), number("1_000")
        (Decimal('8717.0'), None, None)
    """
    text = text.strip()
    match = _NUMBER.fullmatch(text) if len(text) <= MOST_DIGITS else None
    if match is None or (match["exponent"] and not exponent):
        return None
    return Decimal(text.replace(",", ""))


def numbers(text: str) -> list[Decimal] | None:
    """The values of plain numbers between commas; None where one is none."""
    found = [number(item) for item in text.split(",")]
    return None if None in found else [value for value in found if value is not None]


def is_rounding(answer: Decimal, value: Fraction, *, error: Fraction = Fraction(0)) -> bool:
    """Whether a decimal equals an exact value, or is the value rounded or cut.

    A decimal that is not equal shows at least `LEAST_DIGITS` significant digits.

    Args:
        answer: the decimal.
        value: the exact value.
        error: by how much the value itself may be wrong.

    Example:
        >>> exact = Fraction(11, 64)  # 0.171875
        >>> is_rounding(Decimal("0.1719"), exact), is_rounding(Decimal("0.17"), exact)
        (True, False)
    """
    exact = Fraction(answer)
    if abs(exact - value) <= error:
        return True
    digits, exponent = answer.as_tuple()[1:]
    if len(digits) < LEAST_DIGITS or not isinstance(exponent, int):
        return False
    unit = Fraction(10) ** exponent
    cut = 0 <= abs(value) - abs(exact) < unit and exact * value > 0
    return cut or abs(exact - value) <= unit / 2 + error
