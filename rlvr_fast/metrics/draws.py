"""The counts of one model: how many samples each problem has, and how many of them are correct."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics._checks import Counts, as_samples_and_correct, same_length

__all__ = ["Draws", "DrawsLike", "paired"]


class Draws:
    """Number of samples and number correct of every problem, one model, in this order.

    Functions of two models take one for each model: ``support_shift(base, rl)``. A pair
    ``(num_samples, num_correct)`` stands for a Draws everywhere.

    Args:
        num_samples: whole numbers >= 0, shape [problems]; one number stands for every problem.
        num_correct: whole numbers >= 0, at most num_samples, shape [problems] or one number.

    Attributes:
        num_samples: int64, shape [problems], read-only.
        num_correct: int64, shape [problems], read-only.

    Raises:
        InvalidInputError: a number that is not whole, is negative, exceeds the number of samples,
            or shapes that do not broadcast; the message names the first such entry.

    >>> draws = Draws(8, [3, 0])
    >>> draws.num_samples.tolist(), len(draws)
    ([8, 8], 2)
    """

    __slots__ = ("num_correct", "num_samples")

    num_samples: Counts
    num_correct: Counts

    def __init__(self, num_samples: ArrayLike, num_correct: ArrayLike) -> None:
        self._set(num_samples, num_correct, "num_")

    def _set(self, num_samples: ArrayLike, num_correct: ArrayLike, prefix: str) -> None:
        n, c = as_samples_and_correct(num_samples, num_correct, prefix=prefix)
        for name, counts in (("num_samples", n), ("num_correct", c)):
            view = np.atleast_1d(counts).view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"Draws is read-only: cannot set {name!r}")

    @classmethod
    def of(cls, counts: DrawsLike, name: str) -> Draws:
        """`counts` as a Draws; `name` ("base", say) stands before the counts in every message."""
        if isinstance(counts, Draws):
            return counts
        try:
            num_samples, num_correct = counts
        except (TypeError, ValueError):
            raise InvalidInputError(
                f"{name} must be Draws(num_samples, num_correct) or such a pair, got {counts!r:.80}"
            ) from None
        draws = cls.__new__(cls)
        draws._set(num_samples, num_correct, f"{name}_")
        return draws

    def __len__(self) -> int:
        return len(self.num_samples)

    def __iter__(self) -> Iterator[Counts]:
        yield self.num_samples
        yield self.num_correct

    def __getitem__(self, rows: ArrayLike | slice) -> Draws:
        """The draws of some problems: a slice, a mask or indices."""
        chosen: Any = rows if isinstance(rows, slice) else np.asarray(rows)
        return Draws(self.num_samples[chosen], self.num_correct[chosen])

    def __repr__(self) -> str:
        return f"Draws({self.num_samples!r}, {self.num_correct!r})"


DrawsLike: TypeAlias = Draws | tuple[ArrayLike, ArrayLike]


def paired(base: DrawsLike, rl: DrawsLike) -> tuple[Draws, Draws]:
    """Both models' draws of the same problems.

    Raises:
        InvalidInputError: as `Draws`, and where the two describe different numbers of problems.
    """
    left, right = Draws.of(base, "base"), Draws.of(rl, "rl")
    same_length({"base_correct": left.num_correct, "rl_correct": right.num_correct})
    return left, right
