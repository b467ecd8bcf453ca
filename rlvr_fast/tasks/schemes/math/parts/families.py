"""Families of values with parameters, such as all k + 1/2 with k an integer."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from fractions import Fraction

from rlvr_fast.tasks.schemes.math.kinds.collection import Collection, List
from rlvr_fast.tasks.schemes.math.kinds.ellipsis import Ellipsis
from rlvr_fast.tasks.schemes.math.kinds.expression import Expression
from rlvr_fast.tasks.schemes.math.kinds.quantity import Quantity
from rlvr_fast.tasks.schemes.math.kinds.real_set import REALS, NamedSet
from rlvr_fast.tasks.schemes.math.parts.matching import all_matched
from rlvr_fast.tasks.schemes.math.parts.ordering import MINUS, ZERO, nearest
from rlvr_fast.tasks.schemes.math.parts.relation_values import Family, Named
from rlvr_fast.tasks.schemes.math.parts.substitution import put, symbols
from rlvr_fast.tasks.schemes.math.terms.nodes import (
    Add,
    Call,
    Constant,
    Mul,
    Number,
    Pow,
    Symbol,
    Term,
)
from rlvr_fast.tasks.schemes.math.values import Same, Value

__all__ = ["same_families", "same_periodic"]

_INTEGERS = NamedSet("Z")
# Names that a parameter may have that no text declares.
_INDICES = frozenset("ijklmn")
# Names of integers beside a multiple of pi.
_INTEGER_NAMES = frozenset("kmn")
# Names of coordinates and of arguments, which keep them: x > 0 is not y > 0.
_VARIABLES = frozenset("xyz")
_ONE = Number(Fraction(1))
_MOST_PARAMETERS = 3


def same_families(gold: Value, answer: Value, same: Same) -> bool:
    """Whether two families agree, in whatever names their parameters have.

    Without a set for its parameters a formula is taken to hold for all integers. A parameter over
    all integers may be shifted and negated: 2k + 1 and 1 - 2k are one family.
    """
    first, second = _family(gold, answer), _family(answer, gold)
    if first is None or second is None or _free(first) != _free(second):
        return False
    if len(first.parameters) != len(second.parameters) or len(first.parameters) > _MOST_PARAMETERS:
        return False
    golds, answers = _parts(first), _parts(second)
    if len(golds) > 1 or len(answers) > 1:
        return all_matched(golds, answers, same)
    return any(
        same(first.body, body)
        for order in itertools.permutations(second.parameters)
        for body in _renamed(first, second, order, same)
    )


def same_periodic(gold: Named, answer: Named, same: Same) -> bool:
    r"""Whether `x = 1 + k\pi` is `x = 1 + n\pi`, where no word says what k and n are.

    Beside a multiple of pi such a symbol runs over the integers. In n = 2k + 1 it may be any
    number, so that it may have another name only.
    """
    golds, answers = _formulas(gold.value), _formulas(answer.value)
    first, second = symbols(tuple(golds)), symbols(tuple(answers))
    if len(first) != 1 or len(second) != 1 or not first | second <= _INTEGER_NAMES:
        return False
    (name,), (other,) = first, second
    if all(map(_has_turn, golds + answers)):
        return same_families(_periodic(golds, name), _periodic(answers, other), same)
    if gold.name != Expression(Symbol("n")) or name == other or len(golds) != len(answers):
        return False
    renamed = put(tuple(answers), {other: Symbol(name)})
    return all_matched(list(map(Expression, golds)), list(map(Expression, renamed)), same)


def _periodic(terms: Sequence[Term], name: str) -> Family:
    """The values of terms for all integers."""
    values = tuple(map(Expression, terms))
    return Family(List(values) if len(values) > 1 else values[0], ((name, _INTEGERS),))


def _formulas(value: Value) -> list[Term]:
    """The terms of a value or of a list of values, each with a symbol; none of other values.

    A number of metres is a formula: 3m is also a product.
    """
    terms = []
    for part in value.parts if isinstance(value, List) else (value,):
        term = part.term if isinstance(part, Expression) else None
        if isinstance(part, Quantity):
            term = part.product
        if term is None or not symbols(term):
            return []
        terms.append(term)
    return terms


def _has_turn(term: Term) -> bool:
    """Whether a sum has a multiple of pi, or of degrees, by a symbol or a sum with one."""
    for part in term.parts if isinstance(term, Add) else (term,):
        inner = _inner(part)
        varied = [factor for factor in inner if symbols(factor)]
        turns = len(varied) == 1 and isinstance(varied[0], Symbol | Add | Call)
        if turns and any(map(_is_angle, inner)):
            return True
    return False


def _inner(term: Term) -> tuple[Term, ...]:
    if isinstance(term, Mul):
        return tuple(inner for part in term.parts for inner in _inner(part))
    return (term,)


def _is_angle(term: Term) -> bool:
    return term == Constant("pi") or (isinstance(term, Call) and term.name == "degrees")


def _family(value: Value, other: Value) -> Family | None:
    """The value as a family: with the integers for the parameters that it does not declare."""
    if isinstance(value, Family):
        return value
    if not isinstance(other, Family):
        return None
    if any(domain != _INTEGERS for _, domain in other.parameters):
        return None
    names = _of_values(value)
    declared = [name for name, _ in other.parameters]
    if _is_function(value):
        return None  # of f(x) = cx no text says that c is an integer
    if not names >= set(declared):
        free = sorted(names - symbols(other.body))
        if len(declared) != 1 or len(free) != 1 or free[0] not in _INDICES:
            return None
        declared = free
    return Family(value, tuple((name, _INTEGERS) for name in declared))


def _is_function(value: Value) -> bool:
    """Whether a value says what f(x) is."""
    if not isinstance(value, Named) or not isinstance(value.name, Expression):
        return False
    return isinstance(value.name.term, Call)


def _free(family: Family) -> frozenset[str]:
    """The symbols of a family's values, without its parameters and without names of values."""
    return _of_values(family.body) - {name for name, _ in family.parameters}


