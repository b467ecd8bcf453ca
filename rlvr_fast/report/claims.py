"""Which statements of a report may say that a change is more than luck, and at what error rate.

A claim is a sentence, mark or count which says that luck does not explain a change. The claims of
a page together have a false alarm rate of at most `PAGE_LEVEL`: where nothing changed, at most one
page in twenty holds any claim. The rate is shared out over families of tests, and each family keeps
its share by Holm's method, which holds for any dependence of the tests:

==========  =====  ===========================================================================
family      share  tests
==========  =====  ===========================================================================
"overall"     2 %  all problems: lost and found against equal models and against one common
                   tilt, found against lost
"groups"      1 %  the same tests on each task and each domain
"problems"    1 %  Fisher's test on each single problem; the false discovery rate of the
                   numbers "less often" and "more often" has the same value
"answers"     1 %  distinct answers: the tests of the section on answers
==========  =====  ===========================================================================

`adjusted` gives p-values that all compare with the one level: a claim holds where the adjusted
p-value is at most `PAGE_LEVEL`. The tests against a uniform guesser are no claims of a change;
their false discovery rate is `FDR` for each model, and their section says so.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics import holm
from rlvr_fast.report.problems import FloatArray

__all__ = ["FAMILIES", "FDR", "PAGE_LEVEL", "SHARES", "Family", "adjusted", "holds", "p_text"]

Family = Literal["overall", "groups", "problems", "answers"]
FAMILIES: tuple[Family, ...] = get_args(Family)

PAGE_LEVEL = 0.05
SHARES: dict[Family, float] = {"overall": 0.02, "groups": 0.01, "problems": 0.01, "answers": 0.01}
# The false discovery rate of the tests on single problems. Where no problem changed, it is the
# probability of any discovery.
FDR = SHARES["problems"]


def adjusted(p_values: ArrayLike, family: Family) -> FloatArray:
    """P-values adjusted for the other tests of the family and for the other families of the page.

    Args:
        p_values: the p-values of all tests of the family, any shape; nan for a test that was not
            done, which counts for nothing and stays nan.
        family: the family.

    Returns:
        float64 of the same shape; a claim holds where the value is at most `PAGE_LEVEL`.

    Raises:
        InvalidInputError: an unknown family, or a value outside [0, 1].

    >>> adjusted([0.001, 0.5], "overall").tolist()
    [0.005, 1.0]
    """
    if family not in SHARES:
        raise InvalidInputError(f"family is {family!r}, expected one of {', '.join(FAMILIES)}")
    p = np.asarray(p_values, dtype=np.float64)
    by_family = holm(p.ravel()).reshape(p.shape)
    return np.minimum(by_family * (PAGE_LEVEL / SHARES[family]), 1.0)


def holds(adjusted_p: float) -> bool:
    """Whether a claim with this adjusted p-value may be made; false for nan."""
    return bool(adjusted_p <= PAGE_LEVEL)


def p_text(adjusted_p: float) -> str:
    """An adjusted p-value in a sentence: "adjusted p = 0.012"."""
    if np.isnan(adjusted_p):
        return "not tested"
    return "adjusted p < 0.001" if adjusted_p < 0.001 else f"adjusted p = {adjusted_p:.2g}"
