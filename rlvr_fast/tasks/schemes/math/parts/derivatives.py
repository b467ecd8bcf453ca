r"""Derivatives with and without a variable: `\frac{dx}{dt}`, `x'` and `\dot{x}`."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from typing import Any, cast

from rlvr_fast.tasks.schemes.math.parsing.names import ALONG
from rlvr_fast.tasks.schemes.math.parts.relation_values import FUNCTIONS
from rlvr_fast.tasks.schemes.math.terms.nodes import Call, Symbol, Term
from rlvr_fast.tasks.schemes.math.values import Value

__all__ = ["with_variables"]

_Names = dict[str, set[str]]


def with_variables(gold: Value, answer: Value) -> tuple[Value, Value]:
    r"""Two values in which derivatives are named alike.

    A derivative without a variable (`x'`) agrees with one of any variable, the same in the whole
    answer. Where both sides name the variables, they count.
    """
    gold, answer = _without_arguments(gold, answer), _without_arguments(answer, gold)
    found: tuple[_Names, _Names] = (defaultdict(set), defaultdict(set))
    functions: dict[str, Call] = {}
    for side, names in ((gold, found[0]), (answer, found[1])):
        _visit(side, names, functions)
    if not any(variables - {""} for names in found for variables in names.values()):
        return gold, answer
    values = []
    for side, own, others in ((gold, *found), (answer, *found[::-1])):
        new = {name: _variable(own[name], others.get(name, set())) for name in own}
        values.append(_changed(side, new, functions))
    return values[0], values[1]


def _without_arguments(value: Value, other: Value) -> Value:
    r"""`\ddot{x}(t) = f(t)` as `\ddot{x} = f`, where the other equation has no arguments.

    All functions have to be of one symbol, one of them a derivative.
    """
    calls, symbols = _calls(value), _calls(other, Symbol)
    arguments = {call.arguments for call in calls if isinstance(call, Call)}
    names = {call.name for call in calls}
    if len(arguments) != 1 or not any("'" in name for name in names):
        return value
    (inside,) = arguments
    if len(inside) != 1 or not isinstance(inside[0], Symbol) or _calls(other):
        return value
    if not names <= {symbol.name.partition(ALONG)[0] for symbol in symbols}:
        return value
    return cast(Value, _bare(value))


def _calls(node: Any, kind: type[Symbol | Call] = Call) -> list[Symbol | Call]:
    """All values of unknown functions, or all symbols, in a value."""
    found: list[Symbol | Call] = []
    if isinstance(node, kind) and (kind is Symbol or node.name.rstrip("'") not in FUNCTIONS):
        found.append(node)
    if isinstance(node, tuple):
        return [*found, *(part for inner in node for part in _calls(inner, kind))]
    if isinstance(node, Term | Value):
        inner = tuple(getattr(node, field) for field in _fields(node))
        return [*found, *_calls(inner, kind)]
    return found


def _bare(node: Any) -> Any:
    """The node with a symbol for each value of an unknown function."""
    if isinstance(node, Call) and node.name.rstrip("'") not in FUNCTIONS:
        return Symbol(node.name)
    if isinstance(node, tuple):
        return tuple(map(_bare, node))
    if isinstance(node, Term | Value):
        return dataclasses.replace(
            node, **{field: _bare(getattr(node, field)) for field in _fields(node)}
        )
    return node


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


def _changed(node: Any, new: dict[str, str | None], functions: dict[str, Call]) -> Any:
    if isinstance(node, Symbol):
        return _renamed(node, new, functions)
    if isinstance(node, tuple):
        return tuple(_changed(part, new, functions) for part in node)
    if isinstance(node, Term | Value):
        return dataclasses.replace(
            node,
            **{field: _changed(getattr(node, field), new, functions) for field in _fields(node)},
        )
    return node


def _renamed(symbol: Symbol, new: dict[str, str | None], functions: dict[str, Call]) -> Term:
    parts = _parts(symbol.name)
    if parts is None:
        return symbol
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
