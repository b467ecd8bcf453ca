"""Random weights of the problems, for intervals by resampling."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics.checks import Floats

__all__ = ["as_replicates", "weight_blocks"]

# Weights are drawn and used in blocks of this many bytes, whatever the number of replicates.
_BLOCK_BYTES = 32 << 20


def weight_blocks(
    problems: int, replicates: int, rng: np.random.Generator
) -> Iterator[tuple[slice, Floats]]:
    """Exponential weights of the problems, in blocks of bounded memory.

    Divided by the sum of its row, a row is a draw from Dirichlet(1, ..., 1): the Bayesian
    bootstrap.

    Args:
        problems: number of problems.
        replicates: number of rows in all.
        rng: source of the random numbers.

    Yields:
        The rows of the replicates in this block, and their weights, float64 of shape [block,
        problems].
    """
    step = max(1, _BLOCK_BYTES // (8 * max(problems, 1)))
    for start in range(0, replicates, step):
        stop = min(start + step, replicates)
        yield slice(start, stop), rng.standard_exponential((stop - start, problems))


def as_replicates(replicates: int) -> int:
    """The number of replicates.

    Raises:
        InvalidInputError: fewer than 100, which is too few for a 95 % quantile.
    """
    if replicates < 100:
        raise InvalidInputError(f"replicates must be at least 100, got {replicates}")
    return int(replicates)
