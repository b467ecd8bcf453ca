"""The probability that a truncation keeps, from hidden states, by torch on any device."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch

from rlvr_fast.scoring.kernels.sorted_nucleus import kept_tokens
from rlvr_fast.scoring.results import Truncation

__all__ = [
    "LOGIT_ELEMENTS",
    "WEIGHT_ELEMENTS",
    "linear_kept_mass",
    "linear_truncation",
    "truncation_of",
]

LOGIT_ELEMENTS = 1 << 25  # float32 logits that are held at a time
WEIGHT_ELEMENTS = 1 << 23  # elements of a float32 copy of the weight
# Most nuclei lie above one of these probabilities, so that few tokens are sorted.
_THRESHOLDS = (1e-2, 1e-4, 1e-6)
_SMALL_VOCABULARY = 1024  # up to this size a partial sort is faster than the thresholds
_LARGEST = 16  # length of the partial sort


def linear_kept_mass(
    hidden: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    temperature: float,
    softcap: float | None,
    scale: float,
    top_p: float,
) -> torch.Tensor:
    """`rlvr_fast.scoring.kernels.nucleus.linear_kept_mass` for top_p < 1."""
    kept = torch.ones(len(hidden), device=hidden.device)
    for here, logits in _logits(hidden, weight, bias, temperature, softcap, scale):
        kept[here] = _kept_mass(logits, top_p)
    return kept


def linear_truncation(
    hidden: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    temperature: float,
    softcap: float | None,
    scale: float,
    top_p: float,
    top_k: int,
    min_p: float,
) -> Truncation:
    """`rlvr_fast.scoring.kernels.nucleus.linear_truncation` for top_k > 0 or min_p > 0."""
    found = Truncation(*(torch.ones(len(hidden), device=hidden.device) for _ in range(3)))
    for here, logits in _logits(hidden, weight, bias, temperature, softcap, scale):
        for whole, part in zip(found, _truncation(logits, top_p, top_k, min_p), strict=True):
            whole[here] = part
    return found


def truncation_of(logits: torch.Tensor, top_p: float, top_k: int, min_p: float) -> Truncation:
    """`linear_truncation` of float32 logits [N, V] after softcap and temperature; overwritten."""
    if top_k or min_p:
        return _truncation(logits, top_p, top_k, min_p)
    ones = torch.ones(len(logits), device=logits.device)
    kept = _kept_mass(logits, top_p) if top_p < 1 else ones
    return Truncation(kept, ones, torch.full_like(ones, math.nan))


def _logits(
    hidden: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    temperature: float,
    softcap: float | None,
    scale: float,
) -> Iterator[tuple[slice, torch.Tensor]]:
    """Rows, and their float32 logits after softcap and temperature."""
    rows = max(1, LOGIT_ELEMENTS // max(1, len(weight)))
    columns = max(1, WEIGHT_ELEMENTS // max(1, weight.shape[1]))
    for start in range(0, len(hidden), rows):
        chunk = hidden[start : start + rows].float()
        logits = torch.empty(len(chunk), len(weight), device=hidden.device)
        if weight.dtype == torch.float32:
            torch.mm(chunk, weight.t(), out=logits)
        else:
            for first in range(0, len(weight), columns):
                part = weight[first : first + columns].float()
                logits[:, first : first + columns] = chunk @ part.t()
        if bias is not None:
            logits += bias.float()
        logits *= scale
        if softcap is not None:
            logits = softcap * torch.tanh(logits / softcap)
        logits /= temperature
        yield slice(start, start + rows), logits


def _kept_mass(logits: torch.Tensor, top_p: float) -> torch.Tensor:
    """Probability of the nucleus of each row; overwrites `logits`.

    Only the probabilities above a threshold are packed and sorted. The threshold is the largest one
    above which the probabilities sum to top_p. A partial sort of the whole vocabulary takes several
    times as long.
    """
    weights = logits.sub_(logits.amax(-1, keepdim=True)).exp_()
    total = weights.sum(-1)
    kept = torch.full(total.shape, math.nan, device=logits.device)
    rows = total.isfinite().nonzero()[:, 0]
    vocabulary = weights.shape[-1]
    # A number below 1 is a threshold; any other is the length of a partial sort.
    cuts = _THRESHOLDS if vocabulary > _SMALL_VOCABULARY else (_LARGEST,)
    for cut in (*cuts, vocabulary):
        if not len(rows):
            break
        all_rows = len(rows) == len(weights)
        part, whole = (weights, total) if all_rows else (weights[rows], total[rows])
        if cut < 1:
            masses = _packed(part, part >= (cut * whole)[:, None])
        else:
            masses = part.topk(min(int(cut), vocabulary), dim=-1).values.double()
        masses /= whole[:, None]
        sums = masses.cumsum(-1)
        # By rounding, the whole vocabulary may sum to less than a top_p near 1.
        enough = (sums[:, -1] >= top_p) | (cut >= vocabulary)
        inside = sums - masses < top_p
        inside[:, 0] = True
        found = torch.where(inside, masses, 0.0).sum(-1).clamp(max=1).float()
        kept[rows[enough]] = found[enough]
        rows = rows[~enough]
    return kept


def _truncation(logits: torch.Tensor, top_p: float, top_k: int, min_p: float) -> Truncation:
    """The `Truncation` of each row; overwrites `logits`.

    Without top_k only the probabilities that min_p leaves are packed and sorted.
    """
    weights = logits.sub_(logits.amax(-1, keepdim=True)).exp_()
    total = weights.sum(-1)
    vocabulary = weights.shape[-1]
    if top_k or vocabulary <= _SMALL_VOCABULARY:
        masses = weights.topk(min(top_k or vocabulary, vocabulary), dim=-1).values.double()
    else:
        masses = _packed(weights, weights >= min_p)  # the largest weight is 1
    masses /= total[:, None]
    left = kept_tokens(masses, 1.0, top_k, min_p)
    kept = kept_tokens(masses, top_p, top_k, min_p)
    sums = (torch.where(chosen, masses, 0.0).sum(-1).clamp(max=1) for chosen in (kept, left))
    found = (*sums, masses[:, 0])
    return Truncation(*(torch.where(total.isfinite(), value, math.nan).float() for value in found))


def _packed(values: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
    """The chosen values of each row in descending order, float64, with zeros to the right."""
    row = chosen.nonzero()[:, 0]
    counts = torch.bincount(row, minlength=len(values))
    first = counts.cumsum(0) - counts
    width = max(1, int(counts.max()))
    packed = torch.zeros(len(values), width, dtype=torch.float64, device=values.device)
    packed[row, torch.arange(len(row), device=row.device) - first[row]] = values[chosen].double()
    return packed.sort(-1, descending=True).values
