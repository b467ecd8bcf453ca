"""Whether a program gave the output, or the value, that a test expects."""

from __future__ import annotations

import math
import re
from decimal import Context, Decimal
from typing import Any

__all__ = ["TOLERANCE", "same_output", "same_value"]

# The absolute or relative error that statements of problems with a real answer allow.
TOLERANCE = Decimal("1e-6")
# As programs print numbers: no leading zeros, underscores or digits of other scripts, and a minus
# alone as the sign. The exponent has at most 6 digits, so that comparing takes little time.
_NUMBER = re.compile(r"-?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,6})?")
_INFINITE = {"inf": 1, "Infinity": 1, "-inf": -1, "-Infinity": -1}
_BLANKS = " \t\r\f\v"
_GAP = re.compile(f"[{_BLANKS}]+")
_ROUNDING = Context(prec=40, Emin=-9_999_999, Emax=9_999_999)


def same_output(got: str, wanted: str) -> bool:
    r"""Whether two outputs have the same words in the same lines.

    Words are equal as texts, or as numbers: exactly, and within `TOLERANCE` where the expected word
    has a decimal point or an exponent.

    Example:
        >>> same_output("1 0.666667\n", "1  0.66666666667"), same_output("0010", "10")
        (True, False)
    """
    got_lines, wanted_lines = _lines(got), _lines(wanted)
    return len(got_lines) == len(wanted_lines) and all(
        one == other or _same_words(one, other)
        for one, other in zip(got_lines, wanted_lines, strict=True)
    )


def same_value(got: Any, wanted: Any) -> bool:
    """Whether a function returned the expected value, which was read from JSON.

    Tuples are lists. Where a number of the expected value is a float, `TOLERANCE` applies to it.

    Example:
        >>> same_value((1, 2), [1, 2]), same_value([0.333333333], [1 / 3]), same_value(2.0000001, 2)
        (True, True, False)
    """
    if isinstance(wanted, list):
        return (
            isinstance(got, list | tuple)
            and len(got) == len(wanted)
            and all(same_value(one, other) for one, other in zip(got, wanted, strict=True))
        )
    if isinstance(wanted, float) and isinstance(got, int | float) and not isinstance(got, bool):
        try:
            return got == wanted or math.isclose(
                got, wanted, rel_tol=float(TOLERANCE), abs_tol=float(TOLERANCE)
            )
        except OverflowError:  # an integer that no float holds
            return False
    return bool(got == wanted)


def _lines(text: str) -> list[str]:
    return [line.strip(_BLANKS) for line in text.strip(f"{_BLANKS}\n").split("\n")]


def _same_words(one: str, other: str) -> bool:
    words, wanted = _GAP.split(one), _GAP.split(other)
    return len(words) == len(wanted) and all(map(_same_word, words, wanted))


def _same_word(word: str, wanted: str) -> bool:
    if word == wanted:
        return True
    if word in _INFINITE and wanted in _INFINITE:
        return _INFINITE[word] == _INFINITE[wanted]
    if not (_NUMBER.fullmatch(word) and _NUMBER.fullmatch(wanted)):
        return False
    left, right = Decimal(word), Decimal(wanted)
    if left == right:
        return True
    if not any(sign in wanted for sign in ".eE"):
        return False
    error = abs(_ROUNDING.subtract(left, right))
    return error <= _ROUNDING.multiply(TOLERANCE, max(Decimal(1), abs(right)))
