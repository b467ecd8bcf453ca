"""Entropy of answers, entropy of tokens, and perplexity. The unit is the nat."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import hypergeom

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics.checks import Counts, Floats, as_counts

__all__ = ["answer_entropies", "answer_entropy", "mean_token_entropy", "perplexity"]

Correction = Literal["none", "miller-madow"]


def answer_entropy(counts: ArrayLike, *, correction: Correction = "none") -> float:
    """Entropy (nats) of the distinct answers of one problem.

    Args:
        counts: how often each answer was given: whole numbers, shape [answers]; zeros are ignored.
            "No answer" (unfinished or unparsed) is an answer of its own: include its count.
        correction: "none" is the plug-in value of the papers. Its bias is about -(m-1)/(2n) for n
            draws of m possible answers. "miller-madow" adds (m-1)/(2n), with m the number of
            answers seen (Miller 1955); most of the bias is gone once most answers were seen.

    Returns:
        nan where nothing was drawn.

    Raises:
        InvalidInputError: a count that is negative or fractional, or another correction.

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
    """`answer_entropy` of many problems at once.

    Row i of the table says that problem ``problem_index[i]`` gave one of its answers ``counts[i]``
    times. Rows may stand in any order.

    Args:
        problem_index: 0-based problem of each row, shape [rows].
        counts: how often the answer was given, shape [rows].
        num_problems: number of problems; by default the largest index plus 1.
        correction: as `answer_entropy`.
        draws: number of draws to which the plug-in entropy refers: the exact mean over every choice
            of so many of a problem's draws. The plug-in value grows with the number of draws, so
            values compare at one number only; the papers use 32. By default all draws.

    Returns:
        float64 of shape [num_problems]; nan where nothing was drawn, or fewer than ``draws``.

    Raises:
        InvalidInputError: columns of different lengths, an index not below num_problems, counts as
            `answer_entropy` refuses, or ``draws`` below 1 or together with a correction.

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
    """E[-(X/m) ln(X/m)] of an answer given X times in m = `draws` of `total` draws.

    `count` of the `total` draws gave the answer, so X is hypergeometric.
    """
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
    """Perplexity of each sequence: exp(-logprob / num_tokens), elementwise.

    Source: Leash, section 4.3.

    Args:
        logprob: sum of the tokens' log-probabilities, nats.
        num_tokens: number of tokens.

    Returns:
        nan for a sequence without tokens or with a nan log-probability; inf where a token has
        probability 0 (logprob -inf).

    Raises:
        InvalidInputError: a number of tokens that is negative or fractional.

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
    """Token entropy (nats) of a model: mean over sequences of the mean over positions.

    Args:
        mean_entropies: mean over the positions of each sequence, nats; nan for a sequence without
            tokens, which is left out.
        groups: 0-based problem or task of each sequence; by default all sequences are one group.
        num_groups: number of groups; by default the largest group plus 1.

    Returns:
        float64 of shape [num_groups], or [] without groups; nan where no sequence has a token.

    Raises:
        InvalidInputError: groups and mean_entropies of different lengths, or a negative group.
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
