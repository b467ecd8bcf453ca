"""slime: samples saved by --save-debug-rollout-data.

Source: slime/utils/types.py (`Sample`), slime/observability/rollout_data_utils.py at 624b824a:
torch.save({"rollout_id", "samples": [Sample.to_dict()]}).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from rlvr_fast.store.readers.common import (
    correctness_keys,
    first_key,
    number,
    plain_list,
    tell_policy,
)
from rlvr_fast.store.readers.reader import About, Reader, Rollout, Sample, SourceFile

__all__ = ["READER"]


def _samples(row: Any) -> Iterator[Mapping[str, Any]]:
    """The samples in a row: the row itself, or those of a dump that was not taken apart."""
    if isinstance(row, Mapping) and isinstance(row.get("samples"), list):
        row = row["samples"]
    if isinstance(row, list):
        for part in row:
            # A group of draws may stand as a list of its own.
            yield from (p for p in (part if isinstance(part, list) else [part]) if _is_sample(p))
    elif _is_sample(row):
        yield row


def _is_sample(row: Any) -> bool:
    return (
        isinstance(row, Mapping)
        and {"prompt", "response", "response_length"} <= row.keys()
        and bool({"tokens", "status", "group_index"} & row.keys())
    )


def _rows(row: Any, file: SourceFile) -> Iterator[Rollout]:
    for sample in _samples(row):
        tokens = plain_list(sample.get("tokens")) or []
        length = sample.get("response_length")
        length = length if isinstance(length, int) and 0 < length <= len(tokens) else 0
        at = len(tokens) - length
        reward = sample.get("reward")
        parts = reward if isinstance(reward, Mapping) else {}
        speaking = correctness_keys(list(parts))
        rollout = {
            "question": sample.get("prompt"),
            "completion": sample.get("response"),
            "gold": sample.get("label"),
            # pending, aborted and failed are left out by their names.
            "finish_reason": sample.get("status"),
            "reward": number(first_key(parts, "score", "reward") if parts else reward),
            "logprobs": plain_list(sample.get("rollout_log_probs")),
        }
        if speaking:
            rollout["verdict"] = parts[speaking[0]]
        if length:
            rollout |= {"token_ids": tokens[at:], "prompt_token_ids": tokens[:at]}
        # rollout_top_p_token_ids hold the nucleus of each token: tens of ids for each.
        yield rollout


def _about(sample: Sample) -> About:
    found = About()
    tell_policy(found, sample, "rollout_id", "rollout")
    named = re.search(r"_(\d+)\.pt\b", sample.file.file_name)
    if named:
        found.revision = f"rollout {int(named.group(1))}"
    return found


READER = Reader(
    name="slime",
    help="slime's --save-debug-rollout-data: PATH_ID.pt and PATH_eval_ID.pt",
    matches=lambda sample: any(True for row in sample.rows for _ in _samples(row)),
    rows=_rows,
    about=_about,
)
