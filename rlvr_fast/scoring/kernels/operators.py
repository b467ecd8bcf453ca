"""The scoring functions as torch operators: `torch.ops.rlvr_fast.*`.

The operators have fake implementations, so that `torch.compile` takes the functions without a graph
break and `opcheck` passes. `rlvr_fast.token_stats` and the other public functions call them under
`torch.compile` alone (backends.py).

An operator takes no optional numbers: softcap 0 stands for none, and `temperatures`, one for each
row, has precedence over `temperature`. The outputs have no gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from rlvr_fast.scoring.results import DivergenceStats, NucleusStats, TokenStats

__all__ = ["linear_divergence", "linear_token_stats", "nucleus_stats", "register", "token_stats"]

_Two = tuple[torch.Tensor, torch.Tensor]
_Five = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]
_Six = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]


def register(device_backend: Callable[[torch.Tensor, str], Any]) -> None:
    """Defines the four operators; once in a process.

    Args:
        device_backend: gives the backend that runs when an operator is called, from the logits or
            the hidden states and the name of that argument.
    """

    def token_stats_kernel(
        logits: torch.Tensor,
        targets: torch.Tensor,
        temperatures: torch.Tensor | None,
        temperature: float,
        softcap: float,
    ) -> _Five:
        each = temperature if temperatures is None else temperatures
        backend = device_backend(logits, "logits")
        return tuple(backend.token_stats(logits, targets, each, softcap or None))

    def nucleus_stats_kernel(
        logits: torch.Tensor,
        targets: torch.Tensor,
        top_p: float,
        temperatures: torch.Tensor | None,
        temperature: float,
        softcap: float,
        top_k: int = 0,
        min_p: float = 0.0,
    ) -> _Two:
        each = temperature if temperatures is None else temperatures
        backend = device_backend(logits, "logits")
        return tuple(
            backend.nucleus_stats(logits, targets, each, softcap or None, top_p, top_k, min_p)
        )

    def linear_token_stats_kernel(
        hidden: torch.Tensor,
        weight: torch.Tensor,
        targets: torch.Tensor,
        bias: torch.Tensor | None,
        temperatures: torch.Tensor | None,
        temperature: float,
        softcap: float,
        scale: float,
    ) -> _Five:
        each = temperature if temperatures is None else temperatures
        stats = device_backend(hidden, "hidden").linear_token_stats(
            hidden, weight, targets, bias, each, softcap or None, scale
        )
        return tuple(stats)

    def linear_divergence_kernel(
        hidden_p: torch.Tensor,
        weight_p: torch.Tensor,
        hidden_q: torch.Tensor,
        weight_q: torch.Tensor,
        targets: torch.Tensor | None,
        temperatures: torch.Tensor | None,
        temperature: float,
    ) -> _Six:
        each = temperature if temperatures is None else temperatures
        stats = device_backend(hidden_p, "hidden_p").linear_divergence(
            hidden_p, weight_p, hidden_q, weight_q, targets, each
        )
        return tuple(stats)

    for name, kernel, fake in (
        ("token_stats", token_stats_kernel, _fake_token_stats),
        ("nucleus_stats", nucleus_stats_kernel, _fake_nucleus_stats),
        ("linear_token_stats", linear_token_stats_kernel, _fake_linear_token_stats),
        ("linear_divergence", linear_divergence_kernel, _fake_linear_divergence),
    ):
        operator = torch.library.custom_op(f"rlvr_fast::{name}", kernel, mutates_args=())
        operator.register_fake(fake)


def _fake_token_stats(
    logits: torch.Tensor, targets: torch.Tensor, temperatures: Any, temperature: float,
    softcap: float,
) -> _Five:  # fmt: skip
    return _empty_stats(targets)


def _fake_nucleus_stats(
    logits: torch.Tensor, targets: torch.Tensor, top_p: float, temperatures: Any,
    temperature: float, softcap: float, top_k: int = 0, min_p: float = 0.0,
) -> _Two:  # fmt: skip
    return _empty_floats(targets), _empty_floats(targets)


def _fake_linear_token_stats(
    hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor, bias: Any,
    temperatures: Any, temperature: float, softcap: float, scale: float,
) -> _Five:  # fmt: skip
    return _empty_stats(targets)


def _fake_linear_divergence(
    hidden_p: torch.Tensor, weight_p: torch.Tensor, hidden_q: torch.Tensor,
    weight_q: torch.Tensor, targets: Any, temperatures: Any, temperature: float,
) -> _Six:  # fmt: skip
    def floats() -> torch.Tensor:
        return hidden_p.new_empty(hidden_p.shape[:-1], dtype=torch.float32)

    return floats(), floats(), floats(), floats(), floats(), floats()


def _empty_floats(targets: torch.Tensor) -> torch.Tensor:
    return targets.new_empty(targets.shape, dtype=torch.float32)


def _empty_stats(targets: torch.Tensor) -> _Five:
    logprob, entropy, logsumexp, mass_above = (_empty_floats(targets) for _ in range(4))
    rank = targets.new_empty(targets.shape, dtype=torch.int32)
    return logprob, entropy, logsumexp, rank, mass_above


def _split(temperature: Any) -> tuple[torch.Tensor | None, float]:
    """The pair (one temperature for each row or None, one temperature for all rows)."""
    if isinstance(temperature, torch.Tensor):
        return temperature, 1.0
    return None, temperature


def token_stats(
    logits: torch.Tensor, targets: torch.Tensor, temperature: Any, softcap: float | None
) -> TokenStats:
    """`rlvr_fast.token_stats` of checked tensors, as an operator."""
    return TokenStats(
        *torch.ops.rlvr_fast.token_stats(logits, targets, *_split(temperature), softcap or 0.0)
    )


def nucleus_stats(
    logits: torch.Tensor,
    targets: torch.Tensor,
    temperature: Any,
    softcap: float | None,
    top_p: float,
    top_k: int = 0,
    min_p: float = 0.0,
) -> NucleusStats:
    """`rlvr_fast.nucleus_stats` of checked tensors, as an operator."""
    return NucleusStats(
        *torch.ops.rlvr_fast.nucleus_stats(
            logits, targets, top_p, *_split(temperature), softcap or 0.0, top_k, min_p
        )
    )


def linear_token_stats(
    hidden: torch.Tensor,
    weight: torch.Tensor,
    targets: torch.Tensor,
    bias: torch.Tensor | None,
    temperature: Any,
    softcap: float | None,
    scale: float,
) -> TokenStats:
    """`rlvr_fast.linear_token_stats` of checked tensors, as an operator."""
    return TokenStats(
        *torch.ops.rlvr_fast.linear_token_stats(
            hidden, weight, targets, bias, *_split(temperature), softcap or 0.0, scale
        )
    )


def linear_divergence(
    hidden_p: torch.Tensor,
    weight_p: torch.Tensor,
    hidden_q: torch.Tensor,
    weight_q: torch.Tensor,
    targets: torch.Tensor | None,
    temperature: Any,
) -> DivergenceStats:
    """`rlvr_fast.linear_divergence` of checked tensors, as an operator."""
    return DivergenceStats(
        *torch.ops.rlvr_fast.linear_divergence(
            hidden_p, weight_p, hidden_q, weight_q, targets, *_split(temperature)
        )
    )
