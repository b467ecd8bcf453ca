"""Values with words that change them: 5 or more, 20% increase, 5 km east, n^2 if n is even."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from fractions import Fraction

from rlvr_fast.tasks.schemes.math.kinds import relation
from rlvr_fast.tasks.schemes.math.kinds.collection import Collection, List
from rlvr_fast.tasks.schemes.math.kinds.congruence import Congruence, divisibility, parity
from rlvr_fast.tasks.schemes.math.kinds.expression import Expression
from rlvr_fast.tasks.schemes.math.kinds.percent import Percent
from rlvr_fast.tasks.schemes.math.kinds.quantity import Quantity, has_symbols, scaled
from rlvr_fast.tasks.schemes.math.kinds.real_set import Interval, Operation
from rlvr_fast.tasks.schemes.math.kinds.words import Phrase, Words
from rlvr_fast.tasks.schemes.math.parsing import parse_term
from rlvr_fast.tasks.schemes.math.parsing.names import FUNCTIONS
from rlvr_fast.tasks.schemes.math.parts.integer_sets import first_integer, is_integer_name
from rlvr_fast.tasks.schemes.math.parts.qualifier_tables import (
    AFTER,
    APPROXIMATE,
    APPROXIMATE_AFTER,
    BEFORE,
    BOUNDS_AFTER,
    BOUNDS_BEFORE,
    BOUNDS_BEFORE_SIGNS,
    DRESSING_BEFORE,
    IN_BRACKETS,
    KINDS_OF_NUMBERS,
    MARKERS,
    MATHEMATICAL_MARKERS,
)
from rlvr_fast.tasks.schemes.math.parts.relation_values import Named
from rlvr_fast.tasks.schemes.math.parts.splitting import CONJUNCTION, split
from rlvr_fast.tasks.schemes.math.parts.unit_reading import read_dressing
from rlvr_fast.tasks.schemes.math.parts.wording import ARTICLES, latex, noun_lemma, plain
from rlvr_fast.tasks.schemes.math.terms.nodes import Symbol
from rlvr_fast.tasks.schemes.math.values import Read, Same, Unread, Value

__all__ = ["Approximately", "Conditional", "Qualified", "compare", "read"]


@dataclass(frozen=True, slots=True)
class Qualified(Value):
    """A value with a qualifier in one wording ("increase", "east", "top", "is even")."""

    value: Value
    qualifier: str


@dataclass(frozen=True, slots=True)
class Approximately(Value):
    """A value that the text calls an approximation."""

    value: Value


@dataclass(frozen=True, slots=True)
class Conditional(Value):
    """A value under a condition.

    Attributes:
        value: the value.
        relation: "if", "unless" or "as".
        condition: the condition; `Unread` where it is prose.
    """

    value: Value
    relation: str
    condition: Value


_SIGNED = re.compile(r"(?P<sign>minus|negative|positive)\s+(?P<value>[\dA-Za-z\\$].*)", re.I | re.S)
_LONGEST = 1000
_LONGEST_CONDITION = 200
_RELATION = re.compile(r"[=<>]|\\(?:le|ge|ne|in|notin|equiv|leq|geq|lt|gt)(?![A-Za-z])")
_SPACE = re.compile(r"\s+")
_QUANTIFIER = re.compile(r"(?:all|every|any|each|some|arbitrary)\s+", re.IGNORECASE)
_IS = re.compile(
    r"(?P<name>\\?[A-Za-z][\w']{0,12})\s+"
    r"(?:(?P<negated>is not|isn't|are not)|is|are|must be|has to be)?\s*"
    r"(?:an?\s+)?(?P<kind>[a-z][a-z -]{2,40}?)(?:\s+(?P<more>number|integer)s?)?"
)
_KIND_FIRST = re.compile(
    r"(?:(?P<quantifier>all|any|every)\s+)?(?:the\s+)?(?P<kind>[a-z][a-z-]{2,14}s?)"
    r"(?:\s+(?P<more>(?:integer|number|value|prime|natural number)s?)(?:\s+of)?)?\s+(?P<rest>\S.*)",
    re.DOTALL,
)
_SIGNS = {"positive": ">", "negative": "<", "nonnegative": r"\ge", "nonzero": r"\ne"}
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
_OF = re.compile(r"(?:of|by)(?![A-Za-z])")
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
        _bounded,
        _approximate,
        _zero,
        _bracketed,
        _predicate,
        _condition,
        _affixed,
    ):
        value = part(text, read)
        if value is not None:
            return value
    return None


def _read(text: str, read: Read) -> Value | None:
    """A part; None where no kind reads it."""
    text = latex(text.strip(" ,;"))
    if not text:
        return None
    value = read(text)
    return None if isinstance(value, Unread) else value


def _era(text: str, read: Read) -> Value | None:
    match = _ERA.fullmatch(text)
    if match is None or (match["first"] is None) == (match["era"] is None):
        return None
    era = re.sub(r"[. ]", "", match["era"] or "AD")
    year = _read(match["year"], read)
    if era not in _ERAS or year is None:
        return None
    return Qualified(year, "BC") if _ERAS[era] == "BC" else year


def _signed(text: str, read: Read) -> Value | None:
    """`minus 5`, `negative five`, `positive 5`: the value with its sign."""
    match = _SIGNED.fullmatch(text)
    value = _read(match["value"], read) if match else None
    if match is None or not isinstance(value, Expression | Quantity) or has_symbols(value.term):
        return None
    if match["sign"].casefold() == "positive":
        return value
    return dataclasses.replace(value, term=scaled(value.term, Fraction(-1)))


def _bounded(text: str, read: Read) -> Value | None:
    """`at least 5`, `5 or more`: the relation that the words say."""
    match = BOUNDS_BEFORE.search(text)
    if match is not None and match.start() < 80:
        name, rest = text[: match.start()].strip(), text[match.end() :].strip()
        words = _SPACE.sub(" ", match[0].strip().casefold())
        sign = next(sign for pattern, sign in BOUNDS_BEFORE_SIGNS if pattern.fullmatch(words))
        if not rest and words in ("at most", "at least"):
            return _relation("", sign, name, read)
        if not name or _is_name(name):
            return _relation(name, sign, rest, read)
    after = BOUNDS_AFTER.search(text)
    if after is None or (match is not None and not after.start() <= match.start() < after.end()):
        return None
    match = after
    value, rest = text[: match.start()].strip(), text[match.end() :].strip()
    if rest and not re.fullmatch(r"[A-Za-z ]{2,40}", rest):
        return None
    words = match["words"].casefold()
    sign = (
        r"\ge"
        if words in ("more", "greater", "above", "over", "higher", "larger", "up")
        else r"\le"
    )
    return _relation("", sign, f"{value} {rest}".strip(), read)


def _relation(name: str, sign: str, value: str, read: Read) -> Value | None:
    if _RELATION.search(value) or not value:
        return None
    if _read(value, read) is None:
        return None
    return _read(f"{name} {sign} {value}", read)


def _is_name(text: str) -> bool:
    return isinstance(parse_term(latex(text)), Symbol) and len(text) < 12


def _approximate(text: str, read: Read) -> Value | None:
    match = APPROXIMATE.match(text)
    if match is not None:
        rest = text[match.end() :]
    elif (match := APPROXIMATE_AFTER.search(text)) is not None:
        rest = text[: match.start()]
    else:
        return None
    value = _read(rest, read)
    return None if value is None else Approximately(value)


def _zero(text: str, read: Read) -> Value | None:
    """`10 degrees below zero` is -10 degrees."""
    match = _ZERO.fullmatch(text)
    if match is None or match["value"].startswith("-"):
        return None
    sign = "-" if match["side"] == "below" else ""
    return _read(f"{sign}{match['value']} {match['unit'] or ''}", read)


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
        return _read(f"{match['value']} {match['words']}", read)
    qualifier = IN_BRACKETS.get(words) or AFTER.get(words) or BEFORE.get(words)
    if qualifier is None:
        return None
    value = _read(match["value"], read)
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
            return _read(rest, read)
        first = first.removeprefix("the ")
        if first in BEFORE and (value := _read(rest, read)) is not None and _is_one(value):
            return Qualified(value, BEFORE[first])
        last = " ".join(words[-count:]).casefold()
        if last == "only":
            return _read(" ".join(words[:-1]), read)
        if last in AFTER:
            start = int(words[0] in ("a", "an", "the"))
            value = _read(" ".join(words[start:-count]), read)
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


def _predicate(text: str, read: Read) -> Value | None:
    """`n is odd`, `odd n`, `all primes p`."""
    match = _IS.fullmatch(text)
    if match is not None:
        kind = _kind(match["kind"], match["more"])
        if kind is not None and _is_name(match["name"]):
            value = _read(match["name"], read)
            negated = "not " if match["negated"] else ""
            if match["kind"] in _SIGNS and not negated and "integer" not in text:
                return _read(f"{match['name']} {_SIGNS[match['kind']]} 0", read)
            return None if value is None else Qualified(value, f"is {negated}{kind}")
    match = _KIND_FIRST.fullmatch(text)
    if match is None:
        return None
    kind = _kind(match["kind"], match["more"])
    if kind is None:
        return None
    if kind == "integer" and not match["quantifier"]:
        return None
    if _OF.match(match["rest"]):
        return None  # multiples of 5 or 7
    value = _read(match["rest"], read)
    if value is None or (
        isinstance(value, Words) and not match["quantifier"] and not match["more"]
    ):
        return None  # "even function"
    named = isinstance(value, Named) and not is_integer_name(value.name)
    if kind == "real" and (named or isinstance(value, Interval | Operation)):
        return value  # all real x > 2, all real numbers greater than 2
    return Qualified(value, f"is {kind}")


def _kind(words: str, more: str | None) -> str | None:
    """What a number is, in one wording; only of signs it matters that it is an integer."""
    found = []
    for word in words.casefold().replace("-", " ").split():
        if word in ARTICLES or word in ("number", "numbers"):
            continue
        name = word if word in KINDS_OF_NUMBERS else word.removesuffix("s")
        if name not in KINDS_OF_NUMBERS:
            return None
        if name != "integer":
            found.append(name)
    if set(found) & _SIGNS.keys() and re.search("integer|natural", f"{words} {more or ''}"):
        found.append("integer")
    return " ".join(sorted(found)) or "integer"


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
    if _RELATION.search(head):
        value = _by_relation(head, word, rest, read)
        if value is not None:
            return value
    value = _read(head, read)
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
    values = [_read(part, read) for part in parts.parts]
    found = tuple(value for value in values if isinstance(value, Conditional))
    return List(found) if len(found) == len(values) else None


def _for_all(text: str, read: Read) -> Value | None:
    """`f(x) = x for all x, f(x) = -x for all x`: each part has its own words."""
    return relation.read(latex(text), read)


def _by_relation(head: str, word: str, rest: str, read: Read) -> Value | None:
    """A relation with a condition, where the kind of relations reads both."""
    if word in ("unless", "except", "as"):
        return None
    joint = "," if _RELATION.search(rest) else " for"
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
