"""The free symbols of terms and of values, and other terms in their place."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from rlvr_fast.tasks.schemes.math.terms.nodes import Bound, Call, Symbol, Term
from rlvr_fast.tasks.schemes.math.values import Value

__all__ = ["mapped", "names_of", "put", "renamed", "symbols"]


def symbols(node: Any) -> frozenset[str]:
    """The names of the free symbols in a term, a value, or a tuple of them.

    Example:
        >>> from rlvr_fast.tasks.schemes.math.terms.nodes import Add
        >>> sorted(symbols(Add((Symbol("x"), Symbol("y")))))
        ['x', 'y']
    """
    found: set[str] = set()
    _collect(node, frozenset(), found)
    return frozenset(found)


def _collect(node: Any, bound: frozenset[str], found: set[str]) -> None:
    if isinstance(node, Symbol):
        if node.name not in bound:
            found.add(node.name)
    elif isinstance(node, tuple):
        for part in node:
            _collect(part, bound, found)
    elif isinstance(node, Term | Value):
        inner = bound | {node.variable} if isinstance(node, Bound) else bound
        for field in dataclasses.fields(node):
            _collect(getattr(node, field.name), inner, found)


def names_of(node: Any) -> frozenset[str]:
    """The names of all symbols and functions in a term, a value, or a tuple of them.

    Example:
        >>> sorted(names_of(Symbol("x")))
        ['x']
    """
    found: set[str] = set()
    _names(node, found)
    return frozenset(found)


def _names(node: Any, found: set[str]) -> None:
    if isinstance(node, Symbol | Call):
        found.add(node.name)
    if isinstance(node, tuple):
        for part in node:
            _names(part, found)
    elif isinstance(node, Term | Value):
        for field in dataclasses.fields(node):
            _names(getattr(node, field.name), found)


def renamed(node: Any, name: Callable[[str], str]) -> Any:
    """A term or value with other names of its symbols, functions and bound variables.

    Example:
        >>> renamed(Symbol("x"), str.upper)
        Symbol(name='X')
    """
    if isinstance(node, tuple):
        return tuple(renamed(part, name) for part in node)
    if not isinstance(node, Term | Value):
        return node
    fields = {
        field.name: renamed(getattr(node, field.name), name) for field in dataclasses.fields(node)
    }
    if isinstance(node, Symbol | Call):
        fields["name"] = name(node.name)
    elif isinstance(node, Bound):
        fields["variable"] = name(node.variable)
    return dataclasses.replace(node, **fields)


def mapped(node: Any, change: Callable[[Term], Term | None]) -> Any:
    """A term or value with other parts.

    Args:
        node: a term, a value, or a tuple of them.
        change: gives the term in the place of another one; None goes on inside that one.

    Example:
        >>> mapped(Symbol("x"), lambda part: Symbol("y") if part == Symbol("x") else None)
        Symbol(name='y')
    """
    if isinstance(node, Term) and (new := change(node)) is not None:
        return new
    if isinstance(node, tuple):
        return tuple(mapped(part, change) for part in node)
    if not isinstance(node, Term | Value):
        return node
    fields = {
        field.name: mapped(getattr(node, field.name), change) for field in dataclasses.fields(node)
    }
    return dataclasses.replace(node, **fields)


def put(node: Any, terms: Mapping[str, Term]) -> Any:
    """A term or value with terms in the place of free symbols.

    Example:
        >>> put(Symbol("x"), {"x": Symbol("y")})
        Symbol(name='y')
    """
    return _changed(node, terms.get, frozenset())


def _changed(node: Any, other: Callable[[str], Term | None], bound: frozenset[str]) -> Any:
    if isinstance(node, Symbol):
        new = None if node.name in bound else other(node.name)
        return node if new is None else new
    if isinstance(node, tuple):
        return tuple(_changed(part, other, bound) for part in node)
    if isinstance(node, Term | Value):
        inner = bound | {node.variable} if isinstance(node, Bound) else bound
        fields = {
            field.name: _changed(getattr(node, field.name), other, inner)
            for field in dataclasses.fields(node)
        }
        return dataclasses.replace(node, **fields)
    return node
