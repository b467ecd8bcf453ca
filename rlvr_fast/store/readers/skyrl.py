"""SkyRL: evaluation dumps, texts with their special tokens.

Source: `dump_per_dataset_eval_results` in skyrl/train/utils/trainer_utils.py at a9564572. Beside
them stands aggregated_results.jsonl, which holds metrics.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from rlvr_fast.store.readers.common import gold_of, number
from rlvr_fast.store.readers.reader import About, Reader, Rollout, Sample, SourceFile

__all__ = ["READER"]


def _matches(sample: Sample) -> bool:
    return sample.has("input_prompt", "output_response", "score")


def _rows(row: Any, file: SourceFile) -> Iterator[Rollout]:
    if not isinstance(row, Mapping):
        return
    extras = row.get("env_extras")
    extras = extras if isinstance(extras, Mapping) else {}
    yield {
        "question": row.get("input_prompt"),
        "completion": row.get("output_response"),
        "gold": gold_of(
            extras.get("reward_spec"), extras.get("reward_model"), extras, extras.get("extra_info")
        ),
        # One number, or one for each token: their sum is the score of the response.
        "reward": number(row.get("score")),
        "finish_reason": row.get("stop_reason"),
    }


def _about(sample: Sample) -> About:
    where = str(sample.file.path or "") + "/" + sample.file.member
    step = re.search(r"global_step_(\d+)", where)
    return About(revision=f"step {step.group(1)}" if step else None)


READER = Reader(
    name="skyrl",
    help="SkyRL's dumped_evals/global_step_N_evals/DATA_SOURCE.jsonl",
    matches=_matches,
    rows=_rows,
    about=_about,
)
