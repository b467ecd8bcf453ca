"""Odd roots of negative numbers that are written as powers."""

from __future__ import annotations

from fractions import Fraction

from rlvr_fast.tasks.schemes.math.terms.nodes import Add, Mul, Number, Pow, Root, Term

__all__ = ["with_real_roots"]


def with_real_roots(term: Term) -> Term:
    """The term with real roots for powers of negative numbers; the same object if it has none.

    A power is on its principal branch, so that (-8)^{1/3} is not real. Sums and products are
    searched, and nothing deeper.

    Example:
        >>> with_real_roots(Pow(Number(Fraction(-8)), Number(Fraction(1, 3))))
        Pow(base=Root(degree=Number(value=Fraction(3, 1), digits=0), \
inside=Number(value=Fraction(-8, 1), digits=0)), exponent=Number(value=Fraction(1, 1), digits=0))
    """
    if isinstance(term, Add | Mul):
        parts = tuple(map(with_real_roots, term.parts))
        changed = any(new is not old for new, old in zip(parts, term.parts, strict=True))
        return type(term)(parts) if changed else term
    if not isinstance(term, Pow) or not isinstance(term.base, Number) or term.base.value >= 0:
        return term
    exponent = _rational(term.exponent)
    if exponent is None or exponent.denominator == 1 or exponent.denominator % 2 == 0:
        return term
    root = Root(Number(Fraction(exponent.denominator)), term.base)
    return Pow(root, Number(Fraction(exponent.numerator)))


def _rational(term: Term) -> Fraction | None:
    """The value of a number or of a quotient of two; None of every other term."""
    if isinstance(term, Number):
        return term.value
    if isinstance(term, Mul) and len(term.parts) == 2:
        upper, lower = term.parts
        if not (isinstance(upper, Number) and isinstance(lower, Pow)):
            return None
        if isinstance(lower.base, Number) and lower.exponent == Number(Fraction(-1)):
            return upper.value / lower.base.value if lower.base.value else None
    return None
