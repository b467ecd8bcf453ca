"""Functions with a known meaning that are more than one function of balls."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flint import acb, arb, fmpq, fmpz

from rlvr_fast.tasks.schemes.math.evaluation import exact, functions
from rlvr_fast.tasks.schemes.math.evaluation.arithmetic import Arithmetic, Scalar
from rlvr_fast.tasks.schemes.math.evaluation.generic_functions import generic_value
from rlvr_fast.tasks.schemes.math.evaluation.outcomes import TooMuch, Undefined

__all__ = ["CALLS", "OF_MANY", "Function", "log"]

Function = Callable[[Arithmetic, Sequence[Scalar]], Scalar]


def log(arithmetic: Arithmetic, value: Scalar, base: Scalar) -> Scalar:
    """The logarithm to a base."""
    under = arithmetic.ball(arithmetic.known("ln", base))
    if under == 0:
        raise Undefined
    return arithmetic.ball(arithmetic.known("ln", value)) / under


def _degrees(arithmetic: Arithmetic, arguments: Sequence[Scalar]) -> Scalar:
    return arithmetic.ball(arguments[0]) * arb.pi() / 180


def _cis(arithmetic: Arithmetic, arguments: Sequence[Scalar]) -> Scalar:
    return (acb(0, 1) * arithmetic.ball(arguments[0])).exp()


def _abs(arithmetic: Arithmetic, arguments: Sequence[Scalar]) -> Scalar:
    value = arguments[0]
    if isinstance(value, fmpq):
        return value if value >= 0 else -value
    if isinstance(value, acb) and arithmetic.path is not None:
        return value.real_abs(analytic=arithmetic.path)
    return abs(value)


def _re(arithmetic: Arithmetic, arguments: Sequence[Scalar]) -> Scalar:
    value = arguments[0]
    return value.real if isinstance(value, acb) else value


def _im(arithmetic: Arithmetic, arguments: Sequence[Scalar]) -> Scalar:
    value = arguments[0]
    return value.imag if isinstance(value, acb) else fmpq(0)


def _conjugate(arithmetic: Arithmetic, arguments: Sequence[Scalar]) -> Scalar:
    value = arguments[0]
    return value.conjugate() if isinstance(value, acb) else value


def _arg(arithmetic: Arithmetic, arguments: Sequence[Scalar]) -> Scalar:
    value = arithmetic.collapsed(arguments[0])
    if isinstance(value, acb):
        return value.arg()
    side = functions.sign(arb(value))
    if side == 0:
        raise Undefined
    return fmpq(0) if side > 0 else arb.pi()


def _floor(arithmetic: Arithmetic, arguments: Sequence[Scalar]) -> Scalar:
    return arithmetic.floor(arguments[0])


def _ceil(arithmetic: Arithmetic, arguments: Sequence[Scalar]) -> Scalar:
    return -arithmetic.floor(-arguments[0])


def _round(arithmetic: Arithmetic, arguments: Sequence[Scalar]) -> Scalar:
    value = arithmetic.collapsed(arguments[0])
    if isinstance(value, fmpq) and value.q == 2:
        # Conventions differ: neither integer beside a half is its rounded value.
        return generic_value("round", [arb(value)])
    return arithmetic.floor(value + fmpq(1, 2))


def _sign(arithmetic: Arithmetic, arguments: Sequence[Scalar]) -> Scalar:
    value = arithmetic.collapsed(arguments[0])
    if isinstance(value, acb):
        raise Undefined
    return fmpq(functions.sign(arb(value)))


def _mod(arithmetic: Arithmetic, arguments: Sequence[Scalar]) -> Scalar:
    value, modulus = arguments
    if modulus == 0:
        raise Undefined
    return value - modulus * arithmetic.floor(value / modulus)


def _factorial(arithmetic: Arithmetic, arguments: Sequence[Scalar]) -> Scalar:
    value = arithmetic.collapsed(arguments[0])
    if isinstance(value, fmpq) and exact.is_integer(value):
        if value < 0:
            raise Undefined
        found = exact.factorial(int(value.p))
        if found is not None:
            return found
    return (arithmetic.ball(value) + 1).gamma()


def _double_factorial(arithmetic: Arithmetic, arguments: Sequence[Scalar]) -> Scalar:
    whole = arithmetic.integer(arguments[0])
    if whole is None or whole < 0:
        raise Undefined
    found = exact.double_factorial(whole)
    if found is None:
        raise TooMuch
    return found


def _binomial(arithmetic: Arithmetic, arguments: Sequence[Scalar]) -> Scalar:
    upper, lower = map(arithmetic.collapsed, arguments)
    if isinstance(upper, fmpq) and isinstance(lower, fmpq) and exact.is_integer(lower):
        found = exact.binomial(upper, int(lower.p))
        if found is not None:
            return found
    over, under = arithmetic.ball(upper) + 1, arithmetic.ball(lower) + 1
    return over.gamma() / (under.gamma() * (over - under + 1).gamma())


def _integers(arithmetic: Arithmetic, arguments: Sequence[Scalar]) -> list[fmpz]:
    found = []
    for argument in arguments:
        value = arithmetic.integer(argument)
        if value is None:
            raise Undefined
        found.append(fmpz(value))
    return found


def _gcd(arithmetic: Arithmetic, arguments: Sequence[Scalar]) -> Scalar:
    total = fmpz(0)
    for value in _integers(arithmetic, arguments):
        total = total.gcd(value)
    return fmpq(total)


def _lcm(arithmetic: Arithmetic, arguments: Sequence[Scalar]) -> Scalar:
    total = fmpz(1)
    for value in _integers(arithmetic, arguments):
        total = total.lcm(value)
    return fmpq(total)


def _max(arithmetic: Arithmetic, arguments: Sequence[Scalar]) -> Scalar:
    best = arguments[0]
    for value in arguments:
        if isinstance(best, acb) or isinstance(value, acb):
            raise Undefined
        if isinstance(best, fmpq) and isinstance(value, fmpq):
            best = max(best, value)
        else:
            best = arb(best).max(arb(value))
    return best


def _min(arithmetic: Arithmetic, arguments: Sequence[Scalar]) -> Scalar:
    return -_max(arithmetic, [-value for value in arguments])


# Functions with the number of their arguments.
CALLS: dict[tuple[str, int], Function] = {
    ("degrees", 1): _degrees,
    ("cis", 1): _cis,
    ("abs", 1): _abs,
    ("re", 1): _re,
    ("im", 1): _im,
    ("conjugate", 1): _conjugate,
    ("arg", 1): _arg,
    ("floor", 1): _floor,
    ("ceil", 1): _ceil,
    ("round", 1): _round,
    ("sgn", 1): _sign,
    ("mod", 2): _mod,
    ("factorial", 1): _factorial,
    ("double_factorial", 1): _double_factorial,
    ("binomial", 2): _binomial,
}

# Functions of two or more arguments.
OF_MANY: dict[str, Function] = {"gcd": _gcd, "lcm": _lcm, "max": _max, "min": _min}
