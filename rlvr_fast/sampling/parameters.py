"""How completions are drawn: the parameters that run.json records and a draw's seed depends on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rlvr_fast.options import Options, option

__all__ = ["SamplingParameters"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingParameters(Options):
    """How completions are drawn; the defaults are the values of both papers.

    A value has one spelling in run.json, and so one hash: 1 and 1.0 are the same temperature.

    Attributes:
        temperature: divides the logits; 0 always takes the most likely token.
        top_p: a token is drawn among the smallest set of most likely tokens that has at least this
            probability.
        max_tokens: longest completion; a model's context may end a completion earlier.
        seed: changes every draw.
        stop: texts that end a completion, and are not part of the completion, besides the model's
            own end-of-sequence tokens.

    Raises:
        InvalidInputError: a value of another type or out of range.
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

    def to_json(self) -> dict[str, Any]:
        """The object "sampling" of run.json."""
        return {
            "temperature": self.temperature,
            "top_p": self.top_p,
            "max_tokens": self.max_tokens,
            "seed": self.seed,
            "stop": list(self.stop),
        }
