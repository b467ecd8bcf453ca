"""How often our verdicts agree with those that came with imported rollouts."""

from __future__ import annotations

from typing import Any

from rlvr_fast.report.section import Context, Findings, Section

__all__ = ["SECTION"]

_NUMBERS = (
    "compared",
    "agreed",
    "only_ours_correct",
    "only_imported_correct",
    "unparsed",
    "unparsed_correct",
    "undecided",
)


def _measure(context: Context) -> Findings[None]:
    sides = [
        (side, agreement)
        for side in context.comparison.sides
        if (agreement := side.grading.get("imported_agreement"))
    ]
    summary: dict[str, Any] = {}
    if sides:
        summary["imported_agreement"] = {
            side.name: {key: agreement.get(key) for key in ("rule", *_NUMBERS)}
            for side, agreement in sides
        }
    return Findings(measured=None, summary=summary, view=lambda: {"agreements": sides})


SECTION = Section("graders", _measure)
