"""The order of two real terms without symbols, by balls."""

from __future__ import annotations

from fractions import Fraction

from flint import acb, ctx, fmpq

from rlvr_fast.tasks.schemes.math.evaluation import equal_terms
from rlvr_fast.tasks.schemes.math.evaluation.balls import Evaluation
from rlvr_fast.tasks.schemes.math.evaluation.outcomes import Budget, NoValue, OutOfBudget
from rlvr_fast.tasks.schemes.math.parts.substitution import symbols
from rlvr_fast.tasks.schemes.math.terms.nodes import Add, Mul, Number, Term

__all__ = ["MINUS", "ZERO", "close", "floor_and_ceil", "nearest", "order", "sign", "whole"]

_PRECISIONS = (64, 256, 1024)
MINUS = Number(Fraction(-1))
ZERO = Number(Fraction(0))
# "The root is about 1.41" is a remark on the root where it is no further off than a twentieth.
_LARGEST = 10**18
_CLOSE = Number(Fraction(1, 20))


def order(first: Term, second: Term) -> int | None:
    """-1, 0 or 1 as the first is smaller, equal or larger; None where that is not known."""
    if first == second or equal_terms(first, second):
        return 0
    return sign(Add((first, Mul((MINUS, second))))) or None


def sign(term: Term) -> int | None:
    """The sign of a real term without symbols; 0 only of a rational; None where not known."""
    if symbols(term):
        return None
    before = ctx.prec
    try:
        for precision in _PRECISIONS:
            ctx.prec = precision
            evaluation = Evaluation({}, Budget(), real=False)
            value = evaluation.value(term)
            if isinstance(value, acb):
                if not value.imag.contains(0):
                    return None
                value = value.real
            if isinstance(value, fmpq):
                return int(value > 0) - int(value < 0)
            if not value.contains(0) and value.is_finite():
                return 1 if value > 0 else -1
    except (NoValue, OutOfBudget, RecursionError):
        return None
    finally:
        ctx.prec = before
    return None


def close(exact: Term, rounded: Term) -> bool:
    """Whether a value is a rounded other one, roughly."""
    difference = Add((exact, Mul((MINUS, rounded))))
    square = Mul((difference, difference))
    bound = Mul((_CLOSE, exact, _CLOSE, exact))
    return sign(Add((bound, Mul((MINUS, square))))) == 1


def whole(term: Term) -> int | None:
    """The integer that a term without symbols is; None of every other term."""
    if symbols(term):
        return None
    before = ctx.prec
    try:
        ctx.prec = _PRECISIONS[0]
        value = Evaluation({}, Budget(), real=False).value(term)
    except (NoValue, OutOfBudget, RecursionError):
        return None
    finally:
        ctx.prec = before
    if isinstance(value, fmpq) and value.q == 1 and abs(value.p) < _LARGEST:
        return int(value.p)
    return None


def floor_and_ceil(term: Term) -> tuple[int, int] | None:
    """The largest integer under and the least one over a real term without symbols."""
    if symbols(term):
        return None
    before = ctx.prec
    try:
        ctx.prec = _PRECISIONS[1]
        value = Evaluation({}, Budget(), real=False).value(term)
    except (NoValue, OutOfBudget, RecursionError):
        return None
    finally:
        ctx.prec = before
    if isinstance(value, acb):
        return None
    low, high = (
        (fmpq(value.floor()), fmpq(value.ceil()))
        if isinstance(value, fmpq)
        else (value.floor().unique_fmpz(), value.ceil().unique_fmpz())
    )
    if low is None or high is None or abs(low) > _LARGEST:
        return None
    return int(low), int(high)


def nearest(term: Term) -> int | None:
    """The integer that a real term without symbols is, as far as its ball tells."""
    if symbols(term):
        return None
    before = ctx.prec
    try:
        ctx.prec = _PRECISIONS[1]
        value = Evaluation({}, Budget(), real=False).value(term)
    except (NoValue, OutOfBudget, RecursionError):
        return None
    finally:
        ctx.prec = before
    if isinstance(value, fmpq):
        return int(value.p) if value.q == 1 and abs(value.p) < _LARGEST else None
    found = (value.real if isinstance(value, acb) else value).unique_fmpz()
    return None if found is None or abs(found) > _LARGEST else int(found)
