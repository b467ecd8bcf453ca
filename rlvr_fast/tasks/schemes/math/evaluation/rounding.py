"""Whether a decimal of many digits is a rounded value."""

from __future__ import annotations

from fractions import Fraction

from flint import acb, ctx, fmpq

from rlvr_fast.tasks.schemes.math.evaluation.balls import Evaluation
from rlvr_fast.tasks.schemes.math.evaluation.decimals import ends, first_place
from rlvr_fast.tasks.schemes.math.evaluation.outcomes import Budget, NoValue
from rlvr_fast.tasks.schemes.math.terms.nodes import Term

__all__ = ["rounds_to"]

# A decimal of so many digits may be a rounded value.
_ROUNDED_DIGITS = 7
# As many digits as a program prints of a floating-point number, whose last bits it rounds.
_DOUBLE_DIGITS = (16, 17)
_DOUBLE_ERROR = fmpq(1, 2**51)


def rounds_to(
    term: Term, decimal: Fraction, digits: int, decimal_log: bool, budget: Budget
) -> bool:
    """Whether a value that does not end is, rounded or cut to some digits, a decimal."""
    if digits < _ROUNDED_DIGITS or decimal == 0:
        return False
    ctx.prec = 128 + 4 * digits
    evaluation = Evaluation({}, budget, real=False, decimal_log=decimal_log, settled=True)
    try:
        value = evaluation.collapsed(evaluation.value(term))
    except NoValue:
        return False
    if isinstance(value, acb) or (isinstance(value, fmpq) and ends(int(value.q))):
        return False
    last = fmpq(10) ** (first_place(abs(decimal)) - digits + 1)
    exact = fmpq(decimal.numerator, decimal.denominator)
    if digits in _DOUBLE_DIGITS and abs(value - exact) < abs(exact) * _DOUBLE_ERROR:
        return True
    beyond = (value - exact) * (1 if decimal > 0 else -1)
    return bool(beyond >= -last / 2 and beyond < last)
