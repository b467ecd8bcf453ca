"""The counts of one model: number of samples of each problem, then number of correct samples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics.checks import Counts, as_samples_and_correct, same_shape

__all__ = ["Draws", "DrawsLike", "as_draws", "paired"]


@dataclass(frozen=True, slots=True, init=False, eq=False)
class Draws:
    """Number of samples and number correct of every problem, for one model.

    Functions of two models take one Draws for each: ``support_shift(base, rl)``. A pair
    ``(num_samples, num_correct)`` stands for a Draws in every such function, and a Draws unpacks
    into that pair. ``draws[rows]`` holds the problems that a slice, a mask or an array of indices
    selects.

    Args:
        num_samples: whole numbers >= 0, shape [problems]; one number stands for every problem.
        num_correct: whole numbers >= 0, at most num_samples, shape [problems] or one number.
        name: the word before the counts in messages ("base": "base_samples", "base_correct").

    Attributes:
        num_samples: int64, shape [problems], read-only.
        num_correct: int64, shape [problems], read-only.

    Raises:
        InvalidInputError: a number that is negative or fractional, more correct than sampled, or
            shapes that do not broadcast to [problems]; the message names the first such entry.

    >>> draws = Draws(8, [3, 0])
    >>> draws.num_samples.tolist(), draws.problems
    ([8, 8], 2)
    """

    num_samples: Counts
    num_correct: Counts

    def __init__(
        self, num_samples: ArrayLike, num_correct: ArrayLike, *, name: str = "num"
    ) -> None:
        n, c = as_samples_and_correct(num_samples, num_correct, name=name)
        if n.ndim > 1:
            raise InvalidInputError(
                f"{name}_samples and {name}_correct must be numbers or lists of one number a "
                f"problem, got shape {n.shape}"
            )
        self._set(n, c)

    def _set(self, num_samples: Counts, num_correct: Counts) -> None:
        for field, counts in (("num_samples", num_samples), ("num_correct", num_correct)):
            view = np.atleast_1d(counts).view()
            view.flags.writeable = False
            object.__setattr__(self, field, view)

    @property
    def problems(self) -> int:
        """Number of problems."""
        return len(self.num_samples)

    def __iter__(self) -> Iterator[Counts]:
        yield self.num_samples
        yield self.num_correct

    def __getitem__(self, rows: ArrayLike | slice) -> Draws:
        chosen: Any = rows if isinstance(rows, slice) else np.asarray(rows)
        part = object.__new__(Draws)
        part._set(self.num_samples[chosen], self.num_correct[chosen])  # these were checked
        return part


DrawsLike: TypeAlias = Draws | tuple[ArrayLike, ArrayLike]


def as_draws(counts: DrawsLike, name: str) -> Draws:
    """The counts of one model as a Draws.

    Args:
        counts: Draws or a pair (num_samples, num_correct).
        name: name of the model in messages: "base" or "rl".

    Raises:
        InvalidInputError: neither Draws nor a pair, or counts as `Draws` refuses.
    """
    if isinstance(counts, Draws):
        return counts
    try:
        num_samples, num_correct = counts
    except (TypeError, ValueError):
        raise InvalidInputError(
            f"{name} must be Draws(num_samples, num_correct) or such a pair, got {counts!r:.80}"
        ) from None
    return Draws(num_samples, num_correct, name=name)


def paired(base: DrawsLike, rl: DrawsLike) -> tuple[Draws, Draws]:
    """The counts of both models, checked to describe the same number of problems.

    Args:
        base: counts of the base: Draws or a pair (num_samples, num_correct).
        rl: counts of the RL model.

    Raises:
        InvalidInputError: counts as `Draws` refuses, or different numbers of problems.
    """
    base, rl = as_draws(base, "base"), as_draws(rl, "rl")
    same_shape({"base": base.num_correct, "rl": rl.num_correct})
    return base, rl
