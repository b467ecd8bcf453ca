"""What the label of each problem rests on: counts, limits and tests, in numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import betaincinv

from rlvr_fast.metrics import Draws, FisherTests, accessibility
from rlvr_fast.metrics.distinct import by_distinct
from rlvr_fast.metrics.pass_at_k import log_all_miss
from rlvr_fast.report.claims import adjusted
from rlvr_fast.report.comparison import Comparison
from rlvr_fast.report.problems import BoolArray, FloatArray, IntArray, LabelArray

__all__ = ["LabelProofs", "chance_by_luck", "label_proofs"]


@dataclass(frozen=True, slots=True)
class LabelProofs:
    """The grounds of every label; arrays over the problems.

    Tests are nan where draws repeat each other.

    Attributes:
        one_draw: whether one draw decides the label under the rule "seen": without it the label
            would be another.
        luck: chance that the correct draws of a lost (found) problem all fall on the base (RL)
            model if each draw of both is equally likely to be correct; nan for other labels.
        p_value: Fisher's exact test of one accuracy for both models, two-sided, as the tests give
            it: draws without a verdict as not correct or left out, the larger one.
        p_adjusted: the same adjusted for all problems and for the other claims of the page: a
            change is claimed at .05 or less.
        states: of base and RL under that rule, as `accessibility` gives them.
        low: one-sided lower limits of base's and RL's chance of a correct draw.
        high: one-sided upper limits.
    """

    one_draw: BoolArray
    luck: FloatArray
    p_value: FloatArray
    p_adjusted: FloatArray
    states: tuple[IntArray, IntArray]
    low: tuple[FloatArray, FloatArray]
    high: tuple[FloatArray, FloatArray]


def label_proofs(comparison: Comparison, tests: FisherTests) -> LabelProofs:
    """The grounds of the label of every problem.

    Args:
        comparison: the two runs.
        tests: Fisher's test of every problem.
    """
    base, rl = (side.draws for side in comparison.sides)
    labels = comparison.label_array("seen")
    single = [(d.num_correct == 1) for d in (base, rl)]
    p_value = np.asarray(tests.p_value, np.float64)
    luck = chance_by_luck(labels, base, rl)
    if not comparison.independent:
        p_value, luck = np.full_like(p_value, np.nan), np.full_like(luck, np.nan)
    limits = [_one_sided(*draws, tail=comparison.zeta) for draws in (base, rl)]
    states = [
        np.asarray(
            accessibility(*draws, rule="epsilon", zeta=comparison.zeta, epsilon=comparison.epsilon)
        )
        for draws in (base, rl)
    ]
    return LabelProofs(
        one_draw=(
            ((labels == "preserved") & (single[0] | single[1]))
            | ((labels == "shrunk") & single[0])
            | ((labels == "expanded") & single[1])
        ),
        luck=luck,
        p_value=p_value,
        p_adjusted=adjusted(p_value, "problems"),
        states=(states[0].astype(np.int64), states[1].astype(np.int64)),
        low=(limits[0][0], limits[1][0]),
        high=(limits[0][1], limits[1][1]),
    )


def chance_by_luck(labels: LabelArray, base: Draws, rl: Draws) -> FloatArray:
    """The chance that all correct draws of a lost (found) problem fall on the base (RL) model.

    Every draw of both models is taken to be equally likely to be correct; given how many are, the
    chance is exact (hypergeometric), whatever the numbers of draws.

    Args:
        labels: under the rule "seen".
        base: the counts of the base model.
        rl: the counts of the RL model.

    Returns:
        float64; nan for problems that are neither lost nor found.
    """
    missed = np.where(labels == "shrunk", rl.num_samples, base.num_samples)
    drawn = base.num_samples + rl.num_samples
    correct = base.num_correct + rl.num_correct
    chance = np.exp(log_all_miss(drawn, correct, np.maximum(missed, 1)))
    return np.where(np.isin(labels, ("shrunk", "expanded")), chance, np.nan)


def _one_sided(n: IntArray, c: IntArray, *, tail: float) -> tuple[FloatArray, FloatArray]:
    """Clopper-Pearson limits, each exceeded with a probability of at most `tail`."""

    def limits(n: IntArray, c: IntArray) -> FloatArray:
        drawn = np.maximum(n, 1)
        low = np.where(c > 0, betaincinv(np.maximum(c, 1), drawn - c + 1, tail), 0.0)
        high = np.where(c < drawn, betaincinv(c + 1, np.maximum(drawn - c, 1), 1 - tail), 1.0)
        return np.stack([low, np.where(n > 0, high, 1.0)])

    low, high = by_distinct(limits, n, c)
    return low, high
