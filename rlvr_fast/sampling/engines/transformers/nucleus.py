"""Truncated sampling with random numbers that follow from the draw's own seed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

__all__ = ["nucleus_mask", "sample_tokens", "uniforms"]

# Sizes of the partial sorts. Most nuclei have a few tokens; only rows with larger nuclei are sorted
# further, and only rows whose nucleus exceeds the last size have the whole vocabulary sorted.
_SHORT = (8, 64)
# Below this temperature a logit divided by it may be beyond float32, unless the largest is taken
# off first; and below the second one the temperature itself is.
_COLD, _COLDEST = 1e-2, 1e-30


def uniforms(
    seeds: npt.NDArray[np.int64], positions: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """The random number in [0, 1) of each (draw seed, position of the token in the completion).

    Counter-based (splitmix64, https://prng.di.unimi.it/splitmix64.c): there is no state, so a draw
    does not depend on the other draws.
    """
    with np.errstate(over="ignore"):
        x = seeds.astype(np.uint64)
        x += (positions.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        x ^= x >> np.uint64(31)
    return (x >> np.uint64(11)).astype(np.float64) * 2.0**-53


def nucleus_mask(sorted_probabilities: torch.Tensor, top_p: float | torch.Tensor) -> torch.Tensor:
    """Which of the probabilities [..., n], in descending order, are in the nucleus.

    The nucleus is the smallest set of most likely tokens whose probability is at least top_p
    (Holtzman et al. 2020, eq. 2): a token belongs to it where the probability of the tokens before
    it is less than top_p, one number or one for each row [..., 1]. The most likely token always
    belongs to it.
    """
    before = sorted_probabilities.double().cumsum(-1) - sorted_probabilities
    inside = before < top_p
    inside[..., 0] = True
    return inside


def sample_tokens(
    logits: torch.Tensor,
    random: npt.NDArray[np.float64],
    *,
    temperature: float,
    top_p: float,
    top_k: int = 0,
    min_p: float = 0.0,
) -> torch.Tensor:
    """Draws one token for each row of `logits` [rows, vocabulary].

    Args:
        logits: of any floating dtype; probabilities are computed in float32, their sums in float64.
        random: float64 [rows] in [0, 1); the inverse of the cumulative distribution over tokens in
            descending probability is taken there.
        temperature: divides the logits; at 0 the most likely token is taken.
        top_p: see `nucleus_mask`; of the probability that top_k and min_p leave.
        top_k: number of most likely tokens to draw among; 0 is all of them.
        min_p: least probability of a token, as a share of the largest probability.

    Returns:
        Token ids, int64 [rows]; -1 where the logits of a row define no distribution: one of them
        is nan or infinity, or all are -infinity.
    """
    if temperature == 0:
        largest, tokens = logits.max(-1)
        return torch.where(largest.isfinite(), tokens, -1)
    u = torch.from_numpy(random).to(logits.device)
    probabilities = _probabilities(logits.float(), temperature)
    if top_k or min_p:
        return _draw_truncated(probabilities, u, top_p, top_k, min_p)
    if top_p >= 1:
        total = probabilities.double().cumsum(-1)
        target = u[:, None] * total[:, -1:]
        place = torch.searchsorted(total, target, right=True)[:, 0]
        return _defined(_last_positive(place, total), total)
    vocabulary = logits.shape[1]
    drawn = torch.empty(len(logits), dtype=torch.int64, device=logits.device)
    rows = torch.arange(len(logits), device=logits.device)
    for short in (*_SHORT, vocabulary):
        if short < vocabulary:
            values, tokens = probabilities.topk(short, dim=-1)
            whole = values.double().sum(-1) >= top_p
        else:
            values, tokens = probabilities.sort(dim=-1, descending=True, stable=True)
            whole = torch.ones(len(rows), dtype=torch.bool, device=logits.device)
        if whole.all():
            drawn[rows] = _draw_sorted(values, tokens, u[rows], top_p)
            break
        if whole.any():
            drawn[rows[whole]] = _draw_sorted(values[whole], tokens[whole], u[rows[whole]], top_p)
        rows, probabilities = rows[~whole], probabilities[~whole]
    return drawn


def _probabilities(logits: torch.Tensor, temperature: float) -> torch.Tensor:
    """The softmax of float32 logits at a temperature above 0; nan in rows that define none."""
    if temperature < _COLD:
        logits = logits - logits.amax(-1, keepdim=True)
    return torch.softmax(logits / max(temperature, _COLDEST), -1)


def _draw_truncated(
    probabilities: torch.Tensor, u: torch.Tensor, top_p: float, top_k: int, min_p: float
) -> torch.Tensor:
    """Draws from [rows, vocabulary] with top_k or min_p, and top_p of what they leave."""
    vocabulary = probabilities.shape[1]
    most = min(top_k, vocabulary) if top_k else vocabulary
    drawn = torch.empty(len(u), dtype=torch.int64, device=u.device)
    rows = torch.arange(len(u), device=u.device)
    # With min_p few tokens are left of most rows, however many top_k allows.
    for short in (*(size for size in _SHORT if min_p and size < most), most):
        if short < vocabulary:
            values, tokens = probabilities.topk(short, dim=-1)
        else:
            values, tokens = probabilities.sort(dim=-1, descending=True, stable=True)
        left = values >= min_p * values[:, :1]
        whole = ~left[:, -1] | (short == most)
        kept = torch.where(left, values, 0.0)[whole].double()
        if top_p < 1:
            total = kept.sum(-1, keepdim=True)
            kept *= nucleus_mask(kept, top_p * total)
        drawn[rows[whole]] = _draw_kept(kept, tokens[whole], u[rows[whole]])
        rows, probabilities = rows[~whole], probabilities[~whole]
        if not len(rows):
            break
    return drawn


def _draw_sorted(
    values: torch.Tensor, tokens: torch.Tensor, u: torch.Tensor, top_p: float
) -> torch.Tensor:
    return _draw_kept(values.double() * nucleus_mask(values, top_p), tokens, u)


def _draw_kept(kept: torch.Tensor, tokens: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
    """Draws one of `tokens` [rows, n] with weights `kept`, float64."""
    total = kept.cumsum(-1)
    place = torch.searchsorted(total, u[:, None] * total[:, -1:], right=True)[:, 0]
    return _defined(tokens.gather(1, _last_positive(place, total)[:, None])[:, 0], total)


def _defined(tokens: torch.Tensor, total: torch.Tensor) -> torch.Tensor:
    """The tokens, and -1 where the last of the cumulated weights `total` is 0 or nan."""
    return torch.where(total[:, -1] > 0, tokens, -1)


def _last_positive(place: torch.Tensor, total: torch.Tensor) -> torch.Tensor:
    # u * total may round up to the total; then the last token with a positive probability is meant.
    last = torch.searchsorted(total, total[:, -1:].contiguous())[:, 0]
    return torch.minimum(place, last).clamp(max=total.shape[1] - 1)  # behind all where it is nan
