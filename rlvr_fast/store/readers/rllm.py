"""rLLM: episodes of `rllm eval`, one JSON file each.

Source: rllm/eval/episode_store.py, rllm/types.py at 9beb6e0f. results.json beside them has
rewards and no text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rlvr_fast.store.readers.common import (
    beside,
    first_key,
    gold_of,
    number,
    plain_list,
    sampling_of,
    split_chat,
)
from rlvr_fast.store.readers.reader import About, Reader, Rollout, Sample, SourceFile

__all__ = ["READER"]

# The endings that mean that nothing was judged, in the words of rLLM's TerminationReason.
_FAILED = ("error", "timeout")


def _is_episode(row: Any) -> bool:
    return (
        isinstance(row, Mapping)
        and isinstance(row.get("trajectories"), list)
        and bool({"is_correct", "termination_reason", "eval_idx"} & row.keys())
    )


def _rows(row: Any, file: SourceFile) -> Iterator[Rollout]:
    if not _is_episode(row):
        return
    task = row.get("task")
    task = task if isinstance(task, Mapping) else {"instruction": task}
    metadata = task.get("metadata")
    trajectories = [t for t in row["trajectories"] if isinstance(t, Mapping)]
    trajectory = trajectories[0] if trajectories else {}
    steps = trajectory.get("steps")
    steps = [step for step in steps if isinstance(step, Mapping)] if isinstance(steps, list) else []
    last = steps[-1] if steps else {}
    question, answer = split_chat(last.get("chat_completions"))
    completion: Any = answer or first_key(last, "model_response", "output")
    identity = first_key(task, "id", "task_id", "uid")
    if identity is None and isinstance(row.get("id"), str):
        # An episode's id is "TASK:ROLLOUT".
        identity = row["id"].rsplit(":", 1)[0]
    rollout = {
        "problem_id": identity,
        # The chat holds what an agent's program added to the problem.
        "question": _text(task) or _text(metadata) or question,
        "completion": completion,
        "gold": gold_of(metadata, task),
        "reward": number(trajectory.get("reward")),
        "verdict": row.get("is_correct"),
        "finish_reason": _finish(row.get("termination_reason")),
        "error": _error(row),
    }
    if len(steps) == 1:
        rollout |= {
            "token_ids": plain_list(last.get("response_ids")) or None,
            "prompt_token_ids": plain_list(last.get("prompt_ids")) or None,
            "logprobs": plain_list(last.get("logprobs")) or None,
        }
    yield {role: value for role, value in rollout.items() if value is not None}


def _text(task: Any) -> str | None:
    text = first_key(task, "instruction", "question", "problem", "prompt")
    return text if isinstance(text, str) else None


def _reason(value: Any) -> str:
    return str(first_key(value, "value", "name") or value or "").lower().rpartition(".")[2]


def _finish(value: Any) -> str | None:
    # "env_done" tells that the environment ended the episode, and nothing of the model's text.
    return "length" if "length_exceeded" in _reason(value) else None


def _error(row: Mapping[str, Any]) -> Any:
    reason = _reason(row.get("termination_reason"))
    return reason if reason in _FAILED or reason.endswith("_error") else None


def _about(sample: Sample) -> About:
    meta = beside(sample.file, "../meta.json", "meta.json")
    model = meta.get("model")
    return About(
        model=model if isinstance(model, str) else None,
        sampling=sampling_of(meta, meta.get("sampling_params")),
    )


READER = Reader(
    name="rllm",
    help="rLLM's episodes/episode_NNNNNN_TASK.json of `rllm eval`",
    matches=lambda sample: any(map(_is_episode, sample.rows)),
    rows=_rows,
    about=_about,
)
