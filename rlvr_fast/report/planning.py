"""Which problems of a comparison to sample next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rlvr_fast import metrics
from rlvr_fast.report.comparison import Comparison
from rlvr_fast.store.plan_file import PlanFile, PlanSide, write_plan

__all__ = ["sampling_plan", "write_sampling_plan"]


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


def write_sampling_plan(
    comparison: Comparison, rows: Sequence[Mapping[str, Any]], path: str | Path
) -> None:
    """Writes the rows of `sampling_plan` as a file that `rlvr-fast sample --plan FILE` follows.

    Args:
        comparison: the comparison that the rows are of.
        rows: problems and their further samples.
        path: the file, new or a plan.

    Raises:
        InvalidInputError: both runs are of one model with one seed, or something else lies at
            `path`.
        StorageError: the file system refuses the write.
    """
    rl_id = dict(zip(comparison.problems.ids, comparison.problems.rl_ids, strict=True))
    base = {row["problem_id"]: int(row["base_samples"]) for row in rows}
    rl = {rl_id[row["problem_id"]]: int(row["rl_samples"]) for row in rows}
    write_plan(
        path,
        PlanFile(
            base=PlanSide.of(comparison.base.run, base),
            rl=PlanSide.of(comparison.rl.run, rl),
            epsilon=comparison.threshold.value,
            zeta=comparison.zeta,
        ),
    )
