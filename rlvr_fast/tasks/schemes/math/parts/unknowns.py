r"""Unknown functions of differential equations, with and without their argument."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from rlvr_fast.tasks.schemes.math.parsing.names import ALONG
from rlvr_fast.tasks.schemes.math.parts.substitution import mapped
from rlvr_fast.tasks.schemes.math.terms.nodes import Call, Constant, Symbol, Term
from rlvr_fast.tasks.schemes.math.values import Value

__all__ = ["unknowns", "without_arguments"]


@dataclass(slots=True)
class _Names:
    """The names of one side, without primes.

    Attributes:
        plain: those that stand alone.
        called: those that are functions of one symbol -> these symbols.
        derived: those that have primes -> their variables.
    """

    plain: set[str] = field(default_factory=set)
    called: dict[str, set[str]] = field(default_factory=dict)
    derived: dict[str, set[str]] = field(default_factory=dict)


def without_arguments(gold: Value, answer: Value) -> tuple[Value, Value]:
    r"""Two values without the arguments that only one of them writes, where both have derivatives.

    So `x'(t) = kx(t)` is `\frac{dx}{dt} = kx`. An i that is differentiated is no imaginary unit.
    """
    first, second = _names(gold), _names(answer)
    gold, answer = _with_symbols(gold, first), _with_symbols(answer, second)
    if not (first.derived and second.derived):
        return gold, answer
    return _without(gold, first, second), _without(answer, second, first)


def _with_symbols(side: Value, own: _Names) -> Value:
    """A value with symbols for constants that are differentiated in it: i may be a current."""
    differentiated = own.derived.keys() & {"i", "e"}
    if not differentiated:
        return side
    own.plain |= differentiated

    def as_symbol(part: Term) -> Term | None:
        if not isinstance(part, Constant) or part.name not in differentiated:
            return None
        return Symbol(part.name)

    changed: Value = mapped(side, as_symbol)
    return changed


def _without(side: Value, own: _Names, others: _Names) -> Value:
    arguments = {
        name: next(iter(symbols))
        for name, symbols in own.called.items()
        if len(symbols) == 1
        and name not in own.plain
        and name in others.plain
        and name not in others.called
    }
    if len(set(arguments.values())) != 1:
        return side

    def as_symbol(part: Term) -> Term | None:
        if not isinstance(part, Call) or (stem := part.name.rstrip("'")) not in arguments:
            return None
        return Symbol(part.name + (ALONG + arguments[stem] if stem != part.name else ""))

    changed: Value = mapped(side, as_symbol)
    return changed


def unknowns(node: Any) -> frozenset[str]:
    """The symbols of unknown functions: what is differentiated, its derivatives and variables.

    Empty where nothing is differentiated.
    """
    names = _names(node)
    if not names.derived:
        return frozenset()
    found = {name for name in names.plain if name in names.derived}
    for variables in (*names.called.values(), *names.derived.values()):
        found |= variables
    return frozenset(found)


def _names(node: Any) -> _Names:
    names = _Names()
    _collect(node, names)
    return names


def _collect(node: Any, names: _Names) -> None:
    if isinstance(node, Symbol | Call):
        marked, _, variable = node.name.partition(ALONG)
        stem = marked.rstrip("'")
        if stem != marked:
            names.derived.setdefault(stem, set()).update((variable,) if variable else ())
        if isinstance(node, Symbol):
            names.plain.add(stem)
        elif len(node.arguments) == 1 and isinstance(node.arguments[0], Symbol):
            names.called.setdefault(stem, set()).add(node.arguments[0].name)
    if isinstance(node, tuple):
        for part in node:
            _collect(part, names)
    elif isinstance(node, Term | Value):
        for part in dataclasses.fields(node):
            _collect(getattr(node, part.name), names)
