"""What a server replies, read and checked: nothing of it is taken on trust."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeGuard

import orjson

from rlvr_fast.errors import shown
from rlvr_fast.store.rollouts.finish_reasons import read_finish_reason
from rlvr_fast.store.rollouts.messages import message_text

__all__ = [
    "Choice",
    "MalformedReply",
    "Reply",
    "ServedModel",
    "ToldError",
    "Usage",
    "error_text",
    "read_models",
    "read_reply",
]

_MOST_MODELS = 100_000
_MOST_TOKENS = 1 << 40
# A log-probability may be above 0 by rounding.
_LARGEST_LOGPROB = 0.1


class MalformedReply(Exception):
    """A reply that is not of the interface; the message says what was expected."""


class ToldError(MalformedReply):
    """The body of an error, though the status of HTTP was that of a reply.

    Attributes:
        status: that of HTTP which the error names, from 400 to 599; else 500.
    """

    def __init__(self, status: int) -> None:
        super().__init__("an error")
        self.status = status


class ServedModel(NamedTuple):
    """A model that a server has.

    Attributes:
        name: how requests name it.
        context_length: tokens of prompt and completion together, where the server says it.
        owner: what the server says of itself, as "vllm"; empty where it says nothing.
    """

    name: str
    context_length: int | None
    owner: str


class Usage(NamedTuple):
    """Tokens of one reply; 0 where the server does not count them."""

    prompt_tokens: int
    completion_tokens: int


class Choice(NamedTuple):
    """One completion of a reply.

    Attributes:
        text: the completion; thinking that came beside it stands in front, between <think> marks.
        token_ids: None where the server does not tell them.
        logprobs: None where the server does not tell them.
        finish_reason: None where the completion ended in another way.
        ended: how the server says that it ended.
    """

    text: str
    token_ids: list[int] | None
    logprobs: list[float] | None
    finish_reason: Literal["stop", "length"] | None
    ended: str


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply to one request.

    Attributes:
        choices: in the order of their indices.
        prompt_token_ids: None where the server does not tell them.
        usage: tokens, as the server counts them.
    """

    choices: list[Choice]
    prompt_token_ids: list[int] | None
    usage: Usage


