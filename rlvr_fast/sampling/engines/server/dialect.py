"""What a request says, and which of it a server takes: one table, and what refusals teach."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from rlvr_fast.sampling.engines.server.client import RefusedError
from rlvr_fast.sampling.parameters import SamplingParameters

__all__ = ["PARAMETERS", "Dialect"]


class _Parameter(NamedTuple):
    """How a sampling parameter is said to a server.

    Attributes:
        name: in a request.
        neutral: the value, in a request, that changes nothing.
        always: whether the neutral value is sent too, as servers have other defaults: vLLM those
            of the model's generation_config.json, llama.cpp a top_k of 40 and a min_p of 0.05.
        of_openai: whether OpenAI's interface has the parameter; of the others, a server that does
            not know one may leave it aside without a word.
    """

    name: str
    neutral: Any
    always: bool = True
    of_openai: bool = False


# Name of a sampling parameter here -> what it is in a request. max_tokens and seed are said apart.
# The names from top_k on are those of vLLM and SGLang.
PARAMETERS: dict[str, _Parameter] = {
    "temperature": _Parameter("temperature", 1.0, of_openai=True),
    "top_p": _Parameter("top_p", 1.0, of_openai=True),
    "stop": _Parameter("stop", [], always=False, of_openai=True),
    "presence_penalty": _Parameter("presence_penalty", 0.0, of_openai=True),
    "frequency_penalty": _Parameter("frequency_penalty", 0.0, of_openai=True),
    "top_k": _Parameter("top_k", -1),  # 0 means all tokens to vLLM, and is refused by SGLang
    "min_p": _Parameter("min_p", 0.0),
    "repetition_penalty": _Parameter("repetition_penalty", 1.0),
    "min_tokens": _Parameter("min_tokens", 0, always=False),
    "stop_token_ids": _Parameter("stop_token_ids", [], always=False),
}
# What these servers say of themselves; they know every parameter of the table.
_KNOWING = ("vllm", "sglang")
# llama.cpp has an order of its own, with the temperature last, and another name for the repetition
# penalty, which sees the last 64 tokens by default.
_LLAMA_CPP = "llamacpp"
_LLAMA_CPP_ORDER = ("penalties", "temperature", "min_p", "top_k", "top_p")
_LLAMA_CPP_LOOKS_BACK = 1 << 17
_LLAMA_CPP_LACKS = ("min_tokens", "stop_token_ids")
# What may be left out of a request whatever its value, as the draws say what is lacking then.
_SEED, _TELL_IDS = "seed", "return_token_ids"
_REFUSED = (400, 422)


def _said(name: str, value: Any) -> Any:
    if name == "top_k" and value == 0:
        return PARAMETERS[name].neutral
    return list(value) if isinstance(value, tuple) else value


@dataclass(slots=True)
class Dialect:
    """What one server takes of a request; it is learnt from what the server refuses.

    Attributes:
        chat: whether requests are messages.
        left_out: fields that the server refuses, and that are not sent.
        most: draws of one request.
        max_tokens: the name of the limit; for messages newer models of OpenAI have another one.
        owner: what the server says of itself, as "vllm"; empty where it says nothing.
    """

    chat: bool
    most: int
    left_out: set[str] = field(default_factory=set)
    max_tokens: str = "max_tokens"
    owner: str = ""

    @property
    def seeds(self) -> bool:
        """Whether each draw has a seed of its own: a request has one seed for all its draws."""
        return self.most == 1 and _SEED not in self.left_out

    def lacking(self, parameters: SamplingParameters) -> list[str]:
        """The parameters that matter and that the server is known to leave aside."""
        if self.owner != _LLAMA_CPP:
            return []
        return [name for name in _LLAMA_CPP_LACKS if name in self._said_and_not_neutral(parameters)]

    def doubtful(self, parameters: SamplingParameters) -> list[str]:
        """The parameters that matter and that a server may leave aside without a word."""
        if self.owner.lower() in (*_KNOWING, _LLAMA_CPP):
            return []
        return [
            name
            for name in self._said_and_not_neutral(parameters)
            if not PARAMETERS[name].of_openai
        ]

    @staticmethod
    def _said_and_not_neutral(parameters: SamplingParameters) -> list[str]:
        return [
            here
            for here, there in PARAMETERS.items()
            if _said(here, getattr(parameters, here)) != there.neutral
        ]

    def body(
        self,
        fixed: Mapping[str, Any],
        parameters: SamplingParameters | None,
        *,
        max_tokens: int,
        n: int,
        seed: int,
        logprobs: bool,
    ) -> dict[str, Any]:
        """The fields of a request.

        Args:
            fixed: model and prompt.
            parameters: how to draw; None for neutral values.
            max_tokens: tokens of a completion at most.
            n: draws.
            seed: of the first draw.
            logprobs: ask for the log-probabilities of the tokens drawn.
        """
        body = {**fixed, self.max_tokens: max_tokens, _SEED: seed, _TELL_IDS: True}
        for here, there in PARAMETERS.items():
            value = _said(here, there.neutral if parameters is None else getattr(parameters, here))
            if there.always or value != there.neutral:
                body[there.name] = value
        if n > 1:
            body["n"] = n
        if logprobs:
            # 1 and not 0: some servers take 0 for none.
            body["logprobs"] = True if self.chat else 1
        if self.owner == _LLAMA_CPP:
            body["samplers"] = list(_LLAMA_CPP_ORDER)
            body["repeat_penalty"] = body.pop(PARAMETERS["repetition_penalty"].name)
            body["repeat_last_n"] = _LLAMA_CPP_LOOKS_BACK
        # A parameter that matters is sent all the same, so that the server refuses it aloud.
        unwanted = self.left_out & self._optional(body)
        return {name: value for name, value in body.items() if name not in unwanted}

    def learn(self, refused: RefusedError, body: Mapping[str, Any]) -> bool:
        """Takes note of what a server refused; returns whether to send the request anew.

        Args:
            refused: what the server said.
            body: the request.
        """
        if refused.status not in _REFUSED:
            return False
        other = "max_completion_tokens"
        if self.chat and self.max_tokens != other and _names(other, refused):
            self.max_tokens = other
            return True
        optional = self._optional(body)
        # One at a time: a server may quote the whole request beside the field that it means.
        if refused.parameter in optional:
            self.left_out.add(str(refused.parameter))
            return True
        places = {name: place for name in optional if (place := _place(name, refused.text)) >= 0}
        if places:
            self.left_out.add(min(places, key=lambda name: places[name]))
            return True
        if body.get("n", 1) > 1:
            self.most = 1
            return True
        return False

    def learn_blindly(self, refused: RefusedError, body: Mapping[str, Any]) -> bool:
        """As `learn`, where the server does not say what it refuses: all that may be left out is.

        The seed is left out after the others, as draws without one cannot be repeated.
        """
        if refused.status not in _REFUSED:
            return False
        optional = self._optional(body)
        self.left_out |= optional - {_SEED} or optional
        return bool(optional)

    def _optional(self, body: Mapping[str, Any]) -> set[str]:
        """The fields of a request without which it means the same."""
        neutral = {each.name for each in PARAMETERS.values() if body.get(each.name) == each.neutral}
        return neutral | ({_SEED, _TELL_IDS} & body.keys())


def _place(name: str, text: str) -> int:
    found = re.search(rf"(?<![A-Za-z0-9_]){re.escape(name)}(?![A-Za-z0-9_])", text)
    return -1 if found is None else found.start()


def _names(name: str, refused: RefusedError) -> bool:
    return refused.parameter == name or _place(name, refused.text) >= 0
