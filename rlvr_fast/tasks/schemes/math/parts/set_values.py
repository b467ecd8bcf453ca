"""The values of sets of numbers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rlvr_fast.tasks.schemes.math.terms.nodes import Term
from rlvr_fast.tasks.schemes.math.values import Value

__all__ = [
    "EMPTY",
    "REALS",
    "Interval",
    "NamedSet",
    "Operation",
    "SetOf",
    "points",
    "without",
]


@dataclass(frozen=True, slots=True)
class Interval(Value):
    """An interval; an end that is None is infinite."""

    lower: Term | None
    with_lower: bool
    upper: Term | None
    with_upper: bool


@dataclass(frozen=True, slots=True)
class NamedSet(Value):
    """A set of numbers that has a name and is no interval: the integers and the like."""

    name: str


@dataclass(frozen=True, slots=True)
class Operation(Value):
    """A union, an intersection or a difference ("union", "intersection", "minus") of sets."""

    name: str
    parts: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class SetOf(Value):
    r"""A set in set-builder notation whose condition is no interval: `\{x : f(x) = 0\}`."""

    element: Value
    condition: Value


REALS = Interval(None, False, None, False)
EMPTY = Operation("union", ())


def without(*terms: Term) -> Operation:
    """The real numbers but some."""
    return Operation("minus", (REALS, points(terms)))


def points(terms: Iterable[Term]) -> Value:
    """The set of some numbers."""
    return Operation("union", tuple(Interval(term, True, term, True) for term in terms))
