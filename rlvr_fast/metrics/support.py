"""Which problems each model reaches, and the change between them: P, E, S, O and the four ratios.

Definitions: Leash (arXiv 2507.14843), section 3 and appendix C.4.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics.checks import (
    Bools,
    Counts,
    Floats,
    as_counts,
    as_probability,
    as_samples_and_correct,
)
from rlvr_fast.metrics.distinct import by_distinct
from rlvr_fast.metrics.draws import DrawsLike, paired
from rlvr_fast.vocabulary import LABEL_KEYS, Rule

__all__ = [
    "RATIO_OF",
    "LabelRatios",
    "Labels",
    "States",
    "SupportRatios",
    "SupportShift",
    "accessibility",
    "can_be_reached",
    "combine_labels",
    "detection_threshold",
    "support_ratios",
    "support_shift",
]

Labels = NDArray[np.str_]
States = NDArray[np.int8]


def detection_threshold(k: float, *, zeta: float = 0.05, exact: bool = False) -> float:
    """Probability above which k draws show an answer at least once, with confidence 1 - zeta.

    An answer unseen in k draws has a probability of at most -ln(zeta)/k with confidence 1 - zeta
    (Leash, appendix C.4).

    Args:
        k: number of draws, at least 1.
        zeta: 1 - zeta is the confidence.
        exact: return 1 - zeta^(1/k) in place of -ln(zeta)/k, its upper bound.

    Raises:
        InvalidInputError: k below 1, or zeta outside (0, 1).

    >>> round(detection_threshold(8192), 7)
    0.0003657
    """
    zeta = as_probability("zeta", zeta)
    if not k >= 1:
        raise InvalidInputError(f"k must be at least 1, got {k}")
    return -math.expm1(math.log(zeta) / k) if exact else -math.log(zeta) / k


@dataclass(frozen=True, slots=True)
class SupportRatios:
    """The four ratios, float64 arrays of one shape.

    Attributes:
        srr: P/(P+S).
        ndr: E/(P+E).
        sds: harmonic mean of SRR and NDR.
        nscr: (E-S)/(P+E+S).
    """

    srr: Floats
    ndr: Floats
    sds: Floats
    nscr: Floats


def support_ratios(preserved: ArrayLike, expanded: ArrayLike, shrunk: ArrayLike) -> SupportRatios:
    """SRR, NDR, SDS and NSCR of counts, elementwise.

    SRR = P/(P+S), NDR = E/(P+E), NSCR = (E-S)/(P+E+S), where 0/0 is nan. SDS, the harmonic mean of
    SRR and NDR, is 0 where P = 0 or E = 0, also where SRR or NDR is nan.

    Args:
        preserved: P: number of problems that both models reach; expected numbers may be fractional.
        expanded: E: number that only the RL model reaches.
        shrunk: S: number that only the base reaches.
    """
    p, e, s = (np.asarray(a, dtype=np.float64) for a in (preserved, expanded, shrunk))
    with np.errstate(invalid="ignore", divide="ignore"):
        return SupportRatios(**{name: of(p, e, s) for name, of in RATIO_OF.items()})


def _sds(p: Floats, e: Floats, s: Floats) -> Floats:
    return np.where(p * e > 0, 2 * p * e / (p * p + 2 * p * e + e * s), 0.0)


# Each ratio of float64 arrays P, E and S; where it is 0/0, the caller keeps numpy's warning away.
RATIO_OF: dict[str, Callable[[Floats, Floats, Floats], Floats]] = {
    "srr": lambda p, e, s: p / (p + s),
    "ndr": lambda p, e, s: e / (p + e),
    "sds": _sds,
    "nscr": lambda p, e, s: (e - s) / (p + e + s),
}


class LabelRatios:
    """SRR, NDR, SDS and NSCR of the numbers of labels, whole or expected, that a class holds."""

    __slots__ = ()

    preserved: float
    expanded: float
    shrunk: float

    @property
    def ratios(self) -> SupportRatios:
        """The four ratios."""
        return support_ratios(self.preserved, self.expanded, self.shrunk)

    @property
    def srr(self) -> float:
        """Support retention rate P/(P+S); nan where the base reaches no problem."""
        return float(self.ratios.srr)

    @property
    def ndr(self) -> float:
        """Net discovery rate E/(P+E); nan where the RL model reaches no problem."""
        return float(self.ratios.ndr)

    @property
    def sds(self) -> float:
        """Harmonic mean of SRR and NDR; 0 where P or E is 0."""
        return float(self.ratios.sds)

    @property
    def nscr(self) -> float:
        """Net support change rate (E-S)/(P+E+S); nan where neither model reaches a problem."""
        return float(self.ratios.nscr)


@dataclass(frozen=True, slots=True)
class SupportShift(LabelRatios):
    """Number of problems with each label, and the rule by which a model reaches a problem.

    Attributes:
        preserved: number of problems that both models reach.
        expanded: number that only the RL model reaches.
        shrunk: number that only the base reaches.
        out: number that neither model reaches.
        undetermined: number of problems on which the samples do not decide; under the "seen" rule,
            problems without samples.
        rule: "seen" or "epsilon".
        zeta: 1 - zeta is the confidence of the epsilon rule.
        labels: label of each problem (`rlvr_fast.vocabulary.LABEL_KEYS`), or None where only the
            counts are known. Comparisons of two shifts ignore the labels.
    """

    preserved: int
    expanded: int
    shrunk: int
    out: int
    undetermined: int = 0
    rule: Rule = "seen"
    zeta: float = 0.05
    labels: Labels | None = field(default=None, compare=False)

    @classmethod
    def from_counts(
        cls, preserved: int, expanded: int, shrunk: int, out: int, *, undetermined: int = 0
    ) -> SupportShift:
        """A shift of which only the counts are known.

        Args:
            preserved: number of problems that both models reach.
            expanded: number that only the RL model reaches.
            shrunk: number that only the base reaches.
            out: number that neither model reaches.
            undetermined: number of problems on which the samples do not decide.

        Raises:
            InvalidInputError: a count that is negative or fractional.

        >>> round(SupportShift.from_counts(1355, 5, 56, 131).srr, 4)
        0.9603
        """
        counts = as_counts(
            "preserved, expanded, shrunk, out, undetermined",
            [preserved, expanded, shrunk, out, undetermined],
        )
        p, e, s, o, u = (int(v) for v in counts)
        return cls(p, e, s, o, u)

    @classmethod
    def from_labels(cls, labels: Labels, *, rule: Rule, zeta: float) -> SupportShift:
        """A shift counted from labels.

        Args:
            labels: label of each problem, shape [problems].
            rule: "seen" or "epsilon".
            zeta: 1 - zeta is the confidence of the epsilon rule.
        """
        counts = {key: int(np.count_nonzero(labels == key)) for key in LABEL_KEYS}
        return cls(**counts, rule=rule, zeta=zeta, labels=labels)

    @property
    def problems(self) -> int:
        """Number of problems, with the undetermined ones."""
        return self.preserved + self.expanded + self.shrunk + self.out + self.undetermined

    def subset(self, mask: ArrayLike) -> SupportShift:
        """The shift of some of the problems (a task, a domain).

        Args:
            mask: bool, shape [problems]: the problems to take; or their indices.

        Raises:
            InvalidInputError: the shift holds counts only.
        """
        if self.labels is None:
            raise InvalidInputError("this shift holds counts only: there are no labels to select")
        chosen: Labels = self.labels[np.asarray(mask)]
        return SupportShift.from_labels(chosen, rule=self.rule, zeta=self.zeta)

    def as_dict(self) -> dict[str, Any]:
        """Counts and ratios under the names of summary.json."""
        return {
            "problems": self.problems,
            "preserved": self.preserved,
            "expanded": self.expanded,
            "shrunk": self.shrunk,
            "out": self.out,
            "undetermined": self.undetermined,
            "srr": self.srr,
            "ndr": self.ndr,
            "sds": self.sds,
            "nscr": self.nscr,
        }


def can_be_reached(num_samples: Counts, *, epsilon: Floats, zeta: float) -> Bools:
    """Whether the epsilon rule would call a problem reached if all its samples were correct.

    The lower limit of n correct of n is zeta^(1/n). Where it does not exceed epsilon, no number of
    correct samples is "reached", and the rule decides nothing.

    Args:
        num_samples: number of samples n, any shape.
        epsilon: threshold of the rule, of the same shape.
        zeta: 1 - zeta is the one-sided confidence.
    """
    drawn = num_samples > 0
    return drawn & (np.power(zeta, 1 / np.where(drawn, num_samples, 1)) > epsilon)


def accessibility(
    num_samples: ArrayLike,
    num_correct: ArrayLike,
    *,
    rule: Rule = "seen",
    zeta: float = 0.05,
    epsilon: ArrayLike | None = None,
) -> States:
    """Whether one model reaches each problem: 1 reached, 0 not reached, -1 undetermined.

    "seen": reached when at least one sample is correct. "epsilon": reached when the one-sided 1 -
    zeta Clopper-Pearson lower limit of the probability of a correct answer exceeds epsilon, not
    reached when the upper limit is at most epsilon, else undetermined. Where not even n correct of
    n would be reached (fewer than 6 samples at zeta = .05 and the default epsilon), the rule cannot
    decide, and every count is undetermined. A problem without samples is undetermined under both
    rules.

    Args:
        num_samples: number of samples, any shape.
        num_correct: number of correct samples.
        rule: "seen" or "epsilon".
        zeta: 1 - zeta is the one-sided confidence of the epsilon rule.
        epsilon: threshold of the epsilon rule, a number or one a problem; by default
            -ln(zeta)/num_samples.

    Returns:
        int8 of the broadcast shape.

    Raises:
        InvalidInputError: counts as `pass_at_k` refuses, an unknown rule, zeta outside (0, 1), or a
            negative epsilon.
    """
    n, c = as_samples_and_correct(num_samples, num_correct)
    zeta = as_probability("zeta", zeta)
    if rule == "seen":
        return np.where(n == 0, -1, (c > 0).astype(np.int64)).astype(np.int8)
    if rule != "epsilon":
        raise InvalidInputError(f'rule must be "seen" or "epsilon", got {rule!r}')
    drawn = np.maximum(n, 1)
    if epsilon is None:
        eps: Floats = np.asarray(-math.log(zeta) / drawn, dtype=np.float64)
    else:
        eps = np.asarray(epsilon, dtype=np.float64)
        if not (eps >= 0).all():
            raise InvalidInputError("epsilon must be a probability of at least 0")
        eps = np.broadcast_to(eps, n.shape)
    return np.asarray(by_distinct(lambda n, c, e: _states(n, c, e, zeta), n, c, eps))


def _states(n: Counts, c: Counts, eps: Floats, zeta: float) -> States:
    """`accessibility` under the rule "epsilon"."""
    drawn = np.maximum(n, 1)
    low = np.where(c > 0, betaincinv(np.maximum(c, 1), drawn - c + 1, zeta), 0.0)
    high = np.where(c < n, betaincinv(c + 1, np.maximum(drawn - c, 1), 1 - zeta), 1.0)
    # the upper limit of 0 of n is 1 - zeta^(1/n): the factor allows for rounding at that epsilon
    state = np.where(low > eps, 1, np.where(high <= eps * (1 + 1e-12), 0, -1))
    return np.where(can_be_reached(n, epsilon=eps, zeta=zeta), state, -1).astype(np.int8)


def combine_labels(base: States, rl: States) -> Labels:
    """Labels of the problems from the states of both models; undetermined where either state is.

    Args:
        base: states of the base as `accessibility` returns them.
        rl: states of the RL model, same shape.
    """
    by_base = np.where(rl == 1, "preserved", "shrunk")
    not_by_base = np.where(rl == 1, "expanded", "out")
    region = np.where(base == 1, by_base, not_by_base)
    return np.where((base < 0) | (rl < 0), "undetermined", region)


def support_shift(
    base: DrawsLike,
    rl: DrawsLike,
    *,
    rule: Rule = "seen",
    zeta: float = 0.05,
    epsilon: ArrayLike | None = None,
) -> SupportShift:
    """Labels each problem preserved, expanded, shrunk, out or undetermined, and counts the labels.

    The counts are counted with all draws. The "seen" rule compares the models fairly only at equal
    numbers of samples; elsewhere use `expected_support_shift` at a common depth. A "problem" may
    also be a distinct (problem, answer) pair, with the counts of that answer.

    Args:
        base: counts of the base: Draws or a pair (num_samples, num_correct).
        rl: counts of the RL model, same problems.
        rule: "seen" as in the published tables (at least one correct sample), or "epsilon".
        zeta: 1 - zeta is the one-sided confidence of the epsilon rule, for each model and problem.
        epsilon: threshold of the epsilon rule, a number or one a problem. By default
            -ln(zeta)/min(base, RL samples): the smallest probability that the samples of both
            models would show. No correct sample among so many is then "not reached".

    Raises:
        InvalidInputError: counts as `Draws` refuses, different problems, an unknown rule, zeta
            outside (0, 1), or a negative epsilon.

    >>> shift = support_shift((64, [3, 0, 5, 0]), (64, [4, 1, 0, 0]))
    >>> shift.labels.tolist(), shift.srr
    (['preserved', 'expanded', 'shrunk', 'out'], 0.5)
    """
    (bn, bc), (rn, rc) = paired(base, rl)
    if rule == "epsilon" and epsilon is None:
        epsilon = -math.log(as_probability("zeta", zeta)) / np.maximum(np.minimum(bn, rn), 1)
    base_state = accessibility(bn, bc, rule=rule, zeta=zeta, epsilon=epsilon)
    rl_state = accessibility(rn, rc, rule=rule, zeta=zeta, epsilon=epsilon)
    labels = combine_labels(base_state, rl_state)
    return SupportShift.from_labels(labels, rule=rule, zeta=zeta)
