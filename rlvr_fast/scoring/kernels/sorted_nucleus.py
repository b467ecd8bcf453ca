"""Statistics of truncated distributions: by sorting the probabilities in float64, on any device."""

from __future__ import annotations

import math
from typing import Any

import torch

from rlvr_fast.scoring.results import NucleusStats

__all__ = ["kept_tokens", "sorted_nucleus_stats"]

_CHUNK_ELEMENTS = 1 << 22  # float64 logits of a chunk of rows


def sorted_nucleus_stats(
    logits: torch.Tensor,
    targets: torch.Tensor,
    temperature: Any,
    softcap: float | None,
    top_p: float,
    top_k: int = 0,
    min_p: float = 0.0,
) -> NucleusStats:
    """`rlvr_fast.nucleus_stats` of checked tensors; a target outside the vocabulary gives nan."""
    leading, columns, device = targets.shape, logits.shape[-1], logits.device
    flat, wanted = logits.reshape(-1, columns), targets.reshape(-1)
    each = torch.as_tensor(temperature, dtype=torch.float64, device=device)
    each = each.expand(leading).reshape(-1)
    logprob = torch.full(wanted.shape, math.nan, device=device)
    kept_mass = torch.full(wanted.shape, math.nan, device=device)
    truncated = top_p < 1 or top_k > 0 or min_p > 0
    rows = max(1, _CHUNK_ELEMENTS // max(columns, 1))
    for start in range(0, len(wanted), rows):
        here = slice(start, start + rows)
        z = flat[here].to(torch.float64)
        if softcap is not None:
            z = torch.where(z.isinf(), z, softcap * torch.tanh(z / softcap))
        z = z / each[here, None]
        target = wanted[here]
        defined = (target >= 0) & (target < columns)
        defined &= ~z.isnan().any(-1) & ~(z == math.inf).any(-1)
        defined &= (z > -math.inf).any(-1) & (each[here] > 0)
        order = z.argsort(dim=-1, descending=True, stable=True)
        probabilities = torch.softmax(z.gather(-1, order), -1)
        kept = kept_tokens(probabilities, top_p, top_k, min_p)
        mass = torch.where(kept, probabilities, 0.0).sum(-1)
        if not truncated:
            kept, mass = torch.ones_like(kept), torch.ones_like(mass)
        place = (order == target[:, None]).to(torch.int8).argmax(-1, keepdim=True)
        inside = kept.gather(-1, place)[:, 0]
        at = target.clamp(0, max(columns - 1, 0))[:, None]
        own = torch.log_softmax(z, -1).gather(-1, at)[:, 0]
        value = torch.where(inside, own - mass.log(), -math.inf)
        logprob[here] = torch.where(defined, value, math.nan).float()
        kept_mass[here] = torch.where(defined, mass, math.nan).float()
    return NucleusStats(logprob.reshape(leading), kept_mass.reshape(leading))


def kept_tokens(
    probabilities: torch.Tensor, top_p: float, top_k: int, min_p: float
) -> torch.Tensor:
    """Which of the probabilities [rows, n], in descending order, a sampler draws among."""
    left = probabilities >= min_p * probabilities[:, :1]
    if top_k:
        left[:, top_k:] = False
    kept = left
    if top_p < 1:
        of_left = torch.where(left, probabilities, 0.0).sum(-1, keepdim=True)
        kept = left & (probabilities.cumsum(-1) - probabilities < top_p * of_left)
    kept[:, :1] = True
    return kept
