r"""Statements of logic: `\forall x > 0, f(x) = 0`, `p \to q`, `\neg p`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rlvr_fast.tasks.schemes.math.kinds.expression import Expression
from rlvr_fast.tasks.schemes.math.parts.matching import all_in_order, all_matched
from rlvr_fast.tasks.schemes.math.parts.relation_values import Named
from rlvr_fast.tasks.schemes.math.parts.splitting import enclosed, split, words
from rlvr_fast.tasks.schemes.math.terms.nodes import Call
from rlvr_fast.tasks.schemes.math.values import Read, Same, Unread, Value

__all__ = ["Statement", "compare", "read"]


@dataclass(frozen=True, slots=True)
class Statement(Value):
    """An operator of logic and its parts, in order."""

    operator: str
    parts: tuple[Value, ...]


_QUANTIFIER = re.compile(r"(\\forall|\\exists|\\nexists) ?(!?) ?(?=\S)")
_BODY = re.compile(rf"[,:;]|{words('such that|we have')}")
# From the weakest operator to the strongest.
_OPERATORS = (
    ("iff", re.compile(r"\\(?:iff|[lL]eftrightarrow)(?![A-Za-z])")),
    ("implies", re.compile(r"\\(?:implies|to|longrightarrow)(?![A-Za-z])")),
    ("or", re.compile(r"\\lor(?![A-Za-z])")),
    ("and", re.compile(r"\\land(?![A-Za-z])")),
)
_NOT = re.compile(r"\\neg(?![A-Za-z]) ?")
_PROPOSITION = re.compile(r"(?:\\neg|[ ()])*[A-Za-z](?:_\{?\w+\}?)?\)*")


def read(text: str, read: Read) -> Value | None:
    """The value of a text that is a statement; see `kinds`."""
    if match := _QUANTIFIER.match(text):
        operator = match[1] + match[2]
        pieces = split(text[match.end() :], _BODY)
        if pieces is None:
            return None
        if not pieces.marks:
            return _statement(operator, (text[match.end() :],), read)
        start = text.index(pieces.marks[0], match.end() + len(pieces.parts[0]))
        body = text[start + len(pieces.marks[0]) :].strip()
        if operator == "\\forall" and _is_function(read(body)):
            return read(f"{body} for all {pieces.parts[0]}")  # as it is written elsewhere
        return _statement(operator, (pieces.parts[0], body), read)
    for name, operator_ in _OPERATORS:
        if operator_.search(text) is None:
            continue
        pieces = split(text, operator_, most=16)
        if pieces is None or not pieces.marks:
            continue
        propositions = "\\neg" in text or all(map(_PROPOSITION.fullmatch, pieces.parts))
        if name in ("or", "and") and not propositions:
            return None  # alternatives: x = 1 or x = 2
        return _statement(name, pieces.parts, read)
    if match := _NOT.match(text):
        return _statement("not", (text[match.end() :],), read)
    brackets = enclosed(text)
    if brackets and brackets[0] == "(" and any(sign.search(text) for _, sign in _OPERATORS):
        value = read(brackets[1])
        return value if isinstance(value, Statement) else None
    return None


def _is_function(value: Value) -> bool:
    """Whether a value says what f(x) is."""
    if not isinstance(value, Named) or not isinstance(value.name, Expression):
        return False
    return isinstance(value.name.term, Call)


def _statement(operator: str, parts: tuple[str, ...], read: Read) -> Value | None:
    values = tuple(read(part) for part in parts)
    if not all(parts) or any(isinstance(value, Unread) for value in values):
        return None
    return Statement(operator, values)


def compare(gold: Value, answer: Value, same: Same) -> bool | None:
    """Whether two statements agree; see `kinds`."""
    if isinstance(gold, Statement) and isinstance(answer, Statement):
        if gold.operator != answer.operator:
            return False
        matched = all_matched if gold.operator in ("iff", "or", "and") else all_in_order
        return matched(gold.parts, answer.parts, same)
    if isinstance(gold, Statement) or isinstance(answer, Statement):
        return False
    return None
