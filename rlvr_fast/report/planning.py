"""Which problems of a comparison to sample next."""

from __future__ import annotations

from typing import Any

from rlvr_fast import metrics
from rlvr_fast.report.comparison import Comparison

__all__ = ["sampling_plan"]


def sampling_plan(
    comparison: Comparison, *, budget: int | None = None
) -> tuple[int, list[dict[str, Any]]]:
    """Where more samples would decide the most labels that the epsilon rule leaves open.

    Args:
        comparison: two runs compared; zeta and epsilon are those of the comparison.
        budget: samples to spend, in all; None for no limit.

    Returns:
        How many labels are open now, and the problems where further samples decide most of them,
        the best first.
    """
    found = metrics.plan(
        comparison.base.draws,
        comparison.rl.draws,
        zeta=comparison.zeta,
        epsilon=comparison.epsilon,
        budget=budget,
    )
    names = comparison.problems.ids
    return found.undetermined, [
        {
            "problem_id": names[problem],
            "base_samples": int(found.base_extra[i]),
            "rl_samples": int(found.rl_extra[i]),
            "probability": float(found.probability[i]),
            "samples_so_far": int(found.cumulative_samples[i]),
            "decided_so_far": float(found.cumulative_decided[i]),
        }
        for i, problem in enumerate(found.problem)
    ]
