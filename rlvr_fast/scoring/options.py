"""Options of scoring: one definition for Python, command line and study files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.options import Options, option
from rlvr_fast.vocabulary import SAMPLING_DEFAULTS, Device, DeviceMap, Dtype

__all__ = ["ScoreOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreOptions(Options):
    """Options of `score_run`.

    Attributes:
        temperature: of the distribution that is scored. The papers' token entropy and perplexity
            are at temperature 1, whatever the completions were drawn at.
        top_p: counts the tokens outside the top-p nucleus of that distribution, and adds the
            logarithm of the probability of each nucleus; None for neither.
        top_k: the nucleus is among this number of most likely tokens; 0 for all. With top_k or
            min_p, top_p is 1 where it is None.
        min_p: the nucleus is among the tokens with this share of the largest probability.
        as_sampled: takes temperature, top_p, top_k and min_p from the run, and adds "-sampling" to
            the label.
        per_token: keeps the log-probability and the entropy of each token as well.
        batch_tokens: how many tokens, padding included, go through the model at once.
        device: where the model runs.
        device_map: how the layers of one model are spread over all GPUs, and over the memory of the
            CPU where these are full; "none" keeps the model on `device`.
        dtype: type of the model's weights; the logits are float32 in any case.

    Raises:
        InvalidInputError: a value of another type or out of range; as_sampled beside a
            temperature, top_p, top_k or min_p; a device beside a device_map.
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
    top_k: int = option(
        SAMPLING_DEFAULTS["top_k"],
        minimum=0,
        help="Take the nucleus among this number of most likely tokens; 0 takes all.",
    )
    min_p: float = option(
        SAMPLING_DEFAULTS["min_p"],
        minimum=0,
        maximum=1,
        help="Take the nucleus among the tokens with this share of the largest probability.",
    )
    as_sampled: bool = option(
        False,
        help="Take temperature, top-p, top-k and min-p from the run, and add -sampling to the "
        "label.",
    )
    per_token: bool = option(
        False, help="Keep the log-probability and the entropy of each token as well."
    )
    batch_tokens: int = option(4096, minimum=1, help="Tokens that go through the model at once.")
    device: Device = option(
        "auto", help="Where to run; auto is a GPU where there is one, else the CPU."
    )
    device_map: DeviceMap = option(
        "none",
        help="Spread the layers of one model over all GPUs; none keeps it on one device.",
    )
    dtype: Dtype = option(
        "auto", help="Type of the weights; auto is float32 on the CPU and bfloat16 on a GPU."
    )

    def __post_init__(self) -> None:
        Options.__post_init__(self)
        given = self.temperature != 1 or self.top_p is not None or self.top_k or self.min_p
        if self.as_sampled and given:
            raise InvalidInputError(
                "as_sampled takes temperature, top_p, top_k and min_p from the run: leave these "
                "out, or as_sampled"
            )
        if self.device_map != "none" and self.device != "auto":
            raise InvalidInputError(
                f"device_map {self.device_map!r} places the model on all devices: leave out device "
                f"{self.device!r}, or device_map"
            )

    def model_arguments(self) -> dict[str, Any]:
        """The keyword arguments of `Scorer`; None leaves a value to the `Scorer`."""
        return {
            "device": None if self.device == "auto" else self.device,
            "device_map": None if self.device_map == "none" else self.device_map,
            "dtype": None if self.dtype == "auto" else self.dtype,
            "batch_tokens": self.batch_tokens,
        }
