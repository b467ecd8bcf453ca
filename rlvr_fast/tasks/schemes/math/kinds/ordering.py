"""The order of two real terms without symbols."""

from __future__ import annotations

from rlvr_fast.tasks.schemes.math.kinds.substitution import symbols
from rlvr_fast.tasks.schemes.math.terms import equal_terms
from rlvr_fast.tasks.schemes.math.terms.nodes import Add, Mul, Number, Pow, Term

__all__ = ["order", "sign"]


def order(first: Term, second: Term) -> int | None:
    """-1, 0 or 1 as the first is smaller, equal or larger; None where that is not known."""
    if equal_terms(first, second):
        return 0
    return None


def sign(term: Term) -> int | None:
    """The sign of a term; None where it is not known."""
    return None
