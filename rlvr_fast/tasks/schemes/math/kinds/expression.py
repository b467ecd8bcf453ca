"""One mathematical expression: a number, a term with symbols, a function value."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rlvr_fast.tasks.schemes.math.evaluation import equal_terms
from rlvr_fast.tasks.schemes.math.parsing import parse_term
from rlvr_fast.tasks.schemes.math.parts.letters import other_readings
from rlvr_fast.tasks.schemes.math.terms.nodes import Term
from rlvr_fast.tasks.schemes.math.values import Read, Same, Value

__all__ = ["Expression", "compare", "read"]


# "triangle ABC", "angle ABC" with the signs for them.
_FIGURE = re.compile(r"^(?:tri)?angle(?= [A-Z]{1,3}$)")


@dataclass(frozen=True, slots=True)
class Expression(Value):
    """An answer that is one term."""

    term: Term


def read(text: str, read: Read) -> Value | None:
    """The value of a text that is one term; see `kinds`."""
    term = parse_term(_FIGURE.sub(r"\\\g<0>", text))
    return None if term is None else Expression(term)


def compare(gold: Value, answer: Value, same: Same) -> bool | None:
    """Whether two terms are equal; see `kinds`."""
    if isinstance(gold, Expression) and isinstance(answer, Expression):
        if equal_terms(gold.term, answer.term):
            return True
        again = other_readings(gold.term, answer.term)
        return again is not None and equal_terms(*again)
    return None
