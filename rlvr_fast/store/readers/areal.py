"""AReaL: trajectories, texts with their special tokens.

Source: `_dump_trajectory` in areal/infra/workflow_executor.py at 4aef98d8.
"""

from __future__ import annotations

from rlvr_fast.store.readers.common import tell_policy
from rlvr_fast.store.readers.reader import About, Reader, Sample

__all__ = ["READER"]


def _matches(sample: Sample) -> bool:
    return sample.has("prompt", "completion", "seqlen", "prompt_len") and (
        sample.has("task_id", "sample_idx") or sample.has("head_version", "tail_version")
    )


def _about(sample: Sample) -> About:
    found = About()
    tell_policy(found, sample, "tail_version", "version")
    return found


READER = Reader(
    name="areal",
    help="AReaL's rollout/VERSION/TASK.jsonl and eval-rollout/VERSION/TASK.jsonl",
    matches=_matches,
    # task_id counts dispatches: two draws of a problem may have two, so the prompt identifies.
    fields={"question": "prompt", "completion": "completion", "reward": "reward"},
    about=_about,
)
