r"""Derivatives with and without a variable: `\frac{dx}{dt}`, `x'` and `\dot{x}`."""

from __future__ import annotations

import functools
from collections import defaultdict
from typing import Any

from rlvr_fast.tasks.schemes.math.parsing.names import ALONG
from rlvr_fast.tasks.schemes.math.parts.substitution import mapped
from rlvr_fast.tasks.schemes.math.terms.nodes import Call, Symbol, Term
from rlvr_fast.tasks.schemes.math.values import Value

__all__ = ["with_variables"]

_Names = dict[str, set[str]]


def with_variables(gold: Value, answer: Value) -> tuple[Value, Value]:
    r"""Two values in which derivatives are named alike.

    A derivative without a variable (`x'`) agrees with one of any variable, the same in the whole
    answer. Where both sides name the variables, they count.
    """
    found: tuple[_Names, _Names] = (defaultdict(set), defaultdict(set))
    functions: dict[str, Call] = {}
    for side, names in ((gold, found[0]), (answer, found[1])):
        _visit(side, names, functions)
    if not any(variables - {""} for names in found for variables in names.values()):
        return gold, answer
    values = []
    for side, own, others in ((gold, *found), (answer, *found[::-1])):
        new = {name: _variable(own[name], others.get(name, set())) for name in own}
        change = functools.partial(_renamed, new=new, functions=functions)
        values.append(mapped(side, change))
    return values[0], values[1]


def _variable(own: set[str], others: set[str]) -> str | None:
    """The variable that derivatives of a name get; "" takes it away, None leaves all as it is."""
    named = own - {""}
    if len(named) > 1:
        return None
    if others - {""} or not others:
        return next(iter(named), None)
    return ""


def _parts(name: str) -> tuple[str, str, str] | None:
    """The name, the primes and the variable of a derivative."""
    marked, _, variable = name.partition(ALONG)
    stem = marked.rstrip("'")
    return None if stem == marked or not stem else (stem, marked[len(stem) :], variable)


def _visit(node: Any, names: _Names, functions: dict[str, Call]) -> None:
    if isinstance(node, Symbol | Call) and (parts := _parts(node.name)):
        names[parts[0]].add(parts[2])
        if isinstance(node, Call):
            functions.setdefault(node.name, node)
    if isinstance(node, tuple):
        for part in node:
            _visit(part, names, functions)
    elif isinstance(node, Term | Value):
        for field in _fields(node):
            _visit(getattr(node, field), names, functions)


def _renamed(part: Term, new: dict[str, str | None], functions: dict[str, Call]) -> Term | None:
    """The derivative that a symbol stands for, under its new name; None for every other term."""
    parts = _parts(part.name) if isinstance(part, Symbol) else None
    if parts is None:
        return None
    stem, primes, variable = parts
    function = functions.get(stem + primes)
    if function is not None and function.arguments == (Symbol(variable),):
        return function  # df/dx beside f'(x)
    wanted = new[stem]
    if wanted is not None:
        variable = wanted
    return Symbol(stem + primes + (ALONG + variable if variable else ""))


def _fields(node: Term | Value) -> tuple[str, ...]:
    return tuple(node.__dataclass_fields__)
