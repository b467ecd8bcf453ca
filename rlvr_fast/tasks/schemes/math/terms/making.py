"""Terms made of terms."""

from __future__ import annotations

from fractions import Fraction

from rlvr_fast.tasks.schemes.math.terms.nodes import Mul, Number, Pow, Term

__all__ = ["MINUS_ONE", "ONE", "THREE", "TWO", "negative", "product", "quotient"]


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
