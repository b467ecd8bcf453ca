r"""Numbers in a base: 4210_5, (1011)_2, 1010 base 2, 2A_{16}, 0x2A."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from rlvr_fast.tasks.schemes.math.kinds.expression import Expression
from rlvr_fast.tasks.schemes.math.kinds.quantity import Quantity
from rlvr_fast.tasks.schemes.math.parsing import parse_term
from rlvr_fast.tasks.schemes.math.parts.wording import spoken_number
from rlvr_fast.tasks.schemes.math.terms.nodes import Number
from rlvr_fast.tasks.schemes.math.values import Read, Same, Value

__all__ = ["Numeral", "compare", "read"]


@dataclass(frozen=True, slots=True)
class Numeral(Value):
    """Digits in a base.

    Attributes:
        digits: the digits as they are written, with a sign; capitals.
        value: their value in the base.
        literal: whether the base is said as in a program (0x2A), where the value alone is the same.
    """

    digits: str
    value: Fraction
    literal: bool = False


# A digit that is a letter may be the first of several: A_5 is a name.
_DIGITS = r"(?P<digits>[+-]?(?:[0-9]|[A-F](?=[0-9A-F]))[0-9A-Za-z]{0,200}(?:\.[0-9A-Za-z]{1,200})?)"
_BASE = r"(?:base[ -]*)?\(?\s*(?P<base>\d{1,2}|[A-Za-z]+(?:-[A-Za-z]+)?)\s*\)?"
_SUBSCRIPT = re.compile(
    rf"\(?\s*{_DIGITS}\s*\)?\s*_\s*(?:\{{\s*{_BASE}\s*\}}|(?P<one>\d{{1,2}}|[a-z]{{3,11}}))"
)
_WORDS = re.compile(
    rf"\(?{_DIGITS}\)?\s*,?\s*\(?\s*(?:in\s+|written\s+in\s+|to\s+)?(?:the\s+)?"
    r"(?:base[ -]*(?P<base>\d{1,2}|[A-Za-z]+(?:-[A-Za-z]+)?)"
    r"|(?P<name>binary|ternary|octal|hexadecimal|hex|decimal))\s*\)?"
)
_LITERAL = re.compile(r"([+-]?)0(?:[xX]([0-9A-Fa-f]{1,200})|[bB]([01]{1,400})|[oO]([0-7]{1,300}))")
_NAMES = {"binary": 2, "ternary": 3, "octal": 8, "hexadecimal": 16, "hex": 16, "decimal": 10}


def read(text: str, read: Read) -> Value | None:
    """The value of digits with a base; see `kinds`."""
    if len(text) > 1000:
        return None
    if literal := _LITERAL.fullmatch(text):
        radix = 16 if literal[2] else 2 if literal[3] else 8
        digits = literal[2] or literal[3] or literal[4]
        signed = literal[1] + digits
        number = Fraction(int(signed, radix))
        return Numeral(signed.upper().lstrip("+"), number, literal=True)
    match = _SUBSCRIPT.fullmatch(text) or _WORDS.fullmatch(text)
    if match is None:
        return None
    groups = match.groupdict()
    base = _base(groups.get("base") or groups.get("one") or groups.get("name") or "")
    digits = match["digits"]
    if base is None or (digits[0].isalpha() and (base != 16 or digits.upper() != digits)):
        return None  # a name with an index
    value = _value(digits, base)
    return None if value is None else Numeral(digits.upper().lstrip("+"), value)


def _base(text: str) -> int | None:
    if text.isdigit():
        base = int(text)
    elif text.casefold() in _NAMES:
        base = _NAMES[text.casefold()]
    else:
        spoken = spoken_number(tuple(text.replace("-", " ").split()))
        if spoken is None or spoken.denominator != 1:
            return None
        base = int(spoken)
    return base if 2 <= base <= 36 else None


def _value(digits: str, base: int) -> Fraction | None:
    whole, _, part = digits.partition(".")
    try:
        value = int(whole + part, base)
    except ValueError:
        return None
    return Fraction(value, base ** len(part))


def compare(gold: Value, answer: Value, same: Same) -> bool | None:
    """Whether an answer equals a gold of which one has a base; see `kinds`."""
    if isinstance(gold, Numeral) and isinstance(answer, Numeral):
        return gold.value == answer.value
    if isinstance(gold, Numeral) and isinstance(answer, Expression | Quantity):
        # The base is understood from the problem, so the digits alone are the answer.
        if gold.literal and same(Expression(Number(gold.value)), answer):
            return True
        if not gold.digits.lstrip("-").replace(".", "").isdecimal():
            # "3A" is also a product
            spellings = (gold.digits, gold.digits.lower())
            term = answer.product if isinstance(answer, Quantity) else answer.term
            return term is not None and term in map(parse_term, spellings)
        if isinstance(answer, Quantity):
            return False
        return same(Expression(Number(Fraction(gold.digits))), answer)
    if isinstance(gold, Expression) and isinstance(answer, Numeral):
        return same(gold, Expression(Number(answer.value)))
    return None
