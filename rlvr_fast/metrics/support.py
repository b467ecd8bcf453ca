"""Which problems each model reaches, and how the set moved: P, E, S, O and their four ratios.

Definitions: Leash (arXiv 2507.14843), section 3 and appendix C.4.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics._checks import (
    Floats,
    as_counts,
    as_samples_and_correct,
    probability,
)
from rlvr_fast.metrics.draws import DrawsLike, paired

__all__ = [
    "LABELS",
    "Rule",
    "SupportRatios",
    "SupportShift",
    "accessibility",
    "detection_threshold",
    "support_ratios",
    "support_shift",
]

Rule = Literal["seen", "epsilon"]
Labels = NDArray[np.str_]

LABELS = ("preserved", "expanded", "shrunk", "out", "undetermined")


def detection_threshold(k: float, *, zeta: float = 0.05, exact: bool = False) -> float:
    """The probability above which k draws would have shown an answer, with confidence 1 - zeta.

    An answer unseen in k draws has p <= -ln(zeta)/k with confidence 1 - zeta (Leash, appendix C.4);
    ``exact=True`` gives 1 - zeta^(1/k), which the first form bounds from above.

    >>> round(detection_threshold(8192), 7)
    0.0003657
    """
    zeta = probability("zeta", zeta)
    if not k >= 1:
        raise InvalidInputError(f"k must be at least 1, got {k}")
    return -math.expm1(math.log(zeta) / k) if exact else -math.log(zeta) / k


@dataclass(frozen=True, slots=True)
class SupportRatios:
    """The four ratios over arrays of counts (one entry a replicate, row or task)."""

    srr: Floats
    ndr: Floats
    sds: Floats
    nscr: Floats


def support_ratios(preserved: ArrayLike, expanded: ArrayLike, shrunk: ArrayLike) -> SupportRatios:
    """SRR, NDR, SDS and NSCR of counts, elementwise; the counts may be fractional (expectations).

    SRR = P/(P+S), NDR = E/(P+E), NSCR = (E-S)/(P+E+S); 0/0 is nan. SDS, the harmonic mean of SRR
    and NDR, is 0 whenever P = 0 or E = 0, also where SRR or NDR is nan.
    """
    p, e, s = (np.asarray(a, dtype=np.float64) for a in (preserved, expanded, shrunk))
    with np.errstate(invalid="ignore", divide="ignore"):
        srr = p / (p + s)
        ndr = e / (p + e)
        nscr = (e - s) / (p + e + s)
        sds = np.where(p * e > 0, 2 * p * e / (p * p + 2 * p * e + e * s), 0.0)
    return SupportRatios(srr, ndr, sds, nscr)


@dataclass(frozen=True, slots=True)
class SupportShift:
    """Problems by what became of their correct answers, with the rule that says "reached".

    ``preserved``: reached by both; ``expanded``: by RL only; ``shrunk``: by base only; ``out``: by
    neither; ``undetermined``: the samples do not decide (never under ``rule="seen"``, save for
    problems without samples). ``labels`` holds one of `LABELS` a problem, or None when only
    the counts are known; they take no part in comparisons.
    """

    preserved: int
    expanded: int
    shrunk: int
    out: int
    undetermined: int = 0
    rule: str = "seen"
    zeta: float = 0.05
    labels: Labels | None = field(default=None, compare=False)

    @classmethod
    def from_counts(
        cls, preserved: int, expanded: int, shrunk: int, out: int, *, undetermined: int = 0
    ) -> SupportShift:
        """A shift of which only the counts are known.

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
    def from_labels(cls, labels: Labels, *, rule: str, zeta: float) -> SupportShift:
        """Counts the labels."""
        p, e, s, o, u = (int(np.count_nonzero(labels == name)) for name in LABELS)
        return cls(p, e, s, o, u, rule=rule, zeta=zeta, labels=labels)

    @property
    def problems(self) -> int:
        """All problems, the undetermined ones too."""
        return self.preserved + self.expanded + self.shrunk + self.out + self.undetermined

    @property
    def srr(self) -> float:
        """Support retention rate P/(P+S); nan where base reaches nothing."""
        return float(support_ratios(self.preserved, self.expanded, self.shrunk).srr)

    @property
    def ndr(self) -> float:
        """Net discovery rate E/(P+E); nan where RL reaches nothing."""
        return float(support_ratios(self.preserved, self.expanded, self.shrunk).ndr)

    @property
    def sds(self) -> float:
        """Harmonic mean of SRR and NDR; 0 where P or E is 0."""
        return float(support_ratios(self.preserved, self.expanded, self.shrunk).sds)

    @property
    def nscr(self) -> float:
        """Net support change rate (E-S)/(P+E+S); nan where neither model reaches anything."""
        return float(support_ratios(self.preserved, self.expanded, self.shrunk).nscr)

    def subset(self, mask: ArrayLike) -> SupportShift:
        """The shift of the problems where mask is true (a task, a domain); needs labels."""
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


