"""Whether the names of two values are one."""

from __future__ import annotations

import re
from typing import cast

from rlvr_fast.tasks.schemes.math.evaluation import equal_terms
from rlvr_fast.tasks.schemes.math.kinds.collection import Collection
from rlvr_fast.tasks.schemes.math.kinds.expression import Expression
from rlvr_fast.tasks.schemes.math.parts.relation_values import Named
from rlvr_fast.tasks.schemes.math.parts.substitution import put, symbols
from rlvr_fast.tasks.schemes.math.terms.nodes import Call, Symbol, Term
from rlvr_fast.tasks.schemes.math.values import Same, Value

__all__ = ["argument_renamed", "is_choice_letter", "same_name_throughout", "same_names"]

# Functions whose argument may be renamed, and usual names of arguments: f(a) = 3 is not f(b) = 3.
_FUNCTION = re.compile(r"[A-DF-Za-z]'*(?:_\w+)?")
_ARGUMENT = re.compile(r"[xyzntm]")


def same_names(gold: Value, answer: Value, same: Same) -> bool:
    """Whether two names are one; names of different types, as a tuple and a symbol, never are."""
    if isinstance(gold, Expression) and isinstance(answer, Expression):
        return gold == answer or equal_terms(gold.term, answer.term)
    return type(gold) is type(answer) and same(gold, answer)


def same_name_throughout(name: Value, values: Value, same: Same) -> bool:
    """Whether all names in a list are one, or it with an index: x_1 = 1, x_2 = 2 are of x."""
    if isinstance(values, Collection):
        return all(same_name_throughout(name, part, same) for part in values.parts)
    if not isinstance(values, Named) or same_names(name, values.name, same):
        return True
    terms = [part.term for part in (name, values.name) if isinstance(part, Expression)]
    return len(terms) == 2 and all(
        isinstance(term, Symbol) and term.name.partition("_")[0] == _stem(terms[0])
        for term in terms
    )


def is_choice_letter(name: Value) -> bool:
    """Whether a name is the letter of a choice too."""
    term = name.term if isinstance(name, Expression) else None
    return isinstance(term, Symbol) and term.name in tuple("ABCDEFGHIJ")


def _stem(term: Term) -> str:
    return term.name.partition("_")[0] if isinstance(term, Symbol) else ""


def argument_renamed(gold: Value, gold_value: Value, answer: Named) -> Named | None:
    """The answer `f(t) = t^2` as f(x) = x^2, where the gold has f(x)."""
    if not (isinstance(gold, Expression) and isinstance(answer.name, Expression)):
        return None
    first, second = gold.term, answer.name.term
    if not (isinstance(first, Call) and isinstance(second, Call)):
        return None
    if first.name != second.name or len(first.arguments) != len(second.arguments):
        return None
    names = {
        old.name: new
        for old, new in zip(second.arguments, first.arguments, strict=True)
        if isinstance(old, Symbol) and isinstance(new, Symbol)
    }
    if len(names) != len(first.arguments) or not _FUNCTION.fullmatch(first.name):
        return None
    for argument in first.arguments:
        known = isinstance(argument, Symbol) and _ARGUMENT.fullmatch(argument.name)
        if not known and not symbols(argument) <= symbols(gold_value):
            return None
    free = symbols(answer.value) - set(names)
    if free & {new.name for new in names.values() if isinstance(new, Symbol)}:
        return None
    return cast(Named, put(answer, names))
