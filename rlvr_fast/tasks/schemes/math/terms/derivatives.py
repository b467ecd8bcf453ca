"""The variables of derivatives: dy/dx and dy/dt differ, and y' may be either."""

from __future__ import annotations

import dataclasses
from typing import Any

from rlvr_fast.tasks.schemes.math.terms.nodes import Symbol, Term

__all__ = ["derivative", "reconciled"]

# Between the primes of a derivative and its variable, in a name.
_IN = "/d"


def derivative(name: str, order: int, variable: str) -> Symbol:
    """The derivative of a function, by its name, in a variable."""
    return Symbol(name + "'" * order + _IN + variable)


def reconciled(gold: Term, answer: Term) -> tuple[Term, Term]:
    """Both terms, without the variables of derivatives where only one of the two names them."""
    first, second = _names(gold), _names(answer)
    return (gold, answer) if first == second else (_plain(gold), _plain(answer))


def _names(node: Any) -> bool:
    """Whether a term names the variable of a derivative."""
    if isinstance(node, Symbol):
        return _IN in node.name
    if isinstance(node, tuple):
        return any(map(_names, node))
    if isinstance(node, Term):
        return any(_names(getattr(node, field.name)) for field in dataclasses.fields(node))
    return False


def _plain(node: Any) -> Any:
    if isinstance(node, Symbol):
        return Symbol(node.name.partition(_IN)[0]) if _IN in node.name else node
    if isinstance(node, tuple):
        return tuple(map(_plain, node))
    if isinstance(node, Term):
        fields = {f.name: _plain(getattr(node, f.name)) for f in dataclasses.fields(node)}
        return dataclasses.replace(node, **fields)
    return node
