"""Inequalities between polynomials in one variable with rational coefficients."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise

from flint import fmpq, fmpq_poly

from rlvr_fast.tasks.schemes.math.parts.ordering import order, sign
from rlvr_fast.tasks.schemes.math.parts.set_values import EMPTY, Interval, Operation
from rlvr_fast.tasks.schemes.math.terms.nodes import Add, Mul, Number, Pow, Root, Symbol, Term
from rlvr_fast.tasks.schemes.math.values import Value

__all__ = ["real_roots", "solution_set"]

_LARGEST_DEGREE = 12
_LARGEST = 10**30


def solution_set(term: Term, name: str, relation: str) -> Value | None:
    """The real numbers for which a polynomial is less than 0, or whatever the relation says.

    Args:
        term: the polynomial, of degree 2 at least.
        name: its variable.
        relation: "<", "<=", ">" or ">=".

    Returns:
        The set; None where the term is no such polynomial, or where its roots are not known: those
        of factors of a degree over 2.
    """
    polynomial = _polynomial(term, name)
    if polynomial is None or polynomial.degree() < 2:
        return None
    roots = _roots(polynomial)
    if roots is None:
        return None
    ends: list[Term | None] = [None, *roots, None]
    wanted, closed = (-1 if relation[0] == "<" else 1), len(relation) == 2
    # Between neighbouring roots the sign is that at any place.
    places = [_between(lower, upper) for lower, upper in pairwise(ends)]
    parts: list[Value] = []
    for (lower, upper), place in zip(pairwise(ends), places, strict=True):
        if place is None:
            return None
        value = polynomial(fmpq(place.numerator, place.denominator))
        if (value > 0) - (value < 0) == wanted:
            parts.append(
                Interval(lower, closed and lower is not None, upper, closed and upper is not None)
            )
    if closed:
        parts += [Interval(root, True, root, True) for root in roots]
    return EMPTY if not parts else parts[0] if len(parts) == 1 else Operation("union", tuple(parts))


def real_roots(term: Term, name: str) -> list[Term] | None:
    """The real roots of a polynomial in ascending order; None where they are not known.

    Args:
        term: the polynomial, of degree 1 at least.
        name: its variable.
    """
    polynomial = _polynomial(term, name)
    return None if polynomial is None or polynomial.degree() < 1 else _roots(polynomial)


def _polynomial(term: Term, name: str) -> fmpq_poly | None:
    if isinstance(term, Number):
        value = term.value
        if max(abs(value.numerator), value.denominator) > _LARGEST:
            return None
        return fmpq_poly([fmpq(value.numerator, value.denominator)])
    if isinstance(term, Symbol):
        return fmpq_poly([0, 1]) if term.name == name else None
    if isinstance(term, Add | Mul):
        total = fmpq_poly([0 if isinstance(term, Add) else 1])
        for part in term.parts:
            other = _polynomial(part, name)
            if other is None:
                return None
            total = total + other if isinstance(term, Add) else total * other
            if total.degree() > _LARGEST_DEGREE:
                return None
        return total
    if isinstance(term, Pow) and isinstance(term.exponent, Number):
        base, exponent = _polynomial(term.base, name), term.exponent.value
        if base is None or exponent.denominator != 1:
            return None
        if exponent < 0:
            constant = base.degree() == 0 and exponent >= -_LARGEST_DEGREE
            return fmpq_poly([1 / base[0] ** -int(exponent)]) if constant else None
        if exponent * max(1, base.degree()) > _LARGEST_DEGREE:
            return None
        return base ** int(exponent)
    return None


def _roots(polynomial: fmpq_poly) -> list[Term] | None:
    """The different real roots in ascending order."""
    found: list[Term] = []
    for factor, _ in polynomial.numer().factor()[1]:
        coefficients = [Fraction(int(value)) for value in factor.coeffs()]
        if len(coefficients) == 2:
            found.append(Number(-coefficients[0] / coefficients[1]))
        elif len(coefficients) == 3:
            c, b, a = coefficients
            square = b * b - 4 * a * c
            if square > 0:
                root = Root(Number(Fraction(2)), Number(square / (4 * a * a)))
                middle = Number(-b / (2 * a))
                found += [Add((middle, Mul((Number(Fraction(-1)), root)))), Add((middle, root))]
        else:
            return None
    for index in range(1, len(found)):
        place = index
        while place and order(found[place - 1], found[place]) == 1:
            found[place - 1], found[place] = found[place], found[place - 1]
            place -= 1
    return found


def _between(lower: Term | None, upper: Term | None) -> Fraction | None:
    """A rational number between two ends; an end that is None is infinite."""
    if lower is None and upper is None:
        return Fraction(0)
    first = _near(lower if lower is not None else upper)
    if first is None:
        return None
    if lower is None or upper is None:
        return first + (1 if upper is None else -1)
    second = _near(upper)
    middle = None if second is None else (first + second) / 2
    if middle is None or not _holds(lower, middle, upper):
        return None
    return middle


def _holds(lower: Term, middle: Fraction, upper: Term) -> bool:
    """Whether a number lies between two ends."""
    number = Number(-middle)
    return sign(Add((lower, number))) == -1 and sign(Add((upper, number))) == 1


def _near(term: Term | None) -> Fraction | None:
    """A rational number close to a real root."""
    if isinstance(term, Number):
        return term.value
    assert isinstance(term, Add)
    middle, rest = term.parts
    assert isinstance(middle, Number)
    minus = isinstance(rest, Mul)
    root = rest.parts[1] if isinstance(rest, Mul) else rest
    assert isinstance(root, Root)
    assert isinstance(root.inside, Number)
    square = root.inside.value
    if square > _LARGEST * _LARGEST:
        return None
    scaled = square.numerator * 10**80 // square.denominator
    value = Fraction(math.isqrt(scaled), 10**40)
    return middle.value - value if minus else middle.value + value
