"""Log-probs under the truncated distribution from which top-p sampling draws."""

from __future__ import annotations

from typing import Any

import torch

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.scoring.backends import backend_of, device_backend
from rlvr_fast.scoring.checks import (
    check_softcap,
    check_targets,
    check_temperature,
    check_tensor,
)
from rlvr_fast.scoring.results import NucleusStats

__all__ = ["linear_kept_mass", "nucleus_stats"]


def nucleus_stats(
    logits: torch.Tensor,
    targets: torch.Tensor,
    *,
    top_p: float,
    temperature: Any = 1.0,
    softcap: float | None = None,
) -> NucleusStats:
    """Log-prob of `targets` under top-p sampling, and the probability of the nucleus.

    The nucleus is the smallest set of most likely tokens with a probability of at least top_p, as
    vLLM defines it: a token is in the nucleus if the tokens before it in descending order have a
    probability below top_p. Of tokens that tie at the edge only as many as needed are kept, in the
    order of their index. So does vLLM's GPU sampler; its CPU sampler keeps the same number of
    tokens, the last ones by index. At least one token is kept.

    On CUDA the nucleus is found by counting, in at most two sweeps after the first; tokens tie
    where their float32 probabilities agree to 2^-20 of an octave. On the CPU the probabilities are
    sorted in float64.

    Args:
        logits: [..., V] float32, bfloat16 or float16, on CPU or CUDA (V up to 524288 on CUDA).
        targets: integers [...] in [0, V), or -100 for a row to ignore.
        top_p: in (0, 1].
        temperature: as in `token_stats`.
        softcap: as in `token_stats`.

    Returns:
        NucleusStats of shape [...], float32, nats; nan where `token_stats` gives nan.

    Raises:
        InvalidInputError: top_p is outside (0, 1], or `token_stats` refuses an argument.

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
    if not (isinstance(top_p, (int, float)) and 0.0 < top_p <= 1.0):
        raise InvalidInputError(f"top_p must be a number in (0, 1], got {top_p!r}")
    backend = backend_of(logits, "logits")
    return backend.nucleus_stats(logits, targets, temperature, softcap, float(top_p))


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
