"""From what number on a set holds all integers: n >= 2, 2, 3, 4, ..., all integers n > 1."""

from __future__ import annotations

from rlvr_fast.tasks.schemes.math.kinds.ellipsis import Ellipsis
from rlvr_fast.tasks.schemes.math.kinds.expression import Expression
from rlvr_fast.tasks.schemes.math.kinds.real_set import Interval, NamedSet, Operation, points
from rlvr_fast.tasks.schemes.math.parts.ordering import ZERO, whole
from rlvr_fast.tasks.schemes.math.parts.progressions import progression
from rlvr_fast.tasks.schemes.math.parts.relation_values import Named
from rlvr_fast.tasks.schemes.math.terms.nodes import Symbol
from rlvr_fast.tasks.schemes.math.values import Value

__all__ = ["first_integer", "is_integer_name"]

# Usual names of integers.
_NAMES = frozenset("ijklmn")
_ZERO = points((ZERO,))
_POSITIVE = ("N", "Z+", "N+", "N*")
_NOT_NEGATIVE = ("Z0+", "N0+")


def is_integer_name(value: Value) -> bool:
    """Whether a value is a usual name of an integer, such as n."""
    if not isinstance(value, Expression) or not isinstance(value.term, Symbol):
        return False
    return value.term.name in _NAMES


def first_integer(value: Value, integers: bool = False) -> int | None:
    r"""The least element of a set of all integers from it on; None of every other value.

    Args:
        value: the value: "2, 3, 4, ...", the positive integers, `\{n \in Z : n \ge 2\}`, `n \ge 2`.
        integers: whether it is known that only integers are meant.

    Example:
        >>> first_integer(NamedSet("Z+"))
        1
    """
    if isinstance(value, Named):
        return first_integer(value.value, integers or is_integer_name(value.name))
    if isinstance(value, NamedSet):
        return 1 if value.name in _POSITIVE else 0 if value.name in _NOT_NEGATIVE else None
    if isinstance(value, Operation) and value.name == "intersection" and len(value.parts) == 2:
        domain, part = sorted(value.parts, key=lambda part: not isinstance(part, NamedSet))
        start = first_integer(part, isinstance(domain, NamedSet))
        if start is None or domain == NamedSet("Z"):
            return start
        least = first_integer(domain)
        return None if least is None else max(start, least)
    if isinstance(value, Operation) and value.name == "union" and _ZERO in value.parts:
        others = [first_integer(part) for part in value.parts if part != _ZERO]
        return 0 if others in ([0], [1]) else None
    if isinstance(value, Ellipsis) and value.separator == "," and not value.bracket:
        known = progression(value.groups)
        if known is None or known.geometric or known.step != 1 or known.last is not None:
            return None
        return int(known.first) if known.first.denominator == 1 else None
    if isinstance(value, Interval) and integers:
        if value.lower is None or value.upper is not None:
            return None
        start = whole(value.lower)
        return None if start is None else start + (not value.with_lower)
    return None
