"""The support shift to expect from k draws of each model, at any k up to the number of samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rlvr_fast.metrics.checks import Bools, Counts, Floats
from rlvr_fast.metrics.draws import Draws, DrawsLike, paired
from rlvr_fast.metrics.pass_at_k import as_ks, log_all_miss
from rlvr_fast.metrics.support import LabelRatios

__all__ = ["ExpectedShift", "expected_support_shift", "label_probabilities"]


@dataclass(frozen=True, slots=True)
class ExpectedShift(LabelRatios):
    """Expected number of problems with each label at depth k, and the ratios of these numbers.

    Attributes:
        preserved: expected number of problems that both models reach.
        expanded: expected number of problems that only the RL model reaches.
        shrunk: expected number of problems that only the base reaches.
        out: expected number of problems that neither model reaches.
        skipped: number of problems left out because a model has fewer than k samples.
    """

    preserved: float
    expanded: float
    shrunk: float
    out: float
    skipped: int


def label_probabilities(base: Draws, rl: Draws, k: int | Counts | None) -> tuple[Floats, Bools]:
    """Unbiased probability of each label, for each problem, when each model is drawn k times.

    Args:
        base: counts of the base.
        rl: counts of the RL model, same problems.
        k: number of draws of each model, or one number a problem (0 leaves a problem out); None
            takes min(base, RL) samples of each problem.

    Returns:
        float64 of shape [usable problems, 4], columns P, E, S, O; and a boolean mask of shape
        [problems], true where both models have k samples.
    """
    common = np.minimum(base.num_samples, rl.num_samples)
    depth = common
    if isinstance(k, np.ndarray):
        depth = k
    elif k is not None:
        depth = np.full_like(common, int(as_ks(k)))
    usable = (depth > 0) & (depth <= common)
    a, b = (
        -np.expm1(log_all_miss(d.num_samples[usable], d.num_correct[usable], depth[usable]))
        for d in (base, rl)
    )
    labels = [a * b, (1 - a) * b, a * (1 - b), (1 - a) * (1 - b)]
    return np.stack(labels, axis=1), usable


def expected_support_shift(
    base: DrawsLike,
    rl: DrawsLike,
    *,
    k: int | None = None,
) -> ExpectedShift:
    """The support shift ("seen" rule) to expect from k draws of each model, without bias.

    With a_i and b_i the unbiased pass@k of the two models on problem i, P is the sum of a_i b_i, S
    the sum of a_i (1 - b_i), E and O alike. The result is the mean over all subsamples of k draws
    of each model, so that runs of different depth compare at a common k.

    Args:
        base: counts of the base: Draws or a pair (num_samples, num_correct).
        rl: counts of the RL model, same problems.
        k: number of draws of each model. None takes min(base, RL) samples of each problem; where
            both models have equally many samples, the result is then the count of `support_shift`.

    Raises:
        InvalidInputError: counts as `Draws` refuses, different problems, or k below 1.

    >>> expected_support_shift((4, [4, 1]), (4, [0, 4]), k=2).shrunk
    1.0
    """
    probabilities, usable = label_probabilities(*paired(base, rl), k)
    p, e, s, o = (float(v) for v in probabilities.sum(axis=0))
    return ExpectedShift(p, e, s, o, skipped=int(np.count_nonzero(~usable)))
