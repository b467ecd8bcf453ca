"""Values with words that change them: 5 or more, 20% increase, 5 km east, n^2 if n is even."""

from __future__ import annotations

import dataclasses
import re
from fractions import Fraction

from rlvr_fast.tasks.schemes.math.kinds import relation
from rlvr_fast.tasks.schemes.math.kinds.collection import Collection, List
from rlvr_fast.tasks.schemes.math.kinds.congruence import Congruence, divisibility, parity
from rlvr_fast.tasks.schemes.math.kinds.expression import Expression
from rlvr_fast.tasks.schemes.math.kinds.percent import Percent
from rlvr_fast.tasks.schemes.math.kinds.quantity import Quantity, has_symbols, scaled
from rlvr_fast.tasks.schemes.math.kinds.words import Phrase, Words
from rlvr_fast.tasks.schemes.math.parsing.names import FUNCTIONS
from rlvr_fast.tasks.schemes.math.parts.bounds import bounded
from rlvr_fast.tasks.schemes.math.parts.integer_sets import first_integer, is_integer_name
from rlvr_fast.tasks.schemes.math.parts.number_kinds import number_kind
from rlvr_fast.tasks.schemes.math.parts.qualified_parts import (
    RELATION_SIGN,
    read_part,
)
from rlvr_fast.tasks.schemes.math.parts.qualified_values import (
    Approximately,
    Conditional,
    Qualified,
)
from rlvr_fast.tasks.schemes.math.parts.qualifier_tables import (
    AFTER,
    APPROXIMATE,
    APPROXIMATE_AFTER,
    BEFORE,
    DRESSING_BEFORE,
    IN_BRACKETS,
    MARKERS,
    MATHEMATICAL_MARKERS,
)
from rlvr_fast.tasks.schemes.math.parts.relation_values import Named
from rlvr_fast.tasks.schemes.math.parts.splitting import CONJUNCTION, split
from rlvr_fast.tasks.schemes.math.parts.unit_reading import read_dressing
from rlvr_fast.tasks.schemes.math.parts.wording import latex, noun_lemma, plain
from rlvr_fast.tasks.schemes.math.values import Read, Same, Unread, Value

__all__ = ["Approximately", "Conditional", "Qualified", "compare", "read"]

_SIGNED = re.compile(r"(?P<sign>minus|negative|positive)\s+(?P<value>[\dA-Za-z\\$].*)", re.I | re.S)
_LONGEST = 1000
_LONGEST_CONDITION = 200
_SPACE = re.compile(r"\s+")
_QUANTIFIER = re.compile(r"(?:all|every|any|each|some|arbitrary)\s+", re.IGNORECASE)
_ZERO = re.compile(
    r"(?P<value>.*\S)\s+(?P<side>above|below)\s+(?:zero|freezing)(?:\s+(?P<unit>\S.*))?"
)
_ERA = re.compile(
    r"(?:(?P<first>A\.?D\.?)\s*)?(?P<year>\d{1,7})\s*(?P<era>[ABC][. ]?[CDE][. ]?(?:E\.?)?)?"
)
_ERAS = {"BC": "BC", "BCE": "BC", "AD": "AD", "CE": "AD"}
# A name right before a bracket is a function: x(t').
_CALLED = re.compile(r"(?<![A-Za-z\\])[A-Za-z]{1,3}'*[(\[]?$")
# Before brackets that hold an exponent or an argument: e^(kt), \ln(km).
_OPEN = re.compile(r"[\^_+*/\\-]$|(?P<name>[A-Za-z]+)$")
_BRACKETED = re.compile(r"(?P<value>.*\S)\s*[(\[]\s*(?P<words>[A-Za-z][A-Za-z .'-]{1,30})\s*[)\]]")


def read(text: str, read: Read) -> Value | None:
    """The value of a text with a qualifier; see `kinds`."""
    text = plain(text)
    if len(text) > _LONGEST or not re.search(r"[A-Za-z]|\\approx|~", text):
        return None
    for part in (
        divisibility,
        _era,
        _signed,
        bounded,
        _approximate,
        _zero,
        _bracketed,
        number_kind,
        _condition,
        _affixed,
    ):
        value = part(text, read)
        if value is not None:
            return value
    return None


def _era(text: str, read: Read) -> Value | None:
    match = _ERA.fullmatch(text)
    if match is None or (match["first"] is None) == (match["era"] is None):
        return None
    era = re.sub(r"[. ]", "", match["era"] or "AD")
    year = read_part(match["year"], read)
    if era not in _ERAS or year is None:
        return None
    return Qualified(year, "BC") if _ERAS[era] == "BC" else year


