"""The values that relations give: names with values, relations, families with parameters."""

from __future__ import annotations

from dataclasses import dataclass

from rlvr_fast.tasks.schemes.math.kinds.expression import Expression
from rlvr_fast.tasks.schemes.math.terms.nodes import (
    Bound,
    Call,
    Constant,
    Mul,
    Number,
    Symbol,
    Term,
)
from rlvr_fast.tasks.schemes.math.values import Value

__all__ = ["FUNCTIONS", "Family", "Named", "Relation", "infinite_sign", "is_name"]

# Functions whose value an equation does not name.
FUNCTIONS = frozenset((
    "sin", "cos", "tan", "cot", "sec", "csc", "arcsin", "arccos", "arctan", "arccot", "sinh",
    "cosh", "tanh", "coth", "ln", "log", "exp", "abs", "floor", "ceil", "factorial", "binomial",
    "double_factorial", "gcd", "lcm", "max", "min", "re", "im", "conjugate", "arg", "degrees",
    "cis", "mod", "round", "sgn",
))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Relation(Value):
    """A chain of relations, such as A < B < C.

    Attributes:
        signs: what stands between the sides, in one spelling each ("=", "<=", "in").
        sides: one more than the signs; as many as signs where nothing stands on the left.
    """

    signs: tuple[str, ...]
    sides: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Named(Value):
    """A name and its value, or the set of its values.

    Attributes:
        name: a symbol, a function value such as f(2), a tuple of symbols, or words.
        value: the value; a set of reals where the source is an inequality.
        source: the relation as it was written.
    """

    name: Value
    value: Value
    source: Relation


@dataclass(frozen=True, slots=True)
class Family(Value):
    r"""Values with parameters: `x = 2k\pi, k \in \mathbb{Z}`.

    Attributes:
        body: what depends on the parameters.
        parameters: the name of each and the set it runs over.
    """

    body: Value
    parameters: tuple[tuple[str, Value], ...]


def is_name(value: Value) -> bool:
    """Whether a value can be the name of another: a symbol, or an unknown function's value."""
    if not isinstance(value, Expression):
        return False
    term = value.term
    if isinstance(term, Call):
        return term.name not in FUNCTIONS
    if isinstance(term, Bound):
        return _is_unknown(term.body)
    return isinstance(term, Symbol) or term in (Constant("e"), Constant("i"))


def infinite_sign(term: Term) -> int:
    """1 of infinity, -1 of minus infinity, 0 of every other term."""
    if term == Constant("infinity"):
        return 1
    if isinstance(term, Mul) and Constant("infinity") in term.parts and len(term.parts) == 2:
        other = next((part for part in term.parts if isinstance(part, Number)), None)
        if other is not None and other.value:
            return 1 if other.value > 0 else -1
    return 0


def _is_unknown(term: Term) -> bool:
    """Whether a term is a value of an unknown function."""
    return isinstance(term, Call) and term.name not in FUNCTIONS
