r"""Congruences: `n \equiv 1, 2 \pmod 4`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from rlvr_fast.tasks.schemes.math.evaluation import equal_terms
from rlvr_fast.tasks.schemes.math.kinds.collection import List, flat
from rlvr_fast.tasks.schemes.math.kinds.expression import Expression
from rlvr_fast.tasks.schemes.math.kinds.real_set import NamedSet
from rlvr_fast.tasks.schemes.math.parsing import parse_term
from rlvr_fast.tasks.schemes.math.parts.matching import all_matched
from rlvr_fast.tasks.schemes.math.parts.ordering import whole
from rlvr_fast.tasks.schemes.math.parts.relation_values import Family, Named, Relation, is_name
from rlvr_fast.tasks.schemes.math.parts.splitting import CONJUNCTION, is_or, split, words
from rlvr_fast.tasks.schemes.math.parts.substitution import put, symbols
from rlvr_fast.tasks.schemes.math.terms.nodes import Add, Call, Mul, Number, Symbol
from rlvr_fast.tasks.schemes.math.values import Read, Same, Unread, Value

__all__ = ["Congruence", "compare", "divisibility", "parity", "read"]


@dataclass(frozen=True, slots=True)
class Congruence(Value):
    """Residues of a name.

    Attributes:
        name: what is congruent; None where nothing stands on the left.
        residues: the residues; integers between 0 and an integer modulus, each once.
        modulus: the modulus.
        negated: whether the name is congruent to none of the residues.
    """

    name: Value | None
    residues: tuple[Value, ...]
    modulus: Value
    negated: bool = False


# The even and the odd integers.
_EVEN_AND_ODD: list[Value] = [NamedSet("2Z"), NamedSet("2Z+1")]
# Usual names of integers.
_INDICES = frozenset("ijklmnt")
# A negated congruence is written as the other residues up to this modulus.
_MOST_RESIDUES = 60
_MOD = r"(?:\\p?mod|\\bmod|\\pod|(?<![A-Za-z\\])mod(?:ulo)?)(?![A-Za-z])"
_MODULUS = re.compile(rf"\s*{_MOD}\s*")
_IN_BRACKETS = re.compile(rf"\(\s*({_MOD}[^()]*)\)")
_EQUIVALENT = re.compile(
    r"(?P<not>\\not\s*(?:\\equiv|=)|\\nequiv|\\ncong|\\neq?(?![A-Za-z]))"
    rf"|\\equiv(?![A-Za-z])|\\cong(?![A-Za-z])|=|{words('is congruent to|congruent to')}"
)
# "n is divisible by 3", "all multiples of 3".
_DIVISIBLE = re.compile(
    r"(?:(?:all|any|every) )?(?:(?:the )?(?:positive )?(?:integers?|numbers?|values of) )?"
    r"(?P<name>\\?[A-Za-z]'*(?:_(?:\w|\{\w+\}))?)?(?: ?(?:is|are|must be|has to be))? ?"
    r"(?P<not>not |in)?(?:divisible by|(?:an? )?(?:integer )?multiples? of) ?(?P<modulus>\S.*)"
)
_PARITY = {"is even": 0, "is odd": 1, "is not even": 1, "is not odd": 0}


def divisibility(text: str, read: Read) -> Value | None:
    """`n is divisible by 3`, `multiples of 3` as congruences; None of every other text.

    Example:
        >>> divisibility("3", lambda part: Expression(Symbol(part)))
    """
    match = _DIVISIBLE.fullmatch(text) if "divisible" in text or "multiple" in text else None
    if match is None or "positive" in text[: match.start("modulus")]:
        return None
    modulus = _term(match["modulus"], read)
    name = _term(match["name"], read) if match["name"] else None
    if not isinstance(modulus, Expression) or (name is None) != (match["name"] is None):
        return None
    return Congruence(name, (Expression(Number(Fraction(0))),), modulus, bool(match["not"]))


def parity(name: Value, qualifier: str) -> Value | None:
    """A name that "is even" or "is odd" as a congruence; None of every other qualifier."""
    if qualifier not in _PARITY or not is_name(name):
        return None
    return Congruence(name, *_modulo_two(_PARITY[qualifier]))


def _modulo_two(residue: int) -> tuple[tuple[Value, ...], Value]:
    """A residue and the modulus 2."""
    return (Expression(Number(Fraction(residue))),), Expression(Number(Fraction(2)))


def read(text: str, read: Read) -> Value | None:
    """The value of a text of congruences; see `kinds`."""
    if "mod" not in text:
        return None
    text, brackets = _IN_BRACKETS.subn(r" \1", text)
    in_brackets = brackets > 0 or "\\pmod" in text or "\\pod" in text
    pieces = split(text, CONJUNCTION)
    if pieces is None:
        return None
    found: list[Congruence] = []
    waiting: list[str] = []
    for part in pieces.parts:
        if not part:
            return None
        halves = split(part, _MODULUS, most=2)
        if halves is None or len(halves.parts) > 2:
            return None
        if len(halves.parts) == 1:
            if waiting and _EQUIVALENT.search(part):
                return None
            waiting.append(part)
            continue
        halves_ = _turned(halves.parts)
        if halves_ is None or (waiting and _EQUIVALENT.search(halves_[0])):
            return None
        congruence = _congruence([*waiting, halves_[0]], halves_[1], in_brackets, read)
        if congruence is None:
            return None
        found.append(congruence)
        waiting = []
    if waiting or not found:
        return None
    return _merged(found, any(map(is_or, pieces.marks)))


def _turned(halves: tuple[str, ...]) -> tuple[str, str] | None:
    r"""`n \bmod 4 = 1` as n = 1 and 4."""
    pieces = split(halves[1], _EQUIVALENT, most=2)
    if pieces is None or len(pieces.parts) > 2:
        return None
    if not pieces.marks:
        return halves[0], halves[1]
    if _EQUIVALENT.search(halves[0]):
        return None
    return f"{halves[0]} {pieces.marks[0]} {pieces.parts[1]}", pieces.parts[0]


def _congruence(
    left: list[str], modulus_text: str, in_brackets: bool, read: Read
) -> Congruence | None:
    r"""Residues with a name before the first: ["n \equiv 1", "2"] and "4"."""
    first = split(left[0], _EQUIVALENT, most=2)
    if first is None or len(first.parts) > 2:
        return None
    negated, name_text, residue_text = False, "", first.parts[-1]
    if first.marks:
        mark = _EQUIVALENT.fullmatch(first.marks[0])
        negated, name_text = mark is not None and mark["not"] is not None, first.parts[0]
    elif len(left) == 1 and not in_brackets:
        return None  # `17 mod 5` is a number
    name = _term(name_text, read) if name_text else None
    residues = [_term(part, read) for part in (residue_text, *left[1:])]
    modulus = _term(
        modulus_text.strip().removesuffix(")")
        if modulus_text.count("(") < modulus_text.count(")")
        else modulus_text,
        read,
    )
    values = flat(value for value in residues if value is not None)
    if modulus is None or None in residues or (name is None and name_text):
        return None
    if not isinstance(modulus, Expression):
        return None
    return Congruence(name, _reduced(values, modulus), modulus, negated)


def _term(text: str, read: Read) -> Value | None:
    term = parse_term(text)
    if term is not None and is_name(Expression(term)):
        return Expression(term)
    value = read(text)
    return None if isinstance(value, Unread) else value


def _reduced(residues: list[Value], modulus: Value) -> tuple[Value, ...]:
    divisor = whole(modulus.term) if isinstance(modulus, Expression) else None
    if not divisor:
        return tuple(residues)
    found: list[Value] = []
    for residue in residues:
        number = whole(residue.term) if isinstance(residue, Expression) else None
        if number is not None:
            residue = Expression(Number(Fraction(number % abs(divisor))))
        if residue not in found:
            found.append(residue)
    return tuple(found)


def _merged(congruences: list[Congruence], alternatives: bool = True) -> Value:
    """Congruences of one name and modulus as one."""
    first = congruences[0]
    rest = congruences[1:]
    if all(
        (other.name is None or other.name == first.name)
        and other.modulus == first.modulus
        and other.negated == first.negated
        for other in rest
    ):
        residues: list[Value] = []
        for congruence in congruences:
            residues += [part for part in congruence.residues if part not in residues]
        return Congruence(first.name, tuple(residues), first.modulus, first.negated)
    return List(tuple(congruences), alternatives)


def compare(gold: Value, answer: Value, same: Same) -> bool | None:
    """Whether two congruences agree; see `kinds`."""
    if not any(_is_one(value) for value in (gold, answer)):
        return None
    first, second = map(_usual, (_as_congruence(gold), _as_congruence(answer)))
    if first is None or second is None:
        # 3 | n is a relation also where it is no congruence
        return False if isinstance(gold, Congruence) or isinstance(answer, Congruence) else None
    if first.negated != second.negated or not same(first.modulus, second.modulus):
        return False
    if first.name is None or second.name is None or same(first.name, second.name):
        return all_matched(first.residues, second.residues, same)
    # a = b mod m is b = a mod m
    return (
        len(first.residues) == len(second.residues) == 1
        and same(first.name, second.residues[0])
        and same(first.residues[0], second.name)
    )


def _usual(value: Congruence | None) -> Congruence | None:
    """A negated congruence as the other residues, where these are few."""
    if value is None or not value.negated or not isinstance(value.modulus, Expression):
        return value
    divisor = whole(value.modulus.term)
    if divisor is None or not 0 < divisor <= _MOST_RESIDUES:
        return value
    residues = [Expression(Number(Fraction(number))) for number in range(divisor)]
    if not all(residue in residues for residue in value.residues):
        return value
    others = tuple(residue for residue in residues if residue not in value.residues)
    return Congruence(value.name, others, value.modulus)


def _is_one(value: Value) -> bool:
    """Whether a value is a congruence, or says one in other words."""
    return isinstance(value, Congruence) or _divides(value) or value in _EVEN_AND_ODD


def _divides(value: Value) -> bool:
    """Whether a value is `3 | n`, or that it does not."""
    if not isinstance(value, Relation) or len(value.sides) != 2:
        return False
    return value.signs in (("divides",), ("not divides",)) and is_name(value.sides[1])


def _as_congruence(value: Value) -> Congruence | None:
    """The value as a congruence: `n = 4k + 1` is n = 1 mod 4, as is `1 mod 4`."""
    if isinstance(value, Congruence):
        return value
    if value in _EVEN_AND_ODD:
        return Congruence(None, *_modulo_two(_EVEN_AND_ODD.index(value)))
    if isinstance(value, Relation) and _divides(value):
        modulus, name = value.sides
        zero = Expression(Number(Fraction(0)))
        return Congruence(name, (zero,), modulus, value.signs[0] != "divides")
    if isinstance(value, Expression) and isinstance(value.term, Call):
        call = value.term
        if call.name == "mod" and len(call.arguments) == 2:
            residue, modulus = map(Expression, call.arguments)
            return Congruence(None, _reduced([residue], modulus), modulus)
    has_domain = isinstance(value, Family)
    if isinstance(value, Family):
        if [domain for _, domain in value.parameters] != [NamedSet("Z")]:
            return None
        value = value.body
        if isinstance(value, Expression):
            return _of_line(None, value)
    if isinstance(value, Named) and isinstance(value.value, List):
        lines = [
            _as_congruence(Named(value.name, part, value.source)) for part in value.value.parts
        ]
        known = [line for line in lines if line is not None]
        merged = _merged(known) if known and len(known) == len(lines) else None
        return merged if isinstance(merged, Congruence) else None
    if not isinstance(value, Named) or not isinstance(value.value, Expression):
        return None
    # y = 2x is a line: only usual names of integers are taken for such without a word
    whole_numbers = has_domain or symbols(value.value) <= _INDICES
    if not whole_numbers or not _is_symbol(value.name):
        return None
    return _of_line(value.name, value.value)


def _is_symbol(value: Value) -> bool:
    """Whether a value is a name without an index: a_n is a sequence."""
    if not isinstance(value, Expression) or not isinstance(value.term, Symbol):
        return False
    return "_" not in value.term.name


def _of_line(called: Value | None, value: Expression) -> Congruence | None:
    """The congruence of the values of a k + b for all integers k."""
    term, names = value.term, symbols(value)
    if len(names) != 1:
        return None
    at = [put(term, {name: Number(Fraction(k)) for name in names}) for k in range(2)]
    ends = [whole(part) for part in at]
    if ends[0] is None or ends[1] is None or abs(ends[1] - ends[0]) < 2:
        return None
    step = ends[1] - ends[0]
    (name,) = names
    line = Add((Mul((Number(Fraction(step)), Symbol(name))), Number(Fraction(ends[0]))))
    if not equal_terms(term, line):
        return None
    modulus = Expression(Number(Fraction(abs(step))))
    residue = Expression(Number(Fraction(ends[0])))
    return Congruence(called, _reduced([residue], modulus), modulus)
