r"""Odd roots of numbers that are written as powers: `(-8)^{1/3}`."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from typing import Any

from rlvr_fast.tasks.schemes.math.terms.nodes import Mul, Number, Pow, Root, Term

__all__ = ["with_real_roots"]


def with_real_roots(term: Term) -> Term:
    """A term with the real roots of negative numbers; the same object where it has none."""
    if isinstance(term, Pow) and isinstance(term.base, Number) and term.base.value < 0:
        exponent = _fraction(term.exponent)
        if exponent is not None and exponent.denominator % 2 and exponent.denominator > 1:
            root = Root(Number(Fraction(exponent.denominator)), term.base)
            if exponent.numerator == 1:
                return root
            return Pow(root, Number(Fraction(exponent.numerator)))
    changed = {}
    for field in dataclasses.fields(term):
        old = getattr(term, field.name)
        new = _inside(old)
        if new is not old:
            changed[field.name] = new
    return dataclasses.replace(term, **changed) if changed else term


def _inside(part: Any) -> Any:
    if isinstance(part, Term):
        return with_real_roots(part)
    if isinstance(part, tuple):
        new = tuple(map(_inside, part))
        return part if all(a is b for a, b in zip(new, part, strict=True)) else new
    return part


def _fraction(term: Term) -> Fraction | None:
    """The fraction of two whole numbers that an exponent is."""
    if isinstance(term, Number):
        return None if term.digits else term.value
    if isinstance(term, Mul):
        total = Fraction(1)
        for part in term.parts:
            inverse = isinstance(part, Pow) and part.exponent == Number(Fraction(-1))
            value = _fraction(part.base if inverse and isinstance(part, Pow) else part)
            if value is None or (inverse and not value):
                return None
            total *= 1 / value if inverse else value
        return total
    return None
