"""Why a term has no value, and how much work may be spent on the search for it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

__all__ = [
    "Budget", "NoValue", "OutOfBudget", "TooMuch", "Undecided", "Undefined", "shared_budget",
    "sharing",
]  # fmt: skip


class NoValue(ArithmeticError):
    """A term was not evaluated."""


class Undefined(NoValue):
    """The term has no value there, such as 1/0 or the logarithm of a negative real number."""


class Undecided(NoValue):
    """The balls are too wide to tell; more bits may help."""


class TooMuch(NoValue):
    """The value is too large, or the operator too long, to be evaluated there."""


class OutOfBudget(Exception):
    """The comparison of two terms takes more work than it may."""


class Budget:
    """The work that the reading or the comparison of one answer may take, in nodes evaluated."""

    def __init__(self, nodes: int = 400_000) -> None:
        self.nodes = nodes

    def spend(self, nodes: int = 1) -> None:
        """Counts nodes, or what takes as long.

        Raises:
            OutOfBudget: none is left.
        """
        self.nodes -= nodes
        if self.nodes < 0:
            raise OutOfBudget


_shared: ContextVar[Budget | None] = ContextVar("_shared", default=None)


@contextlib.contextmanager
def sharing() -> Iterator[None]:
    """Inside, all comparisons of terms share one budget: an answer may have many parts."""
    if _shared.get() is not None:
        yield
        return
    token = _shared.set(Budget())
    try:
        yield
    finally:
        _shared.reset(token)


def shared_budget() -> Budget:
    """The budget that is shared here; a new one where none is."""
    return _shared.get() or Budget()
