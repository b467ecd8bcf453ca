"""Whether two terms have one value."""

from __future__ import annotations

from rlvr_fast.tasks.schemes.math.terms.nodes import Term

__all__ = ["equal_terms"]


def equal_terms(gold: Term, answer: Term) -> bool:
    """Whether two terms are equal: proven, or to 200 bits.

    Args:
        gold: the term of the gold answer.
        answer: the term of the answer. The order of the two does not matter.
    """
    if gold == answer:
        return True
    from rlvr_fast.tasks.schemes.math.evaluation.comparison import equal_values
    from rlvr_fast.tasks.schemes.math.terms.derivative import derived

    return equal_values(derived(gold), derived(answer))
