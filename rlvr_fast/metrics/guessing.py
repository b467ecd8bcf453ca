"""pass@k of a guesser, and a test of a model's accuracy against guessing."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import xlog1py
from scipy.stats import binom

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics.checks import Floats, as_samples_and_correct
from rlvr_fast.metrics.pass_at_k import as_ks

__all__ = ["above_guessing", "guessing_baseline"]


def _as_guess_probability(guess_probability: ArrayLike) -> Floats:
    """The probabilities as float64, checked to lie in [0, 1]."""
    guess = np.asarray(guess_probability, dtype=np.float64)
    if not ((guess >= 0) & (guess <= 1)).all():
        raise InvalidInputError("guess_probability must lie in [0, 1]")
    return guess


def guessing_baseline(guess_probability: ArrayLike, *, k: ArrayLike) -> Floats:
    """pass@k of a guesser that is correct with probability g in each draw: 1 - (1 - g)^k.

    For guesses uniform over A answers, g = 1/A.

    Args:
        guess_probability: g in [0, 1], any shape.
        k: whole numbers >= 1: a number or shape [K].

    Returns:
        float64 of the shape of g for a number k, [..., K] for a list.

    Raises:
        InvalidInputError: g outside [0, 1], or k below 1.

    >>> round(float(guessing_baseline(1 / 1000, k=8192)), 4)
    0.9997
    """
    guess, ks = _as_guess_probability(guess_probability), as_ks(k)
    if ks.ndim:
        guess = guess[..., np.newaxis]
    # + 0.0 turns the -0.0 of g = 0 into 0.0
    return np.asarray(-np.expm1(xlog1py(ks, -guess)) + 0.0)


def above_guessing(
    num_samples: ArrayLike, num_correct: ArrayLike, *, guess_probability: ArrayLike
) -> Floats:
    """One-sided exact p-value of each problem: the probability of so many correct guesses or more.

    Args:
        num_samples: number of samples, any shape.
        num_correct: number of correct samples.
        guess_probability: probability that a guess is correct, in [0, 1].

    Returns:
        float64 of the broadcast shape.

    Raises:
        InvalidInputError: counts as `pass_at_k` refuses, or a probability outside [0, 1].
    """
    n, c = as_samples_and_correct(num_samples, num_correct)
    guess = _as_guess_probability(guess_probability)
    return np.asarray(binom.sf(c - 1, n, guess), dtype=np.float64)
