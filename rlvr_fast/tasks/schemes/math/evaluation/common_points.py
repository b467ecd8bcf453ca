"""The points at which two terms agree, and whether they tell of all others."""

from __future__ import annotations

from collections import defaultdict

from flint import fmpq

from rlvr_fast.tasks.schemes.math.evaluation.points import Point

__all__ = ["CommonPoints"]

_FEWEST = 8
# Values that each symbol for an integer has at these points.
_FEWEST_INTEGERS = 3


class CommonPoints:
    """The points at which two terms have a value and agree.

    Args:
        whole: the symbols that stand for integers.
        real: whether all values are real.

    Attributes:
        count: how many points there are.
    """

    def __init__(self, whole: frozenset[str], *, real: bool) -> None:
        self.count = 0
        self._whole = whole
        self._real = real
        self._integers: dict[str, set[int]] = defaultdict(set)
        self._positive = self._one_has_none = False

    def add(self, point: Point) -> None:
        """Counts a point."""
        self.count += 1
        self._positive = self._positive or self._is_positive(point)
        for name in point.keys() & self._whole:
            self._integers[name].add(int(fmpq(point[name]).p))

    def miss(self, point: Point) -> None:
        """Notes a point at which one term has a value and the other is undefined."""
        self._one_has_none = self._one_has_none or self._is_positive(point)

    def tell(self) -> bool:
        r"""Whether the points are enough.

        Where one term has a value at positive numbers only and the other at negative ones too, as
        `\ln x` and `\ln|x|`, positive ones tell of all; but `\ln(-x)` is not `\ln|x|`. A symbol for
        an integer takes several values.
        """
        return (
            self.count >= _FEWEST
            and (self._positive or not self._one_has_none)
            and all(len(values) >= _FEWEST_INTEGERS for values in self._integers.values())
        )

    def _is_positive(self, point: Point) -> bool:
        return self._real and all(value > 0 for value in point.values())
