"""Summaries of the Limit paper (arXiv 2504.13837): delta-SE, histogram, solvable problems."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics.checks import Counts, Floats
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
    """Sampling-efficiency gap: base's pass@256 minus RL's pass@1, elementwise; lower is better.

    Source: Limit, section 4.3.

    Args:
        base_pass_at_256: pass@256 of the base, as a share or in per cent.
        rl_pass_at_1: pass@1 of the RL model, in the same unit.

    >>> float(delta_se(0.672, 0.261).round(3))
    0.411
    """
    base = np.asarray(base_pass_at_256, dtype=np.float64)
    return np.subtract(base, np.asarray(rl_pass_at_1, dtype=np.float64))


@dataclass(frozen=True, slots=True)
class AccuracyHistogram:
    """Number of problems in each bin of accuracy.

    Attributes:
        bins: name of each bin.
        counts: number of problems in each bin, int64.
        skipped: number of problems without samples.
    """

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

    Accuracies are compared with the edges in whole numbers, so that 3 of 10 lies in (.2, .3].

    Args:
        num_samples: number of samples, shape [problems] or one number.
        num_correct: number of correct samples, shape [problems] or one number.

    Raises:
        InvalidInputError: counts as `Draws` refuses.

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
    """Problems by the models that solved them at least once (Limit, tables 4 and 5).

    Attributes:
        both: problems that both models solved.
        base_only: problems that only the base solved.
        rl_only: problems that only the RL model solved.
        neither: problems that neither model solved.
    """

    both: tuple[Any, ...]
    base_only: tuple[Any, ...]
    rl_only: tuple[Any, ...]
    neither: tuple[Any, ...]

    @property
    def shift(self) -> SupportShift:
        """The four numbers of problems as a support shift."""
        return SupportShift.from_counts(
            len(self.both), len(self.rl_only), len(self.base_only), len(self.neither)
        )


def solvable_coverage(
    problems: Sequence[Hashable],
    base_solved: Collection[Hashable],
    rl_solved: Collection[Hashable],
) -> SolvableCoverage:
    """Splits the problems by the models that solved them at least once.

    Each part keeps the order of ``problems``.

    Args:
        problems: the problems' names, each once.
        base_solved: problems that the base solved at least once.
        rl_solved: problems that the RL model solved at least once.

    Raises:
        InvalidInputError: a solved problem that is not in ``problems``, or a problem listed twice.

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
