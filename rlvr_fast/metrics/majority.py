"""maj@k: how often the commonest answer among k draws is correct."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics.checks import Bools, Counts, Floats, as_counts
from rlvr_fast.metrics.pass_at_k import as_ks, pass_at_k

__all__ = ["Majority", "majority_at_k"]

# Most random subsets that are held at a time, in answers times subsets.
_BLOCK = 1 << 22
# From so many distinct answers of a problem on, draws are drawn from a list of all.
_MANY = 1 << 16


@dataclass(frozen=True, slots=True)
class Majority:
    """maj@k of each problem, float64 of shape [problems, K]; nan where k exceeds the draws.

    Attributes:
        k: number of votes, shape [K].
        value: probability that the commonest answer among k of the draws is correct.
        error: standard error of the random subsets; 0 where the value is exact.
    """

    k: Counts
    value: Floats
    error: Floats

    def mean_error(self) -> Floats:
        """Monte Carlo standard error of the mean over problems, shape [K]; nan without problems."""
        known = (~np.isnan(self.value)).sum(axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(np.sqrt(np.nansum(self.error**2, axis=0)) / known)


def majority_at_k(
    *,
    problem_index: ArrayLike,
    counts: ArrayLike,
    correct: ArrayLike,
    votes: ArrayLike,
    k: ArrayLike,
    num_problems: int | None = None,
    subsets: int = 200,
    seed: int = 0,
) -> Majority:
    """maj@k: the probability that the commonest answer among k of the draws is correct.

    The k draws are taken without replacement from those of the problem. Answers that are equally
    common win with equal probability. Draws without an answer cast no vote; where no draw votes,
    the outcome is wrong. Self-consistency (arXiv 2203.11171) is this vote.

    The value is exact at k = 1, at k = 2, at k = the number of draws, and where the answers of a
    problem are all correct or all wrong. Elsewhere it is a mean over random subsets.

    Args:
        problem_index: 0-based problem of each answer, shape [answers]. A row of the table is a
            distinct answer of a problem.
        counts: how often the answer was drawn, shape [answers].
        correct: whether the answer is correct, bool, shape [answers].
        votes: false for the row of the draws without an answer, bool, shape [answers].
        k: whole numbers >= 1: a number or shape [K].
        num_problems: number of problems; by default the largest index plus 1.
        subsets: number of random subsets a problem and k.
        seed: seed of the subsets.

    Returns:
        nan where a problem has fewer than k draws.

    Raises:
        InvalidInputError: columns of different lengths, a count that is negative or fractional, k
            below 1, or no subsets.

    >>> got = majority_at_k(
    ...     problem_index=[0, 0, 0],
    ...     counts=[3, 2, 1],
    ...     correct=[1, 0, 0],
    ...     votes=[1, 1, 0],
    ...     k=[1, 2, 6],
    ... )
    >>> got.value.round(3).tolist()  # at 2: 3 pairs + 6 halves + 3 with no vote, of 15
    [[0.5, 0.6, 1.0]]
    """
    index, count = as_counts("problem_index", problem_index), as_counts("counts", counts)
    right, voting = np.asarray(correct, dtype=bool), np.asarray(votes, dtype=bool)
    if not (index.ndim == 1 and index.shape == count.shape == right.shape == voting.shape):
        raise InvalidInputError(
            "problem_index, counts, correct and votes must be columns of one table; got shapes "
            f"{index.shape}, {count.shape}, {right.shape}, {voting.shape}"
        )
    if subsets < 2:
        raise InvalidInputError(f"subsets must be at least 2, got {subsets}")
    ks = np.atleast_1d(as_ks(k))
    size = num_problems if num_problems is not None else (int(index.max()) + 1 if index.size else 0)
    value = np.full((size, len(ks)), np.nan)
    error = np.full((size, len(ks)), np.nan)
    kept = count > 0
    order = np.flatnonzero(kept)[np.argsort(index[kept], kind="stable")]
    bounds = np.searchsorted(index[order], np.arange(size + 1))
    voters = order[voting[order]]
    # draws without an answer are one entry, wherever they came from
    mute, votes_of, good = (
        np.bincount(index[rows], weights=count[rows], minlength=size).astype(np.int64)
        for rows in (order[~voting[order]], voters, voters[right[voters]])
    )
    top = np.zeros(size, dtype=np.int64)
    np.maximum.at(top, index[voters], count[voters])
    tied = voters[count[voters] == top[index[voters]]]
    tie, best = (np.bincount(index[rows], minlength=size) for rows in (tied, tied[right[tied]]))
    total = votes_of + mute
    drawn = np.zeros(value.shape, dtype=np.bool_)
    for j, depth in enumerate(ks.tolist()):
        enough = depth <= total
        error[enough, j] = 0.0
        value[enough & (good == 0), j] = 0.0
        left = enough & (good > 0)
        for chosen, exact in (
            (total == depth, lambda rows: best[rows] / np.maximum(tie[rows], 1)),
            (good == votes_of, lambda rows, k=depth: pass_at_k(total[rows], votes_of[rows], k)),
            (np.full(size, depth == 1), lambda rows: good[rows] / total[rows]),
            (
                np.full(size, depth == 2),
                lambda rows: _of_two(good[rows], votes_of[rows], mute[rows], total[rows]),
            ),
        ):
            rows = np.flatnonzero(left & chosen)
            value[rows, j] = exact(rows)
            left &= ~chosen
        drawn[:, j] = left
    rng = np.random.default_rng(seed)
    for i, j in np.argwhere(drawn).tolist():
        rows = order[bounds[i] : bounds[i + 1]]
        rows = rows[voting[rows]]
        value[i, j], error[i, j] = _of_subsets(
            count[rows], right[rows], int(mute[i]), int(ks[j]), subsets, rng
        )
    return Majority(ks, value, error)


def _of_two(good: Counts, voting: Counts, mute: Counts, total: Counts) -> Floats:
    """maj@2: the share of correct ones among two votes, whether they agree or tie; or one vote."""
    pairs = good * (voting - 1) / 2 + good * mute
    return np.asarray(pairs / (total * (total - 1) / 2))


def _of_subsets(
    count: Counts, right: Bools, mute: int, k: int, subsets: int, rng: np.random.Generator
) -> tuple[float, float]:
    """maj@k of one problem and its Monte Carlo error; `count` of the answers, `mute` of no vote."""
    everything = np.append(count, mute)
    hits = np.empty(subsets)
    # a law for each answer, or, of very many answers, k draws from a list of all
    method: Literal["marginals", "count"] = "marginals" if len(everything) < _MANY else "count"
    step = max(1, _BLOCK // len(everything))
    for start in range(0, subsets, step):
        stop = min(start + step, subsets)
        drawn = rng.multivariate_hypergeometric(everything, k, size=stop - start, method=method)
        hits[start:stop] = _wins(drawn[:, :-1], right)
    return float(hits.mean()), float(hits.std(ddof=1) / np.sqrt(subsets))


def _wins(drawn: Counts, right: Bools) -> Floats:
    """Share of the correct answers among the commonest, shape [subsets]; 0 where nobody votes."""
    top = drawn.max(axis=1, keepdims=True)
    tied = (drawn == top) & (top > 0)
    number = tied.sum(axis=1)
    return np.asarray((tied & right).sum(axis=1) / np.maximum(number, 1))
