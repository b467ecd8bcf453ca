"""How often our verdicts agree with those that came with imported rollouts."""

from __future__ import annotations

from typing import Any

from rlvr_fast.report.section import Context, Findings, Section
from rlvr_fast.vocabulary import AGREEMENT_COUNTS

__all__ = ["SECTION"]


def _measure(context: Context) -> Findings[None]:
    sides = [
        (side, agreement)
        for side in context.comparison.sides
        if (agreement := side.grading.get("imported_agreement"))
    ]
    summary: dict[str, Any] = {}
    if sides:
        summary["imported_agreement"] = {
            side.name: {key: agreement.get(key) for key in ("rule", *AGREEMENT_COUNTS)}
            for side, agreement in sides
        }
    return Findings(measured=None, summary=summary, view=lambda: {"agreements": sides})


SECTION = Section("graders", _measure)