def _signed(text: str, read: Read) -> Value | None:
    """`minus 5`, `negative five`, `positive 5`: the value with its sign."""
    match = _SIGNED.fullmatch(text)
    value = read_part(match["value"], read) if match else None
    if match is None or not isinstance(value, Expression | Quantity) or has_symbols(value.term):
        return None
    if match["sign"].casefold() == "positive":
        return value
    return dataclasses.replace(value, term=scaled(value.term, Fraction(-1)))


def _approximate(text: str, read: Read) -> Value | None:
    match = APPROXIMATE.match(text)
    if match is not None:
        rest = text[match.end() :]
    elif (match := APPROXIMATE_AFTER.search(text)) is not None:
        rest = text[: match.start()]
    else:
        return None
    value = read_part(rest, read)
    return None if value is None else Approximately(value)


def _zero(text: str, read: Read) -> Value | None:
    """`10 degrees below zero` is -10 degrees."""
    match = _ZERO.fullmatch(text)
    if match is None or match["value"].startswith("-"):
        return None
    sign = "-" if match["side"] == "below" else ""
    return read_part(f"{sign}{match['value']} {match['unit'] or ''}", read)


def _bracketed(text: str, read: Read) -> Value | None:
    match = _BRACKETED.fullmatch(text)
    if match is None:
        return None
    opened = _OPEN.search(match["value"])
    if opened and (opened["name"] is None or opened["name"] in FUNCTIONS):
        return None
    words = match["words"].casefold().strip(" .")
    dressing = read_dressing(match["words"])
    counted = dressing is not None and (dressing.unit.dimensions or noun_lemma(words) != words)
    if counted and words not in IN_BRACKETS:
        if _CALLED.search(text[: match.start("words") - 1]):
            return None
        return read_part(f"{match['value']} {match['words']}", read)
    qualifier = IN_BRACKETS.get(words) or AFTER.get(words) or BEFORE.get(words)
    if qualifier is None:
        return None
    value = read_part(match["value"], read)
    return None if value is None else Qualified(value, qualifier)


def _affixed(text: str, read: Read) -> Value | None:
    """A word before or after the value."""
    words = text.split(" ")
    for count in (4, 3, 2, 1):
        if len(words) <= count:
            continue
        first = " ".join(words[:count]).casefold().rstrip(":")
        rest = " ".join(words[count:])
        if first in DRESSING_BEFORE:
            return read_part(rest, read)
        first = first.removeprefix("the ")
        if first in BEFORE and (value := read_part(rest, read)) is not None and _is_one(value):
            return Qualified(value, BEFORE[first])
        last = " ".join(words[-count:]).casefold()
        if last == "only":
            return read_part(" ".join(words[:-1]), read)
        if last in AFTER:
            start = int(words[0] in ("a", "an", "the"))
            value = read_part(" ".join(words[start:-count]), read)
            if last == "left" and isinstance(value, Quantity) and _counted(value):
                return value  # what remains
            return None if value is None or not _is_one(value) else Qualified(value, AFTER[last])
    return None


def _is_one(value: Value) -> bool:
    """Whether a value is one answer, and no word or list."""
    return not isinstance(value, Words | Phrase | Conditional | Collection)


def _is_prose(value: Value) -> bool:
    """Whether a value is words, or a list with words."""
    if isinstance(value, Words | Phrase):
        return True
    return isinstance(value, Collection) and any(_is_prose(part) for part in value.parts)


def _counted(value: Quantity) -> bool:
    """Whether a quantity is no length, angle or number of steps, which have directions."""
    directed = ((), (("m", 1),), (("angle", 1),), (("unit", 1),))
    return bool(value.dressing.nouns - {"step"}) or value.dressing.unit.dimensions not in directed


def _condition(text: str, read: Read) -> Value | None:
    """`n^2 if n is even`: what stands before and after the one word that begins a condition."""
    found = [match for match in MARKERS.finditer(text) if _outside(text, match.start())]
    if not found or (len(found) > 1 and any(match.start() == 0 for match in found)):
        return None
    if len(found) > 1 and (several := _conditionals(text, read)) is not None:
        return several
    marker = found[0]
    head, rest = text[: marker.start()].strip(" ,;"), text[marker.end() :].strip(" ,;")
    word = _SPACE.sub(" ", marker["word"].casefold())
    if not head:
        # "if n is even, n^2"
        rest, _, head = rest.partition(",")
    if not head or not rest:
        return None
    if (
        len(found) > 1
        and re.search(r"[,;]|\band\b", text[marker.end() : found[1].start()])
        and found[1]["word"].casefold() not in MATHEMATICAL_MARKERS
    ):
        return None  # several values, each under its own condition: a list
    if len(found) > 1 and all(text.startswith("all ", match.end()) for match in found):
        return _for_all(text, read)
    if RELATION_SIGN.search(head):
        value = _by_relation(head, word, rest, read)
        if value is not None:
            return value
    value = read_part(head, read)
    if value is None or isinstance(value, Conditional) or _is_prose(value):
        return None
    if len(rest) > _LONGEST_CONDITION:
        return None
    if word == "for" and isinstance(value, Quantity) and read_dressing(f"for {rest}") is not None:
        return value  # "$5 for the tickets"
    relation = word if word in ("unless", "except", "as") else "if"
    rest = _QUANTIFIER.sub("", rest, count=1) if relation == "if" else rest
    condition = read(latex(rest))
    if isinstance(condition, Unread):
        condition = Unread(_SPACE.sub(" ", rest))
    return Conditional(value, relation, condition)


