r"""Functions by cases, and the rows of systems: `\begin{cases}`, `\begin{aligned}`."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from rlvr_fast.tasks.schemes.math.evaluation import equal_terms
from rlvr_fast.tasks.schemes.math.kinds.collection import List
from rlvr_fast.tasks.schemes.math.kinds.expression import Expression
from rlvr_fast.tasks.schemes.math.kinds.qualified import Conditional, Qualified
from rlvr_fast.tasks.schemes.math.kinds.real_set import (
    REALS,
    Operation,
    as_set,
    is_empty,
    points,
)
from rlvr_fast.tasks.schemes.math.parts.matching import all_matched
from rlvr_fast.tasks.schemes.math.parts.relation_groups import together
from rlvr_fast.tasks.schemes.math.parts.relation_values import Named, Relation
from rlvr_fast.tasks.schemes.math.parts.set_grid import places_in
from rlvr_fast.tasks.schemes.math.parts.solving import SIGN
from rlvr_fast.tasks.schemes.math.parts.splitting import CONJUNCTION, environment, split, words
from rlvr_fast.tasks.schemes.math.parts.substitution import put
from rlvr_fast.tasks.schemes.math.terms.nodes import Symbol, Term
from rlvr_fast.tasks.schemes.math.values import Read, Same, Unread, Value

__all__ = ["Case", "Piecewise", "compare", "read"]


_FEWEST_PLACES = 6


@dataclass(frozen=True, slots=True)
class Case(Value):
    """A value and when it holds; None: otherwise."""

    value: Value
    condition: Value | None


@dataclass(frozen=True, slots=True)
class Piecewise(Value):
    """A function by cases; the order of the cases does not count."""

    cases: tuple[Case, ...]


_CASES = frozenset(("cases", "dcases", "rcases"))
_ENVIRONMENTS = _CASES | {
    "aligned", "align", "alignedat", "gathered", "gather", "split", "equation", "displaymath",
    "math", "multline", "flalign", "eqnarray", "center",
}  # fmt: skip
_ROW = re.compile(r"\\\\(?: ?\[[^\]]*\])?|\\cr(?![A-Za-z])|\\newline")
_CELL = re.compile(r"&")
_IF = re.compile(rf"[,;: ]*(?:{words('if|for|when|where|whenever|on')})? ?")
_INNER_IF = re.compile(rf"(?:, ?)?{words('if|when|whenever')}")
_OTHER = {"is even": "is odd", "is odd": "is even"}
_OTHERWISE = re.compile(r"(?:otherwise|else|elsewhere|in all other cases)\.?", re.I)


def read(text: str, read: Read) -> Value | None:
    """The value of a text that is a function by cases or a system; see `kinds`."""
    if "\\begin" not in text:
        return _in_words(text, read)
    whole = environment(text)
    if whole is None or whole[0] not in _ENVIRONMENTS:
        return None
    name, inside = whole
    rows = split(inside, _ROW, most=64)
    if rows is None:
        return None
    texts = [row for row in rows.parts if row]
    if name in _CASES:
        cases = [_case(row, read) for row in texts]
        if cases and all(case is not None for case in cases):
            return Piecewise(_with_conditions(tuple(case for case in cases if case is not None)))
    return _system(texts, read)


def _in_words(text: str, read: Read) -> Value | None:
    """`x if x > 0, -x if x < 0`."""
    if not _INNER_IF.search(text):
        return None
    parts = split(text, CONJUNCTION, most=16)
    if parts is None or not parts.marks:
        return None
    cases = [_case(part, read) for part in parts.parts]
    known = tuple(case for case in cases if case is not None)
    return Piecewise(_with_conditions(known)) if len(known) == len(cases) else None


def _case(row: str, read: Read) -> Case | None:
    cells = split(row, _CELL, most=8)
    if cells is None:
        return None
    parts = [part for part in cells.parts if part]
    if len(parts) == 1:
        halves = split(parts[0], _INNER_IF, most=2)
        if halves is None or len(halves.parts) != 2 or not all(halves.parts):
            return None
        parts = list(halves.parts)
    if len(parts) < 2:
        return None
    condition_text = _IF.sub("", " ".join(parts[1:]), count=1).strip().rstrip(".,;")
    value = read(parts[0].rstrip(",; "))
    if isinstance(value, Unread):
        return None
    if _OTHERWISE.fullmatch(condition_text):
        return Case(value, None)
    if not condition_text or (SIGN.match(condition_text) and SIGN.search(parts[0]) is None):
        return None  # `x & = 1`: a row of a system
    condition = read(condition_text)
    return None if isinstance(condition, Unread) else Case(value, condition)


def _with_conditions(cases: tuple[Case, ...]) -> tuple[Case, ...]:
    """The cases with the condition of the one that holds otherwise, where the others are sets."""
    others = [case.condition for case in cases if case.condition is not None]
    if len(others) != len(cases) - 1 or not others:
        return cases
    if len(others) == 1 and isinstance(others[0], Qualified) and others[0].qualifier in _OTHER:
        opposite = replace(others[0], qualifier=_OTHER[others[0].qualifier])
        return tuple(replace(case, condition=case.condition or opposite) for case in cases)
    named = [other for other in others if isinstance(other, Named)]
    sets = [as_set(other.value) or _point(other.value) for other in named]
    known = [part for part in sets if part is not None]
    if len(known) != len(others) or any(other.name != named[0].name for other in named):
        return cases
    rest = Operation("minus", (REALS, *known))
    name = named[0].name
    condition = Named(name, rest, Relation(("in",), (name, rest)))
    return tuple(
        case if case.condition is not None else Case(case.value, condition) for case in cases
    )


def _point(value: Value) -> Value | None:
    """The set of one number."""
    return points((value.term,)) if isinstance(value, Expression) else None


def _system(rows: list[str], read: Read) -> Value | None:
    r"""Rows of equations as a list of them; `&` only aligns. A row may go on with `=`."""
    lines: list[str] = []
    for row in rows:
        cells = split(row, _CELL)
        if cells is None:
            return None
        line = " ".join(cells.parts).strip().rstrip(",;")
        if lines and SIGN.match(line):
            lines[-1] += " " + line
        else:
            lines.append(line)
    if len(lines) > 1 and not all(SIGN.search(line) for line in lines):
        return None
    if len(lines) == 1:
        value = read(lines[0])
        return None if isinstance(value, Unread) else value
    values: list[Value] = []
    for line in lines:
        parts = split(line, CONJUNCTION)
        for part in parts.parts if parts else ():
            values.append(read(part))
    if not values or any(isinstance(value, Unread) for value in values):
        return None
    return together(values, False)


def _is_function(function: Piecewise, term: Term) -> bool:
    """Whether a function by cases of one variable is a term, by values in each of its sets.

    The sets have to be all real numbers together.
    """
    conditions = [case.condition for case in function.cases]
    named = [condition for condition in conditions if isinstance(condition, Named)]
    if len(named) < len(conditions) or len({condition.name for condition in named}) != 1:
        return False
    name = named[0].name
    sets = [as_set(condition.value) for condition in named]
    known = [part for part in sets if part is not None]
    if not isinstance(name, Expression) or not isinstance(name.term, Symbol):
        return False
    variable = name.term.name
    if len(known) < len(sets) or not is_empty(Operation("minus", (REALS, *known))):
        return False
    for case, part in zip(function.cases, known, strict=True):
        if not isinstance(case.value, Expression):
            return False
        places = places_in(part)
        if len(places) < _FEWEST_PLACES and not isinstance(part, Operation):
            return False
        for place in places:
            at = {variable: place}
            if not equal_terms(put(case.value.term, at), put(term, at)):
                return False
    return True


def _as_cases(value: Value, other: Value) -> Value:
    """A list of values that each have a condition as cases, to compare it with cases."""
    if not isinstance(value, List) or not isinstance(other, Piecewise):
        return value
    parts = [part for part in value.parts if isinstance(part, Conditional)]
    if len(parts) < len(value.parts) or any(part.relation != "if" for part in parts):
        return value
    return Piecewise(tuple(Case(part.value, part.condition) for part in parts))


def compare(gold: Value, answer: Value, same: Same) -> bool | None:
    """Whether two functions by cases agree; see `kinds`."""
    gold, answer = _as_cases(gold, answer), _as_cases(answer, gold)
    if isinstance(gold, Piecewise) and isinstance(answer, Piecewise):
        return all_matched(gold.cases, answer.cases, same)
    if isinstance(gold, Case) and isinstance(answer, Case):
        if gold.condition is None or answer.condition is None:
            agree = gold.condition is answer.condition
        else:
            agree = same(gold.condition, answer.condition)
        return agree and same(gold.value, answer.value)
    for cases, other in ((gold, answer), (answer, gold)):
        if isinstance(cases, Piecewise) and isinstance(other, Expression):
            return _is_function(cases, other.term)
    if isinstance(gold, Piecewise | Case) or isinstance(answer, Piecewise | Case):
        if isinstance(gold, Named) or isinstance(answer, Named):
            return None  # f(x) = ..., which names the function
        return False
    return None
