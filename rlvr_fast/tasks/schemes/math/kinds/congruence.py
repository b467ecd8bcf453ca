r"""Congruences: `n \equiv 1, 2 \pmod 4`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from rlvr_fast.tasks.schemes.math.kinds.collection import List, flat
from rlvr_fast.tasks.schemes.math.kinds.expression import Expression
from rlvr_fast.tasks.schemes.math.kinds.matching import all_matched
from rlvr_fast.tasks.schemes.math.kinds.relation_values import is_name
from rlvr_fast.tasks.schemes.math.kinds.splitting import CONJUNCTION, split, words
from rlvr_fast.tasks.schemes.math.terms import parse_term
from rlvr_fast.tasks.schemes.math.terms.nodes import Mul, Number
from rlvr_fast.tasks.schemes.math.values import Read, Same, Unread, Value

__all__ = ["Congruence", "compare", "read"]


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


_MODULUS = re.compile(
    r"\s*(?:\\pmod|\\mod|\\bmod|\\pod|\\operatorname\s*\{mod\}|\\text\s*\{\s*\(?mod\s*\}|"
    r"\\mathrm\s*\{\s*mod\s*\}|(?<![A-Za-z\\])mod(?:ulo)?(?![A-Za-z]))\s*"
)
_EQUIVALENT = re.compile(
    r"(?P<not>\\not\s*(?:\\equiv|=)|\\nequiv|\\ncong|≢|\\neq?(?![A-Za-z])|≠)|\\equiv(?![A-Za-z])|≡|\\cong(?![A-Za-z])|="
    + "|"
    + words("is congruent to|congruent to")
)
_IN_BRACKETS = re.compile(
    r"\(\s*((?:\\pmod|\\mod|\\bmod|mod|\\text\s*\{\s*mod\s*\}|\\mathrm\s*\{\s*mod\s*\}|\\operatorname\s*\{\s*mod\s*\})[^()]*)\)"
)


def read(text: str, read: Read) -> Value | None:
    """The value of a text of congruences; see `kinds`."""
    if "mod" not in text:
        return None
    text = _IN_BRACKETS.sub(r" \1", text)
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
            waiting.append(part)
            continue
        congruence = _congruence([*waiting, halves.parts[0]], halves.parts[1], read)
        if congruence is None:
            return None
        found.append(congruence)
        waiting = []
    if waiting or not found:
        return None
    return _merged(found)


def _congruence(left: list[str], modulus_text: str, read: Read) -> Congruence | None:
    """Residues with a name before the first: ["n \\equiv 1", "2"] and "4"."""
    first = split(left[0], _EQUIVALENT, most=2)
    if first is None or len(first.parts) != 2:
        return None
    mark = _EQUIVALENT.fullmatch(first.marks[0])
    if mark is None:
        return None
    name_text, residue_text = first.parts
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
    return Congruence(name, _reduced(values, modulus), modulus, mark["not"] is not None)


def _term(text: str, read: Read) -> Value | None:
    term = parse_term(text)
    if term is not None and is_name(Expression(term)):
        return Expression(term)
    value = read(text)
    return None if isinstance(value, Unread) else value


def integer(value: Value) -> int | None:
    """The integer that a value is; None of every other value."""
    if not isinstance(value, Expression):
        return None
    term, sign = value.term, 1
    if isinstance(term, Mul) and len(term.parts) == 2 and term.parts[0] == Number(Fraction(-1)):
        term, sign = term.parts[1], -1
    if isinstance(term, Number) and term.value.denominator == 1:
        return sign * term.value.numerator
    return None


def _reduced(residues: list[Value], modulus: Value) -> tuple[Value, ...]:
    divisor = integer(modulus)
    if not divisor:
        return tuple(residues)
    found: list[Value] = []
    for residue in residues:
        number = integer(residue)
        if number is not None:
            residue = Expression(Number(Fraction(number % abs(divisor))))
        if residue not in found:
            found.append(residue)
    return tuple(found)


def _merged(congruences: list[Congruence]) -> Value:
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
    return List(tuple(congruences))


def compare(gold: Value, answer: Value, same: Same) -> bool | None:
    """Whether two congruences agree; see `kinds`."""
    if isinstance(gold, Congruence) and isinstance(answer, Congruence):
        if gold.negated != answer.negated or not same(gold.modulus, answer.modulus):
            return False
        if gold.name is None or answer.name is None or same(gold.name, answer.name):
            return all_matched(gold.residues, answer.residues, same)
        # a = b mod m is b = a mod m
        return (
            len(gold.residues) == len(answer.residues) == 1
            and same(gold.name, answer.residues[0])
            and same(gold.residues[0], answer.name)
        )
    if isinstance(gold, Congruence) or isinstance(answer, Congruence):
        return False
    return None
