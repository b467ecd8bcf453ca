"""The draws that problems lack, a block of problems at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.store.index import MAX_SAMPLE_INDEX, KeyIndex
from rlvr_fast.store.info import RunInfo, seed_bases, seeds_of

__all__ = ["missing_draws", "wanted_samples"]

Ints = npt.NDArray[np.int64]

# Draws of a block, which are looked up, and given seeds, together.
_BLOCK = 1 << 18


def wanted_samples(num_samples: int | npt.NDArray[np.int64], problems: int) -> Ints:
    """The number of samples that each problem is to have, int64, shape [problems].

    Args:
        num_samples: one number for all problems, or one for each.
        problems: the number of problems.

    Raises:
        InvalidInputError: less than 1 for all, or another number of numbers, or one out of range.
    """
    if isinstance(num_samples, int | np.integer):
        if num_samples < 1:
            raise InvalidInputError(f"expected at least 1 sample a problem, got {num_samples}")
        wanted = np.full(problems, num_samples, np.int64)
    else:
        wanted = np.asarray(num_samples, np.int64)
    if wanted.shape != (problems,):
        raise InvalidInputError(
            f"expected one number of samples for each of {problems} problems, got an array of "
            f"shape {wanted.shape}"
        )
    if ((wanted < 0) | (wanted > MAX_SAMPLE_INDEX + 1)).any():
        raise InvalidInputError(
            f"expected numbers of samples from 0 to {MAX_SAMPLE_INDEX + 1} a problem, got "
            f"{int(wanted.min())} to {int(wanted.max())}"
        )
    return wanted


def missing_draws(
    index: Callable[[], KeyIndex],
    problem_ids: Sequence[str],
    info: RunInfo,
    wanted: Ints,
    from_sample: int = 0,
) -> Iterator[tuple[str, Ints, Ints]]:
    """(problem_id, sample indices, seeds) of each problem that lacks samples.

    The draws of a block of problems are looked up when the first of them is asked for, so that the
    memory is that of a block.

    Args:
        index: gives the keys of the samples.
        problem_ids: the problems in their order.
        info: what the seeds follow from.
        wanted: the number of samples that each problem is to have.
        from_sample: the first sample index of each problem that is given.
    """
    ends = np.cumsum(wanted)
    first = 0
    while first < len(wanted):
        before = int(ends[first - 1]) if first else 0
        last = max(int(np.searchsorted(ends, before + _BLOCK, side="right")), first + 1)
        indices, bounds = index().missing(first, wanted[first:last])
        if from_sample:
            given = indices >= from_sample
            indices = indices[given]
            bounds = np.concatenate([[0], np.cumsum(given)])[bounds]
        lacking = np.flatnonzero(np.diff(bounds))
        bases = seed_bases(info, [problem_ids[first + row] for row in lacking.tolist()])
        seeds = seeds_of(np.repeat(bases, np.diff(bounds)[lacking]), indices)
        edges = bounds.tolist()
        for row in lacking.tolist():
            there = slice(edges[row], edges[row + 1])
            yield problem_ids[first + row], indices[there], seeds[there]
        first = last
