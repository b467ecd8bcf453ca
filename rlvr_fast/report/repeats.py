"""Draws of a comparison that are not independent, in words."""

from __future__ import annotations

from rlvr_fast.report.sides import Side
from rlvr_fast.store import same_completions

__all__ = ["dependence"]

# What the reader can do about it.
_REMEDY = (
    "Intervals, tests and numbers of problems gained or lost count repeats as evidence and are not "
    "to be relied on. Remove the repeated completions, or draw again with other seeds; "
    "`rlvr-fast doctor RUN` shows what repeats."
)


def dependence(base: Side, rl: Side) -> str:
    """Why the draws of two runs are not independent; "" where they are."""
    said = [side.repeats.sentence(f"The {side.title} run", side.num_samples) for side in (base, rl)]
    total = len(base.ids)
    shared = same_completions(base.completions, rl.completions, total)
    if shared:
        said.append(
            f"The base run and the RL run hold the same completions on {shared:,} of {total:,} "
            "problems: one set of draws stands on both sides."
        )
    found = [text for text in said if text]
    return " ".join([*found, _REMEDY]) if found else ""
