"""Options of a comparison: one definition for Python, command line and study files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from rlvr_fast.options import Options, option
from rlvr_fast.vocabulary import Rule

__all__ = ["DIFFERENCES", "CompareOptions", "RunDifference"]

# Properties that must agree for a difference of two runs to be a difference of two models.
RunDifference = Literal["problems", "tasks", "template", "sampling", "extraction", "verifiers"]
DIFFERENCES: tuple[RunDifference, ...] = get_args(RunDifference)


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareOptions(Options):
    """Options of `compare_runs`.

    Attributes:
        rule: "seen" as in the published tables, or "epsilon"; both are computed, this one heads
            them.
        zeta: the rule "epsilon" decides with confidence 1 - zeta.
        epsilon: the threshold of the rule "epsilon"; by default -ln(zeta)/n, with n the number of
            draws that at least 90 % of the problems have of both models. A report folder keeps the
            threshold of the report that it holds.
        allow: differences between the two runs to accept; with "problems" the comparison is over
            the problems of both runs.
        k: further k at which to give pass@k, besides the powers of two and the number of samples.

    Raises:
        InvalidInputError: a value of another type or out of range.
    """

    rule: Rule = option("seen", help="When a model counts as reaching a problem.")
    zeta: float = option(
        0.05, above=0, below=1, help="The rule epsilon decides with confidence 1 - zeta."
    )
    epsilon: float | None = option(
        None,
        above=0,
        below=1,
        help="The threshold of the rule epsilon; by default -ln(zeta)/n; compare and study keep "
        "that of the report in the same folder.",
    )
    allow: tuple[RunDifference, ...] = option(
        (), help="A difference between the two runs to accept."
    )
    k: tuple[int, ...] = option(
        (),
        minimum=1,
        maximum=1_000_000_000,
        metavar="K",
        help="A further k for pass@k, besides the powers of two.",
    )
