"""OpenThoughts-114k, `metadata` subset: DeepSeek-R1's reasoning beside its solution."""

from __future__ import annotations

from rlvr_fast.store.readers.reader import About, Reader, Sample

__all__ = ["READER"]


def _matches(sample: Sample) -> bool:
    return {"problem", "deepseek_reasoning", "deepseek_solution"} <= sample.keys


def _about(sample: Sample) -> About:
    return About(model="deepseek-ai/DeepSeek-R1")


READER = Reader(
    name="openthoughts",
    help="OpenThoughts-114k metadata: deepseek_reasoning and deepseek_solution of each problem",
    matches=_matches,
    fields={
        "question": "problem",
        "completion": "deepseek_solution",
        "reasoning": "deepseek_reasoning",
        "gold": "ground_truth_solution",
    },
    about=_about,
)
