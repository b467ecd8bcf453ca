"""The scoring functions as torch operators: `torch.ops.rlvr_fast.*`.

Registered through torch.library with fake implementations, so that `torch.compile` takes them
without a graph break and `opcheck` passes. Eager code calls the functions directly, without this
layer; `rlvr_fast.token_stats` and its siblings come here by themselves under `torch.compile`.

Operators know no optional numbers: softcap 0 stands for none, and `temperatures`, one a row, has
precedence over `temperature`. Outputs have no gradient.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import torch

from rlvr_fast.scoring.nucleus import NucleusStats
from rlvr_fast.scoring.nucleus import nucleus_stats as eager_nucleus_stats
from rlvr_fast.scoring.results import DivergenceStats, TokenStats

__all__ = ["linear_divergence", "linear_token_stats", "nucleus_stats", "token_stats"]

_Two = tuple[torch.Tensor, torch.Tensor]
_Five = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]
_Six = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]


def _path(tensor: torch.Tensor) -> ModuleType:
    if tensor.device.type == "cuda":
        from rlvr_fast.scoring import cuda

        return cuda
    from rlvr_fast.scoring import cpu

    return cpu


def _token_stats(
    logits: torch.Tensor,
    targets: torch.Tensor,
    temperatures: torch.Tensor | None,
    temperature: float,
    softcap: float,
) -> _Five:
    each = temperature if temperatures is None else temperatures
    return tuple(_path(logits).token_stats(logits, targets, each, softcap or None))


def _linear_token_stats(
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
    stats = _path(hidden).linear_token_stats(
        hidden, weight, targets, bias, each, softcap or None, scale
    )
    return tuple(stats)


def _linear_divergence(
    hidden_p: torch.Tensor,
    weight_p: torch.Tensor,
    hidden_q: torch.Tensor,
    weight_q: torch.Tensor,
    targets: torch.Tensor | None,
    temperatures: torch.Tensor | None,
    temperature: float,
) -> _Six:
    each = temperature if temperatures is None else temperatures
    out = _path(hidden_p).linear_divergence(hidden_p, weight_p, hidden_q, weight_q, targets, each)
    return tuple(out)


def _nucleus_stats(
    logits: torch.Tensor,
    targets: torch.Tensor,
    top_p: float,
    temperatures: torch.Tensor | None,
    temperature: float,
    softcap: float,
) -> _Two:
    each = temperature if temperatures is None else temperatures
    stats = eager_nucleus_stats(
        logits, targets, top_p=top_p, temperature=each, softcap=softcap or None
    )
    return stats.logprob, stats.kept_mass


def _fake_stats(targets: torch.Tensor) -> _Five:
    def floats() -> torch.Tensor:
        return targets.new_empty(targets.shape, dtype=torch.float32)

    rank = targets.new_empty(targets.shape, dtype=torch.int32)
    return floats(), floats(), floats(), rank, floats()


_nucleus_stats_op = torch.library.custom_op(
    "rlvr_fast::nucleus_stats", _nucleus_stats, mutates_args=()
)
_token_stats_op = torch.library.custom_op("rlvr_fast::token_stats", _token_stats, mutates_args=())
_linear_token_stats_op = torch.library.custom_op(
    "rlvr_fast::linear_token_stats", _linear_token_stats, mutates_args=()
)
_linear_divergence_op = torch.library.custom_op(
    "rlvr_fast::linear_divergence", _linear_divergence, mutates_args=()
)


def _fake_token_stats(
    logits: torch.Tensor, targets: torch.Tensor, temperatures: Any, temperature: float,
    softcap: float,
) -> _Five:  # fmt: skip
    return _fake_stats(targets)


def _fake_nucleus_stats(
    logits: torch.Tensor, targets: torch.Tensor, top_p: float, temperatures: Any,
    temperature: float, softcap: float,
) -> _Two:  # fmt: skip
    def floats() -> torch.Tensor:
        return targets.new_empty(targets.shape, dtype=torch.float32)

    return floats(), floats()


def _fake_linear_token_stats(
    hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor, bias: Any,
    temperatures: Any, temperature: float, softcap: float, scale: float,
) -> _Five:  # fmt: skip
    return _fake_stats(targets)


def _fake_linear_divergence(
    hidden_p: torch.Tensor, weight_p: torch.Tensor, hidden_q: torch.Tensor,
    weight_q: torch.Tensor, targets: Any, temperatures: Any, temperature: float,
) -> _Six:  # fmt: skip
    def floats() -> torch.Tensor:
        return hidden_p.new_empty(hidden_p.shape[:-1], dtype=torch.float32)

    return floats(), floats(), floats(), floats(), floats(), floats()


_nucleus_stats_op.register_fake(_fake_nucleus_stats)
_token_stats_op.register_fake(_fake_token_stats)
_linear_token_stats_op.register_fake(_fake_linear_token_stats)
_linear_divergence_op.register_fake(_fake_linear_divergence)


def _split(temperature: Any) -> tuple[torch.Tensor | None, float]:
    """(one temperature a row or None, one for all)."""
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
    top_p: float,
    temperature: Any,
    softcap: float | None,
) -> NucleusStats:
    """`rlvr_fast.nucleus_stats` of checked tensors, as an operator."""
    return NucleusStats(
        *torch.ops.rlvr_fast.nucleus_stats(
            logits, targets, top_p, *_split(temperature), softcap or 0.0
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
