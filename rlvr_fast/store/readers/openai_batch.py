"""Output files of the OpenAI Batch interface and of `vllm run-batch`, and their request files."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from rlvr_fast.errors import InvalidInputError, StorageError
from rlvr_fast.store.readers.reader import Reader, Rollout, Sample, SourceFile
from rlvr_fast.store.readers.served import asked, choices_of, is_response

__all__ = ["READER", "read_requests"]


def _matches(sample: Sample) -> bool:
    return "custom_id" in sample.keys and bool({"response", "result"} & sample.keys)


def _rows(row: Any, file: SourceFile) -> Iterator[Rollout]:
    if not isinstance(row, Mapping):
        return
    # Some tools keep the request in the line of the response.
    request = row.get("request", row.get("body"))
    roles = {"request_id": row.get("custom_id"), **asked(request)}
    body, error = _outcome(row)
    if error is not None or body is None:
        yield {**roles, "error": error or "no response"}
        return
    choices = list(choices_of(body)) if is_response(body) else [_anthropic(body)]
    for choice in choices:
        yield {
            **roles,
            **choice,
            **({"question": roles["question"]} if "question" in roles else {}),
        }
    if not choices:
        yield {**roles, "error": "a response without choices"}


def _outcome(row: Mapping[str, Any]) -> tuple[Mapping[str, Any] | None, Any]:
    """The body of the response, and the error in place of it."""
    result = row.get("result")
    if isinstance(result, Mapping):  # Anthropic's message batches
        message = result.get("message")
        if isinstance(message, Mapping):
            return message, None
        return None, result.get("error") or result.get("type")
    response = row.get("response")
    error = row.get("error") or None
    if not isinstance(response, Mapping):
        return None, error
    body = response.get("body", response)
    status = response.get("status_code", 200)
    if not isinstance(body, Mapping):
        return None, error or f"status {status}"
    failed = (isinstance(status, int) and status >= 400) or bool(body.get("error"))
    return body, error or (body.get("error") or f"status {status}" if failed else None)


def _anthropic(body: Mapping[str, Any]) -> dict[str, Any]:
    content = body.get("content")
    parts = (
        [part for part in content if isinstance(part, Mapping)] if isinstance(content, list) else []
    )
    thinking = [str(p.get("thinking")) for p in parts if p.get("type") == "thinking"]
    texts = [str(p.get("text")) for p in parts if p.get("type") == "text"]
    roles = {
        "completion": "".join(texts) if texts else None,
        "finish_reason": body.get("stop_reason"),
    }
    if thinking:
        roles["reasoning"] = "\n\n".join(thinking)
    return {**roles, "model": body["model"]} if isinstance(body.get("model"), str) else roles


def read_requests(paths: Iterable[str | Path]) -> dict[str, Mapping[str, Any]]:
    """The requests of input files of a batch.

    Args:
        paths: JSONL files, plain or gzip: one {"custom_id", "body"} a line.

    Returns:
        custom_id to body of the request.

    Raises:
        InvalidInputError: a line that is no request, or a custom_id with two different bodies.
        StorageError: a file cannot be read.
    """
    bodies: dict[str, Mapping[str, Any]] = {}
    first: dict[str, str] = {}
    for path in map(Path, paths):
        for number, line in enumerate(_lines(path), 1):
            if not line.strip():
                continue
            where = f"{path}, row {number}"
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise InvalidInputError(f"{where}: expected one request a line ({error})") from None
            body = row.get("body", row.get("params")) if isinstance(row, dict) else None
            identifier = row.get("custom_id") if isinstance(row, dict) else None
            if not isinstance(body, dict) or not isinstance(identifier, str | int):
                raise InvalidInputError(
                    f"{where}: expected a request of a batch, "
                    '{"custom_id": ..., "body": {"messages": ...}}; --requests takes the input '
                    "file of the batch, not its output"
                )
            key = str(identifier)
            if bodies.setdefault(key, body) != body:
                raise InvalidInputError(
                    f"{where}: custom_id {key!r} has another body than in {first[key]}"
                )
            first.setdefault(key, where)
    return bodies


def _lines(path: Path) -> Iterator[str]:
    if not path.is_file():
        raise InvalidInputError(f"{path}: no such file; --requests takes the input of the batch")
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
        with gzip.open(path, "rb") if packed else path.open("rb") as lines:
            for line in lines:
                yield line.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"{path}: not UTF-8 ({error})") from None
    except (OSError, EOFError) as error:
        raise StorageError(f"{path}: cannot be read ({error})") from error


READER = Reader(
    name="openai-batch",
    help="output of OpenAI Batch and of `vllm run-batch`; --requests FILE has the questions",
    matches=_matches,
    fields={
        "completion": ("response.body.choices[].message.content", "response.body.choices[].text"),
        "reasoning": "response.body.choices[].message.reasoning_content",
        "finish_reason": "response.body.choices[].finish_reason",
        "logprobs": "response.body.choices[].logprobs",
        "token_ids": "response.body.choices[].token_ids",
        "prompt_token_ids": "response.body.prompt_token_ids",
        "model": "response.body.model",
        "error": "error",
        "request_id": "custom_id",
        "question": "request",
    },
    rows=_rows,
)
