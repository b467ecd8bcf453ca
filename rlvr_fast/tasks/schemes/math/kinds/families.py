"""Families of values with parameters, such as all k + 1/2 with k an integer."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction

from rlvr_fast.tasks.schemes.math.kinds.real_set import NamedSet
from rlvr_fast.tasks.schemes.math.kinds.relation_values import Family
from rlvr_fast.tasks.schemes.math.kinds.substitution import put, symbols
from rlvr_fast.tasks.schemes.math.terms.nodes import Add, Mul, Number, Symbol, Term
from rlvr_fast.tasks.schemes.math.values import Same, Value

__all__ = ["same_families"]

_INTEGERS = NamedSet("Z")
# A parameter over all integers may be shifted: 2k + 1 and 2k - 1 are one family.
_SHIFTS = (0, 1, -1, 2, -2, 3, -3)
_MOST_PARAMETERS = 3


def same_families(gold: Value, answer: Value, same: Same) -> bool:
    """Whether two families agree, in whatever names their parameters have.

    Without a set for its parameters a formula is taken to hold for all integers.
    """
    first, second = _family(gold, answer), _family(answer, gold)
    if first is None or second is None:
        return False
    if len(first.parameters) != len(second.parameters) or len(first.parameters) > _MOST_PARAMETERS:
        return False
    return any(
        same(first.body, body)
        for order in itertools.permutations(second.parameters)
        for body in _renamed(first, second, order, same)
    )


def _family(value: Value, other: Value) -> Family | None:
    """The value as a family: with the integers for the parameters that it does not declare."""
    if isinstance(value, Family):
        return value
    if not isinstance(other, Family):
        return None
    if any(domain != _INTEGERS for _, domain in other.parameters):
        return None
    names = symbols(value)
    declared = [name for name, _ in other.parameters]
    if not names >= set(declared):
        free = sorted(names - symbols(other.body))
        if len(declared) != 1 or len(free) != 1:
            return None
        declared = free
    return Family(value, tuple((name, _INTEGERS) for name in declared))


def _renamed(
    gold: Family, answer: Family, order: tuple[tuple[str, Value], ...], same: Same
) -> Iterator[Value]:
    """The body of the answer with the gold's parameters, in each way that keeps the family."""
    choices: list[list[Term]] = []
    for (name, domain), (old, other) in zip(gold.parameters, order, strict=True):
        over_integers = isinstance(domain, NamedSet)
        if not same(domain, other) or (name != old and not over_integers and not _discrete(domain)):
            return
        symbol = Symbol(name)
        choices.append([symbol])
        if domain == _INTEGERS and len(order) == 1:
            minus = Mul((Number(Fraction(-1)), symbol))
            choices[-1] = [
                Add((part, Number(Fraction(shift)))) if shift else part
                for shift in _SHIFTS
                for part in (symbol, minus)
            ]
    if {name for name, _ in gold.parameters} & (
        symbols(answer.body) - {old for old, _ in answer.parameters}
    ):
        return
    for terms in itertools.product(*choices):
        renamed = {old: term for (old, _), term in zip(order, terms, strict=True)}
        yield put(answer.body, renamed)


def _discrete(domain: Value) -> bool:
    return type(domain).__name__ in ("Ellipsis", "Set", "List", "Tuple")