def accessibility(
    num_samples: ArrayLike,
    num_correct: ArrayLike,
    *,
    rule: Rule = "seen",
    zeta: float = 0.05,
    epsilon: ArrayLike | None = None,
) -> NDArray[np.int8]:
    """Per problem: 1 reached, 0 not reached, -1 undetermined, by one model.

    ``"seen"``: reached when at least one draw is correct. ``"epsilon"``: reached when the one-sided
    1 - zeta Clopper-Pearson lower bound of the correct mass exceeds epsilon, not reached when the
    upper bound is at most epsilon, else undetermined. ``epsilon`` (a number or one a problem) is by
    default ``-ln(zeta)/num_samples``. Nothing drawn is undetermined under both rules.
    """
    n, c = as_samples_and_correct(num_samples, num_correct)
    if rule == "seen":
        return np.where(n == 0, -1, (c > 0).astype(np.int64)).astype(np.int8)
    if rule != "epsilon":
        raise InvalidInputError(f'rule must be "seen" or "epsilon", got {rule!r}')
    zeta = probability("zeta", zeta)
    drawn = np.maximum(n, 1)
    if epsilon is None:
        eps: Floats = np.asarray(-math.log(zeta) / drawn, dtype=np.float64)
    else:
        eps = np.asarray(epsilon, dtype=np.float64)
        if not (eps >= 0).all():
            raise InvalidInputError("epsilon must be a probability of at least 0")
        eps = np.broadcast_to(eps, n.shape)
    low = np.where(c > 0, betaincinv(np.maximum(c, 1), drawn - c + 1, zeta), 0.0)
    high = np.where(c < n, betaincinv(c + 1, np.maximum(drawn - c, 1), 1 - zeta), 1.0)
    # 0 correct of n reaches epsilon = 1 - zeta^(1/n) exactly: allow for its last bit
    state = np.where(low > eps, 1, np.where(high <= eps * (1 + 1e-12), 0, -1))
    return np.where(n == 0, -1, state).astype(np.int8)


def combine_labels(base: NDArray[np.int8], rl: NDArray[np.int8]) -> Labels:
    """Two accessibilities to labels; undetermined where either is."""
    table = np.array(LABELS)
    index = np.where(base == 1, np.where(rl == 1, 0, 2), np.where(rl == 1, 1, 3))
    labels: Labels = table[np.where((base < 0) | (rl < 0), 4, index)]
    return labels


def support_shift(
    base: DrawsLike,
    rl: DrawsLike,
    *,
    rule: Rule = "seen",
    zeta: float = 0.05,
    epsilon: ArrayLike | None = None,
) -> SupportShift:
    """Labels each problem preserved, expanded, shrunk, out or undetermined, and counts them.

    Parameters
    ----------
    base, rl : Draws, or pairs (num_samples, num_correct)
        The samples may be one number for all problems. A "problem" may as well be a distinct
        (problem, answer) pair: the counts are then those of the answer.
    rule : "seen" as in the published tables (at least one correct draw), or "epsilon"
    zeta : confidence of the epsilon rule is 1 - zeta, one-sided, for each model and problem
    epsilon : threshold of the epsilon rule, a number or one a problem. By default
        -ln(zeta)/min(base.num_samples, rl.num_samples): the smallest mass that both models were
        sampled deeply enough to show. No correct draw among that many is then "not reached".

    "seen" compares the models fairly only at equal depth: where the numbers of samples differ,
    use `expected_support_shift` at a common k.

    Raises InvalidInputError on mismatched shapes or impossible counts.

    >>> shift = support_shift((64, [3, 0, 5, 0]), (64, [4, 1, 0, 0]))
    >>> shift.labels.tolist(), shift.srr
    (['preserved', 'expanded', 'shrunk', 'out'], 0.5)
    """
    (bn, bc), (rn, rc) = paired(base, rl)
    if rule == "epsilon" and epsilon is None:
        epsilon = -math.log(probability("zeta", zeta)) / np.maximum(np.minimum(bn, rn), 1)
    base_state = accessibility(bn, bc, rule=rule, zeta=zeta, epsilon=epsilon)
    rl_state = accessibility(rn, rc, rule=rule, zeta=zeta, epsilon=epsilon)
    labels = combine_labels(base_state, rl_state)
    return SupportShift.from_labels(labels, rule=rule, zeta=zeta)
