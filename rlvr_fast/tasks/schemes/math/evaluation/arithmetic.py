"""Powers, roots and integers of values that are exact or balls.

Values are `fmpq` (exact), `arb` (a real ball) or `acb` (a complex ball); the precision is
`flint.ctx.prec`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from flint import acb, arb, ctx, fmpq, fmpz

from rlvr_fast.tasks.schemes.math.evaluation import exact, functions
from rlvr_fast.tasks.schemes.math.evaluation.outcomes import NoValue, TooMuch, Undecided, Undefined

__all__ = ["Arithmetic", "Scalar", "magnitude"]

Scalar: TypeAlias = "fmpq | arb | acb"

# Exponents of more bits are not worked out: no ball holds the value.
_LARGEST_EXPONENT_BITS = 256
_LARGEST_EXACT_DEGREE = 64

_FIXED_AT_ZERO = {
    "sin": 0,
    "tan": 0,
    "cos": 1,
    "sec": 1,
    "sinh": 0,
    "tanh": 0,
    "cosh": 1,
    "exp": 1,
    "arcsin": 0,
    "arctan": 0,
    "arcsinh": 0,
    "arctanh": 0,
    "sqrt": 0,
}


def magnitude(value: Scalar) -> int | None:
    """About the binary logarithm of the size of a value; None of zero."""
    if isinstance(value, fmpq):
        if value == 0:
            return None
        return int(abs(value.p).bit_length()) - int(value.q.bit_length())
    if isinstance(value, acb):
        found = [m for m in (magnitude(value.real), magnitude(value.imag)) if m is not None]
        return max(found, default=None)
    middle = value.mid()
    if not middle.is_finite() or middle.is_zero():
        return None
    mantissa, exponent = middle.man_exp()
    return int(exponent) + int(abs(mantissa).bit_length())


def _tiny() -> arb:
    """What is small at the current precision: a quarter of its bits."""
    return arb(2) ** -(ctx.prec // 4)


class Arithmetic:
    """Operations on values, over the real or the complex numbers.

    Args:
        real: whether values that are not real are undefined. With complex numbers, powers and roots
            are principal, but for odd roots of negative real numbers.
        settled: whether the precision is so high that a ball that holds an integer, and little
            else, is that integer, and one about the real line is real.

    Attributes:
        spent_bits: how many bits the sizes of the numbers take, which the comparison needs beside
            its own: of large literals, and of sums of a large and a small part.
        path: inside an integral, whether the integrand has to be analytic; None outside.
    """

    def __init__(self, *, real: bool, settled: bool) -> None:
        self.real = real
        self.settled = settled
        self.spent_bits = 0
        self.path: bool | None = None

    def ball(self, value: Scalar) -> arb | acb:
        """The value as a ball."""
        if isinstance(value, fmpq):
            self.spent_bits += max(0, exact.size(value) - 64)
            return arb(value)
        return value

    def total(self, balls: Sequence[arb | acb]) -> arb | acb:
        """The sum of one or more balls."""
        if self.path is None:
            # A part that may be zero has no size, at this precision.
            sizes = [magnitude(ball) or 0 for ball in balls if not ball.contains(0)]
            if sizes:
                self.spent_bits += max(sizes) - min(sizes)
        total = balls[0]
        for ball in balls[1:]:
            total = total + ball
        return total

    def collapsed(self, value: Scalar) -> Scalar:
        """A complex ball about a real number as a real ball, where the precision tells."""
        if isinstance(value, acb) and self.path is None:
            imag, real = value.imag, value.real
            if imag.is_zero():
                return real
            if self.settled and imag.contains(0) and imag.rad() < abs(real) * _tiny():
                return real
        return value

    def integer(self, value: Scalar) -> int | None:
        """The integer that a value is; None where it is none.

        Raises:
            Undecided: the ball does not tell.
        """
        value = self.collapsed(value)
        if isinstance(value, fmpq):
            return int(value.p) if exact.is_integer(value) else None
        if isinstance(value, acb) or not value.contains_integer():
            return None
        found = value.unique_fmpz()
        if found is not None and self.settled and value.rad() < _tiny():
            return int(found)
        raise Undecided

    def floor(self, value: Scalar) -> Scalar:
        """The largest integer that is not larger than a value."""
        value = self.collapsed(value)
        if isinstance(value, fmpq):
            return fmpq(value.floor())
        if isinstance(value, acb):
            if self.path is None:
                raise Undefined
            return value.real_floor(analytic=self.path)
        if not value.contains_integer():
            found = value.floor().unique_fmpz()
            if found is not None:
                return fmpq(found)
        whole = self.integer(value)
        if whole is None:
            raise Undecided
        return fmpq(whole)

    def exp(self, exponent: Scalar) -> Scalar:
        """The exponential function."""
        if isinstance(exponent, fmpq) and exponent == 0:
            return fmpq(1)
        return self.ball(exponent).exp()

    def power(self, base: Scalar, exponent: Scalar) -> Scalar:
        """A power on its principal branch."""
        base, exponent = self.collapsed(base), self.collapsed(exponent)
        if isinstance(exponent, fmpq):
            if exact.is_integer(exponent):
                return self._integer_power(base, exponent.p)
            if isinstance(base, fmpq) and base >= 0 and exponent.q <= _LARGEST_EXACT_DEGREE:
                root = exact.root(base, int(exponent.q))
                if root is not None:
                    return self._integer_power(root, exponent.p)
        if isinstance(exponent, acb) or isinstance(base, acb):
            return self._complex_power(base, exponent)
        if base == 0:
            if exponent > 0:
                return fmpq(0)
            raise Undefined
        if base > 0:
            return self._positive_power(base, exponent)
        if not base < 0:
            if self.real:
                raise Undecided
            return self._complex_power(base, exponent)
        if self.real:
            raise Undefined
        size = self.power(-base, exponent)
        return acb(self.ball(size)) * acb(self.ball(exponent)).exp_pi_i()

    def _positive_power(self, base: fmpq | arb, exponent: fmpq | arb) -> Scalar:
        ball = self.ball(base)
        if isinstance(exponent, fmpq) and exponent.q == 2:
            root = ball.sqrt()
            return root if exponent.p == 1 else root**exponent.p
        return ball ** self.ball(exponent)

    def _integer_power(self, base: Scalar, exponent: fmpz) -> Scalar:
        if isinstance(base, fmpq):
            try:
                found = exact.power(base, int(exponent))
            except ZeroDivisionError:
                raise Undefined from None
            if found is not None:
                return found
        if exponent.bit_length() > _LARGEST_EXPONENT_BITS:
            raise TooMuch
        ball = self.ball(base)
        if exponent == 0 and not ball.is_finite():
            raise Undefined
        if isinstance(ball, acb):
            return ball ** int(exponent)
        if exponent < 0:
            return 1 / ball**-exponent
        return ball**exponent

    def _complex_power(self, base: Scalar, exponent: Scalar) -> Scalar:
        if base == 0:
            if isinstance(exponent, acb) or not exponent > 0:
                raise Undefined
            return fmpq(0)
        return acb(self.ball(base)).pow(acb(self.ball(exponent)), analytic=bool(self.path))

    def root(self, inside: Scalar, degree: Scalar) -> Scalar:
        """A root; an odd one of a negative real number is negative."""
        inside = self.collapsed(inside)
        if degree == 0:
            raise Undefined
        if not isinstance(degree, fmpq) or not exact.is_integer(degree):
            return self.power(inside, 1 / degree)
        if isinstance(inside, acb):
            return self._complex_root(inside, degree)
        if degree.p % 2 == 1:
            if inside < 0:
                return -self.power(-inside, 1 / degree)
            if not inside >= 0:
                raise Undecided
        elif inside < 0 and not self.real and degree == 2:
            # Exact where the root of the opposite number is.
            return acb(0, 1) * self.ball(self.power(-inside, 1 / degree))
        return self.power(inside, 1 / degree)

    def _complex_root(self, inside: acb, degree: fmpq) -> Scalar:
        if degree == 2:
            return inside.sqrt(analytic=bool(self.path))
        if self.path is None or degree.p % 2 == 0 or inside.real > 0:
            return self._complex_power(inside, 1 / degree)
        # The integrand is that of real numbers: odd roots have the sign of the inside.
        if inside.real < 0:
            return -self._complex_power(-inside, 1 / degree)
        return acb("nan")

    def known(self, name: str, value: Scalar) -> Scalar:
        """A function of `functions.REAL` at a value."""
        value = self.collapsed(value)
        if isinstance(value, fmpq):
            if value == 0 and name in _FIXED_AT_ZERO:
                return fmpq(_FIXED_AT_ZERO[name])
            if value == 1 and name == "ln":
                return fmpq(0)
        ball = self.ball(value)
        if isinstance(ball, arb):
            try:
                return functions.REAL[name](ball)
            except NoValue:
                if self.real or name not in functions.COMPLEX:
                    raise
        if name not in functions.COMPLEX:
            raise Undefined
        return functions.COMPLEX[name](acb(ball), bool(self.path))
