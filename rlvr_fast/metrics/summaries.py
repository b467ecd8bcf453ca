"""Small summaries of the Limit paper (arXiv 2504.13837): delta-SE, histogram, coverage."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics._checks import Counts, Floats
from rlvr_fast.metrics.draws import Draws
from rlvr_fast.metrics.support import SupportShift

__all__ = [
    "AccuracyHistogram",
    "SolvableCoverage",
    "accuracy_histogram",
    "delta_se",
    "solvable_coverage",
]


def delta_se(base_pass_at_256: ArrayLike, rl_pass_at_1: ArrayLike) -> Floats:
    """Sampling-efficiency gap: base pass@256 minus RL pass@1, in the unit given; lower is better.

    Source: Limit, section 4.3.

    >>> float(delta_se(0.672, 0.261).round(3))
    0.411
    """
    base = np.asarray(base_pass_at_256, dtype=np.float64)
    return np.subtract(base, np.asarray(rl_pass_at_1, dtype=np.float64))


@dataclass(frozen=True, slots=True)
class AccuracyHistogram:
    """Problems per accuracy bin; ``skipped`` problems had no samples."""

    bins: tuple[str, ...]
    counts: Counts
    skipped: int


_BINS = (
    "0",
    *(f"({i / 10:.1f}, {(i + 1) / 10:.1f}]" for i in range(9)),
    "(0.9, 1.0)",
    "1",
)


def accuracy_histogram(num_samples: ArrayLike, num_correct: ArrayLike) -> AccuracyHistogram:
    """Problems in the bins {0}, (0, .1], ..., (.8, .9], (.9, 1), {1} of Limit, figures 5 and 13.

    The bin edges are compared in whole numbers, so 3 of 10 lies in (.2, .3] for certain.

    >>> accuracy_histogram(10, [0, 3, 10]).counts.tolist()
    [1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1]
    """
    n, c = Draws(num_samples, num_correct)
    drawn = n > 0
    n, c = n[drawn], c[drawn]
    index = np.where(c == n, len(_BINS) - 1, (10 * c + n - 1) // n)
    counts = np.bincount(index, minlength=len(_BINS)).astype(np.int64)
    return AccuracyHistogram(_BINS, counts, int(np.count_nonzero(~drawn)))


@dataclass(frozen=True, slots=True)
class SolvableCoverage:
    """Problem lists by who solved them at least once (Limit, tables 4 and 5)."""

    both: tuple[Any, ...]
    base_only: tuple[Any, ...]
    rl_only: tuple[Any, ...]
    neither: tuple[Any, ...]

    @property
    def shift(self) -> SupportShift:
        """The same split as a support shift."""
        return SupportShift.from_counts(
            len(self.both), len(self.rl_only), len(self.base_only), len(self.neither)
        )


def solvable_coverage(
    problems: Sequence[Hashable],
    base_solved: Collection[Hashable],
    rl_solved: Collection[Hashable],
) -> SolvableCoverage:
    """Splits the problems by who solved them at least once, in the order of ``problems``.

    Raises InvalidInputError when a solved problem is not among ``problems`` or one is listed twice.

    >>> solvable_coverage(range(4), {0, 1}, {1, 2}).base_only
    (0,)
    """
    universe = set(problems)
    if len(universe) != len(problems):
        raise InvalidInputError("problems names a problem twice")
    base, rl = set(base_solved), set(rl_solved)
    for name, solved in (("base_solved", base), ("rl_solved", rl)):
        foreign = solved - universe
        if foreign:
            raise InvalidInputError(
                f"{name} holds {sorted(foreign, key=str)[:5]}, which are not among the "
                f"{len(universe)} problems"
            )
    return SolvableCoverage(
        both=tuple(p for p in problems if p in base and p in rl),
        base_only=tuple(p for p in problems if p in base and p not in rl),
        rl_only=tuple(p for p in problems if p in rl and p not in base),
        neither=tuple(p for p in problems if p not in base and p not in rl),
    )
