"""verifiers: results.jsonl of its evaluations, and prime-rl's rollouts of the same rows.

Source: `state_to_output` in verifiers/legacy/utils/save_utils.py at a60a606e; metadata.json
beside it names model, sampling_args and pass_threshold.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from rlvr_fast.store.readers.common import beside, gold_of, number, sampling_of
from rlvr_fast.store.readers.reader import About, Reader, Rollout, Sample, SourceFile

__all__ = ["READER"]


def _matches(sample: Sample) -> bool:
    return sample.has("example_id", "prompt", "completion", "reward")


def _rows(row: Any, file: SourceFile) -> Iterator[Rollout]:
    if not isinstance(row, Mapping):
        return
    rollout = {
        "problem_id": row.get("example_id"),
        "question": row.get("prompt"),
        "completion": row.get("completion"),
        "gold": gold_of(row, row.get("info")),
        "reward": number(row.get("reward")),
        "finish_reason": _finish(row),
        "error": row.get("error"),
        "metadata": row.get("info") if isinstance(row.get("info"), Mapping) else None,
    }
    # Older versions keep the name of the environment in each row, and number examples within it.
    if isinstance(row.get("task"), str) and row["task"] not in ("", "default"):
        rollout["task"] = row["task"]
    yield {role: value for role, value in rollout.items() if value is not None}


def _finish(row: Mapping[str, Any]) -> str | None:
    if row.get("is_truncated"):
        return "length"
    return "stop" if row.get("is_completed") and "is_truncated" in row else None


def _about(sample: Sample) -> About:
    metadata = beside(sample.file, "metadata.json")
    threshold = number(metadata.get("pass_threshold"))
    model = metadata.get("model")
    # prime-rl writes rollouts/step_N/train_rollouts.jsonl.
    folder = sample.file.path.parent.name if sample.file.path else ""
    step = re.fullmatch(r"step_(\d+)", folder)
    return About(
        revision=f"step {step.group(1)}" if step else None,
        model=model if isinstance(model, str) else None,
        sampling=sampling_of(metadata.get("sampling_args")),
        verdict=None if threshold is None else f"reward>={threshold:g}",
    )


READER = Reader(
    name="verifiers",
    help="verifiers' results.jsonl (metadata.json beside it), prime-rl's *_rollouts.jsonl",
    matches=_matches,
    rows=_rows,
    about=_about,
)
