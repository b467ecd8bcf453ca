"""ROLL: a step as one object of columns, and the logging board with per-token log-probs.

Source: roll/pipeline/rlvr/utils.py (`dump_rollout_to_specific_path`) and `save_metrics` in
roll/pipeline/rlvr/rlvr_pipeline.py at 8eb27cc2.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from rlvr_fast.store.readers.common import number, plain_list, sampling_of, tell_policy
from rlvr_fast.store.readers.naming import is_chat
from rlvr_fast.store.readers.reader import About, Reader, Rollout, Sample, SourceFile

__all__ = ["READER"]

# Prompts of the logging board are padded on the left to the length of the batch.
_PADDING = re.compile(r"^(?:<\|endoftext\|>|<\|\w*pad\w*\|>|<｜▁pad▁｜>|<pad>|</s>|<unk>|\[PAD\])+")


def _is_columns(row: Any) -> bool:
    return (
        isinstance(row, Mapping)
        and isinstance(row.get("responses"), list)
        and isinstance(row.get("scores"), list)
        and _is_column(row.get("prompt", row.get("messages")), len(row["responses"]))
        and len(row["responses"]) == len(row["scores"])
    )


def _is_column(value: Any, count: int) -> bool:
    """Whether a value holds one prompt for each response; a chat list is one prompt."""
    return isinstance(value, list) and len(value) == count and not is_chat(value)


def _is_board(row: Any) -> bool:
    return (
        isinstance(row, Mapping)
        and {"prompt", "response", "logprobs", "ref_logprobs"} <= row.keys()
        and isinstance(row["logprobs"], list)
    )


def _rows(row: Any, file: SourceFile) -> Iterator[Rollout]:
    if _is_columns(row):
        yield from _columns(row)
    elif isinstance(row, Mapping):
        yield _board(row)


def _columns(row: Mapping[str, Any]) -> Iterator[Rollout]:
    count = len(row["responses"])

    def column(name: str) -> list[Any]:
        values = row.get(name)
        whole = isinstance(values, list) and len(values) == count
        return values if whole and isinstance(values, list) else [None] * count

    prompts, chats = column("prompt"), column("messages")
    # `id` counts the rows of one data set; `tag` names the data set.
    names = ("responses", "ground_truth", "id", "tag", "scores")
    for i, (response, gold, identity, tag, score) in enumerate(
        zip(*map(column, names), strict=True)
    ):
        rollout = {
            "question": prompts[i] if prompts[i] is not None else _json(chats[i]),
            "completion": response,
            "gold": gold,
            "problem_id": identity,
            "reward": number(score),
        }
        yield rollout if tag is None or identity is None else {**rollout, "task": tag}


def _board(row: Mapping[str, Any]) -> Rollout:
    # The lists go on to the end of the batch: the mask tells which places are the response's.
    mask = plain_list(row.get("new_response_mask"))
    drawn, reference = (
        [v for v, m in zip(values, mask, strict=False) if m] if values and mask else values
        for values in (plain_list(row.get("logprobs")), plain_list(row.get("ref_logprobs")))
    )
    prompt = row.get("prompt")
    rollout = {
        "question": _PADDING.sub("", prompt) if isinstance(prompt, str) else prompt,
        "completion": row.get("response"),
        "reward": number(row.get("reward")),
    }
    # Without recomputed log-probs the trainer writes zeros, and without a reference a copy.
    if drawn and any(drawn):
        rollout["logprobs"] = drawn
    if reference and any(reference) and reference != drawn:
        rollout["reference_logprobs"] = reference
    return rollout


def _json(value: Any) -> Any:
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def _about(sample: Sample) -> About:
    text = sample.first("sampling_params[0]") or sample.first("sampling_params")
    try:
        value = json.loads(text) if isinstance(text, str) else text
    except (ValueError, RecursionError):
        value = None
    value = value if isinstance(value, Mapping) else {}
    found = About(sampling=sampling_of(value, value.get("generation_config")))
    columns = any(map(_is_columns, sample.rows))
    tell_policy(found, sample, "global_step[0]" if columns else "step")
    return found


READER = Reader(
    name="roll",
    help="ROLL's rollout_dump_data.step_N.jsonl and the data_*.jsonl of its logging board",
    matches=lambda sample: any(_is_columns(row) or _is_board(row) for row in sample.rows),
    rows=_rows,
    about=_about,
)
