r"""Several answers in one: lists, tuples, sets, sequences, permutations in cycles."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rlvr_fast.tasks.schemes.math.kinds.choice import Choice, Label, as_whole
from rlvr_fast.tasks.schemes.math.kinds.expression import Expression
from rlvr_fast.tasks.schemes.math.kinds.words import Words
from rlvr_fast.tasks.schemes.math.parts.matching import all_in_order, all_matched
from rlvr_fast.tasks.schemes.math.parts.permutations import permuted, without_permutations
from rlvr_fast.tasks.schemes.math.parts.relation_values import Named
from rlvr_fast.tasks.schemes.math.parts.splitting import CONJUNCTION, enclosed, is_or, split
from rlvr_fast.tasks.schemes.math.parts.substitution import symbols
from rlvr_fast.tasks.schemes.math.terms.nodes import Call, Symbol
from rlvr_fast.tasks.schemes.math.values import Read, Same, Unread, Value

__all__ = ["Collection", "Cycles", "List", "Set", "Tuple", "compare", "flat", "read"]


@dataclass(frozen=True, slots=True)
class Collection(Value):
    """Anything with parts."""

    parts: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class List(Collection):
    """Parts without brackets: their order does not count, but how often each is there.

    Attributes:
        parts: the parts.
        alternatives: whether the text says "or": such a list is no tuple.
    """

    alternatives: bool = False


@dataclass(frozen=True, slots=True)
class Set(Collection):
    """Parts in braces: neither order nor repetition counts."""


@dataclass(frozen=True, slots=True)
class Tuple(Collection):
    r"""Parts in brackets, in order; "" is the bracket of a sequence such as `1 2 3`."""

    bracket: str = "("


@dataclass(frozen=True, slots=True)
class Cycles(Value):
    """A permutation in cycle notation.

    Attributes:
        cycles: each cycle starts with its least element.
        product: the same text as a product of numbers; None where it is none.
    """

    cycles: frozenset[tuple[str, ...]]
    product: Value | None = None


_CYCLES = re.compile(r"(?:\(\s*[0-9]+(?:[\s~]+[0-9]+)*\s*\)\s*)+")
_CYCLE = re.compile(r"\(([^()]*)\)")
_SEQUENCE = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?(?:[\s~]+[+-]?[0-9]+(?:\.[0-9]+)?)+")
_ANGLES = re.compile(r"<([^<>]*[,;][^<>]*)>")
# Tuples with a wide space between them.
_SPACED = re.compile(r"\([^()]*,[^()]*\)(?: \([^()]*,[^()]*\))+")
_ROMAN = re.compile(r"[IVX]{1,6}")
_BOTH = re.compile(r"^(?:both (?=.*\band\b)|either (?=.*\bor\b))", re.I)
_PAIRS = {("(", ")"): "(", ("[", "]"): "[", ("\\langle", "\\rangle"): "("}


def read(text: str, read: Read) -> Value | None:
    """The value of a text that has parts; see `kinds`."""
    if _CYCLES.fullmatch(text):
        cycles = _cycles(text)
        if cycles is not None:
            return cycles
    if _SEQUENCE.fullmatch(text):
        return Tuple(tuple(read(part) for part in text.replace("~", " ").split()), "")
    if "permutation" in text:
        return _permutations(text, read)
    angles = _ANGLES.fullmatch(text)
    brackets = ("(", angles[1], ")") if angles else enclosed(text)
    if brackets is not None:
        return _bracketed(*brackets, read)
    if _SPACED.fullmatch(text):
        text = text.replace(") (", "), (")
    parts = split(_BOTH.sub("", text), CONJUNCTION)
    if parts is None or not parts.marks:
        return None
    values = _values(parts.parts, read)
    return None if values is None else List(tuple(flat(values)), any(map(is_or, parts.marks)))


def _permutations(text: str, read: Read) -> Value | None:
    """`(1,2,3) and permutations` as a list of tuples."""
    rest = without_permutations(text)
    value = None if rest is None else read(rest)
    parts = value.parts if isinstance(value, List | Set) else (value,)
    tuples = [part for part in parts if isinstance(part, Tuple) and part.bracket == "("]
    found = permuted([part.parts for part in tuples])
    if len(tuples) < len(parts) or not found:
        return None
    return List(tuple(map(Tuple, found))) if len(found) > 1 else Tuple(found[0])


def _values(parts: Sequence[str], read: Read) -> list[Value] | None:
    if not all(parts):
        return None
    values = []
    for part in parts:
        value = read(part)
        if isinstance(value, Unread):
            return None
        values.append(value)
    return values


def _bracketed(opening: str, inside: str, closing: str, read: Read) -> Value | None:
    braces = opening in ("{", "\\{") and closing in ("}", "\\}")
    bracket = _PAIRS.get((opening, closing))
    if not braces and bracket is None:
        return None
    parts = split(inside, CONJUNCTION)
    if parts is None or not inside:
        return None
    if not parts.marks:
        value = read(inside)
        if isinstance(value, Unread):
            return None
        if opening == "\\{" or bracket == "[":
            return Set(tuple(flat((value,)))) if braces else Tuple((value,), "[")
        if isinstance(value, Tuple) and not value.bracket:
            return Tuple(value.parts, bracket or "(")
        return value
    values = _values(parts.parts, read)
    if values is None:
        return None
    if braces and all(isinstance(value, Named) for value in values):
        return List(tuple(values))
    if braces:
        return Set(tuple(flat(values)))
    return Tuple(tuple(values), bracket or "(")


def flat(values: Iterable[Value]) -> list[Value]:
    r"""The parts, with the parts of a list such as `\pm 3` in its place."""
    found: list[Value] = []
    for value in values:
        found += value.parts if isinstance(value, List) else (value,)
    return found


def _cycles(text: str) -> Value | None:
    r"""`(1 2 3)(4 5)` and `(123)(45)`; one group of digits without spaces is a number."""
    groups = [match[1].replace("~", " ").split() for match in _CYCLE.finditer(text)]
    if all(len(group) == 1 for group in groups):
        if len(groups) < 2 or any(len(group[0]) < 2 for group in groups):
            return None
        groups = [list(group[0]) for group in groups]
    elements = [element for group in groups for element in group]
    if len(set(elements)) != len(elements):
        return None
    cycles = set()
    for group in groups:
        least = group.index(min(group, key=int))
        if len(group) > 1:
            cycles.add((*group[least:], *group[:least]))
    return Cycles(frozenset(cycles))


def _distinct(parts: Sequence[Value], same: Same) -> list[Value]:
    if len(parts) > 64:
        return list(parts)
    found: list[Value] = []
    for part in parts:
        if not any(same(other, part) for other in found):
            found.append(part)
    return found


def compare(gold: Value, answer: Value, same: Same) -> bool | None:
    """Whether two collections agree; see `kinds`."""
    if isinstance(gold, Cycles) and isinstance(answer, Cycles):
        return gold.cycles == answer.cycles
    if isinstance(gold, Tuple) and isinstance(answer, Expression) and len(gold.parts) > 1:
        # P(3, -13) is a point with its name
        point = answer.term
        if isinstance(point, Call) and len(point.name) == 1 and point.name.isupper():
            return all_in_order(gold.parts, tuple(map(Expression, point.arguments)), same)
    pair = isinstance(gold, Collection) and isinstance(answer, Collection)
    if not pair or _is_one_tuple(gold) != _is_one_tuple(answer):
        return _single(gold, answer, same)
    assert isinstance(gold, Collection)
    assert isinstance(answer, Collection)
    if isinstance(gold, Tuple) and isinstance(answer, Tuple):
        if len(gold.parts) == 2 and {gold.bracket, answer.bracket} == {"(", "["}:
            return False  # two intervals
        return all_in_order(gold.parts, answer.parts, same)
    if isinstance(gold, Tuple) or isinstance(answer, Tuple):
        other = answer if isinstance(gold, Tuple) else gold
        if isinstance(other, Set) or (isinstance(other, List) and other.alternatives):
            return False
        if isinstance(gold, Tuple) and gold.bracket == "[" and len(gold.parts) == 2:
            return False
        return all_in_order(gold.parts, answer.parts, same)

    named = any(_is_label(part) for part in gold.parts)
    if named and _says_or(answer) != _says_or(gold):
        return False  # numbers are also listed with "or", as x = 1 or x = 2

    letters = isinstance(gold, List) and all(isinstance(part, Choice) for part in gold.parts)
    letters = letters and all(isinstance(part, Expression) for part in answer.parts)

    def one(first: Value, second: Value) -> bool:
        if letters:
            first, second = as_whole(first, second)
        # Inside a collection, a set of one value is not that value.
        return isinstance(first, Set) == isinstance(second, Set) and same(first, second)

    if isinstance(gold, List) and isinstance(answer, List):
        return all_matched(gold.parts, answer.parts, one)
    return all_matched(_distinct(gold.parts, one), _distinct(answer.parts, one), one)


def _is_label(value: Value) -> bool:
    """Whether a value is a word or the name of a choice, such as (A) and III."""
    if isinstance(value, Expression) and isinstance(value.term, Symbol):
        return _ROMAN.fullmatch(value.term.name) is not None
    return isinstance(value, Choice | Label | Words)


def _says_or(value: Value) -> bool:
    return isinstance(value, List) and value.alternatives


def _is_one_tuple(value: Value) -> bool:
    """Whether a value is a set of one tuple."""
    return isinstance(value, Set) and len(value.parts) == 1 and isinstance(value.parts[0], Tuple)


def _run(several: List) -> str | None:
    """The letters of a list of choices in their order in the alphabet."""
    letters = [p.letter for p in several.parts if isinstance(p, Choice) and p.content is None]
    if len(letters) < len(several.parts) or len(set(letters)) < len(letters):
        return None
    return None if several.alternatives or len(letters) < 2 else "".join(sorted(letters))


def _single(gold: Value, answer: Value, same: Same) -> bool | None:
    """A set of one number is that number."""
    for letters, several in ((gold, answer), (answer, gold)):
        run = _run(several) if isinstance(several, List) else None
        if run is not None and isinstance(letters, Expression):
            return letters.term == Symbol(run)
    for collection, other, swapped in ((gold, answer, False), (answer, gold, True)):
        if isinstance(collection, List | Set) and isinstance(other, Expression | Tuple):
            parts: Sequence[Value] = collection.parts
            if isinstance(collection, Set):
                parts = _distinct(parts, same)
            if len(parts) != 1 or not isinstance(parts[0], Expression | Tuple):
                return False
            if isinstance(collection, Set) and symbols(parts[0]):
                return False  # perhaps a fractional part
            return same(other, parts[0]) if swapped else same(parts[0], other)
    return None
