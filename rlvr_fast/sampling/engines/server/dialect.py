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
# Seeds have 63 bits. Some servers take 32 with a sign, of which these are left.
_SEED_BITS, _FEWER_SEED_BITS = 63, 31
# In which order fields are left out where a server does not say which it refuses: those that few
# servers have, then those whose defaults are neutral everywhere. Draws without a seed cannot be
# repeated, and some servers have defaults of temperature and top_p of their own.
_BLINDLY = (
    {_TELL_IDS, "top_k", "min_p", "repetition_penalty"},
    {"presence_penalty", "frequency_penalty"},
    {_SEED},
    {"temperature", "top_p"},
)


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
        seed_bits: of a seed, so many are sent.
        owner: what the server says of itself, as "vllm"; empty where it says nothing.
    """

    chat: bool
    most: int
    left_out: set[str] = field(default_factory=set)
    max_tokens: str = "max_tokens"
    seed_bits: int = _SEED_BITS
    owner: str = ""

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
        seed &= (1 << self.seed_bits) - 1
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
        if not refused.of_request:
            return False
        other = "max_completion_tokens"
        if self.chat and self.max_tokens != other and _names(other, refused):
            self.max_tokens = other
            return True
        optional = self._optional(body)
        # One at a time: a server may quote the whole request beside the field that it means.
        name = refused.parameter if refused.parameter in optional else None
        text = f"{refused.parameter or ''} {refused.text}"
        if name is None:
            places = {each: place for each in optional if (place := _place(each, text)) >= 0}
            name = min(places, key=lambda each: places[each], default=None)
        if name is not None:
            self._leave_out(name, body)
            return True
        if (n := body.get("n", 1)) > 1:
            # It may be another one that the server allows, or none, where it does not name it.
            self.most = min(self.most, n // 2 if _place("n", text) >= 0 else 1)
            return True
        return False

    def _leave_out(self, name: str, body: Mapping[str, Any]) -> None:
        if name == _SEED and body[_SEED] >> _FEWER_SEED_BITS:
            self.seed_bits = _FEWER_SEED_BITS
        else:
            self.left_out.add(name)

    def learn_blindly(self, refused: RefusedError, body: Mapping[str, Any]) -> bool:
        """As `learn`, where the server does not say what it refuses: some of what may be is."""
        if not refused.of_request:
            return False
        optional = self._optional(body)
        for each in (*_BLINDLY, optional):
            if names := each & optional:
                for name in names:
                    self._leave_out(name, body)
                return True
        return False

    def _optional(self, body: Mapping[str, Any]) -> set[str]:
        """The fields of a request without which it means the same."""
        neutral = {each.name for each in PARAMETERS.values() if body.get(each.name) == each.neutral}
        return neutral | ({_SEED, _TELL_IDS} & body.keys())


def _place(name: str, text: str) -> int:
    """Where a text names a field, as top_k, topK or TopK; -1 where it does not."""
    written = "_?".join(name.split("_"))
    found = re.search(rf"(?<![A-Za-z0-9_]){written}(?![A-Za-z0-9_])", text, re.IGNORECASE)
    return -1 if found is None else found.start()


def _names(name: str, refused: RefusedError) -> bool:
    return refused.parameter == name or _place(name, refused.text) >= 0
