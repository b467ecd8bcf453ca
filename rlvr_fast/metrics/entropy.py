"""Entropies and perplexity, in nats."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import hypergeom

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics._checks import Counts, Floats, as_counts

__all__ = ["answer_entropies", "answer_entropy", "mean_token_entropy", "perplexity"]

Correction = Literal["none", "miller-madow"]


def answer_entropy(counts: ArrayLike, *, correction: Correction = "none") -> float:
    """Entropy (nats) of the distinct answers of one problem from how often each was given.

    Parameters
    ----------
    counts : whole numbers, shape [answers]; zeros are ignored
        "No answer" (unfinished or unparsed) is an answer of its own: include its count.
    correction : "none" is the plug-in value of the papers, biased down by about (m-1)/(2n) for m
        answers with mass and n draws; "miller-madow" adds that term with m = answers seen
        (Miller 1955), which helps until most answers are seen once.

    nan when nothing was drawn. Raises InvalidInputError on negative or fractional counts.

    >>> round(answer_entropy([8, 8]), 6)
    0.693147
    """
    flat = as_counts("counts", counts).ravel()
    index = np.zeros(flat.size, dtype=np.int64)
    values = answer_entropies(
        problem_index=index, counts=flat, num_problems=1, correction=correction
    )
    return float(values[0])


def answer_entropies(
    *,
    problem_index: ArrayLike,
    counts: ArrayLike,
    num_problems: int | None = None,
    correction: Correction = "none",
    draws: int | None = None,
) -> Floats:
    """`answer_entropy` of many problems at once, shape [num_problems], nan where nothing was drawn.

    Row i says that problem ``problem_index[i]`` (0-based) gave one of its answers ``counts[i]``
    times; rows may stand in any order. With ``draws`` the value to expect of that many of each
    problem's draws, averaged over every choice of them (exactly, without correction): the plug-in
    value grows with the number of draws, so only values at one number compare, and the papers'
    are at 32. nan then where a problem has fewer.

    >>> answer_entropies(problem_index=[0, 0], counts=[2, 2], draws=1).tolist()
    [0.0]
    """
    if correction not in ("none", "miller-madow"):
        raise InvalidInputError(f'correction must be "none" or "miller-madow", got {correction!r}')
    index = as_counts("problem_index", problem_index)
    c = as_counts("counts", counts)
    if index.shape != c.shape or index.ndim != 1:
        raise InvalidInputError(
            f"problem_index and counts must be rows of one table; got shapes {index.shape} "
            f"and {c.shape}"
        )
    size = int(index.max()) + 1 if index.size else 0
    if num_problems is None:
        num_problems = size
    elif size > num_problems:
        raise InvalidInputError(
            f"problem_index reaches {size - 1}, but there are {num_problems} problems"
        )
    total = np.bincount(index, weights=c, minlength=num_problems)
    if draws is not None:
        if correction != "none" or draws < 1:
            raise InvalidInputError(
                f'draws must be at least 1 and go with correction="none", got {draws!r} and '
                f"{correction!r}"
            )
        terms = _expected_terms(total[index].astype(np.int64), c, draws)
        value = np.bincount(index, weights=terms, minlength=num_problems)
        return np.where(total >= draws, value + 0.0, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = c / total[index]
        terms = np.where(c > 0, -p * np.log(np.where(c > 0, p, 1.0)), 0.0)
        value = np.bincount(index, weights=terms, minlength=num_problems)
        if correction == "miller-madow":
            seen = np.bincount(index, weights=c > 0, minlength=num_problems)
            return np.where(total > 0, value + (seen - 1) / (2 * total), np.nan)
        return np.where(total > 0, value + 0.0, np.nan)


def _expected_terms(total: Counts, count: Counts, draws: int) -> Floats:
    """E[-(X/m) ln(X/m)] where X of m = draws are of an answer with `count` of `total` draws."""
    pairs, which = np.unique(np.stack([total, count], axis=1), axis=0, return_inverse=True)
    share = np.arange(1, draws + 1) / draws
    surprise = -share * np.log(share)
    enough = pairs[:, 0] >= draws
    mean = np.zeros(len(pairs))
    pmf = hypergeom.pmf(np.arange(1, draws + 1), *pairs[enough].T[:, :, np.newaxis], draws)
    mean[enough] = pmf @ surprise
    terms: Floats = mean[which.reshape(-1)]
    return terms


def perplexity(logprob: ArrayLike, num_tokens: ArrayLike) -> Floats:
    """exp(-logprob / num_tokens), elementwise: the perplexity of each sequence.

    ``logprob`` is the sum over the sequence in nats. nan for a sequence without tokens or a nan
    log-probability, inf where a token has probability 0 (logprob -inf).
    Source: Leash, section 4.3.

    >>> perplexity([-2.0, 0.0], [2, 0]).round(4).tolist()
    [2.7183, nan]
    """
    total = np.asarray(logprob, dtype=np.float64)
    tokens = as_counts("num_tokens", num_tokens)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.where(tokens > 0, np.exp(-total / tokens), np.nan)


def mean_token_entropy(
    mean_entropies: ArrayLike, *, groups: ArrayLike | None = None, num_groups: int | None = None
) -> Floats:
    """Token entropy (nats) of a model: the mean over sequences of the mean over positions.

    ``mean_entropies`` holds one mean over positions per sequence; sequences without tokens (nan)
    are left out. With ``groups`` (a 0-based problem or task per sequence) the result has one mean a
    group, shape [num_groups]; without, shape []. nan where no sequence has a token.
    """
    values = np.asarray(mean_entropies, dtype=np.float64).ravel()
    if groups is None:
        index = np.zeros(values.size, dtype=np.int64)
        num_groups = 1
    else:
        index = as_counts("groups", groups).ravel()
        if index.shape != values.shape:
            raise InvalidInputError(
                f"groups and mean_entropies must be equally long; got {index.size} "
                f"and {values.size}"
            )
    ok = ~np.isnan(values)
    size = num_groups if num_groups is not None else (int(index.max()) + 1 if index.size else 0)
    total = np.bincount(index[ok], weights=values[ok], minlength=size)
    number = np.bincount(index[ok], minlength=size)
    with np.errstate(invalid="ignore"):
        mean = np.where(number > 0, total / np.maximum(number, 1), np.nan)
    return mean[0] if groups is None else mean
