"""Quantities in several parts: 3 ft 5 in, 3 hours and 20 minutes, two and a half hours."""

from __future__ import annotations

import itertools
import re
from fractions import Fraction

from rlvr_fast.tasks.schemes.math.kinds import quantity
from rlvr_fast.tasks.schemes.math.kinds.quantity import Quantity
from rlvr_fast.tasks.schemes.math.parts.unit_reading import Dressing, read_dressing
from rlvr_fast.tasks.schemes.math.parts.units_table import Dimensions, Unit
from rlvr_fast.tasks.schemes.math.parts.wording import plain, spoken_number
from rlvr_fast.tasks.schemes.math.terms.nodes import Number
from rlvr_fast.tasks.schemes.math.values import Read, Same, Value

__all__ = ["compare", "read"]

_PART = re.compile(
    r"\s*(?:,\s*|and\s+|,\s*and\s+)?(\d{1,15}(?:\.\d{1,15})?(?:/\d{1,9})?)\s*-?\s*"
    r"([A-Za-z]+\.?|°|''|'|\")"
)
# "and" inside a number: one hundred and five, 2 and a half hours.
_WITH_AND = re.compile(r"(?:\d+|[A-Za-z]+)(?:[ -][A-Za-z]+){2,16}")
_HALF = re.compile(
    r"(?P<number>an?|one|\d{1,9}) (?P<unit>[a-z]{3,12}) and "
    r"(?P<part>(?:a )?half|a (?:third|quarter))"
)
_JOINTS = re.compile(r",? and |, ")
_ANGLE = (("angle", 1),)
_TIME = (("s", 1),)


def read(text: str, read: Read) -> Value | None:
    """The value of a text with two to four numbers, each with its unit; see `kinds`."""
    if half := _HALF.fullmatch(text):
        number = half["number"] if half["number"].isdigit() else 1
        return quantity.read(f"{number} and {half['part']} {half['unit']}", read)
    if " and " in text and _WITH_AND.fullmatch(text):
        value = quantity.read(text, read)
        if value is not None:
            return value
    text = _in_figures(plain(text))
    negative = text.startswith("-")
    if not text[negative : negative + 1].isdigit() or len(text) > 120:
        return None
    parts: list[tuple[Fraction, Unit]] = []
    position = int(negative)
    while position < len(text):
        match = _PART.match(text, position)
        if match is None or len(parts) == 4:
            return None
        unit = _unit(match[2], parts[0][1].dimensions if parts else ())
        if unit is None:
            return None
        number, _, below = match[1].partition("/")
        if below and not int(below):
            return None
        parts.append((Fraction(number) / int(below or 1), unit))
        position = match.end()
    if len(parts) < 2 or not _descending(parts):
        return None
    first = parts[0][1]
    total = sum((value * unit.factor for value, unit in parts), Fraction(0)) / first.factor
    return Quantity(Number(-total if negative else total), Dressing(first))


def _in_figures(text: str) -> str:
    """`two dollars and fifty cents` with its numbers in figures."""
    if not text[:1].isalpha() or len(text) > 120:
        return text
    parts = []
    for part in _JOINTS.split(text):
        *words, unit = part.split() or [""]
        number = spoken_number(tuple(word for name in words for word in name.split("-")))
        if number is None or number.denominator > 1:
            return text
        parts.append(f"{number} {unit}")
    return " and ".join(parts)


def _unit(word: str, before: Dimensions) -> Unit | None:
    if before == _ANGLE and word in ("'", "''", '"'):
        word = "arcminute" if word == "'" else "arcsecond"
    elif before == _TIME and word == "m":
        word = "min"
    dressing = read_dressing(word.rstrip("."))
    if dressing is None or dressing.nouns or not dressing.unit.dimensions:
        return None
    return dressing.unit


def _descending(parts: list[tuple[Fraction, Unit]]) -> bool:
    """Whether each part is in a smaller unit than the one before, and less than one of it."""
    for (_, larger), (value, smaller) in itertools.pairwise(parts):
        if larger.dimensions != smaller.dimensions or larger.pi != smaller.pi:
            return False
        if larger.offset or smaller.offset or larger.factor <= smaller.factor:
            return False
        if value * smaller.factor >= larger.factor:
            return False
    return True


def compare(gold: Value, answer: Value, same: Same) -> bool | None:
    """None: a compound quantity is a `Quantity`; see `kinds`."""
    return None
