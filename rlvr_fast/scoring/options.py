"""Options of scoring: one definition for Python, command line and study files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.options import Options, option
from rlvr_fast.vocabulary import Device, Dtype

__all__ = ["ScoreOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreOptions(Options):
    """Options of `score_run`.

    Attributes:
        temperature: of the distribution that is scored. The papers' token entropy and perplexity
            are at temperature 1, whatever the completions were drawn at.
        top_p: counts the tokens outside the top-p nucleus of that distribution, and adds the
            logarithm of the probability of each nucleus; None for neither.
        as_sampled: takes temperature and top_p from the run, and adds "-sampling" to the label.
        per_token: keeps the log-probability and the entropy of each token as well.
        batch_tokens: how many tokens, padding included, go through the model at once.
        device: where the model runs.
        dtype: type of the model's weights; the logits are float32 in any case.

    Raises:
        InvalidInputError: a value of another type or out of range; as_sampled beside a temperature
            or top_p.
    """

    temperature: float = option(
        1.0,
        above=0,
        reason="a distribution at temperature 0 has one token",
        help="Temperature of the distribution that is scored.",
    )
    top_p: float | None = option(
        None,
        above=0,
        maximum=1,
        reason="a nucleus of probability 0 holds no token",
        help="Count the tokens outside this nucleus, and keep its probability.",
    )
    as_sampled: bool = option(
        False,
        help="Take temperature and top-p from the run, and add -sampling to the label.",
    )
    per_token: bool = option(
        False, help="Keep the log-probability and the entropy of each token as well."
    )
    batch_tokens: int = option(4096, minimum=1, help="Tokens that go through the model at once.")
    device: Device = option(
        "auto", help="Where to run; auto is a GPU where there is one, else the CPU."
    )
    dtype: Dtype = option(
        "auto", help="Type of the weights; auto is float32 on the CPU and bfloat16 on a GPU."
    )

    def __post_init__(self) -> None:
        Options.__post_init__(self)
        if self.as_sampled and (self.temperature != 1 or self.top_p is not None):
            raise InvalidInputError(
                "as_sampled takes temperature and top_p from the run: leave temperature and top_p "
                "out, or as_sampled"
            )

    def model_arguments(self) -> dict[str, Any]:
        """The keyword arguments of `Scorer`; None leaves device or dtype to the `Scorer`."""
        return {
            "device": None if self.device == "auto" else self.device,
            "dtype": None if self.dtype == "auto" else self.dtype,
            "batch_tokens": self.batch_tokens,
        }
