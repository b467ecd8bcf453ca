r"""Odd roots of numbers that are written as powers: `(-8)^{1/3}`."""

from __future__ import annotations

from fractions import Fraction

from rlvr_fast.tasks.schemes.math.terms.making import rebuilt
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
    return rebuilt(term, with_real_roots)


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
