"""Chat completions of a server, dumped one a line, alone or beside the question."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rlvr_fast.store.readers.reader import About, Reader, Rollout, Sample, SourceFile
from rlvr_fast.store.readers.row_roles import roles_beside
from rlvr_fast.store.readers.served import asked, choices_of, is_response

__all__ = ["READER"]

_REQUESTS = ("request", "body", "params", "kwargs", "payload", "input")


def _matches(sample: Sample) -> bool:
    return any(_response_keys(row) for row in sample.rows if isinstance(row, Mapping))


def _response_keys(row: Mapping[str, Any]) -> list[str]:
    """The keys of the responses in a row; "" where the row is one itself."""
    if is_response(row):
        return [""]
    return [
        key
        for key, value in row.items()
        if isinstance(key, str)
        and (
            is_response(value)
            or (isinstance(value, list) and value and all(map(is_response, value)))
        )
    ]


def _rows(row: Any, file: SourceFile) -> Iterator[Rollout]:
    if not isinstance(row, Mapping):
        return
    keys = _response_keys(row)
    if not keys:
        yield {**roles_beside(row), "error": row.get("error") or "no response"}
        return
    beside: dict[str, Any] = {}
    for name in _REQUESTS:
        beside.update(asked(row.get(name)))
    # The fields of the response itself (id, model, ...) are no fields of the rollout.
    own = {key: value for key, value in row.items() if key not in keys}
    if keys == [""]:
        own = {k: v for k, v in own.items() if k in ("messages", "prompt", "question", "problem")}
    beside = {**roles_beside(own), **beside}
    asking = {"question": beside["question"]} if "question" in beside else {}
    for key in keys[:1]:
        value = row if key == "" else row[key]
        for body in value if isinstance(value, list) else [value]:
            for choice in choices_of(body):
                yield {**beside, **choice, **asking}


def _about(sample: Sample) -> About:
    first = next((row for row in sample.rows if isinstance(row, Mapping)), {})
    if any("question" in rollout for rollout in _rows(first, sample.file)):
        return About()
    return About(
        notes=[
            "the responses of a server do not hold the question: keep the request beside each "
            'response, as {"request": {"messages": ...}, "response": {...}}'
        ]
    )


READER = Reader(
    name="openai-chat",
    help="chat.completion objects of a server, one a line, or beside question, gold and request",
    matches=_matches,
    fields={
        "completion": ("choices[].message.content", "choices[].text"),
        "reasoning": "choices[].message.reasoning_content",
        "finish_reason": "choices[].finish_reason",
        "logprobs": "choices[].logprobs",
        "token_ids": "choices[].token_ids",
        "prompt_token_ids": "prompt_token_ids",
        "model": "model",
        "error": "error",
        "question": ("request.messages", "the question beside the response"),
    },
    rows=_rows,
    about=_about,
)
