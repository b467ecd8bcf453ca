"""A second opinion on mathematical answers: values at random points. Has no problems."""

from __future__ import annotations

import cmath
import random
from collections.abc import Mapping
from typing import Any

from rlvr_fast.tasks.base import Equivalence, Scheme, Verifier
from rlvr_fast.tasks.golds import accepted_golds
from rlvr_fast.tasks.schemes.math.verifier import parse
from rlvr_fast.tasks.specs import TaskSpec
from rlvr_fast.vocabulary import Verdict

__all__ = ["SCHEME", "NumericVerifier"]

POINTS = 4
RELATIVE = 1e-6  # Math-Verify rounds to six decimals


class NumericVerifier:
    """Compares gold and answer by evaluating both, variables set to the same random numbers.

    The parser is that of Math-Verify, but none of its comparisons (canonical simplification,
    sets, strings) is used. The verdict is `unparsed`, which means no opinion, where the value of
    gold or answer is not a number.
    """

    equivalence: Equivalence = "canonical"
    name = f"numeric, {POINTS} points"

    def prepare(self, problem_id: str, metadata: Mapping[str, Any]) -> None:
        """Imports Math-Verify, whose parser is used; see `Verifier`."""
        import math_verify  # noqa: F401

    def limit_seconds(self, metadata: Mapping[str, Any], timeout: float) -> float:
        """The limit that the caller asks for."""
        return timeout

    def verify(
        self, problem_id: str, gold: str | None, metadata: Mapping[str, Any], answer: str
    ) -> Verdict:
        """Whether the values agree at every point; see `Verifier`."""
        opinions = {_opinion(one, answer) for one in accepted_golds(gold or "", metadata)}
        if "correct" in opinions:
            return "correct"
        return "unparsed" if "unparsed" in opinions else "incorrect"


def _opinion(gold: str, answer: str) -> Verdict:
    try:
        return _compared(gold, answer)
    except (ArithmeticError, ValueError, TypeError, AttributeError, NotImplementedError):
        return "unparsed"  # sympy has no number for one of the two, or one too large for a float


def _compared(gold: str, answer: str) -> Verdict:
    readings = [parse(gold), parse(answer)]
    if not all(readings):
        return "unparsed"
    expressions = [_value_of(reading[0]) for reading in readings]
    if any(not hasattr(item, "free_symbols") for item in expressions):
        return "unparsed"
    symbols = sorted(set().union(*(item.free_symbols for item in expressions)), key=str)
    draw = random.Random(0)
    compared = 0
    for _ in range(POINTS):
        point = {symbol: draw.uniform(1.1, 2.9) for symbol in symbols}
        left, right = (complex(item.subs(point).evalf(20)) for item in expressions)
        if not (cmath.isfinite(left) and cmath.isfinite(right)):
            continue
        compared += 1
        if abs(left - right) > RELATIVE * max(1.0, abs(left)):
            return "incorrect"
    return "correct" if compared else "unparsed"


def _value_of(reading: Any) -> Any:
    """The right side of an equation such as x = 5, as the answer it gives."""
    return reading.rhs if getattr(reading, "is_Equality", False) else reading


def _verifier(spec: TaskSpec) -> Verifier:
    return NumericVerifier()


SCHEME = Scheme(
    name="numeric",
    form="numeric:values",
    help="values of gold and answer at random points",
    verifier=_verifier,
    packages=("math-verify",),
)
