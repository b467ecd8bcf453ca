"""The value of a term: exact where it is rational, else a ball that surely holds it.

Over the real numbers what is not real is undefined, as in a course on real functions; with complex
numbers, powers and roots are principal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from flint import acb, arb, ctx, fmpq

from rlvr_fast.tasks.schemes.math.evaluation import calls, exact, functions, operators
from rlvr_fast.tasks.schemes.math.evaluation.arithmetic import Arithmetic, Scalar
from rlvr_fast.tasks.schemes.math.evaluation.generic_functions import generic_value
from rlvr_fast.tasks.schemes.math.evaluation.outcomes import (
    Budget,
    NoValue,
    OutOfBudget,
    TooMuch,
    Undefined,
)
from rlvr_fast.tasks.schemes.math.terms.facts import facts
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

__all__ = ["Evaluation"]

_MOST_TERMS = 10_000
# An infinite series takes about as long as the evaluation of so many nodes.
_SERIES_NODES = 4000
# A sum of sums of sums; more would not end.
_DEEPEST_OPERATOR = 3
# A sum with all its parts takes no more bits than this beside those of its result.
_MOST_SUM_BITS = 4096
# Functions that take long, and about how many nodes at 512 bits; the time grows with the square.
_LONG = {"Gamma": 2, "factorial": 2, "binomial": 6, "erf": 2, "zeta": 30}


class Evaluation(Arithmetic):
    """Evaluates terms at one point.

    Args:
        point: the value of each symbol.
        budget: the work that is left.
        real: see `Arithmetic`.
        decimal_log: whether a logarithm without a base is decimal; natural otherwise.
        settled: see `Arithmetic`.

    Attributes:
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
        super().__init__(real=real, settled=settled)
        self.trusted_bits: int | None = None
        self._point = dict(point)
        self._budget = budget
        self._decimal_log = decimal_log
        self._depth = 0
        self._limits = 0

    def value(self, term: Term) -> Scalar:
        """The value of a term.

        Raises:
            NoValue: it has none here, or none was found.
            OutOfBudget: the work that was left is done.
        """
        self._budget.spend()
        found = _RULES[type(term)](self, term)
        if type(found) is acb and self.real and self.path is None:
            if not found.imag.is_zero():
                raise Undefined
            return found.real
        return found

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
        return self._point[term.name]

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
        return self.total(balls)

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
        if term.base == _E:
            return self.exp(exponent)
        return self.power(self.value(term.base), exponent)

    def _root(self, term: Root) -> Scalar:
        return self.root(self.value(term.inside), self.value(term.degree))

    def _call(self, term: Call) -> Scalar:
        name = term.name
        arguments = [self.value(argument) for argument in term.arguments]
        if name in _LONG and not all(isinstance(v, fmpq) and v.q == 1 for v in arguments):
            self._budget.spend(_LONG[name] * (ctx.prec // 512) ** 2)
        if name == "log" and len(arguments) == 1:
            return self._log(arguments[0], term.index)
        if term.index is not None:
            arguments.insert(0, self.value(term.index))
            return self._unknown(f"{name}_", arguments)
        if len(arguments) == 1 and name in functions.REAL:
            return self.known(name, arguments[0])
        function = calls.CALLS.get((name, len(arguments)))
        if len(arguments) > 1:  # of one argument, as in \max S, nothing is known
            function = function or calls.OF_MANY.get(name)
        return function(self, arguments) if function else self._unknown(name, arguments)

    def _log(self, value: Scalar, index: Term | None) -> Scalar:
        if index is not None:
            return calls.log(self, value, self.value(index))
        return calls.log(self, value, fmpq(10)) if self._decimal_log else self.known("ln", value)

    def _unknown(self, name: str, arguments: list[Scalar]) -> Scalar:
        if self._limits:
            raise TooMuch  # a function of which nothing is known may be discontinuous
        balls = [self.ball(argument) for argument in arguments]
        name = f"{name}/{len(balls)}"
        real = [ball for ball in balls if isinstance(ball, arb)]
        if len(real) == len(balls):
            return generic_value(name, real)
        return generic_value(name, [acb(ball) for ball in balls])

    def _bound(self, term: Bound) -> Scalar:
        term = _as_series(term)
        if term.lower is None or self._depth >= _DEEPEST_OPERATOR:
            raise TooMuch
        lower = self.value(term.lower)
        upper = None if term.upper is None else self.value(term.upper)
        outer, spent = self._point, self.spent_bits
        self._point = dict(outer)
        self._depth += 1
        try:
            if term.operator == "limit" and self.path is None:
                self._limits += 1
                return self._numeric(operators.limit(self._function(term), lower, term.side))
            if upper is None:
                raise TooMuch
            if term.operator == "integral":
                return self._integral(term, lower, upper)
            if term.operator in ("sum", "product"):
                return self._series(term, lower, upper)
            raise TooMuch
        finally:
            self._point = outer
            self._depth -= 1
            self._limits -= term.operator == "limit" and self.path is None
            self.spent_bits = min(self.spent_bits, spent + _MOST_SUM_BITS)

    def _function(self, term: Bound) -> Callable[[Scalar], Scalar]:
        def at(value: Scalar) -> Scalar:
            self._point[term.variable] = value
            return self.value(term.body)

        return at

    def _series(self, term: Bound, lower: Scalar, upper: Scalar) -> Scalar:
        first = self.integer(lower)
        if first is None:
            raise Undefined
        at = self._function(term)
        adds = term.operator == "sum"
        if isinstance(upper, arb) and not upper.is_finite():
            self._budget.spend(_SERIES_NODES * 10 ** (self._depth - 1))
            return self._numeric(operators.infinite_series(at, first, adds))
        last = self.integer(upper)
        if last is None or last < first - 1:
            raise Undefined
        if last - first >= _MOST_TERMS:
            raise TooMuch
        total: Scalar = fmpq(0 if adds else 1)
        for index in range(first, last + 1):
            value = at(fmpq(index))
            total = total + value if adds else total * value
            if isinstance(total, fmpq):
                size = exact.size(total)
                self._budget.spend(size // 1024)
                if size > exact.LARGEST_BITS // 8:
                    total = self.ball(total)
        return total

    def _integral(self, term: Bound, lower: Scalar, upper: Scalar) -> Scalar:
        at = self._function(term)
        outer = self.path

        def on_path(value: acb, analytic: bool) -> acb:
            # Where the outer integrand has to be analytic, the inner one has to be, in both.
            self.path = analytic or bool(outer)
            try:
                return acb(self.ball(at(value)))
            except (NoValue, OutOfBudget, RecursionError):
                return acb("nan")  # an exception does not pass through the C code
            finally:
                self.path = outer

        spent = self.spent_bits
        start, end = self.ball(lower), self.ball(upper)
        if start.is_finite() and end.is_finite():
            nested = outer is not None
            found = operators.proper_integral(on_path, acb(start), acb(end), nested)
            self.spent_bits = spent
            if nested:
                return found
            zero = found.contains(0) and found.rad() < arb(2) ** -(ctx.prec // 2)
            if zero or found.rel_accuracy_bits() >= ctx.prec // 2:
                return found.real if found.imag.contains(0) else found
        if isinstance(start, acb) or isinstance(end, acb) or outer is not None:
            raise TooMuch
        numeric = operators.improper_integral(at, start, end)
        self.spent_bits = spent
        return self._numeric(numeric)

    def _numeric(self, found: operators.Numeric) -> Scalar:
        if found.bits is not None:
            self.trusted_bits = min(found.bits, self.trusted_bits or found.bits)
        return found.value


_E = Constant("e")
_INFINITY = Constant("infinity")


def _as_series(term: Bound) -> Bound:
    """The infinite series that a limit of its partial sums is; any other operator unchanged."""
    inner = term.body
    if term.operator == "limit" and term.lower == _INFINITY and isinstance(inner, Bound):
        last = Symbol(term.variable)
        if inner.operator in ("sum", "product") and inner.upper == last and inner.lower is not None:
            free = facts(inner.body).symbols - {inner.variable} | facts(inner.lower).symbols
            if term.variable not in free:
                return replace(inner, upper=_INFINITY)
    return term


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