def _of_values(value: Value) -> frozenset[str]:
    if isinstance(value, Named):
        return _of_values(value.value)
    if isinstance(value, List):
        return frozenset().union(*map(_of_values, value.parts))
    return symbols(value)


def _parts(family: Family) -> list[Value]:
    """A family of several formulas for one name as one family for each."""
    body = family.body
    if isinstance(body, Named) and isinstance(body.value, List):
        bodies: list[Value] = [Named(body.name, part, body.source) for part in body.value.parts]
    elif isinstance(body, List) and all(isinstance(part, Expression) for part in body.parts):
        bodies = list(body.parts)
    else:
        return [family]
    return [Family(part, family.parameters) for part in bodies]


def _renamed(
    gold: Family, answer: Family, order: tuple[tuple[str, Value], ...], same: Same
) -> Iterator[Value]:
    """The body of the answer with the gold's parameters, in each way that keeps the family."""
    for (name, domain), (old, other) in zip(gold.parameters, order, strict=True):
        free = domain == REALS and not {name, old} & _VARIABLES
        listed = isinstance(domain, NamedSet | Collection | Ellipsis)
        renamed = free or listed or {name, old} <= _INDICES
        if not same(domain, other) or (name != old and not renamed):
            return
    if {name for name, _ in gold.parameters} & (
        symbols(answer.body) - {old for old, _ in answer.parameters}
    ):
        return
    new = [Symbol(name) for name, _ in gold.parameters]
    yield put(answer.body, {old: symbol for (old, _), symbol in zip(order, new, strict=True)})
    if len(order) == 1 and order[0][1] == _INTEGERS:
        shift = _shift(gold, answer)
        for part in (new[0], Mul((MINUS, new[0]))):
            yield put(answer.body, {order[0][0]: Add((part, Number(Fraction(shift))))})


def _shift(gold: Family, answer: Family) -> int:
    """By how much the answer's parameter is larger where the gold's is 0, if both are linear."""
    ends: list[Term] = []
    for family in (gold, answer):
        value = family.body.value if isinstance(family.body, Named) else family.body
        if not isinstance(value, Expression):
            return 0
        (name, _) = family.parameters[0]
        ends += [put(value.term, {name: ZERO}), put(value.term, {name: _ONE})]
    start, _, other, following = ends
    step = Add((following, Mul((MINUS, other))))
    distance = Add((start, Mul((MINUS, other))))
    return nearest(Mul((distance, Pow(step, MINUS)))) or 0
