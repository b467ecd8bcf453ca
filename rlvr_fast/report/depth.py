"""Counts of problems kept, lost and found at one number of draws of each model.

At unequal numbers of draws the rule "seen" favours the model with more. The counts are then those
expected had each problem been drawn its common depth, the smaller of its two numbers of draws, from
each model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rlvr_fast.metrics import expected_support_shift
from rlvr_fast.metrics.draws import Draws
from rlvr_fast.metrics.support import LabelRatios
from rlvr_fast.report.problems import IntArray

__all__ = ["DepthShift", "depth_shift", "draws_text", "range_text"]


@dataclass(frozen=True, slots=True)
class DepthShift(LabelRatios):
    """Expected numbers of problems with each label at the common depth, under the rule "seen".

    Attributes:
        problems: number of problems.
        preserved: expected number that both models reach.
        expanded: expected number that only the RL model reaches.
        shrunk: expected number that only the base reaches.
        out: expected number that neither model reaches.
        undetermined: number of problems that a model was not drawn on.
    """

    problems: int
    preserved: float
    expanded: float
    shrunk: float
    out: float
    undetermined: int

    def as_dict(self) -> dict[str, Any]:
        """Counts and ratios under the names of summary.json."""
        return {
            name: getattr(self, name)
            for name in (
                "problems", "preserved", "expanded", "shrunk", "out", "undetermined", "srr", "ndr",
                "sds", "nscr",
            )
        }  # fmt: skip


def depth_shift(base: Draws, rl: Draws) -> DepthShift:
    """The labels to expect at the common depth of each problem.

    Args:
        base: counts of the base.
        rl: counts of the RL model, same problems.
    """
    found = expected_support_shift(base, rl)
    return DepthShift(
        problems=int(base.problems),
        preserved=found.preserved,
        expanded=found.expanded,
        shrunk=found.shrunk,
        out=found.out,
        undetermined=found.skipped,
    )


def draws_text(num_samples: IntArray) -> str:
    """The numbers of draws of some problems in words: "256", "4 to 256", "no"."""
    drawn = num_samples[num_samples > 0]
    return range_text(int(drawn.min()), int(drawn.max())) if drawn.size else "no"


def range_text(least: int, most: int) -> str:
    """One number, or two of them with "to" between."""
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"
