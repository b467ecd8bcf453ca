"""What a comparison can be asked: one definition for Python, command line and study files."""

from __future__ import annotations

from dataclasses import dataclass

from rlvr_fast.vocabulary import Rule

__all__ = ["CompareOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareOptions:
    """Options of `compare_runs`.

    Attributes:
        rule: "seen" as in the published tables, or "epsilon"; both are computed, this one heads
            them.
        zeta: the rule "epsilon" decides with confidence 1 - zeta.
        allow: differences between the two runs to accept: names among "problems", "tasks",
            "template", "sampling", "extraction", "verifiers".
        k: further k at which to give pass@k, besides the powers of two and the number of samples.
    """

    rule: Rule = "seen"
    zeta: float = 0.05
    allow: tuple[str, ...] = ()
    k: tuple[int, ...] = ()
