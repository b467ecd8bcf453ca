"""What a server of the OpenAI interface returns: choices to rollouts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["asked", "choices_of", "is_response"]

_TOKEN = "token_id:"


def is_response(body: Any) -> bool:
    """Whether a value is a (chat) completion, or an object of the Responses interface."""
    if not isinstance(body, Mapping):
        return False
    choices = body.get("choices")
    if isinstance(choices, list):
        return all(isinstance(c, Mapping) and ("message" in c or "text" in c) for c in choices)
    return body.get("object") == "response" and isinstance(body.get("output"), list)


def choices_of(body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The roles of each choice: completion, reasoning, finish reason, token ids, log-probs."""
    shared = {"model": body["model"]} if isinstance(body.get("model"), str) else {}
    for name, role in (("prompt_token_ids", "prompt_token_ids"), ("prompt_text", "question")):
        if body.get(name):
            shared[role] = body[name]
    choices = body.get("choices")
    if not isinstance(choices, list):
        yield {**shared, **_response(body)}
        return
    for choice in choices:
        if isinstance(choice, Mapping):
            yield {**shared, **_choice(choice)}


def _choice(choice: Mapping[str, Any]) -> dict[str, Any]:
    message = choice.get("message")
    roles: dict[str, Any] = {"finish_reason": choice.get("finish_reason")}
    if isinstance(message, Mapping):
        roles["completion"] = message.get("content")
        reasoning = message.get("reasoning_content") or message.get("reasoning")
        if isinstance(reasoning, str):
            roles["reasoning"] = reasoning
        if message.get("refusal") and not message.get("content"):
            roles["completion"] = message["refusal"]
    else:
        roles["completion"] = choice.get("text")
    for name in ("token_ids", "prompt_token_ids"):
        if isinstance(choice.get(name), list) and choice[name]:
            roles[name] = choice[name]
    logprobs, tokens = _logprobs(choice.get("logprobs"))
    if logprobs is not None:
        roles["logprobs"] = logprobs
    if tokens is not None and "token_ids" not in roles:
        roles["token_ids"] = tokens
    return roles


def _logprobs(value: Any) -> tuple[list[Any] | None, list[int] | None]:
    """Log-probs of a choice, and the token ids that vLLM writes in place of the tokens."""
    if not isinstance(value, Mapping):
        return None, None
    content = value.get("content")
    if isinstance(content, list) and all(isinstance(entry, Mapping) for entry in content):
        logprobs, tokens = [e.get("logprob") for e in content], [e.get("token") for e in content]
    elif isinstance(value.get("token_logprobs"), list):
        logprobs, tokens = value["token_logprobs"], value.get("tokens") or []
    else:
        return None, None
    ids = [t[len(_TOKEN) :] for t in tokens if isinstance(t, str) and t.startswith(_TOKEN)]
    known = bool(ids) and len(ids) == len(tokens) and all(text.isdigit() for text in ids)
    return logprobs or None, [int(text) for text in ids] if known else None


def _response(body: Mapping[str, Any]) -> dict[str, Any]:
    """An object of the Responses interface: the texts of its messages, and its reasoning."""
    texts: dict[str, list[str]] = {"message": [], "reasoning": []}
    for item in body["output"]:
        if not isinstance(item, Mapping) or item.get("type") not in texts:
            continue
        parts = [*_parts(item.get("content")), *_parts(item.get("summary"))]
        texts[str(item["type"])] += parts
    incomplete = body.get("incomplete_details")
    why = incomplete.get("reason") if isinstance(incomplete, Mapping) else None
    roles: dict[str, Any] = {
        "completion": "".join(texts["message"]) if texts["message"] else None,
        "finish_reason": {"max_output_tokens": "length"}.get(str(why), body.get("status")),
    }
    if texts["reasoning"]:
        roles["reasoning"] = "\n\n".join(texts["reasoning"])
    return roles


def _parts(content: Any) -> list[str]:
    if not isinstance(content, list):
        return []
    return [
        part["text"]
        for part in content
        if isinstance(part, Mapping) and isinstance(part.get("text"), str)
    ]


def asked(body: Any) -> dict[str, Any]:
    """The roles that a request gives: the question, and the model.

    Args:
        body: the body of a request: `messages`, `prompt` or `input`.
    """
    if not isinstance(body, Mapping):
        return {}
    roles: dict[str, Any] = {}
    for name in ("messages", "prompt", "input"):
        if body.get(name):
            roles["question"] = body[name]
            break
    system = body.get("instructions", body.get("system"))
    if isinstance(system, str) and system:
        roles["system"] = system
    if isinstance(body.get("model"), str):
        roles["model"] = body["model"]
    if isinstance(body.get("seed"), int):
        roles["seed"] = body["seed"]
    return roles
