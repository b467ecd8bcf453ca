"""Log-probs under the truncated distribution from which top-p, top-k and min-p sampling draw."""

from __future__ import annotations

import math
from typing import Any

import torch

from rlvr_fast.scoring.kernels.backends import backend_of, device_backend
from rlvr_fast.scoring.kernels.checks import (
    check_softcap,
    check_targets,
    check_temperature,
    check_tensor,
    check_truncation,
)
from rlvr_fast.scoring.kernels.kept_mass import linear_truncation as truncation_by_torch
from rlvr_fast.scoring.results import NucleusStats, TokenStats, Truncation

__all__ = ["linear_kept_mass", "linear_truncation", "nucleus_stats", "outside_nucleus"]


def nucleus_stats(
    logits: torch.Tensor,
    targets: torch.Tensor,
    *,
    top_p: float,
    temperature: Any = 1.0,
    softcap: float | None = None,
    top_k: int = 0,
    min_p: float = 0.0,
) -> NucleusStats:
    """Log-prob of `targets` under truncated sampling, and the probability of the nucleus.

    The nucleus is the smallest set of most likely tokens with a probability of at least top_p, as
    vLLM defines it: a token is in the nucleus if the tokens before it in descending order have a
    probability below top_p. Of tokens that tie at the edge only as many as needed are kept, in the
    order of their index. So does vLLM's GPU sampler; its CPU sampler keeps the same number of
    tokens, the last ones by index. At least one token is kept.

    top_k and min_p come before top_p: of the tokens in descending order the first top_k are left,
    of those the ones with a probability of at least min_p times the largest. The nucleus is the
    smallest set of them that has at least top_p of the probability that they have together.

    On CUDA the nucleus is found by counting, in at most two sweeps after the first; tokens tie
    where their float32 probabilities agree to 2^-20 of an octave. On the CPU, and on CUDA with
    top_k or min_p, which the kernels do not take, torch sorts the probabilities in float64.

    Args:
        logits: [..., V] float32, bfloat16 or float16, on CPU or CUDA (V up to 524288 on CUDA).
        targets: integers [...] in [0, V), or -100 for a row to ignore.
        top_p: in (0, 1].
        temperature: as in `token_stats`.
        softcap: as in `token_stats`.
        top_k: number of most likely tokens; 0 is all of them.
        min_p: least probability of a token as a share of the largest, in [0, 1].

    Returns:
        NucleusStats of shape [...], float32, nats; nan where `token_stats` gives nan.

    Raises:
        InvalidInputError: top_p is outside (0, 1], top_k is below 0, min_p is outside [0, 1], or
            `token_stats` refuses an argument.

    >>> import torch, rlvr_fast
    >>> logits = torch.log(torch.tensor([[0.5, 0.25, 0.2, 0.05]])).expand(2, 4)
    >>> stats = rlvr_fast.nucleus_stats(logits, torch.tensor([1, 3]), top_p=0.7)
    >>> [round(x, 4) for x in stats.kept_mass.tolist()]
    [0.75, 0.75]
    >>> [round(x, 4) for x in stats.logprob.tolist()]
    [-1.0986, -inf]
    """
    logits = check_tensor("logits", logits)
    leading = logits.shape[:-1]
    targets = check_targets(targets, leading, logits.device)
    temperature = check_temperature(temperature, leading, logits.device)
    softcap = check_softcap(softcap)
    cut = check_truncation(top_p, top_k, min_p)
    backend = backend_of(logits, "logits")
    return backend.nucleus_stats(logits, targets, temperature, softcap, *cut)


def linear_kept_mass(
    hidden: torch.Tensor,
    weight: torch.Tensor,
    *,
    top_p: float,
    bias: torch.Tensor | None = None,
    temperature: float = 1.0,
    softcap: float | None = None,
    scale: float = 1.0,
) -> torch.Tensor:
    """`nucleus_stats(...).kept_mass` of the logits scale * (hidden weight^T + bias).

    The logits are float32; at most 128 MB of them are held at a time, but at least one row.

    Args:
        hidden: [N, H] float32, bfloat16 or float16.
        weight: [V, H], on the device of `hidden`.
        top_p: in (0, 1].
        bias: [V], or None.
        temperature: a positive number, for all rows.
        softcap: c of c tanh(z / c), or None.
        scale: factor of the logits, before softcap.

    Returns:
        float32 [N], on the device of `hidden`; nan where the logits of a row hold nan; 1 where
        top_p is 1.
    """
    if top_p >= 1:
        return torch.ones(len(hidden), device=hidden.device)
    backend = device_backend(hidden, "hidden")
    return backend.linear_kept_mass(hidden, weight, bias, temperature, softcap, scale, top_p)


def linear_truncation(
    hidden: torch.Tensor,
    weight: torch.Tensor,
    *,
    top_p: float,
    top_k: int = 0,
    min_p: float = 0.0,
    bias: torch.Tensor | None = None,
    temperature: float = 1.0,
    softcap: float | None = None,
    scale: float = 1.0,
) -> Truncation:
    """What a sampler keeps of the distributions of the logits scale * (hidden weight^T + bias).

    With top_p alone this is `linear_kept_mass`, by the kernels of CUDA where the tensors are there.
    They do not take top_k and min_p: with one of these torch computes the result on any device.

    Args:
        hidden: as in `linear_kept_mass`.
        weight: as in `linear_kept_mass`.
        top_p: in (0, 1].
        top_k: number of most likely tokens; 0 is all of them.
        min_p: least probability of a token as a share of the largest, in [0, 1].
        bias: as in `linear_kept_mass`.
        temperature: as in `linear_kept_mass`.
        softcap: as in `linear_kept_mass`.
        scale: as in `linear_kept_mass`.

    Returns:
        float32 [N] each, on the device of `hidden`; nan where the logits of a row hold nan. Without
        top_k and min_p, left_mass is 1 and largest is nan.
    """
    if top_k or min_p:
        return truncation_by_torch(
            hidden, weight, bias, temperature, softcap, scale, top_p, top_k, min_p
        )
    kept = linear_kept_mass(
        hidden, weight, top_p=top_p, bias=bias, temperature=temperature, softcap=softcap,
        scale=scale,
    )  # fmt: skip
    return Truncation(kept, torch.ones_like(kept), torch.full_like(kept, math.nan))


def outside_nucleus(
    stats: TokenStats, truncation: Truncation, *, top_p: float, top_k: int = 0, min_p: float = 0.0
) -> torch.Tensor:
    """Which targets the sampler leaves out; bool of the shape of `stats`.

    A target that ties with a kept token counts as kept, and the most likely one is always kept.
    An ignored or undefined target is not left out.

    Args:
        stats: of the targets under the whole distribution.
        truncation: of the same rows, as `linear_truncation` gives it.
        top_p: in (0, 1].
        top_k: as in `linear_truncation`.
        min_p: as in `linear_truncation`.
    """
    outside = torch.zeros_like(stats.rank, dtype=torch.bool)
    if top_p < 1:
        outside |= stats.mass_above >= top_p * truncation.left_mass
    if top_k:
        outside |= stats.rank >= top_k
    if min_p:
        outside |= stats.logprob - truncation.largest.log() < math.log(min_p)
    return outside & (stats.rank != 0)
