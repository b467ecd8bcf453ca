"""NeMo-Gym: collected rollouts, an OpenAI Responses object beside its request.

Source: nemo_gym/rollout_collection.py and the math resources server at 07d6b0d0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rlvr_fast.store.readers.common import first_key, gold_of, number, plain_list, sampling_of
from rlvr_fast.store.readers.reader import About, Reader, Rollout, Sample, SourceFile

__all__ = ["READER"]


def _matches(sample: Sample) -> bool:
    return sample.has("responses_create_params", "response") and isinstance(
        sample.first("response"), Mapping
    )


def _parts(value: Any) -> str:
    """The text of a list of content parts; a text is itself."""
    if isinstance(value, str):
        return value
    parts = value if isinstance(value, list) else []
    texts = [part.get("text") for part in parts if isinstance(part, Mapping)]
    return "".join(text for text in texts if isinstance(text, str))


def _rows(row: Any, file: SourceFile) -> Iterator[Rollout]:
    if not isinstance(row, Mapping) or not isinstance(row.get("responses_create_params"), Mapping):
        return
    request = row["responses_create_params"]
    response = row["response"] if isinstance(row.get("response"), Mapping) else {}
    items = response.get("output")
    items = [item for item in items if isinstance(item, Mapping)] if isinstance(items, list) else []
    thoughts = [
        _parts(item.get("summary") or item.get("content"))
        for item in items
        if item.get("type") == "reasoning"
    ]
    said = [
        _parts(item.get("content")) for item in items if item.get("type", "message") == "message"
    ]
    rollout: dict[str, Any] = {
        "question": _messages(request.get("input")),
        "system": request.get("instructions"),
        "completion": "\n".join(said) if said else None,
        "reasoning": "\n".join(t for t in thoughts if t) or None,
        "gold": gold_of(
            {"expected_answer": row.get("expected_answer")}, row, row.get("verifier_metadata")
        ),
        "problem_id": row.get("_ng_task_index"),
        "sample_index": row.get("_ng_rollout_index"),
        "reward": number(row.get("reward")),
        "finish_reason": _finish(response),
        "model": response.get("model"),
        "error": response.get("error"),
    }
    drawn = [item for item in items if plain_list(item.get("generation_token_ids"))]
    if len(drawn) == 1:
        rollout["token_ids"] = plain_list(drawn[0]["generation_token_ids"])
        rollout["prompt_token_ids"] = plain_list(drawn[0].get("prompt_token_ids"))
        rollout["logprobs"] = plain_list(drawn[0].get("generation_log_probs"))
    yield {role: value for role, value in rollout.items() if value is not None}


def _messages(value: Any) -> Any:
    """The input as a text or a chat list, with its content parts joined."""
    if not isinstance(value, list):
        return value
    chat = [m for m in value if isinstance(m, Mapping) and "role" in m]
    return [{"role": m["role"], "content": _parts(m.get("content"))} for m in chat]


def _finish(response: Mapping[str, Any]) -> Any:
    """Why the response ended: its status, or the reason that it is incomplete."""
    details = response.get("incomplete_details")
    reason = details.get("reason") if isinstance(details, Mapping) else None
    if reason:
        return "length" if str(reason).startswith("max_") else reason
    return response.get("status")


def _about(sample: Sample) -> About:
    request, response = sample.first("responses_create_params"), sample.first("response")
    model = first_key(response, "model") or first_key(request, "model")
    return About(
        model=model if isinstance(model, str) else None, sampling=sampling_of(request, response)
    )


READER = Reader(
    name="nemo-gym",
    help="NeMo-Gym's rollouts: responses_create_params, response, reward",
    matches=_matches,
    rows=_rows,
    about=_about,
)
