"""What a term holds, and its structure up to the order of sums and products."""

from __future__ import annotations

import functools
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
_INTEGER_NAMES = set("ijklmnpqMN")
# Functions that tell complex numbers from real ones.
_OF_COMPLEX = {"re", "im", "conjugate", "arg"}


@dataclass(frozen=True, slots=True)
class Facts:
    """What a term holds.

    Attributes:
        symbols: the free names.
        integers: those of them that stand for integers.
        exponents: those of them that stand in an exponent and have the name of an integer.
        complexes: those of them that stand for complex numbers.
        imaginary: whether the term speaks of complex numbers.
        plain_log: whether it has a logarithm without a base.
    """

    symbols: frozenset[str] = frozenset()
    integers: frozenset[str] = frozenset()
    exponents: frozenset[str] = frozenset()
    complexes: frozenset[str] = frozenset()
    imaginary: bool = False
    plain_log: bool = False

    def __or__(self, other: Facts) -> Facts:
        return Facts(
            self.symbols | other.symbols,
            self.integers | other.integers,
            self.exponents | other.exponents,
            self.complexes | other.complexes,
            self.imaginary or other.imaginary,
            self.plain_log or other.plain_log,
        )


_NOTHING = Facts()


@functools.lru_cache(maxsize=4096)
def facts(term: Term) -> Facts:
    """What a term holds.

    Example:
        >>> sorted(facts(Add((Symbol("x"), Symbol("y")))).symbols)
        ['x', 'y']
    """
    match term:
        case Number():
            return _NOTHING
        case Constant(name):
            return Facts(imaginary=name == "i")
        case Symbol(name):
            return Facts(symbols=frozenset((name,)))
        case Add(parts) | Mul(parts):
            return functools.reduce(Facts.__or__, map(facts, parts), _NOTHING)
        case Pow(base, exponent):
            above = facts(exponent)
            named = frozenset(s for s in above.symbols if s[0] in _INTEGER_NAMES)
            return facts(base) | above | Facts(exponents=named)
        case Root(degree, inside):
            return facts(degree) | facts(inside)
        case Call():
            return _of_call(term)
        case Bound():
            return _of_bound(term)
    raise TypeError(type(term))


def _of_call(term: Call) -> Facts:
    found = functools.reduce(Facts.__or__, map(facts, term.arguments), _NOTHING)
    extra = _NOTHING
    if term.name in _OF_INTEGERS:
        extra = Facts(integers=found.symbols)
    elif term.name in _OF_INTEGER_NAMES:
        extra = Facts(integers=frozenset(s for s in found.symbols if s[0] in _INTEGER_NAMES))
    elif term.name in _OF_COMPLEX:
        extra = Facts(complexes=found.symbols, imaginary=True)
    elif term.name == "cis":
        extra = Facts(imaginary=True)
    elif term.name == "log" and term.index is None:
        extra = Facts(plain_log=True)
    return found | extra | (_NOTHING if term.index is None else facts(term.index))


def _of_bound(term: Bound) -> Facts:
    inside = facts(term.body)
    own = frozenset((term.variable,))
    found = Facts(
        inside.symbols - own,
        inside.integers - own,
        inside.exponents - own,
        inside.complexes - own,
        inside.imaginary,
        inside.plain_log,
    )
    for end in (term.lower, term.upper):
        if end is not None:
            ends = facts(end)
            found |= ends
            if term.operator in ("sum", "product"):
                found |= Facts(integers=ends.symbols)
    return found


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
            return (term.operator, *ends, structure(term.body, (*bound, term.variable)))
    raise TypeError(type(term))
