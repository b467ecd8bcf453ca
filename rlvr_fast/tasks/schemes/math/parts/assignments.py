"""Several names with a value each: x = 1, y = 2."""

from __future__ import annotations

from collections.abc import Sequence

from rlvr_fast.tasks.schemes.math.kinds.collection import Collection, List, Set, Tuple
from rlvr_fast.tasks.schemes.math.kinds.expression import Expression
from rlvr_fast.tasks.schemes.math.kinds.matrix import Matrix, cells
from rlvr_fast.tasks.schemes.math.parts.matching import all_in_order
from rlvr_fast.tasks.schemes.math.parts.relation_values import Named, Relation
from rlvr_fast.tasks.schemes.math.terms.nodes import Symbol
from rlvr_fast.tasks.schemes.math.values import Same, Value

__all__ = ["expanded_names", "has_names", "same_assignments"]

_AXES: list[Value] = [Expression(Symbol(name)) for name in "xyz"]


def expanded_names(value: Named) -> Value | None:
    """`(x, y) = (1, 2)` as x = 1, y = 2; a list of tuples as a list of such lists."""
    if not isinstance(value.name, Tuple):
        return None
    if isinstance(value.value, Tuple | Matrix):
        names = value.name.parts
        parts = value.value.parts if isinstance(value.value, Tuple) else cells(value.value)
        if len(names) != len(parts):
            return None
        return List(
            tuple(
                Named(name, part, Relation(("=",), (name, part)))
                for name, part in zip(names, parts, strict=True)
            )
        )
    if isinstance(value.value, List | Set):
        found = [
            expanded_names(Named(value.name, part, value.source)) for part in value.value.parts
        ]
        known = tuple(part for part in found if part is not None)
        return List(known) if len(known) == len(found) else None
    return None


def _says_or(value: Value) -> bool:
    return isinstance(value, List) and value.alternatives


def _has_name(value: Collection) -> bool:
    return any(isinstance(part, Named) for part in value.parts)


def has_names(value: Value) -> bool:
    """Whether a value is a list of named values, or of such lists."""
    return isinstance(value, List) and any(
        isinstance(part, Named) or has_names(part) for part in value.parts
    )


def same_assignments(gold: Value, answer: Value, same: Same) -> bool | None:
    """`x = 1, y = 2` against the bare values 1, 2 in the same order."""
    if not (isinstance(gold, Collection) and isinstance(answer, Collection)):
        return None
    if _says_or(gold) != _says_or(answer) and _has_name(gold) and _has_name(answer):
        return False  # x = 1 or y = 2
    named, other = (gold, answer) if has_names(gold) else (answer, gold)
    if not has_names(named) or has_names(other):
        return None
    if isinstance(other, Set):
        return _in_a_set(named, other, same)
    if all(isinstance(part, List) for part in named.parts):
        return None
    if isinstance(named, List) and named.alternatives:
        return False  # x = 1 or y = 2
    return all_in_order(_ordered(gold), _ordered(answer), same)


def _in_a_set(named: Collection, values: Set, same: Same) -> bool | None:
    r"""`x = 2, y = 1` against a set: no set of numbers says which name has which value.

    The names of several roots (x_1, x_2) do not count; a set of one tuple is that tuple.
    """
    if len(values.parts) == 1 and isinstance(values.parts[0], Tuple):
        return all_in_order(_ordered(named), values.parts[0].parts, same)
    names = [part.name for part in named.parts if isinstance(part, Named)]
    stems = {_without_index(name) for name in names}
    return None if len(names) < len(named.parts) or len(stems) == 1 != len(names) else False


def _without_index(name: Value) -> Value | str:
    """The letter of an indexed name; any other name."""
    if isinstance(name, Expression) and isinstance(name.term, Symbol):
        return name.term.name.partition("_")[0]
    return name


def _ordered(value: Collection) -> Sequence[Value]:
    """The parts in order; coordinates are in the order of the axes, however they are written."""
    names = [part.name if isinstance(part, Named) else None for part in value.parts]
    if len(set(names)) == len(names) and set(names) <= set(_AXES):
        places = [_AXES.index(name) for name in names if name is not None]
        return [value.parts[places.index(place)] for place in sorted(places)]
    return value.parts
