"""open-instruct: rollouts as token ids.

Source: `RolloutRecord` in open_instruct/rl_utils.py at e6c3044a (--save_traces). The shards hold
no text: token ids, rewards and log-probs.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from rlvr_fast.store.readers.common import beside, number, plain_list, tell_policy
from rlvr_fast.store.readers.reader import About, Reader, Rollout, Sample, SourceFile

__all__ = ["READER"]


def _rows(row: Any, file: SourceFile) -> Iterator[Rollout]:
    if not isinstance(row, Mapping):
        return
    prompt = plain_list(row.get("prompt_tokens"))
    # prompt_idx counts within the batch of a step: the tokens of the prompt identify the problem.
    digest = hashlib.sha256(",".join(map(str, prompt or [])).encode()).hexdigest()[:16]
    rollout = {
        "problem_id": f"prompt-{digest}" if prompt else None,
        "prompt_token_ids": prompt,
        "token_ids": plain_list(row.get("response_tokens")),
        "reward": number(row.get("reward")),
        "finish_reason": row.get("finish_reason"),
        "logprobs": plain_list(row.get("logprobs")),
        "metadata": {"dataset": row.get("dataset")},
    }
    yield {role: value for role, value in rollout.items() if value is not None}


def _about(sample: Sample) -> About:
    name = re.sub(r"_rollouts_\d+\.jsonl.*$", "_metadata.jsonl", sample.file.file_name)
    model = beside(sample.file, name).get("model_name")
    found = About(
        model=model if isinstance(model, str) else None,
        notes=[
            "open-instruct keeps token ids and no texts: rewards are read, answers can't be "
            "extracted"
        ],
    )
    # A shard holds 10 000 rows, of as many steps as they take.
    tell_policy(found, sample, "step")
    return found


READER = Reader(
    name="open-instruct",
    help="open-instruct's RUN_rollouts_NNNNNN.jsonl (--save_traces): token ids only",
    matches=lambda sample: sample.has("prompt_tokens", "response_tokens", "reward"),
    rows=_rows,
    about=_about,
)
