"""Random weights of the problems, for intervals by resampling."""

from __future__ import annotations

import copy
import math
import threading
from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics.checks import Bools, Counts, Floats, as_counts
from rlvr_fast.metrics.distinct import distinct_rows

__all__ = [
    "Exponentials",
    "as_replicates",
    "gathered",
    "group_sums",
    "quantiles",
    "typical_size",
    "unit_index",
    "weight_blocks",
]

# Weights are drawn and used in blocks of this many bytes, whatever the number of replicates.
_BLOCK_BYTES = 32 << 20
# Up to so many rows each has a weight of its own, whatever the rows hold.
_FEW_ROWS = 1 << 14
# So many numbers of a seed are kept at most, for the many groups of few problems and the many
# intervals of all problems: 128 MiB.
_KEPT = 1 << 24
_FIRST_KEPT = 1 << 18


class _Kept:
    """The first exponential numbers of a seed, drawn when they are asked for."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._numbers = np.empty(_KEPT)  # takes memory where it is filled
        self._filled = 0
        self._lock = threading.Lock()

    def between(self, start: int, stop: int) -> Floats:
        """The numbers of these places, read-only; `stop` is at most `_KEPT`."""
        with self._lock:
            if stop > self._filled:
                end = min(max(stop, 2 * self._filled, _FIRST_KEPT), _KEPT)
                self._rng.standard_exponential(out=self._numbers[self._filled : end])
                self._filled = end
        found = self._numbers[start:stop]
        found.flags.writeable = False
        return found

    def behind(self) -> np.random.Generator:
        """A generator of the numbers behind those that are kept."""
        self.between(0, _KEPT)
        return copy.deepcopy(self._rng)


_kept = lru_cache(maxsize=2)(_Kept)


class Exponentials:
    """The random numbers of a seed, as `np.random.default_rng` gives them.

    The first exponential numbers are drawn once for all objects of a seed.

    Args:
        seed: of the numbers.
    """

    def __init__(self, seed: int) -> None:
        self._seed, self._used = seed, 0
        self._rng: np.random.Generator | None = None

    def standard_exponential(self, shape: tuple[int, ...]) -> Floats:
        """Exponential numbers; read-only where they are kept."""
        if self._rng is not None:
            return self._rng.standard_exponential(shape)
        number, start = math.prod(shape), self._used
        kept = _kept(self._seed)
        if start + number <= _KEPT:
            self._used += number
            return kept.between(start, self._used).reshape(shape)
        found = np.empty(number)
        found[: _KEPT - start] = kept.between(start, _KEPT)
        self._rng = kept.behind()
        self._rng.standard_exponential(out=found[_KEPT - start :])
        return found.reshape(shape)

    def standard_gamma(self, shape: Floats) -> Floats:
        """A number of the gamma law of each shape."""
        return self._generator().standard_gamma(shape)

    def _generator(self) -> np.random.Generator:
        if self._rng is None:
            self._rng = np.random.default_rng(self._seed)
            for start in range(0, self._used, _FIRST_KEPT):  # those were given out
                self._rng.standard_exponential(min(_FIRST_KEPT, self._used - start))
        return self._rng


def weight_blocks(
    problems: int, replicates: int, rng: Exponentials, copies: Counts | None = None
) -> Iterator[tuple[slice, Floats]]:
    """Exponential weights of the problems, in blocks of bounded memory.

    Divided by the sum of its row, a row is a draw from Dirichlet(1, ..., 1): the Bayesian
    bootstrap.

    Args:
        problems: number of problems.
        replicates: number of rows in all.
        rng: source of the random numbers.
        copies: how many problems each weight stands for, shape [problems]: the weight has then
            the law of the sum of so many exponential weights. None: each stands for one.

    Yields:
        The rows of the replicates in this block, and their weights, float64 of shape [block,
        problems].
    """
    step = max(1, _BLOCK_BYTES // (8 * max(problems, 1)))
    for start in range(0, replicates, step):
        stop = min(start + step, replicates)
        shape = stop - start, problems
        if copies is None:
            weights = rng.standard_exponential(shape)
        else:
            weights = rng.standard_gamma(np.broadcast_to(copies, shape).astype(np.float64))
        yield slice(start, stop), weights


def gathered(values: Floats) -> tuple[Floats, Counts | None]:
    """Many rows with equal values as one row each, for the weights of `weight_blocks`.

    The sum of m exponential weights has a gamma law: to weigh the distinct rows by such sums is to
    weigh all rows, in law. The random numbers are others, so that limits differ by Monte Carlo
    noise.

    Args:
        values: shape [rows, columns].

    Returns:
        (the distinct rows, how often each occurs) where there are more than 16,384 rows and most
        are repeated; else (values, None).
    """
    if len(values) <= _FEW_ROWS:
        return values, None
    found = distinct_rows(list(values.T))
    if found is None:
        return values, None
    first, _, copies = found
    return values[first], copies.astype(np.int64)


def as_replicates(replicates: int) -> int:
    """The number of replicates.

    Raises:
        InvalidInputError: fewer than 100, which is too few for a 95 % quantile.
    """
    if replicates < 100:
        raise InvalidInputError(f"replicates must be at least 100, got {replicates}")
    return int(replicates)


def unit_index(groups: ArrayLike | None, usable: Bools) -> Counts | None:
    """The unit that each usable row is resampled with, numbered from 0; None: a row is a unit.

    Args:
        groups: whole numbers >= 0, one a row: rows of equal number are resampled together.
        usable: the rows that enter, bool of shape [rows].

    Raises:
        InvalidInputError: groups that are no whole numbers, or of another length than the rows.
    """
    if groups is None:
        return None
    index = as_counts("groups", groups)
    if index.shape != usable.shape:
        raise InvalidInputError(
            f"groups must have one entry for each of the {usable.size} rows, got shape "
            f"{index.shape}"
        )
    _, unit = np.unique(index[usable], return_inverse=True)
    return np.asarray(unit, dtype=np.int64)


def quantiles(values: Floats, at: Sequence[float]) -> Floats:
    """`np.quantile(values, at, axis=0)`, with the same digits, from sorted columns.

    Sorting whole columns is several times as fast as numpy's selection of the elements.

    Args:
        values: shape [rows, columns], at least one row.
        at: each between 0 and 1.

    Returns:
        float64, shape [len(at), columns]; nan for a column that holds nan.
    """
    columns = np.sort(np.ascontiguousarray(values.T), axis=1)
    place = (len(values) - 1) * np.asarray(at, dtype=np.float64)
    below = np.floor(place).astype(np.int64)
    part = (place - below)[:, np.newaxis]
    low, high = columns[:, below].T, columns[:, np.minimum(below + 1, len(values) - 1)].T
    # nan and infinities give nan, as in numpy
    with np.errstate(invalid="ignore"):
        apart = high - low
        found = np.where(part >= 0.5, high - apart * (1 - part), low + apart * part)
    return np.where(np.isnan(columns[:, -1]), np.nan, found)


def group_sums(values: Floats, unit: Counts | None) -> Floats:
    """The sum of each column over the rows of each unit, shape [units, columns]."""
    if unit is None:
        return values
    return np.stack([np.bincount(unit, weights=column) for column in values.T], axis=1)


def typical_size(sizes: Floats) -> Floats:
    """Size of the unit that a row drawn at random lies in: the size-weighted mean of each column.

    A hypothetical unit of this size stands for the units that were not drawn.

    Args:
        sizes: rows of each unit, shape [units, columns].
    """
    total = sizes.sum(axis=0)
    return np.asarray((sizes**2).sum(axis=0) / np.where(total > 0, total, 1.0))
