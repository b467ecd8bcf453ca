"""The kinds of the cases of grading, by the eight subjects under which their table shows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["SUBJECTS", "subject_of"]

EXTRACTION, PROGRAMS, GYM, OTHER = "extraction", "programs", "Reasoning Gym", "other"

# Kinds of cases of op "verify". A kind that is not here counts as "other".
_KINDS: dict[str, tuple[str, ...]] = {
    "values": (
        "tiny values", "exp", "plain pi", "tuple decimal", "algebra", "trig identity", "matrix",
        "hang", "mixed fraction", "frac without braces", "decimal of a root", "mathrm e",
        "sqrt without braces", "FP tiny numbers", "FP big integers", "FP tiny real gold double",
        "FP tiny real gold thousand times", "FP tiny real gold a thousandth",
        "FP tiny real gold negative", "FP tiny real gold zero", "tiny real gold right",
        "FP tiny decimal answer: zero as 0.0", "FP tiny decimal answer: decimal ten times",
        "FP tiny decimal answer: decimal half", "FP tiny decimal answer: decimal negative",
        "FP root and power scope", "FP absolute value and floor", "FP complex",
        "FP repeating decimals", "FP sums integrals limits", "FN algebra",
        "FN complex in exponential form", "FN plain-text functions", "FN real gold",
        "FP real gold", "FP roots of even powers", "FN roots",
    ),
    "symbols": (
        "name= list", "name= interval", "text name", "FP order of letters",
        "FP names with several values", "FP name of the variable", "FP function or derivative",
        "FP words", "FN text answers", "FP primes and marks",
        "FP capital and small Greek or Latin", "FP two variables that differ in case made one",
        "FP functions taken for numbers", "FP geometry names", "FP permutations and sequences",
        "FN symbols and logs", "FP symbols that differ in case", "FP directrix or axis",
    ),
    "relations and sets": (
        "recurrence", "pm", "ellipsis", "ratio ellipsis", "forall", "equation of a line",
        "text or", "plane negated", "inequality vs interval", "inequality FP",
        "equation of a curve", "subset of answers", "several answers", "tuple", "notin",
        "n=3k family", "list permutation", "interval", "FP ellipsis", "FP modular",
        "FP unparsed LaTeX", "FP matrix", "FP sets and intervals", "FP relations",
        "FP functions with conditions", "FN plus minus", "FP several guesses",
        "FP degenerate answers", "FP relation without a left side", "FP congruence",
        "FP piecewise", "FN sets",
    ),
    "units and qualifiers": (
        "dollars and cents", "text number", "base suffix", "FP base suffix",
        "FP units of one kind", "FP time and date", "FN units", "FN percent", "FP million",
        "FP time of day", "FN time of day", "FP text after a value", "FN percent words",
        "FP percent words",
    ),
    "writing": (
        "fullwidth digit", "leading zeros", "choice letter", "FP separators", "FN separators",
        "FN unicode", "FN scientific notation", "FN choice letter",
        "FN tuples intervals matrices", "FN numbers with dressing", "FN signed numbers",
        "FP signed numbers",
    ),
}  # fmt: skip

_SUBJECT = {kind: subject for subject, kinds in _KINDS.items() for kind in kinds}
_OPS = {"extract": EXTRACTION, "stdout": PROGRAMS, "program": PROGRAMS, "gym": GYM}

SUBJECTS = (*_KINDS, EXTRACTION, PROGRAMS, GYM, OTHER)


def subject_of(case: Mapping[str, Any]) -> str:
    """The subject of a case."""
    if case["op"] in _OPS:
        return _OPS[case["op"]]
    if "text" in case or case["kind"].startswith("end to end"):
        return EXTRACTION
    return _SUBJECT.get(case["kind"], OTHER)