def _conditionals(text: str, read: Read) -> Value | None:
    """`n for even n, n + 1 for odd n`: a list of values, each with a condition of its own."""
    parts = split(text, CONJUNCTION)
    if parts is None or not parts.marks:
        return None
    values = [read_part(part, read) for part in parts.parts]
    found = tuple(value for value in values if isinstance(value, Conditional))
    return List(found) if len(found) == len(values) else None


def _for_all(text: str, read: Read) -> Value | None:
    """`f(x) = x for all x, f(x) = -x for all x`: each part has its own words."""
    return relation.read(latex(text), read)


def _by_relation(head: str, word: str, rest: str, read: Read) -> Value | None:
    """A relation with a condition, where the kind of relations reads both."""
    if word in ("unless", "except", "as"):
        return None
    joint = "," if RELATION_SIGN.search(rest) else " for"
    return relation.read(latex(f"{head}{joint} {rest}"), read)


def _outside(text: str, position: int) -> bool:
    before = text[:position]
    return all(before.count(a) == before.count(b) for a, b in ("()", "[]", "{}"))


def compare(gold: Value, answer: Value, same: Same) -> bool | None:
    """Whether two values agree of which one has a qualifier; see `kinds`."""
    if isinstance(answer, Approximately):
        # In an answer the word is dressing.
        return same(gold.value if isinstance(gold, Approximately) else gold, answer.value)
    if isinstance(gold, Approximately):
        return False
    if isinstance(gold, Qualified) != isinstance(answer, Qualified):
        least = _first_integer(gold), _first_integer(answer)
        named = {part.name for part in map(_value, (gold, answer)) if isinstance(part, Named)}
        if None not in least and len(named) < 2:
            return least[0] == least[1]
        # n is odd: n = 1 mod 2
        first, second = _as_congruence(gold), _as_congruence(answer)
        if (first, second) != (gold, answer):
            return same(first, second)
    if isinstance(gold, Qualified) and isinstance(answer, Qualified):
        return gold.qualifier == answer.qualifier and same(gold.value, answer.value)
    if isinstance(gold, Conditional) and isinstance(answer, Conditional):
        return (
            gold.relation == answer.relation
            and same(gold.value, answer.value)
            and (gold.condition == answer.condition or same(gold.condition, answer.condition))
        )
    if _are_conditions(gold) and _are_conditions(answer) and _says_or(gold) != _says_or(answer):
        return False
    # A gold change in per cent without a word is an increase.
    if _is_qualified(answer, "increase", Percent) and isinstance(gold, Percent):
        return same(gold, _value(answer))
    if _is_qualified(answer, "profit", Quantity) and isinstance(gold, Expression | Quantity):
        return same(gold, _value(answer))
    if isinstance(gold, Qualified | Conditional) or isinstance(answer, Qualified | Conditional):
        return False if not _has_parts(gold, answer) else None
    return None


def _are_conditions(value: Value) -> bool:
    """Whether a list has conditions, not values: n = 1 mod 4 and n = 2 mod 3."""
    return isinstance(value, List) and any(
        isinstance(part, Qualified | Congruence) for part in value.parts
    )


def _says_or(value: Value) -> bool:
    return isinstance(value, List) and value.alternatives


def _first_integer(value: Value) -> int | None:
    """The least of all integers from it on that a value says; None of every other value."""
    if not isinstance(value, Qualified):
        return first_integer(value)
    if value.qualifier == "is integer positive" and is_integer_name(value.value):
        return 1
    return first_integer(value.value, True) if value.qualifier == "is integer" else None


def _as_congruence(value: Value) -> Value:
    """What is odd or even as a congruence; other values as they are."""
    return (
        (parity(value.value, value.qualifier) or value) if isinstance(value, Qualified) else value
    )


def _is_qualified(value: Value, qualifier: str, kind: type[Value]) -> bool:
    """Whether a value of some kind has a qualifier."""
    if not isinstance(value, Qualified):
        return False
    return value.qualifier == qualifier and isinstance(value.value, kind)


def _value(value: Value) -> Value:
    return value.value if isinstance(value, Qualified) else value


def _has_parts(gold: Value, answer: Value) -> bool:
    """Whether one is a list or a named value, which other kinds compare by its parts."""
    return any(isinstance(value, Collection | Named) for value in (gold, answer))
