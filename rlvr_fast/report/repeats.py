"""Draws of a comparison that are not independent, in words."""

from __future__ import annotations

import numpy as np

from rlvr_fast.report.sides import Side
from rlvr_fast.store import same_completions

__all__ = ["REMEDY", "dependence", "repeat_sentence"]

# What the reader can do about it.
REMEDY = (
    "Intervals, tests and numbers of problems gained or lost count repeats as evidence and are not "
    "to be relied on. Remove the repeated completions, or draw again with other seeds; "
    "`rlvr-fast doctor RUN` shows what repeats."
)


def dependence(base: Side, rl: Side) -> str:
    """Why the draws of two runs are not independent; "" where they are."""
    said = [repeat_sentence(side) for side in (base, rl)]
    total = len(base.ids)
    shared = same_completions(base.completions, rl.completions, total)
    if shared:
        said.append(
            f"The base run and the RL run hold the same completions on {shared:,} of {total:,} "
            "problems: one set of draws stands on both sides."
        )
    found = [text for text in said if text]
    return " ".join([*found, REMEDY]) if found else ""


def repeat_sentence(side: Side) -> str:
    """How many draws of one run are independent; "" where all are."""
    reason = side.repeats.reason
    if not reason:
        return ""
    drawn, effective = _range(side.num_samples), _range(side.effective_draws)
    if reason == "temperature":
        return (
            f"The {side.title} run was drawn at temperature 0: the {drawn} draws of a problem are "
            "one and the same, and count as one."
        )
    total, different = int(side.num_samples.sum()), int(side.effective_draws.sum())
    times = f", each stored {side.repeats.copies:,} times" if side.repeats.copies else ""
    if reason == "seeds":
        return (
            f"The {side.title} run holds {effective} distinct seeds for {drawn} draws of a problem"
            f"{times} ({different:,} of {total:,} draws in all)."
        )
    how = {
        "copies": "completions occur a number of times that independent draws do not show",
        "indices": "draws are equal to another on every problem",
        "long": "long completions repeat others to the last token",
    }[reason]
    return (
        f"The {side.title} run holds {effective} independent completions for {drawn} draws of a "
        f"problem{times} ({different:,} of {total:,} draws in all): {how}."
    )


def _range(numbers: np.ndarray) -> str:
    drawn = numbers[numbers > 0]
    if not drawn.size:
        return "0"
    least, most = int(drawn.min()), int(drawn.max())
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"
