r"""Statements of logic: `\forall x > 0, f(x) = 0`, `p \to q`, `\neg p`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rlvr_fast.tasks.schemes.math.kinds.matching import all_in_order, all_matched
from rlvr_fast.tasks.schemes.math.kinds.splitting import enclosed, split, words
from rlvr_fast.tasks.schemes.math.values import Read, Same, Unread, Value

__all__ = ["Statement", "compare", "read"]


@dataclass(frozen=True, slots=True)
class Statement(Value):
    """An operator of logic and its parts, in order."""

    operator: str
    parts: tuple[Value, ...]


_QUANTIFIER = re.compile(r"(\\forall|\\exists|\\nexists|∀|∃|∄)\s*(!?)\s*(?=\S)")
_NAMES = {"∀": "\\forall", "∃": "\\exists", "∄": "\\nexists"}
_BODY = re.compile(
    rf"[,:;.]|\\colon(?![A-Za-z])|\\q?quad(?![A-Za-z])|{words('such that|s.t.|we have')}"
)
# From the weakest operator to the strongest.
_OPERATORS = (
    ("iff", re.compile(r"\\(?:iff|Leftrightarrow|leftrightarrow|Longleftrightarrow)(?![A-Za-z])|<=>|<->|⇔|↔")),
    ("implies", re.compile(
        r"\\(?:implies|Rightarrow|Longrightarrow|rightarrow|longrightarrow|to)(?![A-Za-z])|=>|->|⇒|→"
    )),
    ("or", re.compile(r"\\(?:lor|vee)(?![A-Za-z])|∨")),
    ("and", re.compile(r"\\(?:land|wedge)(?![A-Za-z])|∧")),
)  # fmt: skip
_NOT = re.compile(r"(?:\\neg|\\lnot|¬)(?![A-Za-z])\s*")
_PROPOSITION = re.compile(r"(?:\\neg|\\lnot|¬|\s|[()~])*[A-Za-z](?:_\{?\w+\}?)?\)*")


def read(text: str, read: Read) -> Value | None:
    """The value of a text that is a statement; see `kinds`."""
    if match := _QUANTIFIER.match(text):
        operator = _NAMES.get(match[1], match[1]) + match[2]
        pieces = split(text[match.end() :], _BODY)
        if pieces is None:
            return None
        if not pieces.marks:
            return _statement(operator, (text[match.end() :],), read)
        start = text.index(pieces.marks[0], match.end() + len(pieces.parts[0]))
        return _statement(
            operator, (pieces.parts[0], text[start + len(pieces.marks[0]) :].strip()), read
        )
    for name, operator_ in _OPERATORS:
        if operator_.search(text) is None:
            continue
        pieces = split(text, operator_, most=16)
        if pieces is None or not pieces.marks:
            continue
        if name in ("or", "and") and not all(map(_PROPOSITION.fullmatch, pieces.parts)):
            if not any(mark in text for mark in ("\\neg", "\\lnot", "¬")):
                return None  # alternatives: x = 1 or x = 2
        return _statement(name, pieces.parts, read)
    if match := _NOT.match(text):
        return _statement("not", (text[match.end() :],), read)
    brackets = enclosed(text)
    if brackets and brackets[0] == "(" and any(sign.search(text) for _, sign in _OPERATORS):
        value = read(brackets[1])
        return value if isinstance(value, Statement) else None
    return None


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
