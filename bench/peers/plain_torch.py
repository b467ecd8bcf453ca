"""The rivals in plain PyTorch, eager and compiled."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch

from peers.inputs import Inputs, Work

# Rows of a chunk: the logits of 65 536 rows would not fit.
CHUNK = 4096


def logprob(
    hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor
) -> tuple[torch.Tensor, ...]:
    logits = torch.nn.functional.linear(hidden, weight).float()
    return (-torch.nn.functional.cross_entropy(logits, targets, reduction="none"),)


def entropy(
    hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor
) -> tuple[torch.Tensor, ...]:
    logits = torch.nn.functional.linear(hidden, weight).float()
    log_p = torch.log_softmax(logits, -1)
    return log_p.gather(-1, targets[:, None])[:, 0], -(log_p.exp() * log_p).sum(-1)


def everything(
    hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor
) -> tuple[torch.Tensor, ...]:
    logits = torch.nn.functional.linear(hidden, weight).float()
    lse = torch.logsumexp(logits, -1)
    log_p = logits - lse[:, None]
    p = log_p.exp()
    chosen = log_p.gather(-1, targets[:, None])
    above = log_p > chosen
    return (
        chosen[:, 0], -(p * log_p).sum(-1), lse, above.sum(-1), (p * above).sum(-1),
    )  # fmt: skip


def divergence(
    hidden: torch.Tensor,
    weight: torch.Tensor,
    other_hidden: torch.Tensor,
    other_weight: torch.Tensor,
) -> tuple[torch.Tensor, ...]:
    log_p = torch.log_softmax(torch.nn.functional.linear(hidden, weight).float(), -1)
    log_q = torch.log_softmax(torch.nn.functional.linear(other_hidden, other_weight).float(), -1)
    p, q = log_p.exp(), log_q.exp()
    return (
        (p * (log_p - log_q)).sum(-1), (q * (log_q - log_p)).sum(-1),
        -(p * log_p).sum(-1), -(q * log_q).sum(-1),
    )  # fmt: skip


@functools.cache
def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    import torch._dynamo.config as dynamo

    dynamo.recompile_limit = 64  # the default of 8 falls back to eager after eight shapes
    return torch.compile(function)


def build(function: Callable[..., Any], *names: str, compiled: bool) -> Callable[[Inputs], Work]:
    def prepare(inputs: Inputs) -> Work:
        call = _compiled(function) if compiled else function
        hidden, weight, targets, other_hidden, other_weight = inputs

        def work() -> dict[str, torch.Tensor]:
            parts = []
            for start in range(0, len(hidden), CHUNK):
                here = slice(start, start + CHUNK)
                if other_hidden is None:
                    parts.append(call(hidden[here], weight, targets[here]))
                else:
                    parts.append(call(hidden[here], weight, other_hidden[here], other_weight))
            if len(parts) == 1:
                return dict(zip(names, parts[0], strict=True))
            return {name: torch.cat([part[i] for part in parts]) for i, name in enumerate(names)}

        return work

    return prepare


def product_alone(inputs: Inputs) -> Work:
    hidden, weight = inputs[:2]
    rows = min(len(hidden), 8192)
    out = torch.empty(rows, len(weight), dtype=hidden.dtype, device=hidden.device)

    def work() -> dict[str, torch.Tensor]:
        for start in range(0, len(hidden), rows):
            block = hidden[start : start + rows]
            torch.mm(block, weight.t(), out=out[: len(block)])
        return {}

    return work
