"""Functions with a known meaning, on balls.

A function of real numbers raises `Undefined` where it has no real value, and `Undecided` where the
ball is too wide to tell.
"""

from __future__ import annotations

from collections.abc import Callable

from flint import acb, arb, fmpq

from rlvr_fast.tasks.schemes.math.evaluation.outcomes import Undecided, Undefined

__all__ = ["COMPLEX", "REAL", "complex_log", "complex_sqrt", "real_log", "sign", "size_of"]


def size_of(value: fmpq | arb | acb) -> arb:
    """The absolute value, as a ball."""
    return abs(acb(value))


def sign(value: arb) -> int:
    """The sign of a ball: -1, 0 or 1.

    Raises:
        Undecided: the ball holds zero and other numbers.
    """
    if value > 0:
        return 1
    if value < 0:
        return -1
    if value.is_zero():
        return 0
    raise Undecided


def _is_one(value: arb) -> int:
    """-1, 0 or 1: whether the size of a value is under, at or over 1."""
    return sign(abs(value) - 1)


def real_log(value: arb) -> arb:
    """The natural logarithm of a positive number."""
    if sign(value) <= 0:
        raise Undefined
    return value.log()


def _asin(value: arb) -> arb:
    if value == 1 or value == -1:
        return value * arb.pi() / 2
    if _is_one(value) > 0:
        raise Undefined
    return value.asin()


def _acos(value: arb) -> arb:
    return arb.pi() / 2 - _asin(value)


def _acosh(value: arb) -> arb:
    if value == 1:
        return arb(0)
    if sign(value - 1) < 0:
        raise Undefined
    return value.acosh()


def _atanh(value: arb) -> arb:
    if _is_one(value) >= 0:
        raise Undefined
    return value.atanh()


def _acot(value: arb) -> arb:
    # Two conventions differ at negative numbers.
    if sign(value) < 0:
        raise Undefined
    return arb.pi() / 2 - value.atan()


def _sqrt_below(value: arb) -> arb:
    if sign(value) < 0:
        raise Undefined
    return value.sqrt()


REAL: dict[str, Callable[[arb], arb]] = {
    "sin": arb.sin,
    "cos": arb.cos,
    "tan": arb.tan,
    "cot": arb.cot,
    "sec": arb.sec,
    "csc": arb.csc,
    "sinh": arb.sinh,
    "cosh": arb.cosh,
    "tanh": arb.tanh,
    "coth": arb.coth,
    "sech": arb.sech,
    "csch": arb.csch,
    "exp": arb.exp,
    "ln": real_log,
    "arcsin": _asin,
    "arccos": _acos,
    "arctan": arb.atan,
    "arccot": _acot,
    "arcsec": lambda value: _acos(1 / value),
    "arccsc": lambda value: _asin(1 / value),
    "arcsinh": arb.asinh,
    "arccosh": _acosh,
    "arctanh": _atanh,
    "sqrt": _sqrt_below,
    "Gamma": arb.gamma,
    "zeta": arb.zeta,
    "erf": arb.erf,
}


def _cut_free(value: acb, function: Callable[[acb], acb], analytic: bool) -> acb:
    """A function with branch cuts on the real and imaginary axes outside the unit disc.

    Inside an integral (`analytic`) only balls that touch neither axis there, or keep within the
    disc, are surely free of cuts.
    """
    if analytic:
        free = abs(value) < 1 or not (value.real.contains(0) or value.imag.contains(0))
        if not free:
            return acb("nan")
    return function(value)


def complex_log(value: acb, analytic: bool) -> acb:
    """The principal logarithm."""
    if value == 0:
        raise Undefined
    return value.log(analytic=analytic)


def complex_sqrt(value: acb, analytic: bool) -> acb:
    """The principal square root."""
    return value.sqrt(analytic=analytic)


def _with_cuts(function: Callable[[acb], acb]) -> Callable[[acb, bool], acb]:
    return lambda value, analytic: _cut_free(value, function, analytic)


def _plain(function: Callable[[acb], acb]) -> Callable[[acb, bool], acb]:
    return lambda value, analytic: function(value)


def _complex_acosh(value: acb, analytic: bool) -> acb:
    if analytic and not (value.real > 1 or not value.imag.contains(0)):
        return acb("nan")
    return value.acosh()


COMPLEX: dict[str, Callable[[acb, bool], acb]] = {
    "sin": _plain(acb.sin),
    "cos": _plain(acb.cos),
    "tan": _plain(acb.tan),
    "cot": _plain(acb.cot),
    "sec": _plain(acb.sec),
    "csc": _plain(acb.csc),
    "sinh": _plain(acb.sinh),
    "cosh": _plain(acb.cosh),
    "tanh": _plain(acb.tanh),
    "coth": _plain(acb.coth),
    "sech": _plain(acb.sech),
    "csch": _plain(acb.csch),
    "exp": _plain(acb.exp),
    "ln": complex_log,
    "arcsin": _with_cuts(acb.asin),
    "arccos": _with_cuts(acb.acos),
    "arctan": _with_cuts(acb.atan),
    "arcsinh": _with_cuts(acb.asinh),
    "arccosh": _complex_acosh,
    "arctanh": _with_cuts(acb.atanh),
    "sqrt": complex_sqrt,
    "Gamma": _plain(acb.gamma),
    "erf": _plain(acb.erf),
}
