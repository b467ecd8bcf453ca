r"""The derivative of a term that has no unknown function: `\frac{d}{dx} x^2` is 2x."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from fractions import Fraction

from rlvr_fast.tasks.schemes.math.terms.facts import facts
from rlvr_fast.tasks.schemes.math.terms.making import (
    MINUS_ONE,
    ONE,
    TWO,
    negative,
    quotient,
    rebuilt,
)
from rlvr_fast.tasks.schemes.math.terms.nodes import (
    Add,
    Call,
    Constant,
    Mul,
    Number,
    Pow,
    Root,
    Symbol,
    Term,
)

__all__ = ["derived"]

_OPERATOR = re.compile(r"d([1-4])/d([a-z]+)")
_PARTIAL = re.compile(r"partial((?:_[a-z]+){1,4})")
# Letters that do not depend on the variable; others, such as y, may.
_CONSTANTS = frozenset("abckmnABCKMN")
_MOST_NODES = 400
_ZERO = Number(Fraction(0))


def _of(name: str, inside: Term) -> Term:
    return Call(name, (inside,))


def _square(term: Term) -> Term:
    return Pow(term, TWO)


_OUTER: dict[str, Callable[[Term], Term]] = {
    "sin": lambda t: _of("cos", t),
    "cos": lambda t: negative(_of("sin", t)),
    "tan": lambda t: _square(_of("sec", t)),
    "cot": lambda t: negative(_square(_of("csc", t))),
    "sec": lambda t: Mul((_of("sec", t), _of("tan", t))),
    "csc": lambda t: negative(Mul((_of("csc", t), _of("cot", t)))),
    "sinh": lambda t: _of("cosh", t),
    "cosh": lambda t: _of("sinh", t),
    "tanh": lambda t: _square(_of("sech", t)),
    "exp": lambda t: _of("exp", t),
    "ln": lambda t: Pow(t, MINUS_ONE),
    "arctan": lambda t: quotient(ONE, Add((ONE, _square(t)))),
    "arcsin": lambda t: quotient(ONE, Root(TWO, Add((ONE, negative(_square(t)))))),
    "arccos": lambda t: negative(quotient(ONE, Root(TWO, Add((ONE, negative(_square(t))))))),
}


class _NoDerivative(Exception):
    """The term has a part whose derivative is not known."""


def derived(term: Term) -> Term:
    """A term with its derivatives worked out, where they are known; else the same object."""
    if not isinstance(term, Call):
        return rebuilt(term, derived)
    if match := _OPERATOR.fullmatch(term.name):
        found = derived(term.arguments[0])
        if facts(found).symbols <= _CONSTANTS | {match[2]}:
            return _derivative(found, [match[2]] * int(match[1])) or term
        return term
    if match := _PARTIAL.fullmatch(term.name):
        # A partial derivative holds the other symbols constant, whatever they are.
        return _derivative(derived(term.arguments[0]), match[1].split("_")[1:]) or term
    return rebuilt(term, derived)


def _derivative(term: Term, names: Sequence[str]) -> Term | None:
    """The derivative with respect to one symbol after the other; None where it is not known."""
    try:
        for name in names:
            term = _Derivative(name).of(term)
    except _NoDerivative:
        return None
    return term


class _Derivative:
    """The derivative with respect to a symbol."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._nodes = _MOST_NODES

    def of(self, term: Term) -> Term:
        """The derivative of a term.

        Raises:
            _NoDerivative: it is not known, or takes too much work.
        """
        self._nodes -= 1
        if self._nodes < 0:
            raise _NoDerivative
        match term:
            case Number() | Constant():
                return _ZERO
            case Symbol(name):
                return ONE if name == self._name else _ZERO
            case Add(parts):
                return Add(tuple(map(self.of, parts)))
            case Mul(parts):
                return self._product(parts)
            case Pow(base, exponent):
                return self._power(base, exponent)
            case Root(degree, inside) if isinstance(degree, Number):
                factor = Mul((degree, Pow(Root(degree, inside), Add((degree, MINUS_ONE)))))
                return quotient(self.of(inside), factor)
            case Call(name, (inside,), None) if name in _OUTER:
                return Mul((_OUTER[name](inside), self.of(inside)))
            case _:
                raise _NoDerivative

    def _product(self, parts: tuple[Term, ...]) -> Term:
        terms = []
        for index, part in enumerate(parts):
            slope = self.of(part)
            if slope != _ZERO:
                terms.append(Mul((*parts[:index], slope, *parts[index + 1 :])))
        return _ZERO if not terms else terms[0] if len(terms) == 1 else Add(tuple(terms))

    def _power(self, base: Term, exponent: Term) -> Term:
        slope, rise = self.of(base), self.of(exponent)
        terms = []
        if slope != _ZERO:
            terms.append(Mul((exponent, Pow(base, Add((exponent, MINUS_ONE))), slope)))
        if rise != _ZERO:
            terms.append(Mul((Pow(base, exponent), _of("ln", base), rise)))
        return _ZERO if not terms else terms[0] if len(terms) == 1 else Add(tuple(terms))
