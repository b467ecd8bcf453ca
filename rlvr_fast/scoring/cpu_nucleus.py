"""Top-p statistics on the CPU: by sorting the probabilities in float64."""

from __future__ import annotations

import math
from typing import Any

import torch

from rlvr_fast.scoring.checks import check_target_range
from rlvr_fast.scoring.results import NucleusStats

__all__ = ["nucleus_stats"]

_CHUNK_ELEMENTS = 1 << 22  # float64 logits of a chunk of rows


def nucleus_stats(
    logits: torch.Tensor,
    targets: torch.Tensor,
    temperature: Any,
    softcap: float | None,
    top_p: float,
) -> NucleusStats:
    """`rlvr_fast.nucleus_stats` of checked CPU tensors."""
    leading, columns = targets.shape, logits.shape[-1]
    flat, wanted = logits.reshape(-1, columns), targets.reshape(-1)
    check_target_range(wanted, columns)
    each = torch.as_tensor(temperature, dtype=torch.float64).expand(leading).reshape(-1)
    logprob = torch.full(wanted.shape, math.nan)
    kept_mass = torch.full(wanted.shape, math.nan)
    rows = max(1, _CHUNK_ELEMENTS // max(columns, 1))
    for start in range(0, len(wanted), rows):
        here = slice(start, start + rows)
        z = flat[here].to(torch.float64)
        if softcap is not None:
            z = torch.where(z.isinf(), z, softcap * torch.tanh(z / softcap))
        z = z / each[here, None]
        target = wanted[here]
        defined = (target >= 0) & ~z.isnan().any(-1) & ~(z == math.inf).any(-1)
        defined &= (z > -math.inf).any(-1) & (each[here] > 0)
        order = z.argsort(dim=-1, descending=True, stable=True)
        probabilities = torch.softmax(z.gather(-1, order), -1)
        ahead = probabilities.cumsum(-1) - probabilities
        kept = ahead < top_p
        kept[:, :1] = True
        if top_p < 1:
            mass = torch.where(kept, probabilities, 0.0).sum(-1)
        else:
            mass = torch.ones(len(z))
        place = (order == target[:, None]).to(torch.int8).argmax(-1, keepdim=True)
        inside = kept.gather(-1, place)[:, 0] | torch.tensor(top_p >= 1)
        own = torch.log_softmax(z, -1).gather(-1, target.clamp(min=0)[:, None])[:, 0]
        value = torch.where(inside, own - mass.double().log(), -math.inf)
        logprob[here] = torch.where(defined, value, math.nan).float()
        kept_mass[here] = torch.where(defined, mass.double(), math.nan).float()
    return NucleusStats(logprob.reshape(leading), kept_mass.reshape(leading))
