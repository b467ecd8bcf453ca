r"""Lists and sums that go on: `1, 3, 5, \ldots, 2n-1`."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from rlvr_fast.tasks.schemes.math.evaluation import equal_terms
from rlvr_fast.tasks.schemes.math.kinds.collection import Collection, List, Set, Tuple
from rlvr_fast.tasks.schemes.math.kinds.expression import Expression
from rlvr_fast.tasks.schemes.math.parsing import parse_term
from rlvr_fast.tasks.schemes.math.parts.matching import all_in_order
from rlvr_fast.tasks.schemes.math.parts.ordering import MINUS
from rlvr_fast.tasks.schemes.math.parts.progressions import elements, progression
from rlvr_fast.tasks.schemes.math.parts.set_values import NamedSet
from rlvr_fast.tasks.schemes.math.parts.solving import SIGN
from rlvr_fast.tasks.schemes.math.parts.splitting import CONJUNCTION, enclosed, split
from rlvr_fast.tasks.schemes.math.terms.nodes import Add, Mul, Number, Symbol
from rlvr_fast.tasks.schemes.math.values import Read, Same, Unread, Value

__all__ = ["DOTS", "Ellipsis", "compare", "read"]


@dataclass(frozen=True, slots=True)
class Ellipsis(Value):
    """Elements before and after dots.

    Attributes:
        separator: what stands between elements: "," of a list or a set, "+", "*", ":" ...
        bracket: "(" of a tuple; "" of everything else.
        groups: the elements between the dots; one group more than there are dots.
        braces: whether it is a set in braces.
        signs: of a sum, the sign before each of the dots.
    """

    separator: str
    bracket: str
    groups: tuple[tuple[Value, ...], ...]
    braces: bool = field(default=False, compare=False)
    signs: tuple[str, ...] = ()


# With what numbers a set of integers may begin.
_STARTS = {"N": (0, 1), "Z+": (1,), "N+": (1,), "Z0+": (0,), "N0+": (0,)}
DOTS = re.compile(r"\\ldots(?![A-Za-z])")
_TIMES = re.compile(r"\\(?:cdot|times)(?![A-Za-z])")
_TIMES_DOTS = re.compile(rf"(?:{_TIMES.pattern} ?)?{DOTS.pattern}(?: ?{_TIMES.pattern})?")
_SEPARATORS = (
    (",", re.compile(rf"(?:{CONJUNCTION.pattern})+")),
    ("+", re.compile(r"[+-]")),
    ("*", re.compile(r"\\cdot(?![A-Za-z])|\\times(?![A-Za-z])|\*|×")),
    (":", re.compile(r":")),
)


def read(text: str, read: Read) -> Value | None:
    """The value of a text with dots; see `kinds`."""
    if not DOTS.search(text):
        return None
    if SIGN.search(text):
        pieces = split(text, SIGN, most=12)
        if pieces is None or pieces.marks:
            return None  # a relation, whose side has dots
    brackets = enclosed(text)
    bracket = ""
    if brackets is not None:
        opening, text, closing = brackets
        if opening + closing in ("()", "[]", "\\langle\\rangle"):
            bracket = "("
        elif opening + closing not in ("\\{\\}", "{}"):
            return None
    if "," not in text and ";" not in text and _TIMES.search(text):
        text = _TIMES_DOTS.sub(r" \\cdot \\ldots \\cdot ", text)
        text = text.strip().removesuffix(r"\cdot").strip()
    for name, separator in _SEPARATORS:
        pieces = split(text, separator, most=64)
        if pieces is None:
            return None
        if pieces.marks:
            found = _groups(name, bracket, pieces.parts, pieces.marks, read)
            braces = brackets is not None and not bracket
            return replace(found, braces=braces) if found is not None else None
    return None


def _groups(
    separator: str, bracket: str, parts: tuple[str, ...], marks: tuple[str, ...], read: Read
) -> Ellipsis | None:
    groups: list[list[Value]] = [[]]
    signs: list[str] = []
    for part, mark in zip(parts, ("", *marks), strict=True):
        if DOTS.fullmatch(part):
            groups.append([])
            signs.append(mark if separator == "+" else "")
            continue
        if not part:
            return None
        signed = f"-{part}" if separator == "+" and mark == "-" else part
        term = parse_term(signed)
        value = Expression(term) if term is not None else read(signed)
        if isinstance(value, Unread):
            return None
        groups[-1].append(value)
    if len(groups) < 2:
        return None
    return Ellipsis(separator, bracket, tuple(tuple(group) for group in groups), signs=tuple(signs))


def compare(gold: Value, answer: Value, same: Same) -> bool | None:
    """Whether two lists with dots agree, element by element; see `kinds`."""
    if isinstance(gold, Ellipsis) and isinstance(answer, Ellipsis):
        return (
            gold.separator == answer.separator
            and (gold.bracket == answer.bracket or not (gold.bracket and answer.bracket))
            and (gold.signs == answer.signs or not _as_long(gold, answer))
            and (_same_groups(gold, answer, same) or _same_progressions(gold, answer, same))
        )
    for dots, other, swapped in ((gold, answer, False), (answer, gold, True)):
        if isinstance(dots, Ellipsis) and isinstance(other, Collection) and dots.separator == ",":
            whole = _written_out(dots, other)
            if whole is None:
                return None
            return same(other, whole) if swapped else same(whole, other)
        if isinstance(dots, Ellipsis) and isinstance(other, NamedSet):
            return _counts(dots, _STARTS.get(other.name, ()), same)
    return None


def _as_long(gold: Ellipsis, answer: Ellipsis) -> bool:
    """Whether as many elements stand before the first dots, so that the same one comes next."""
    return len(gold.groups[0]) == len(answer.groups[0])


def _same_groups(gold: Ellipsis, answer: Ellipsis, same: Same) -> bool:
    return len(gold.groups) == len(answer.groups) and all(
        all_in_order(first, second, same) or _continues(first, second, index, same)
        for index, (first, second) in enumerate(zip(gold.groups, answer.groups, strict=True))
    )


def _same_progressions(gold: Ellipsis, answer: Ellipsis, same: Same) -> bool:
    """Whether the elements that are given tell one progression, however many are given."""
    first, second = progression(gold.groups), progression(answer.groups)
    if first is None or second is None:
        return False
    if (first.first, first.step, first.geometric) != (second.first, second.step, second.geometric):
        return False
    if isinstance(first.last, Value) and isinstance(second.last, Value):
        return same(first.last, second.last)
    return first.last == second.last


def _written_out(dots: Ellipsis, other: Collection) -> Value | None:
    """A progression with an end, without dots."""
    known = progression(dots.groups)
    parts = None if known is None else elements(known)
    if parts is None:
        return None
    if dots.bracket:
        return Tuple(parts, dots.bracket)
    return Set(parts) if dots.braces or isinstance(other, Set) else List(parts)


def _counts(dots: Ellipsis, starts: tuple[int, ...], same: Same) -> bool:
    r"""Whether `\{1, 2, 3, \ldots\}` are all integers from one of some numbers on."""
    if dots.separator != "," or dots.bracket or len(dots.groups) != 2 or dots.groups[1]:
        return False
    first = dots.groups[0]
    numbers = [
        tuple(Expression(Number(Fraction(start + step))) for step in range(len(first)))
        for start in starts
    ]
    return len(first) > 2 and any(all_in_order(found, first, same) for found in numbers)


def _are_indexed(values: Sequence[Value]) -> bool:
    """Whether values are x_1, x_2, x_3: one name with one index after the other."""
    names = [
        value.term.name.partition("_")
        for value in values
        if isinstance(value, Expression) and isinstance(value.term, Symbol)
    ]
    if len(names) < len(values) or len({stem for stem, _, _ in names}) > 1:
        return False
    indices = [index for _, _, index in names]
    if not all(index.isdecimal() and len(index) < 9 for index in indices):
        return False
    return all(int(second) - int(first) == 1 for first, second in itertools.pairwise(indices))


def _continues(gold: Sequence[Value], answer: Sequence[Value], index: int, same: Same) -> bool:
    """Whether one list only has more elements before the first dots: 1, 2, 3 and 1, 2, 3, 4.

    The longer one has to go on as it begins, by one difference or one ratio.
    """
    shorter, longer = sorted((gold, answer), key=len)
    if not index and len(shorter) == 1 and same(gold[0], answer[0]):
        return _are_indexed(longer)
    if index or len(shorter) < 2 or not all(map(same, gold, answer)):
        return False
    terms = [value.term for value in longer if isinstance(value, Expression)]
    if len(terms) < len(longer):
        return False
    steps = [Add((after, Mul((MINUS, before)))) for before, after in itertools.pairwise(terms)]
    if all(equal_terms(step, steps[0]) for step in steps):
        return True
    return len(shorter) > 2 and all(
        equal_terms(Mul((after, terms[0])), Mul((before, terms[1])))
        for before, after in itertools.pairwise(terms)
    )
