"""What a term holds, and its structure up to the order of sums and products."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

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

__all__ = ["Facts", "facts", "structure"]

# Functions whose arguments are integers.
_OF_INTEGERS = {"factorial", "double_factorial", "binomial", "gcd", "lcm"}
# Functions of real numbers that are mostly asked of integers, where the name is one of an integer.
_OF_INTEGER_NAMES = {"floor", "ceil", "mod"}
# Functions of real numbers that are constant between jumps, or nearly so.
_STEPS = _OF_INTEGER_NAMES | {"round"}
_INTEGER_NAMES = set("ijklmnpqMN")
# Functions that tell complex numbers from real ones.
_OF_COMPLEX = {"re", "im", "conjugate", "arg"}
# Names of complex numbers: |z|^2 is not z^2.
_COMPLEX_NAMES = (Symbol("z"), Symbol("w"))
# Functions that are analytic, but for poles, in all complex numbers.
_ANALYTIC = {"sin", "cos", "tan", "cot", "sec", "csc", "sinh", "cosh", "tanh", "exp", "degrees"}


@dataclass(frozen=True, slots=True)
class Facts:
    """What a term holds.

    Attributes:
        symbols: the free names.
        integers: those of them that stand for integers.
        exponents: those of them that stand in an exponent and have the name of an integer.
        powers: those of the exponents whose base is a complex number other than e: z^n.
        complexes: those of them that stand for complex numbers.
        imaginary: whether the term speaks of complex numbers.
        plain_log: whether it has a logarithm without a base.
        branched: whether it has a function that is not one analytic function of its symbols, such
            as an absolute value or a root: what holds in one region need not hold in another.
        operators: whether it has a sum, a product, an integral or a limit.
        steps: the free names in the argument of a step function, such as a floor.
    """

    symbols: frozenset[str] = frozenset()
    integers: frozenset[str] = frozenset()
    exponents: frozenset[str] = frozenset()
    powers: frozenset[str] = frozenset()
    complexes: frozenset[str] = frozenset()
    imaginary: bool = False
    plain_log: bool = False
    branched: bool = False
    operators: bool = False
    steps: frozenset[str] = frozenset()

    def __or__(self, other: Facts) -> Facts:
        if self is _NOTHING:
            return other
        if other is _NOTHING:
            return self
        return Facts(
            self.symbols | other.symbols,
            self.integers | other.integers,
            self.exponents | other.exponents,
            self.powers | other.powers,
            self.complexes | other.complexes,
            self.imaginary or other.imaginary,
            self.plain_log or other.plain_log,
            self.branched or other.branched,
            self.operators or other.operators,
            self.steps | other.steps,
        )


_NOTHING = Facts()


class _Search:
    """The facts of a term, collected in one pass."""

    def __init__(self) -> None:
        self.symbols: set[str] = set()
        self.integers: set[str] = set()
        self.exponents: set[str] = set()
        self.powers: set[str] = set()
        self.complexes: set[str] = set()
        self.steps: set[str] = set()
        self.imaginary = False
        self.plain_log = False
        self.branched = False
        self.operators = False

    def visit(self, term: Term) -> None:
        """Adds what a term holds."""
        if isinstance(term, Symbol):
            self.symbols.add(term.name)
        elif isinstance(term, Constant):
            self.imaginary = self.imaginary or term.name == "i"
        elif isinstance(term, Add | Mul):
            for part in term.parts:
                self.visit(part)
        elif isinstance(term, Pow):
            below, above = self._apart(term.base), self._apart(term.exponent)
            whole = isinstance(term.exponent, Number) and term.exponent.value.denominator == 1
            self.branched = self.branched or not whole
            names = {name for name in above.symbols if name[0] in _INTEGER_NAMES}
            self.exponents |= names
            if below.imaginary:
                self.powers |= names
            self._add(below)
            self._add(above)
        elif isinstance(term, Root):
            self.branched = True
            self.visit(term.degree)
            self.visit(term.inside)
        elif isinstance(term, Call):
            self._visit_call(term)
        elif isinstance(term, Bound):
            self._visit_bound(term)

    def _apart(self, *terms: Term) -> _Search:
        found = _Search()
        for term in terms:
            found.visit(term)
        return found

    def _add(self, other: _Search) -> None:
        self.symbols |= other.symbols
        self.integers |= other.integers
        self.exponents |= other.exponents
        self.powers |= other.powers
        self.complexes |= other.complexes
        self.steps |= other.steps
        self.imaginary = self.imaginary or other.imaginary
        self.plain_log = self.plain_log or other.plain_log
        self.branched = self.branched or other.branched
        self.operators = self.operators or other.operators

    def _visit_call(self, term: Call) -> None:
        found = self._apart(*term.arguments)
        found.branched = found.branched or term.name not in _ANALYTIC
        if term.name in _STEPS:
            found.steps |= found.symbols
        if term.name in _OF_INTEGERS:
            found.integers |= found.symbols
        elif term.name in _OF_INTEGER_NAMES:
            found.integers |= {name for name in found.symbols if name[0] in _INTEGER_NAMES}
        elif term.name in _OF_COMPLEX or _is_modulus(term):
            found.complexes |= found.symbols
            found.imaginary = True
        elif term.name == "cis":
            found.imaginary = True
        elif term.name == "log" and term.index is None:
            found.plain_log = True
        self._add(found)
        if term.index is not None:
            self.visit(term.index)

    def _visit_bound(self, term: Bound) -> None:
        found = self._apart(term.body)
        for names in (
            found.symbols, found.integers, found.exponents, found.powers, found.complexes,
            found.steps,
        ):  # fmt: skip
            names.discard(term.variable)
        ends = self._apart(*(end for end in (term.lower, term.upper) if end is not None))
        if term.operator in ("sum", "product"):
            ends.integers |= ends.symbols
        self._add(found)
        self._add(ends)
        self.operators = True


def _is_modulus(term: Call) -> bool:
    return term.name == "abs" and term.arguments[0] in _COMPLEX_NAMES


def facts(term: Term) -> Facts:
    """What a term holds.

    Example:
        >>> sorted(facts(Add((Symbol("x"), Symbol("y")))).symbols)
        ['x', 'y']
    """
    found = _Search()
    found.visit(term)
    if not found.symbols and not found.imaginary and not found.plain_log:
        return _NOTHING
    return Facts(
        frozenset(found.symbols),
        frozenset(found.integers),
        frozenset(found.exponents),
        frozenset(found.powers),
        frozenset(found.complexes),
        found.imaginary,
        found.plain_log,
        found.branched,
        found.operators,
        frozenset(found.steps),
    )


def structure(term: Term, bound: tuple[str, ...] = ()) -> Hashable:
    """A key that is the same for terms that differ in order and names of bound symbols only.

    Args:
        term: any term.
        bound: the names of the operators around it, outermost first.
    """
    match term:
        case Number(value):
            return ("number", str(value))
        case Constant(name):
            return ("constant", name)
        case Symbol(name):
            depth = len(bound) - 1 - bound[::-1].index(name) if name in bound else -1
            return ("symbol", name) if depth < 0 else ("bound", str(depth))
        case Add() | Mul():
            parts: list[Hashable] = []
            for part in term.parts:
                key = structure(part, bound)
                if isinstance(key, tuple) and key[0] == type(term).__name__:
                    parts += key[1:]
                else:
                    parts.append(key)
            return (type(term).__name__, *sorted(parts, key=repr))
        case Pow(base, exponent):
            return ("power", structure(base, bound), structure(exponent, bound))
        case Root(degree, inside):
            return ("root", structure(degree, bound), structure(inside, bound))
        case Call(name, arguments, index):
            below = None if index is None else structure(index, bound)
            return ("call", name, below, *(structure(part, bound) for part in arguments))
        case Bound():
            ends = tuple(
                None if end is None else structure(end, bound) for end in (term.lower, term.upper)
            )
            return (term.operator, term.side, *ends, structure(term.body, (*bound, term.variable)))
    raise TypeError(type(term))
