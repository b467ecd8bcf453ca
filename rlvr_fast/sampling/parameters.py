"""How completions are drawn: the parameters that run.json records and a draw's seed depends on."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.options import Options, option
from rlvr_fast.vocabulary import SAMPLING_DEFAULTS

__all__ = ["ORIGINAL_PARAMETERS", "SamplingParameters"]

# What an engine honours that does not say what it honours.
ORIGINAL_PARAMETERS = ("temperature", "top_p", "max_tokens", "seed", "stop")


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingParameters(Options):
    """How completions are drawn; temperature, top_p and max_tokens default to both papers' values.

    The parameters mean what they mean to vLLM, and apply in its order: `min_tokens` masks tokens;
    the penalties change logits; the temperature divides them; then `min_p`, `top_k` and `top_p`
    each leave tokens out, `top_p` of the probability that the two others leave.

    A value has one spelling in run.json, and so one hash: 1 and 1.0 are the same temperature. A
    parameter of `SAMPLING_DEFAULTS` is not written where it has its default.

    Attributes:
        temperature: divides the logits; 0 always takes the most likely token.
        top_p: a token is drawn among the smallest set of most likely tokens that has at least this
            probability.
        max_tokens: longest completion; a model's context may end a completion earlier.
        seed: changes every draw.
        stop: texts that end a completion, and are not part of the completion, besides the model's
            own end-of-sequence tokens.
        top_k: a token is drawn among this number of most likely tokens; 0 among all. -1 is read
            as 0.
        min_p: a token is drawn among those whose probability is at least this share of the
            probability of the most likely token.
        presence_penalty: subtracted from the logit of each token that the completion holds.
        frequency_penalty: subtracted from the logit of a token once for each time that the
            completion holds the token.
        repetition_penalty: divides the logit, where it is positive, of each token that prompt or
            completion hold, and multiplies it elsewhere.
        min_tokens: for so many tokens, no end-of-sequence token and none of `stop_token_ids` is
            drawn; a stop text that ends earlier ends nothing.
        stop_token_ids: tokens that end a completion. The token is one of the completion's, and its
            text is left out. Their order and repetitions say nothing.

    Raises:
        InvalidInputError: a value of another type or out of range; min_tokens above max_tokens.
    """

    temperature: float = option(
        0.6, minimum=0, help="Divides the logits; 0 always takes the most likely token."
    )
    top_p: float = option(
        0.95,
        above=0,
        maximum=1,
        reason="a nucleus of probability 0 holds no token; 1 draws among all tokens",
        help="Draw among the smallest set of most likely tokens with at least this probability.",
    )
    max_tokens: int = option(16384, minimum=1, help="Longest completion.")
    seed: int = option(0, help="Changes every draw.")
    stop: tuple[str, ...] = option((), metavar="TEXT", help="A text that ends a completion.")
    top_k: int = option(
        SAMPLING_DEFAULTS["top_k"],
        minimum=-1,
        reason="0 or -1 draws among all tokens",
        help="Draw among this number of most likely tokens; 0 draws among all.",
    )
    min_p: float = option(
        SAMPLING_DEFAULTS["min_p"],
        minimum=0,
        maximum=1,
        help="Draw among the tokens with at least this share of the largest probability.",
    )
    presence_penalty: float = option(
        SAMPLING_DEFAULTS["presence_penalty"],
        minimum=-2,
        maximum=2,
        help="Subtracted from the logit of each token that the completion holds.",
    )
    frequency_penalty: float = option(
        SAMPLING_DEFAULTS["frequency_penalty"],
        minimum=-2,
        maximum=2,
        help="Subtracted from the logit of a token for each time that the completion holds it.",
    )
    repetition_penalty: float = option(
        SAMPLING_DEFAULTS["repetition_penalty"],
        above=0,
        reason="1 changes nothing",
        help="Makes tokens of prompt and completion less likely above 1, more likely below.",
    )
    min_tokens: int = option(
        SAMPLING_DEFAULTS["min_tokens"],
        minimum=0,
        help="Number of tokens before a completion may end by itself.",
    )
    stop_token_ids: tuple[int, ...] = option(
        SAMPLING_DEFAULTS["stop_token_ids"],
        minimum=0,
        metavar="ID",
        cli_name="stop_token_id",
        help="A token that ends a completion.",
    )

    def __post_init__(self) -> None:
        Options.__post_init__(self)
        object.__setattr__(self, "top_k", max(self.top_k, 0))
        object.__setattr__(self, "stop_token_ids", tuple(sorted(set(self.stop_token_ids))))
        if self.min_tokens > self.max_tokens:
            raise InvalidInputError(
                f"min_tokens is {self.min_tokens}, expected at most max_tokens, {self.max_tokens}"
            )

    @property
    def penalized(self) -> bool:
        """Whether a logit depends on the tokens before it by more than the model."""
        names = ("presence_penalty", "frequency_penalty", "repetition_penalty")
        return any(getattr(self, name) != SAMPLING_DEFAULTS[name] for name in names)

    def beyond(self, honoured: Collection[str]) -> list[str]:
        """The parameters that differ from their default and that `honoured` does not name."""
        return [
            name
            for name, default in SAMPLING_DEFAULTS.items()
            if name not in honoured and getattr(self, name) != default
        ]

    def check_vocabulary(self, model: str, size: int) -> None:
        """Refuses `stop_token_ids` that a model does not have.

        Args:
            model: its name, for the message.
            size: token ids are below this number.

        Raises:
            InvalidInputError: such a token id.
        """
        if self.stop_token_ids and self.stop_token_ids[-1] >= size:
            raise InvalidInputError(
                f"stop_token_ids holds {self.stop_token_ids[-1]}, but {model} has {size} tokens"
            )

    def to_json(self) -> dict[str, Any]:
        """The object "sampling" of run.json."""
        further = {name: getattr(self, name) for name in self.beyond(())}
        return {
            "temperature": self.temperature,
            "top_p": self.top_p,
            "max_tokens": self.max_tokens,
            "seed": self.seed,
            "stop": list(self.stop),
            **{n: list(v) if isinstance(v, tuple) else v for n, v in further.items()},
        }
