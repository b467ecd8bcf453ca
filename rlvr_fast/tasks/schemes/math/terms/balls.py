"""The value of a term: exact where it is rational, else a ball that surely holds it.

Values are `fmpq` (exact), `arb` (a real ball) or `acb` (a complex ball); the precision is
`flint.ctx.prec`. Over the real numbers what is not real is undefined, as in a course on real
functions; with complex numbers, powers and roots are principal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from flint import acb, arb, ctx, fmpq, fmpz

from rlvr_fast.tasks.schemes.math.terms import exact, functions, operators
from rlvr_fast.tasks.schemes.math.terms.generic_functions import generic_value
from rlvr_fast.tasks.schemes.math.terms.nodes import (
    Add,
    Bound,
    Call,
    Constant,
    Mul,
    Number,
    Pow,
    Root,
    Symbol,
    Term,
)
from rlvr_fast.tasks.schemes.math.terms.outcomes import Budget, NoValue, TooMuch, Undecided, Undefined

__all__ = ["Evaluation", "Scalar", "magnitude"]

Scalar: TypeAlias = "fmpq | arb | acb"

_MOST_TERMS = 10_000
# Integrands are evaluated a few thousand times; a nested integral would not end.
_DEEPEST_OPERATOR = 3


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


class Evaluation:
    """Evaluates terms at one point.

    Args:
        point: the value of each symbol.
        budget: the work that is left.
        real: whether values that are not real are undefined.
        decimal_log: whether a logarithm without a base is decimal; natural otherwise.
        settled: whether the precision is so high that a ball that holds an integer, and little
            else, is that integer.

    Attributes:
        spent_bits: how many bits the sizes of the numbers take, which the comparison needs beside
            its own: of large literals, and of sums of a large and a small part.
        trusted_bits: how many bits of the value are right at least, where a numerical method
            without a bound of its error took part; None where none did.
    """

    def __init__(
        self,
        point: Mapping[str, Scalar],
        budget: Budget,
        *,
        real: bool,
        decimal_log: bool = False,
        settled: bool = False,
    ) -> None:
        self.point = dict(point)
        self.real = real
        self.decimal_log = decimal_log
        self.settled = settled
        self.spent_bits = 0
        self.trusted_bits: int | None = None
        self._budget = budget
        self._depth = 0
        # Inside an integral: whether the integrand has to be analytic; None outside.
        self._path: bool | None = None

    def value(self, term: Term) -> Scalar:
        """The value of a term.

        Raises:
            NoValue: it has none here, or none was found.
        """
        self._budget.spend()
        found = _RULES[type(term)](self, term)
        if type(found) is acb and self.real and self._path is None:
            if not found.imag.is_zero():
                raise Undefined
            return found.real
        return found

    def ball(self, value: Scalar) -> arb | acb:
        """The value as a ball."""
        if isinstance(value, fmpq):
            self.spent_bits += max(0, exact.size(value) - 64)
            return arb(value)
        return value

    def _number(self, term: Number) -> Scalar:
        value = term.value
        return fmpq(value.numerator, value.denominator)

    def _constant(self, term: Constant) -> Scalar:
        if term.name == "pi":
            return arb.pi()
        if term.name == "e":
            return arb.const_e()
        if term.name == "i":
            return acb(0, 1)
        if term.name == "infinity":
            return arb.pos_inf()
        raise Undefined

    def _symbol(self, term: Symbol) -> Scalar:
        return self.point[term.name]

    def _add(self, term: Add) -> Scalar:
        rational = fmpq(0)
        balls: list[arb | acb] = []
        for part in term.parts:
            value = self.value(part)
            if isinstance(value, fmpq):
                rational += value
            else:
                balls.append(value)
        if exact.size(rational) > exact.LARGEST_BITS:
            raise TooMuch
        if not balls:
            return rational
        if rational != 0:
            balls.append(self.ball(rational))
        return self._total(balls)

    def _total(self, balls: list[arb | acb]) -> arb | acb:
        if self._path is None:
            sizes = [size for size in map(magnitude, balls) if size is not None]
            if sizes:
                self.spent_bits += max(sizes) - min(sizes)
        total = balls[0]
        for ball in balls[1:]:
            total = total + ball
        return total

    def _mul(self, term: Mul) -> Scalar:
        rational = fmpq(1)
        ball: arb | acb | None = None
        for part in term.parts:
            value = self.value(part)
            if isinstance(value, fmpq):
                rational *= value
                if exact.size(rational) > exact.LARGEST_BITS:
                    ball = self.ball(rational) if ball is None else ball * self.ball(rational)
                    rational = fmpq(1)
            else:
                ball = value if ball is None else ball * value
        if ball is None:
            return rational
        return ball if rational == 1 else ball * self.ball(rational)

    def _pow(self, term: Pow) -> Scalar:
        exponent = self.value(term.exponent)
        if term.base == Constant("e"):
            return self._exp(exponent)
        return self._power(self.value(term.base), exponent)

    def _exp(self, exponent: Scalar) -> Scalar:
        if isinstance(exponent, fmpq) and exponent == 0:
            return fmpq(1)
        return self.ball(exponent).exp()

    def _power(self, base: Scalar, exponent: Scalar) -> Scalar:
        base, exponent = self._collapsed(base), self._collapsed(exponent)
        if isinstance(exponent, fmpq):
            if exact.is_integer(exponent):
                return self._integer_power(base, exponent.p)
            if isinstance(base, fmpq) and base >= 0 and int(exponent.q) <= 64:
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
        size = self._power(-base, exponent)
        return acb(self.ball(size)) * acb(self.ball(exponent)).exp_pi_i()

    def _positive_power(self, base: fmpq | arb, exponent: fmpq | arb) -> Scalar:
        ball = self.ball(base)
        if isinstance(exponent, fmpq) and exponent.q == 2:
            root = ball.sqrt()
            return root if exponent.p == 1 else root ** exponent.p
        return ball ** self.ball(exponent)

    def _integer_power(self, base: Scalar, exponent: fmpz) -> Scalar:
        if isinstance(base, fmpq):
            try:
                found = exact.power(base, int(exponent))
            except ZeroDivisionError:
                raise Undefined from None
            if found is not None:
                return found
        if exponent.bit_length() > 256:
            raise TooMuch
        ball = self.ball(base)
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
        return acb(self.ball(base)).pow(acb(self.ball(exponent)), analytic=bool(self._path))

    def _root(self, term: Root) -> Scalar:
        degree = self.value(term.degree)
        inside = self._collapsed(self.value(term.inside))
        if not isinstance(degree, fmpq) or not exact.is_integer(degree):
            if degree == 0:
                raise Undefined
            return self._power(inside, 1 / degree)
        count = int(degree.p)
        if count == 0:
            raise Undefined
        if isinstance(inside, acb):
            return self._complex_root(inside, count)
        if count % 2 == 1:
            if inside < 0:
                negative = self._power(-inside, 1 / degree)
                return -negative
            if not inside >= 0:
                raise Undecided
        elif inside < 0 and not self.real and abs(count) == 2:
            # Exact where the root of the opposite number is.
            return acb(0, 1 if count > 0 else -1) * self.ball(self._power(-inside, 1 / degree))
        return self._power(inside, 1 / degree)

    def _complex_root(self, inside: acb, count: int) -> Scalar:
        if self._path is None or count % 2 == 0:
            if count == 2:
                return inside.sqrt(analytic=bool(self._path))
            return self._complex_power(inside, fmpq(1, count))
        # The integrand is that of real numbers: odd roots have the sign of the inside.
        if inside.real > 0:
            return self._complex_power(inside, fmpq(1, count))
        if inside.real < 0:
            return -self.ball(self._complex_power(-inside, fmpq(1, count)))
        return acb("nan")

    def _collapsed(self, value: Scalar) -> Scalar:
        """A complex ball about a real number as a real ball, where the precision tells."""
        if isinstance(value, acb) and self._path is None:
            small = self.settled and value.imag.contains(0)
            if small or value.imag.is_zero():
                return value.real
        return value

    def _integer(self, value: Scalar) -> int | None:
        """The integer that a value is; None where it is none.

        Raises:
            Undecided: the ball does not tell.
        """
        value = self._collapsed(value)
        if isinstance(value, fmpq):
            return int(value.p) if exact.is_integer(value) else None
        if isinstance(value, acb) or not value.contains_integer():
            return None
        found = value.unique_fmpz()
        if found is not None and self.settled:
            return int(found)
        raise Undecided

    def _call(self, term: Call) -> Scalar:
        arguments = [self.value(argument) for argument in term.arguments]
        rule = _CALLS.get((term.name, len(arguments)))
        if rule is not None and (term.index is None or term.name == "log"):
            return rule(self, arguments, term)
        if term.name in _OF_MANY and arguments and term.index is None:
            return _OF_MANY[term.name](self, arguments)
        if len(arguments) == 1 and term.index is None and term.name in functions.REAL:
            return self._known(term.name, self._collapsed(arguments[0]))
        if term.index is not None:
            arguments.insert(0, self.value(term.index))
        balls = [self.ball(argument) for argument in arguments]
        name = f"{term.name}/{len(term.arguments)}"
        if self.real and self._path is None:
            return generic_value(name, [ball for ball in balls if isinstance(ball, arb)])
        return generic_value(name, [acb(ball) for ball in balls])

    def _known(self, name: str, value: Scalar) -> Scalar:
        if isinstance(value, fmpq) and value == 0 and name in _FIXED_AT_ZERO:
            return fmpq(_FIXED_AT_ZERO[name])
        if isinstance(value, fmpq) and value == 1 and name == "ln":
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
        return functions.COMPLEX[name](acb(ball), bool(self._path))

    def _log(self, arguments: list[Scalar], term: Call) -> Scalar:
        over = self._known("ln", self._collapsed(arguments[0]))
        if term.index is None:
            if not self.decimal_log:
                return over
            base: Scalar = fmpq(10)
        else:
            base = self.value(term.index)
        under = self.ball(self._known("ln", base))
        if under == 0:
            raise Undefined
        return self.ball(over) / under

    def _degrees(self, arguments: list[Scalar], term: Call) -> Scalar:
        return self.ball(arguments[0]) * arb.pi() / 180

    def _cis(self, arguments: list[Scalar], term: Call) -> Scalar:
        return (acb(0, 1) * self.ball(arguments[0])).exp()

    def _abs(self, arguments: list[Scalar], term: Call) -> Scalar:
        value = arguments[0]
        if isinstance(value, acb) and self._path is not None:
            return value.real_abs(analytic=self._path)
        return abs(value)

    def _re(self, arguments: list[Scalar], term: Call) -> Scalar:
        value = arguments[0]
        return value.real if isinstance(value, acb) else value

    def _im(self, arguments: list[Scalar], term: Call) -> Scalar:
        value = arguments[0]
        return value.imag if isinstance(value, acb) else fmpq(0)

    def _conjugate(self, arguments: list[Scalar], term: Call) -> Scalar:
        value = arguments[0]
        return value.conjugate() if isinstance(value, acb) else value

    def _arg(self, arguments: list[Scalar], term: Call) -> Scalar:
        value = self._collapsed(arguments[0])
        if isinstance(value, acb):
            return value.arg()
        side = functions.sign(arb(value))
        if side == 0:
            raise Undefined
        return fmpq(0) if side > 0 else arb.pi()

    def _floor(self, arguments: list[Scalar], term: Call) -> Scalar:
        return self._floor_of(arguments[0])

    def _ceil(self, arguments: list[Scalar], term: Call) -> Scalar:
        return -self._floor_of(-arguments[0])

    def _floor_of(self, value: Scalar) -> Scalar:
        value = self._collapsed(value)
        if isinstance(value, fmpq):
            return fmpq(value.floor())
        if isinstance(value, acb):
            if self._path is None:
                raise Undefined
            return value.real_floor(analytic=self._path)
        if not value.contains_integer():
            found = value.floor().unique_fmpz()
            if found is not None:
                return fmpq(found)
        whole = self._integer(value)
        if whole is None:
            raise Undecided
        return fmpq(whole)

    def _mod(self, arguments: list[Scalar], term: Call) -> Scalar:
        value, modulus = arguments
        if modulus == 0:
            raise Undefined
        quotient = self._floor_of(value / modulus)
        return value - modulus * quotient

    def _factorial(self, arguments: list[Scalar], term: Call) -> Scalar:
        value = self._collapsed(arguments[0])
        if isinstance(value, fmpq) and exact.is_integer(value):
            if value < 0:
                raise Undefined
            found = exact.factorial(int(value.p))
            if found is not None:
                return found
        return (self.ball(value) + 1).gamma()

    def _double_factorial(self, arguments: list[Scalar], term: Call) -> Scalar:
        whole = self._integer(arguments[0])
        if whole is None or whole < 0:
            raise Undefined
        found = exact.double_factorial(whole)
        if found is None:
            raise TooMuch
        return found

    def _binomial(self, arguments: list[Scalar], term: Call) -> Scalar:
        upper, lower = map(self._collapsed, arguments)
        if isinstance(upper, fmpq) and isinstance(lower, fmpq) and exact.is_integer(lower):
            found = exact.binomial(upper, int(lower.p))
            if found is not None:
                return found
        over, under = self.ball(upper) + 1, self.ball(lower) + 1
        return over.gamma() / (under.gamma() * (over - under + 1).gamma())

    def _whole(self, arguments: list[Scalar]) -> list[fmpz]:
        found = [self._integer(argument) for argument in arguments]
        if None in found:
            raise Undefined
        return [fmpz(value) for value in found if value is not None]

    def _gcd(self, arguments: list[Scalar]) -> Scalar:
        total = fmpz(0)
        for value in self._whole(arguments):
            total = total.gcd(value)
        return fmpq(total)

    def _lcm(self, arguments: list[Scalar]) -> Scalar:
        total = fmpz(1)
        for value in self._whole(arguments):
            total = total.lcm(value)
        return fmpq(total)

    def _extreme(self, arguments: list[Scalar], largest: bool) -> Scalar:
        best = arguments[0]
        for value in arguments[1:]:
            if isinstance(best, acb) or isinstance(value, acb):
                raise Undefined
            if isinstance(best, fmpq) and isinstance(value, fmpq):
                best = max(best, value) if largest else min(best, value)
            else:
                first, second = arb(best), arb(value)
                best = first.max(second) if largest else first.min(second)
        return best

    def _max(self, arguments: list[Scalar]) -> Scalar:
        return self._extreme(arguments, True)

    def _min(self, arguments: list[Scalar]) -> Scalar:
        return self._extreme(arguments, False)

    def _bound(self, term: Bound) -> Scalar:
        if term.lower is None or (term.upper is None and term.operator != "limit"):
            raise Undefined
        lower = self.value(term.lower)
        if self._path is not None or self._depth >= _DEEPEST_OPERATOR:
            raise TooMuch
        outer = self.point
        self._depth += 1
        try:
            self.point = dict(outer)
            if term.operator == "limit":
                return self._numeric(operators.limit(self._function(term), lower))
            assert term.upper is not None
            upper = self.value(term.upper)
            if term.operator == "integral":
                return self._integral(term, lower, upper)
            if term.operator in ("sum", "product"):
                return self._series(term, lower, upper)
            raise Undefined
        finally:
            self.point = outer
            self._depth -= 1

    def _function(self, term: Bound) -> Callable[[Scalar], Scalar]:
        def at(value: Scalar) -> Scalar:
            self.point[term.variable] = value
            return self.value(term.body)

        return at

    def _series(self, term: Bound, lower: Scalar, upper: Scalar) -> Scalar:
        first = self._integer(lower)
        if first is None:
            raise Undefined
        at = self._function(term)
        adds = term.operator == "sum"
        if isinstance(upper, arb) and not upper.is_finite():
            spent = self.spent_bits
            found = operators.infinite_series(at, first, adds)
            self.spent_bits = spent
            return self._numeric(found)
        last = self._integer(upper)
        if last is None or last < first - 1:
            raise Undefined
        if last - first >= _MOST_TERMS:
            raise TooMuch
        spent = self.spent_bits
        total: Scalar = fmpq(0 if adds else 1)
        for index in range(first, last + 1):
            value = at(fmpq(index))
            total = total + value if adds else total * value
            if isinstance(total, fmpq) and exact.size(total) > exact.LARGEST_BITS // 8:
                total = self.ball(total)
        # One sum with all its parts counts once.
        self.spent_bits = max(spent, min(self.spent_bits, spent + 4096))
        return total

    def _integral(self, term: Bound, lower: Scalar, upper: Scalar) -> Scalar:
        at = self._function(term)

        def on_path(value: acb, analytic: bool) -> acb:
            self._path = analytic
            try:
                return acb(self.ball(at(value)))
            except NoValue:
                return acb("nan")
            finally:
                self._path = None

        spent = self.spent_bits
        ends = (self.ball(lower), self.ball(upper))
        if all(end.is_finite() for end in ends):
            found = operators.proper_integral(on_path, acb(ends[0]), acb(ends[1]))
            if found.rel_accuracy_bits() >= ctx.prec // 2:
                self.spent_bits = spent
                return found.real if found.imag.contains(0) else found
        if not (isinstance(ends[0], arb) and isinstance(ends[1], arb)):
            raise TooMuch
        numeric = operators.improper_integral(at, ends[0], ends[1])
        self.spent_bits = spent
        return self._numeric(numeric)

    def _numeric(self, found: operators.Numeric) -> Scalar:
        if found.bits is not None:
            self.trusted_bits = min(found.bits, self.trusted_bits or found.bits)
        return found.value


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

_RULES: dict[type, Callable[..., Scalar]] = {
    Number: Evaluation._number,
    Constant: Evaluation._constant,
    Symbol: Evaluation._symbol,
    Add: Evaluation._add,
    Mul: Evaluation._mul,
    Pow: Evaluation._pow,
    Root: Evaluation._root,
    Call: Evaluation._call,
    Bound: Evaluation._bound,
}

# Functions with the number of their arguments.
_CALLS: dict[tuple[str, int], Callable[[Evaluation, list[Scalar], Call], Scalar]] = {
    ("log", 1): Evaluation._log,
    ("degrees", 1): Evaluation._degrees,
    ("cis", 1): Evaluation._cis,
    ("abs", 1): Evaluation._abs,
    ("re", 1): Evaluation._re,
    ("im", 1): Evaluation._im,
    ("conjugate", 1): Evaluation._conjugate,
    ("arg", 1): Evaluation._arg,
    ("floor", 1): Evaluation._floor,
    ("ceil", 1): Evaluation._ceil,
    ("mod", 2): Evaluation._mod,
    ("factorial", 1): Evaluation._factorial,
    ("double_factorial", 1): Evaluation._double_factorial,
    ("binomial", 2): Evaluation._binomial,
}

_OF_MANY: dict[str, Callable[[Evaluation, list[Scalar]], Scalar]] = {
    "gcd": Evaluation._gcd,
    "lcm": Evaluation._lcm,
    "max": Evaluation._max,
    "min": Evaluation._min,
}
