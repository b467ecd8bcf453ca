"""Terms made of terms."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from rlvr_fast.tasks.schemes.math.terms.nodes import Mul, Number, Pow, Term

__all__ = ["MINUS_ONE", "ONE", "THREE", "TWO", "negative", "product", "quotient", "rebuilt"]


MINUS_ONE = Number(Fraction(-1))
ONE = Number(Fraction(1))
TWO = Number(Fraction(2))
THREE = Number(Fraction(3))


def product(factors: list[Term]) -> Term:
    """The product of factors."""
    return factors[0] if len(factors) == 1 else Mul(tuple(factors))


def negative(term: Term) -> Term:
    """The term with the other sign."""
    if isinstance(term, Number):
        return Number(-term.value, term.digits)
    return Mul((MINUS_ONE, term))


def quotient(upper: Term, lower: Term) -> Term:
    """One term over another."""
    return Mul((upper, Pow(lower, MINUS_ONE)))


def rebuilt(term: Term, change: Callable[[Term], Term]) -> Term:
    """The term with each part changed; the same object where no part changes."""

    def inside(part: Any) -> Any:
        if isinstance(part, Term):
            return change(part)
        if isinstance(part, tuple):
            new = tuple(map(inside, part))
            return part if all(a is b for a, b in zip(new, part, strict=True)) else new
        return part

    old = {field.name: getattr(term, field.name) for field in dataclasses.fields(term)}
    new = {name: inside(part) for name, part in old.items()}
    changed = {name: part for name, part in new.items() if part is not old[name]}
    return dataclasses.replace(term, **changed) if changed else term
