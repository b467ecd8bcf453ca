"""The distributions that tokens are scored under, and their statistics from one forward pass."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import torch

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.scoring.kernels.checks import check_truncation
from rlvr_fast.scoring.kernels.nucleus import outside_nucleus
from rlvr_fast.scoring.results import TokenStats, Truncation

__all__ = ["Distribution", "Readout", "TokenValues", "token_values"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """What is scored of each token: softmax(logits / temperature), and what a sampler cuts off.

    Attributes:
        temperature: a positive number.
        top_p: in (0, 1], or None: no nucleus.
        top_k: number of most likely tokens that the sampler draws among; 0 is all of them. With
            top_k or min_p, top_p is 1 where it is None.
        min_p: least probability of a token as a share of the largest, in [0, 1].

    Raises:
        InvalidInputError: a value out of range.
    """

    temperature: float = 1.0
    top_p: float | None = None
    top_k: int = 0
    min_p: float = 0.0

    def __post_init__(self) -> None:
        if not (self.temperature > 0 and math.isfinite(self.temperature)):
            raise InvalidInputError(
                f"temperature must be positive and finite, got {self.temperature}"
            )
        if self.top_p is not None or self.top_k or self.min_p:
            values = check_truncation(
                1.0 if self.top_p is None else self.top_p, self.top_k, self.min_p
            )
            for name, value in zip(("top_p", "top_k", "min_p"), values, strict=True):
                object.__setattr__(self, name, value)

    @property
    def cut(self) -> dict[str, Any]:
        """The arguments of `linear_truncation`; empty where the distribution has no nucleus."""
        if self.top_p is None:
            return {}
        return {"top_p": self.top_p, "top_k": self.top_k, "min_p": self.min_p}


class TokenValues(NamedTuple):
    """Statistics of some completion tokens; numpy arrays of one length.

    Attributes:
        logprob: float32, nats.
        entropy: float32, nats.
        outside: whether the token is outside the nucleus; None without one.
        kept: float32, the probability of the nucleus; None without one.
    """

    logprob: npt.NDArray[np.float32]
    entropy: npt.NDArray[np.float32]
    outside: npt.NDArray[np.bool_] | None
    kept: npt.NDArray[np.float32] | None


class Readout(Protocol):
    """What a model makes of its last hidden states."""

    def token_stats(
        self, rows: torch.Tensor, targets: torch.Tensor, temperatures: Sequence[float]
    ) -> list[TokenStats]:
        """The statistics of `targets` [N] after the hidden states `rows` [N, H]."""

    def truncation(self, rows: torch.Tensor, temperature: float, **cut: Any) -> Truncation:
        """What a sampler keeps of each row."""


def token_values(
    readout: Readout,
    rows: torch.Tensor,
    targets: torch.Tensor,
    distributions: Sequence[Distribution],
) -> list[TokenValues]:
    """The statistics of tokens under each of several distributions.

    Distributions of one temperature share their statistics, and equal ones their nucleus.

    Args:
        readout: of the model.
        rows: hidden states [N, H] of the positions that predict the tokens.
        targets: the tokens, int64 [N].
        distributions: at least one.
    """
    temperatures = list(dict.fromkeys(each.temperature for each in distributions))
    stats = dict(zip(temperatures, readout.token_stats(rows, targets, temperatures), strict=True))
    found: dict[Distribution, TokenValues] = {}
    for each in distributions:
        if each in found:
            continue
        here = stats[each.temperature]
        outside = kept = None
        if cut := each.cut:
            truncation = readout.truncation(rows, each.temperature, **cut)
            outside = outside_nucleus(here, truncation, **cut).cpu().numpy()
            kept = truncation.kept_mass.cpu().numpy()
        found[each] = TokenValues(
            here.logprob.cpu().numpy(), here.entropy.cpu().numpy(), outside, kept
        )
    return [found[each] for each in distributions]
