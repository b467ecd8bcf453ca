"""What a number is said to be: "n is odd", "all primes p"."""

from __future__ import annotations

import re

from rlvr_fast.tasks.schemes.math.kinds.real_set import Interval, Operation
from rlvr_fast.tasks.schemes.math.kinds.words import Words
from rlvr_fast.tasks.schemes.math.parts.integer_sets import is_integer_name
from rlvr_fast.tasks.schemes.math.parts.qualified_parts import is_written_name, read_part
from rlvr_fast.tasks.schemes.math.parts.qualified_values import Qualified
from rlvr_fast.tasks.schemes.math.parts.qualifier_tables import KINDS_OF_NUMBERS
from rlvr_fast.tasks.schemes.math.parts.relation_values import Named
from rlvr_fast.tasks.schemes.math.parts.wording import ARTICLES
from rlvr_fast.tasks.schemes.math.values import Read, Value

__all__ = ["number_kind"]

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
_OF = re.compile(r"(?:of|by)(?![A-Za-z])")


def number_kind(text: str, read: Read) -> Value | None:
    """`n is odd`, `odd n`, `all primes p`."""
    match = _IS.fullmatch(text)
    if match is not None:
        kind = _kind(match["kind"], match["more"])
        if kind is not None and is_written_name(match["name"]):
            value = read_part(match["name"], read)
            negated = "not " if match["negated"] else ""
            if match["kind"] in _SIGNS and not negated and "integer" not in text:
                return read_part(f"{match['name']} {_SIGNS[match['kind']]} 0", read)
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
    value = read_part(match["rest"], read)
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
