"""Values with words that change them."""

from __future__ import annotations

from dataclasses import dataclass

from rlvr_fast.tasks.schemes.math.values import Value

__all__ = ["Approximately", "Conditional", "Qualified"]


@dataclass(frozen=True, slots=True)
class Qualified(Value):
    """A value with a qualifier in one wording ("increase", "east", "top", "is even")."""

    value: Value
    qualifier: str


@dataclass(frozen=True, slots=True)
class Approximately(Value):
    """A value that the text calls an approximation."""

    value: Value


@dataclass(frozen=True, slots=True)
class Conditional(Value):
    """A value under a condition.

    Attributes:
        value: the value.
        relation: "if", "unless" or "as".
        condition: the condition; `Unread` where it is prose.
    """

    value: Value
    relation: str
    condition: Value