def _parse(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except (ValueError, RecursionError):
        raise MalformedReply("no JSON") from None


def _object(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise MalformedReply(f"{where} is {shown(value)}, expected an object")
    return value


def _integer(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def error_text(data: bytes) -> tuple[str, str | None]:
    """(message, name of the parameter at fault) of the body of an error; each may be unknown."""
    try:
        value = orjson.loads(data)
    except (ValueError, RecursionError):
        return data.decode("utf-8", "replace"), None
    if not isinstance(value, dict):
        return shown(value, 1000), None
    inner = value.get("error", value)
    if not isinstance(inner, dict):
        return (inner if isinstance(inner, str) else shown(value, 1000)), None
    message, name = inner.get("message", inner.get("detail", inner.get("msg"))), inner.get("param")
    if isinstance(message, list) and message and isinstance(message[0], dict):
        # Pydantic's list of faults, each with the place of the field.
        place = message[0].get("loc")
        name = place[-1] if isinstance(place, list) and place else name
        message = message[0].get("msg")
    text = message if isinstance(message, str) else shown(value, 1000)
    return text, name if isinstance(name, str) else None


def _refuse_error(value: Mapping[str, Any]) -> None:
    """Raises ToldError where the body says that it is an error."""
    error = value if value.get("object") == "error" else value.get("error")
    if not error:
        return
    told = error if isinstance(error, dict) else {}
    codes = (told.get("code"), told.get("status"), value.get("code"), value.get("status"))
    known = (code for code in codes if _integer(code) and 400 <= code < 600)
    raise ToldError(next(known, 500))


def read_models(data: bytes) -> list[ServedModel]:
    """The models of GET /models.

    Raises:
        MalformedReply: the reply is no list of models.
    """
    value = _parse(data)
    if not isinstance(value, list):  # a few servers give the list without an object around it
        value = _object(value, "the list of models")
        _refuse_error(value)
        value = value.get("data")
    listed = value
    if not isinstance(listed, list) or len(listed) > _MOST_MODELS:
        raise MalformedReply(f"data is {shown(listed)}, expected a list of models")
    found = []
    for each in listed:
        name = _object(each, "a model").get("id")
        if not isinstance(name, str) or not name:
            raise MalformedReply(f"the id of a model is {shown(name)}, expected a text")
        # vLLM and SGLang, else llama.cpp.
        meta = each.get("meta")
        length = each.get("max_model_len", meta.get("n_ctx") if isinstance(meta, dict) else None)
        owner = each.get("owned_by")
        found.append(
            ServedModel(
                name,
                length if _integer(length) and 0 < length < 1 << 31 else None,
                owner if isinstance(owner, str) and owner.isprintable() else "",
            )
        )
    return found


def read_reply(data: bytes, *, most: int, max_tokens: int, logprobs: bool) -> Reply:
    """The completions of a reply.

    Args:
        data: the body.
        most: how many completions were asked for; fewer are a reply, more or none are not.
        max_tokens: tokens of a completion at most.
        logprobs: whether log-probabilities were asked for; others are left alone.

    Raises:
        MalformedReply: the reply is not of the interface.
    """
    value = _object(_parse(data), "the reply")
    listed = value.get("choices")
    if not isinstance(listed, list) or not 1 <= len(listed) <= most:
        if not listed:
            _refuse_error(value)
        held = f"{len(listed)} of them" if isinstance(listed, list) else shown(listed)
        raise MalformedReply(f"choices holds {held}, expected 1 to {most}")
    by_index: dict[int, Choice] = {}
    prompt = value.get("prompt_token_ids")
    for place, each in enumerate(listed):
        choice = _object(each, "a choice")
        index = choice.get("index", place)
        if not _integer(index) or not 0 <= index < most or index in by_index:
            raise MalformedReply(
                f"the index of a choice is {shown(index)}, expected 0 to {most - 1}, each once"
            )
        by_index[index] = _choice(choice, max_tokens, logprobs)
        prompt = choice.get("prompt_token_ids") if prompt is None else prompt
    return Reply(
        [by_index[index] for index in sorted(by_index)],
        _token_ids(prompt, "prompt_token_ids", None),
        _usage(value.get("usage")),
    )


def _choice(choice: Mapping[str, Any], max_tokens: int, logprobs: bool) -> Choice:
    text = _text(choice)
    token_ids = _token_ids(choice.get("token_ids"), "token_ids", max_tokens)
    values = _logprobs(choice.get("logprobs")) if logprobs else None
    if values is not None:
        expected = max_tokens if token_ids is None else len(token_ids)
        if len(values) > expected or (token_ids is not None and len(values) != expected):
            raise MalformedReply(f"{len(values)} log-probabilities for {expected} tokens")
    word = choice.get("finish_reason")
    if not isinstance(word, str):
        raise MalformedReply(f"finish_reason is {shown(word)}, expected a text")
    reason, _ = read_finish_reason(word)
    return Choice(text, token_ids, values, None if reason == "unknown" else reason, word)


def _text(choice: Mapping[str, Any]) -> str:
    if "message" not in choice:
        text = choice.get("text")
        if not isinstance(text, str):
            raise MalformedReply(f"the text of a choice is {shown(text)}, expected a text")
        return text
    message = _object(choice["message"], "a message")
    read = {name: message.get(name) for name in ("content", "reasoning_content", "reasoning")}
    for name, part in read.items():
        # Some servers give the content in parts, of which some are thinking.
        if not isinstance(part, str | list | None):
            raise MalformedReply(f"{name} of a message is {shown(part)}, expected a text")
    try:
        text = message_text({"role": "assistant", **read})
    except (TypeError, ValueError, AttributeError, RecursionError):
        raise MalformedReply(f"the parts of a message are {shown(read)}") from None
    refusal = message.get("refusal")
    return text or (refusal if isinstance(refusal, str) else "")


def _token_ids(value: Any, name: str, most: int | None) -> list[int] | None:
    if value is None or value == []:
        return None
    # By sets and bounds, as there may be thousands in each reply.
    whole = isinstance(value, list) and set(map(type, value)) == {int}
    if not whole or not 0 <= min(value) <= max(value) < 1 << 31:
        raise MalformedReply(f"{name} is {shown(value)}, expected a list of token ids")
    if most is not None and len(value) > most:
        raise MalformedReply(f"{name} holds {len(value)} tokens, expected at most {most}")
    found: list[int] = value
    return found


def _logprobs(value: Any) -> list[float] | None:
    """The log-probability of each token: of a completion, or of a message."""
    if value is None:
        return None
    listed = _object(value, "logprobs").get("token_logprobs")
    if listed is None:
        listed = value.get("content")
        if isinstance(listed, list):
            listed = [_object(each, "an entry of logprobs").get("logprob") for each in listed]
    if listed is None:
        return None
    if not isinstance(listed, list) or not all(map(_is_logprob, listed)):
        raise MalformedReply(f"the log-probabilities are {shown(listed)}, expected numbers up to 0")
    return [float(each) for each in listed]


def _is_logprob(value: Any) -> bool:
    number = isinstance(value, float) or _integer(value)
    return number and math.isfinite(value) and value <= _LARGEST_LOGPROB


def _usage(value: Any) -> Usage:
    """The counts of a reply; only told to the user, so that wrong ones are left out."""
    counts = value if isinstance(value, dict) else {}

    def count(name: str) -> int:
        told = counts.get(name)
        return told if _integer(told) and 0 <= told < _MOST_TOKENS else 0

    return Usage(count("prompt_tokens"), count("completion_tokens"))
