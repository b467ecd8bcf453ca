r"""Arithmetic and geometric progressions, of which dots leave elements out: `1, 3, 5, \ldots`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from rlvr_fast.tasks.schemes.math.kinds.expression import Expression
from rlvr_fast.tasks.schemes.math.terms.nodes import Number, Symbol
from rlvr_fast.tasks.schemes.math.values import Value

__all__ = ["Progression", "elements", "progression"]

# Elements that tell a progression: in front of the dots, or with those after them.
_FEWEST = 3
_MOST_ELEMENTS = 64


@dataclass(frozen=True, slots=True)
class Progression:
    """A progression.

    Attributes:
        first: the first element.
        step: the difference, or the quotient, of neighbours.
        geometric: whether the step is a quotient.
        last: the last element: a number, a value with symbols, or None where it has no end.
    """

    first: Fraction
    step: Fraction
    geometric: bool
    last: Fraction | Value | None


def progression(groups: Sequence[Sequence[Value]]) -> Progression | None:
    """The progression of elements before and after dots; None where they tell none.

    Args:
        groups: the elements before the dots and those after them.
    """
    if len(groups) != 2 or not groups[0]:
        return None
    if len(groups[0]) == len(groups[1]) == 1:
        return _counted(groups[0][0], groups[1][0])
    if len(groups[0]) < 2 or len(groups[0]) + len(groups[1]) < _FEWEST:
        return None
    before = _numbers(groups[0])
    if before is None:
        return None
    after = _numbers(groups[1])
    if after is None and len(groups[1]) > 1:
        return None
    for geometric in (False, True):
        step = _step(before, geometric)
        if step is None:
            continue
        if after is None:
            return Progression(before[0], step, geometric, groups[1][0])
        if not after:
            return Progression(before[0], step, geometric, None)
        if len(after) > 1 and _step(after, geometric) != step:
            continue
        if _reaches(before[-1], after[0], step, geometric):
            return Progression(before[0], step, geometric, after[-1])
    return None


def _counted(first: Value, last: Value) -> Progression | None:
    r"""`1, \ldots, 9` and `1, \ldots, n`: with one element before the dots the step is 1."""
    start, end = _numbers((first,)), _numbers((last,))
    if start is None or start[0].denominator != 1:
        return None
    if end is None:
        is_symbol = isinstance(last, Expression) and isinstance(last.term, Symbol)
        return Progression(start[0], Fraction(1), False, last) if is_symbol else None
    if end[0].denominator != 1 or end[0] <= start[0]:
        return None
    return Progression(start[0], Fraction(1), False, end[0])


def elements(known: Progression) -> tuple[Value, ...] | None:
    """All elements of a progression; None where they are not known or too many."""
    if not isinstance(known.last, Fraction):
        return None
    found, element = [known.first], known.first
    while element != known.last and len(found) < _MOST_ELEMENTS:
        element = element * known.step if known.geometric else element + known.step
        found.append(element)
    if element != known.last:
        return None
    return tuple(Expression(Number(value)) for value in found)


def _numbers(values: Sequence[Value]) -> list[Fraction] | None:
    terms = [value.term for value in values if isinstance(value, Expression)]
    numbers = [term.value for term in terms if isinstance(term, Number)]
    return numbers if len(numbers) == len(values) else None


def _step(numbers: Sequence[Fraction], geometric: bool) -> Fraction | None:
    pairs = list(pairwise(numbers))
    if geometric:
        if 0 in numbers:
            return None
        steps = {second / first for first, second in pairs}
        return None if steps & {Fraction(1), Fraction(-1)} or len(steps) != 1 else steps.pop()
    steps = {second - first for first, second in pairs}
    return None if len(steps) != 1 or steps == {Fraction(0)} else steps.pop()


def _reaches(start: Fraction, end: Fraction, step: Fraction, geometric: bool) -> bool:
    """Whether an element after `start` is `end`."""
    if not geometric:
        count = (end - start) / step
        return count.denominator == 1 and count > 0
    element = start
    for _ in range(_MOST_ELEMENTS):
        element *= step
        if element == end:
            return True
        if abs(element.numerator) > 10**40 or element.denominator > 10**40:
            break
    return False
