"""Several relations in one text, read together."""

from __future__ import annotations

from collections.abc import Sequence

from rlvr_fast.tasks.schemes.math.kinds.collection import Collection, List, Tuple, flat
from rlvr_fast.tasks.schemes.math.kinds.congruence import Congruence
from rlvr_fast.tasks.schemes.math.kinds.ellipsis import Ellipsis
from rlvr_fast.tasks.schemes.math.kinds.expression import Expression
from rlvr_fast.tasks.schemes.math.kinds.real_set import (
    Interval,
    NamedSet,
    Operation,
    as_set,
    integers_in,
    is_empty,
    points,
    without,
)
from rlvr_fast.tasks.schemes.math.parts.relation_values import Family, Named, Relation
from rlvr_fast.tasks.schemes.math.parts.substitution import symbols
from rlvr_fast.tasks.schemes.math.terms.nodes import Call, Symbol
from rlvr_fast.tasks.schemes.math.values import Value

__all__ = ["together"]


def together(values: Sequence[Value], alternatives: bool) -> Value:
    """One value of several relations and bare values beside them.

    Args:
        values: the relations in the order of the text.
        alternatives: whether "or" stands between them.
    """
    members = _continued(values)
    parameters = [member for member in members if _is_parameter(member, members)]
    rest = [member for member in members if member not in parameters]
    if parameters and rest:
        return Family(
            together(rest, alternatives),
            tuple(
                (_symbol(member), member.value)
                for member in parameters
                if isinstance(member, Named)
            ),
        )
    first = members[0]
    if len(members) == 1:
        return first
    if isinstance(first, Named) and all(
        isinstance(member, Named) and member.name == first.name for member in members
    ):
        return _of_one_name([m for m in members if isinstance(m, Named)], alternatives)
    return List(tuple(members), alternatives)


def _continued(values: Sequence[Value]) -> list[Value]:
    r"""`x = 1, 2` as x = 1, x = 2; `x \ne 1, 2` likewise; `k, n \in Z` as k in Z, n in Z."""
    members: list[Value] = []
    for index, value in enumerate(values):
        last = members[-1] if members else None
        if _is_in_a_set(values, index):
            last = None  # a of "f(x) = ax + b, a, b in R"
        if isinstance(last, Named) and not isinstance(value, Named | Relation | Congruence):
            sign = last.source.signs[0] if len(last.source.signs) == 1 else ""
            source = Relation((sign,), (last.name, value))
            if sign == "=":
                value = Named(last.name, value, source)
            elif sign == "!=" and isinstance(value, Expression):
                value = Named(last.name, without(value.term), source)
        if isinstance(value, Named) and value.source.signs == ("in",):
            for index in range(len(members) - 1, -1, -1):
                other = members[index]
                if not (isinstance(other, Expression) and isinstance(other.term, Symbol)):
                    break
                members[index] = Named(other, value.value, value.source)
        members.append(value)
    return members


def _is_in_a_set(values: Sequence[Value], index: int) -> bool:
    """Whether a symbol is the first of several of which the last is said to be in a set."""
    for value in values[index:]:
        if isinstance(value, Named):
            return value.source.signs == ("in",)
        if not (isinstance(value, Expression) and isinstance(value.term, Symbol)):
            return False
    return False


def _symbol(value: Value) -> str:
    if not isinstance(value, Named) or not isinstance(value.name, Expression):
        return ""
    term = value.name.term
    return term.name if isinstance(term, Symbol) else ""


def _is_parameter(member: Value, members: Sequence[Value]) -> bool:
    """Whether a member only says over which set a symbol of another member runs."""
    name = _symbol(member)
    if not name or not isinstance(member, Named):
        return False
    domain = member.value
    if as_set(domain) is None and not isinstance(domain, Collection | Ellipsis):
        return False
    return any(
        name in _depends_on(other) and _symbol(other) != name
        for other in members
        if other is not member
    )


def _depends_on(value: Value) -> frozenset[str]:
    """The symbols in a value, those of the arguments of f(x) among them, but no name."""
    if not isinstance(value, Named):
        return symbols(value)
    named = value.name.term if isinstance(value.name, Expression) else None
    arguments = symbols(named.arguments) if isinstance(named, Call) else frozenset()
    return symbols(value.value) | arguments


def _of_one_name(members: Sequence[Named], alternatives: bool) -> Value:
    """All values that several relations give to one name."""
    first = members[0]
    equations = [
        member.source.signs in (("=",), ("in",))
        or (member.source.signs == ("",) and isinstance(member.value, List))
        for member in members
    ]
    if all(equations) and not (alternatives and any(_is_range(m.value) for m in members)):
        listed = flat(member.value for member in members)
        return _named(first.name, List(tuple(listed), alternatives))
    sets = []
    for member in members:
        value = as_set(member.value)
        if value is None and isinstance(member.value, Expression):
            value = points((member.value.term,))
        if value is None:
            return List(tuple(members), alternatives)
        sets.append(value)
    both: Value = Operation("intersection", tuple(sets))
    if len(sets) == 2:
        domain, within = sorted(sets, key=lambda part: not isinstance(part, NamedSet))
        both = integers_in(domain, within) or both
    # "x < 1, x > 3" and "x < 1 and x > 3" hold for no x: they list two parts of one set
    # "x is not 1 or x is not 2" excludes both
    if all(member.source.signs == ("!=",) for member in members):
        return _named(first.name, both)
    if alternatives or is_empty(both):
        return _named(first.name, Operation("union", tuple(sets)))
    return _named(first.name, both)


def _is_range(value: Value) -> bool:
    """Whether a value is a set that is no list of its elements."""
    closed = isinstance(value, Tuple) and value.bracket == "[" and len(value.parts) == 2
    return closed or isinstance(value, Interval | Operation)


def _named(name: Value, value: Value) -> Named:
    """A value that several relations give; they are no single equation or inequality."""
    return Named(name, value, Relation(("",), (name, value)))
