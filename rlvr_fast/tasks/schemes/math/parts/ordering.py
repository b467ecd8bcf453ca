"""The order of two real terms without symbols, by balls."""

from __future__ import annotations

from fractions import Fraction

from flint import acb, ctx, fmpq

from rlvr_fast.tasks.schemes.math.evaluation import equal_terms
from rlvr_fast.tasks.schemes.math.evaluation.arithmetic import Scalar
from rlvr_fast.tasks.schemes.math.evaluation.balls import Evaluation
from rlvr_fast.tasks.schemes.math.evaluation.outcomes import Budget, NoValue, OutOfBudget, Undefined
from rlvr_fast.tasks.schemes.math.parts.substitution import symbols
from rlvr_fast.tasks.schemes.math.terms.nodes import Add, Mul, Number, Term

__all__ = [
    "MINUS",
    "ZERO",
    "close",
    "floor_and_ceil",
    "is_undefined",
    "nearest",
    "order",
    "sign",
    "whole",
]

_PRECISIONS = (64, 256, 1024)
MINUS = Number(Fraction(-1))
ZERO = Number(Fraction(0))
_LARGEST = 10**18
# "The root is about 1.41" is a remark on the root where it is no further off than a twentieth.
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
    for precision in _PRECISIONS:
        value = _value(term, precision)
        if value is None or (isinstance(value, acb) and not value.imag.contains(0)):
            return None
        if isinstance(value, fmpq):
            return int(value > 0) - int(value < 0)
        real = value.real if isinstance(value, acb) else value
        if not real.contains(0) and real.is_finite():
            return 1 if real > 0 else -1
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
    value = _value(term, _PRECISIONS[0])
    if isinstance(value, fmpq) and value.q == 1 and abs(value.p) < _LARGEST:
        return int(value.p)
    return None


def _value(term: Term, precision: int) -> Scalar | None:
    before = ctx.prec
    try:
        ctx.prec = precision
        return Evaluation({}, Budget(), real=False).value(term)
    except (NoValue, OutOfBudget, RecursionError):
        return None
    finally:
        ctx.prec = before


def is_undefined(term: Term) -> bool:
    """Whether a term without symbols surely has no real value, such as 1/0."""
    before = ctx.prec
    try:
        ctx.prec = _PRECISIONS[0]
        Evaluation({}, Budget(), real=True).value(term)
    except Undefined:
        return True
    except (NoValue, OutOfBudget, RecursionError):
        return False
    finally:
        ctx.prec = before
    return False


def floor_and_ceil(term: Term) -> tuple[int, int] | None:
    """The largest integer under and the least one over a real term without symbols."""
    if symbols(term):
        return None
    value = _value(term, _PRECISIONS[1])
    if value is None or isinstance(value, acb):
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
    value = _value(term, _PRECISIONS[1])
    if value is None:
        return None
    if isinstance(value, fmpq):
        return int(value.p) if value.q == 1 and abs(value.p) < _LARGEST else None
    found = (value.real if isinstance(value, acb) else value).unique_fmpz()
    return None if found is None or abs(found) > _LARGEST else int(found)
