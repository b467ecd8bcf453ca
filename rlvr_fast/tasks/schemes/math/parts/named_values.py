"""What two values with names have in common beside their names."""

from __future__ import annotations

import re
from typing import cast

from rlvr_fast.tasks.schemes.math.kinds.collection import List, Set, Tuple, flat
from rlvr_fast.tasks.schemes.math.kinds.expression import Expression
from rlvr_fast.tasks.schemes.math.kinds.real_set import (
    REALS,
    Interval,
    NamedSet,
    Operation,
    as_set,
    points,
    same_sets,
)
from rlvr_fast.tasks.schemes.math.parts.integer_sets import first_integer, is_integer_name
from rlvr_fast.tasks.schemes.math.parts.ordering import is_undefined
from rlvr_fast.tasks.schemes.math.parts.relation_values import Family, Named
from rlvr_fast.tasks.schemes.math.parts.set_grid import places_in
from rlvr_fast.tasks.schemes.math.parts.substitution import put, symbols
from rlvr_fast.tasks.schemes.math.terms.nodes import Symbol
from rlvr_fast.tasks.schemes.math.values import Same, Value

__all__ = ["bare_values", "is_point", "is_set_and_element", "same_integers", "without_domain"]

# The usual sets of a function's arguments.
_DOMAINS = [NamedSet(name) for name in ("N", "Z", "Z+", "N+", "Z0+", "Q")]
_SET_NAME = re.compile(r"[A-Z](?:_\w)?")


def without_domain(value: Value, other: Value) -> Value:
    r"""`f(x) = cx, x \in \mathbb{R}` as f(x) = cx, to compare it with a value without sets.

    Only the sets of the arguments and of real constants are left out, which the other side takes
    for granted. A lone constant may have another name there.
    """
    if not isinstance(value, Family) or not isinstance(value.body, Named):
        return value
    arguments, called = symbols(value.body.name), True
    if isinstance(value.body.name, Expression) and isinstance(value.body.name.term, Symbol):
        index = value.body.name.term.name.partition("_")[2]
        arguments, called = frozenset((index,)), len(index) == 1
    known = all(
        domain == REALS
        or (name in arguments and (domain in _DOMAINS or _is_natural(name, domain, value.body)))
        for name, domain in value.parameters
    )
    if not known or not called:
        return value
    constants = [name for name, _ in value.parameters if name not in arguments]
    free = symbols(other.value) - arguments if isinstance(other, Named) else frozenset()
    if len(constants) == len(free) == 1 and not free & symbols(value.body):
        return cast(Value, put(value.body, {constants[0]: Symbol(*free)}))
    return value.body


def _is_natural(name: str, domain: Value, function: Named) -> bool:
    r"""Whether a formula has no value outside of a domain: `f(x) = 1/x, x \ne 0`."""
    if first_integer(domain, is_integer_name(Expression(Symbol(name)))) in (0, 1):
        return True
    within = as_set(domain)
    formula = function.value
    if within is None or not isinstance(formula, Expression) or symbols(formula) != {name}:
        return False
    outside = places_in(Operation("minus", (REALS, within)))
    return bool(outside) and all(
        is_undefined(put(formula.term, {name: place})) for place in outside
    )


def is_point(within: Value, value: Value, same: Same) -> bool:
    r"""Whether an inequality leaves one value: `x^2 \le 0` is x = 0."""
    if not isinstance(within, Interval | Operation) or not isinstance(value, Expression):
        return False
    return same_sets(within, points((value.term,)), same)


def same_integers(gold: Value, answer: Value) -> bool:
    r"""Whether `2, 3, 4, \ldots` and `n \ge 2` are the same integers; of the same name, if any."""
    names = {value.name for value in (gold, answer) if isinstance(value, Named)}
    parts = [value.value if isinstance(value, Named) else value for value in (gold, answer)]
    if len(names) > 1 or all(isinstance(part, Interval) for part in parts):
        return False
    first, second = first_integer(gold), first_integer(answer)
    return first is not None and first == second


def is_set_and_element(first: Named, second: Named) -> bool:
    """Whether D = (0, 1) is beside 0 < x < 1: a set with a name, and a condition on a number."""
    if not (isinstance(first.name, Expression) and isinstance(second.name, Expression)):
        return False
    named, element = first.name.term, second.name.term
    if not (isinstance(named, Symbol) and isinstance(element, Symbol)):
        return False
    return (
        _SET_NAME.fullmatch(named.name) is not None
        and element.name.islower()
        and first.source.signs == ("=",)
        and second.source.signs != ("=",)
        and isinstance(first.value, Tuple | Interval | Operation | Set)
        and isinstance(second.value, Tuple | Interval | Operation | Set)
    )


def bare_values(values: Value) -> Value:
    """The values in a list of named values: all are of one name."""
    if not isinstance(values, List) or not all(isinstance(part, Named) for part in values.parts):
        return values
    return List(tuple(flat(part.value for part in values.parts if isinstance(part, Named))))
