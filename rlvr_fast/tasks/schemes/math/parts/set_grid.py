"""The ends of the intervals in sets in their order, and what lies between them."""

from __future__ import annotations

import functools
from fractions import Fraction

from rlvr_fast.tasks.schemes.math.parts.ordering import order
from rlvr_fast.tasks.schemes.math.parts.set_values import Interval, Operation, points
from rlvr_fast.tasks.schemes.math.parts.substitution import symbols
from rlvr_fast.tasks.schemes.math.terms.nodes import Add, Number, Term
from rlvr_fast.tasks.schemes.math.values import Value

__all__ = ["ends_of", "grid_of", "is_empty", "members", "places_in"]

# More ends than any answer has; ordering them takes a comparison for each step of a sort.
_MOST_ENDS = 128
# Where two functions on a set are compared, beside its ends.
_PLACES = tuple(
    Fraction(number, 3)
    for number in (-2000, -100, -31, -14, -7, -4, -2, -1, 1, 2, 4, 7, 14, 31, 100, 2000)
)
_MOST_PLACES = 64


def is_empty(value: Value) -> bool:
    """Whether a set is known to have no element."""
    grid = grid_of(value)
    inside = None if grid is None else members(value, grid)
    return inside is not None and not any(inside)


def _ends(value: Value) -> list[Term] | None:
    """All finite ends of the intervals in a set; None where a part is no set of intervals."""
    if isinstance(value, Interval):
        return [end for end in (value.lower, value.upper) if end is not None]
    if isinstance(value, Operation):
        ends: list[Term] = []
        for part in value.parts:
            more = _ends(part)
            if more is None:
                return None
            ends += more
        return ends
    return None


def ends_of(value: Value) -> list[Term]:
    """All finite ends of the intervals in a set; none where a part is no set of intervals."""
    return _ends(value) or []


def places_in(value: Value) -> list[Term]:
    """Some elements of a set: the ends of its intervals, places beside them and further ones."""
    places: list[Term] = [Number(place) for place in _PLACES]
    for end in ends_of(value):
        places.append(end)
        places += [Add((end, Number(place / 97))) for place in _PLACES]
    return [
        place
        for place in places[:_MOST_PLACES]
        if not is_empty(Operation("intersection", (value, points((place,)))))
    ]


class _Unordered(Exception):
    """Two ends of intervals cannot be ordered."""


def grid_of(*sets: Value) -> list[Term] | None:
    """The different ends of some sets in ascending order; None where they have no known order."""
    ends: list[Term] = []
    for value in sets:
        more = _ends(value)
        if more is None or len(ends) + len(more) > _MOST_ENDS:
            return None
        ends += more
    if any(symbols(end) for end in ends):
        return None

    def ordered(first: Term, second: Term) -> int:
        found = order(first, second)
        if found is None:
            raise _Unordered
        return found

    try:
        ends.sort(key=functools.cmp_to_key(ordered))
        return [
            end for index, end in enumerate(ends) if index == 0 or ordered(ends[index - 1], end)
        ]
    except _Unordered:
        return None


def members(value: Value, grid: list[Term]) -> list[bool] | None:
    """Whether a set holds the gap before each end of the grid, the end, and the last gap."""
    if isinstance(value, Interval):
        lower = _place(value.lower, grid, value.with_lower, -1)
        upper = _place(value.upper, grid, not value.with_upper, 2 * len(grid) + 1)
        # place of an end: 2i+1; the gaps beside it are 2i and 2i+2
        return [
            (place >= lower if value.with_lower else place > lower)
            and (place <= upper if value.with_upper else place < upper)
            for place in range(2 * len(grid) + 1)
        ]
    assert isinstance(value, Operation)
    parts = [members(part, grid) for part in value.parts]
    if any(part is None for part in parts):
        return None
    columns = list(zip(*(part for part in parts if part is not None), strict=True))
    if not parts:
        return [False] * (2 * len(grid) + 1)
    if value.name == "union":
        return [any(column) for column in columns]
    if value.name == "intersection":
        return [all(column) for column in columns]
    return [column[0] and not any(column[1:]) for column in columns]


def _place(end: Term | None, grid: list[Term], closed: bool, infinite: int) -> int:
    if end is None:
        return infinite
    return next(2 * index + 1 for index, other in enumerate(grid) if order(end, other) == 0)
