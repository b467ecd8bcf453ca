"""Statistics of tokens, and divergence of models, from hidden states; no logits are stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.scoring.kernels.backends import backend_of, device_backend
from rlvr_fast.scoring.kernels.checks import (
    check_softcap,
    check_targets,
    check_temperature,
    check_tensor,
    check_weight,
)
from rlvr_fast.scoring.results import DivergenceStats, TokenStats

__all__ = ["linear_divergence", "linear_token_stats", "linear_token_stats_each"]


def linear_token_stats(
    hidden: torch.Tensor,
    weight: torch.Tensor,
    targets: torch.Tensor,
    *,
    bias: torch.Tensor | None = None,
    temperature: Any = 1.0,
    softcap: float | None = None,
    scale: float = 1.0,
) -> TokenStats:
    """`token_stats` of the logits scale * (hidden weight^T + bias), which are never stored.

    The logits are float32 for every type of the inputs, never rounded to bfloat16 or float16. On
    the CPU the function computes and folds one tile of the product at a time: at most 80 MB besides
    the outputs (`cpu.py` lists the parts), for any number of rows and any vocabulary.

    Rank, mass_above and ties are exact: the logit of the target has the bits of the target's column
    in the sweep. The statistics of a row have the same bits in any batch if torch's matrix product
    has: tiles have fixed shapes, and rows are padded to fixed multiples. The tests show this for
    the libraries of the x86 builds; torch does not guarantee it.

    Args:
        hidden: [..., H] float32, bfloat16 or float16, torch tensor on CPU or CUDA.
        weight: [V, H], of any of these types, on the same device; the weight of the LM head.
        targets: integers of shape [...] in [0, V), or -100 for a row to ignore.
        bias: [V], or None.
        temperature: a positive number, or one for each row.
        softcap: c of c tanh(z / c), or None.
        scale: factor of the logits, before softcap.

    Returns:
        TokenStats of shape [...], float32, in nats. nan and infinite logits count as in
        `token_stats`.

    Raises:
        InvalidInputError: as `token_stats`, and where hidden, weight and bias do not fit together.

    >>> import torch, rlvr_fast
    >>> hidden, weight = torch.eye(2), torch.tensor([[0.0, 1.0], [0.0, 0.0], [3.0, 0.0]])
    >>> rlvr_fast.linear_token_stats(hidden, weight, torch.tensor([2, 2])).rank.tolist()
    [0, 1]
    """
    hidden, weight, targets, bias, softcap = _checked(hidden, weight, targets, bias, softcap)
    temperature = check_temperature(temperature, targets.shape, hidden.device)
    scale = float(scale)
    return backend_of(hidden, "hidden").linear_token_stats(
        hidden, weight, targets, bias, temperature, softcap, scale
    )


def _checked(
    hidden: torch.Tensor,
    weight: torch.Tensor,
    targets: torch.Tensor,
    bias: torch.Tensor | None,
    softcap: float | None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor | None, float | None]:
    hidden = check_tensor("hidden", hidden)
    weight = check_weight("weight", weight, hidden, "hidden")
    targets = check_targets(targets, hidden.shape[:-1], hidden.device)
    if bias is not None:
        bias = check_tensor("bias", bias)
        if bias.shape != weight.shape[:1] or bias.device != hidden.device:
            raise InvalidInputError(
                f"bias must be [{weight.shape[0]}] on {hidden.device}, got {tuple(bias.shape)} "
                f"on {bias.device}"
            )
    return hidden, weight, targets, bias, check_softcap(softcap)


def linear_token_stats_each(
    hidden: torch.Tensor,
    weight: torch.Tensor,
    targets: torch.Tensor,
    *,
    temperatures: Sequence[float],
    bias: torch.Tensor | None = None,
    softcap: float | None = None,
    scale: float = 1.0,
) -> list[TokenStats]:
    """`linear_token_stats` at each of several temperatures, of which each row has all.

    On the CPU one product of hidden states and weight serves all of them.

    Args:
        hidden: as in `linear_token_stats`.
        weight: as in `linear_token_stats`.
        targets: as in `linear_token_stats`.
        temperatures: positive numbers, at least one.
        bias: as in `linear_token_stats`.
        softcap: as in `linear_token_stats`.
        scale: as in `linear_token_stats`.

    Raises:
        InvalidInputError: as `linear_token_stats`.
    """
    hidden, weight, targets, bias, softcap = _checked(hidden, weight, targets, bias, softcap)
    known = [check_temperature(each, targets.shape, hidden.device) for each in temperatures]
    return device_backend(hidden, "hidden").linear_token_stats_each(
        hidden, weight, targets, bias, known, softcap, float(scale)
    )


def linear_divergence(
    hidden_p: torch.Tensor,
    weight_p: torch.Tensor,
    hidden_q: torch.Tensor,
    weight_q: torch.Tensor,
    *,
    targets: torch.Tensor | None = None,
    temperature: Any = 1.0,
) -> DivergenceStats:
    """KL divergences of two models over one vocabulary, in both directions; no logits are stored.

    p = softmax(hidden_p weight_p^T / temperature), and q likewise. One sweep over the vocabulary
    folds both. The hidden sizes may differ; the vocabularies must be equal.

    Args:
        hidden_p: [..., Hp] float32, bfloat16 or float16, torch tensor on CPU or CUDA.
        weight_p: [V, Hp], of any of these types, on the same device.
        hidden_q: [..., Hq], with the leading shape and the device of `hidden_p`.
        weight_q: [V, Hq].
        targets: integers of shape [...] in [0, V), the tokens of logprob_p and logprob_q, or None.
            A target of -100 gives nan in these two fields only.
        temperature: a positive number, or one for each row, for both models.

    Returns:
        DivergenceStats of shape [...], float32, in nats; nan where a row of either model is
        undefined.

    Raises:
        InvalidInputError: shapes, types or devices that do not fit, or different vocabularies.

    >>> import torch, rlvr_fast
    >>> hidden = torch.randn(3, 8); weight = torch.randn(50, 8)
    >>> rlvr_fast.linear_divergence(hidden, weight, hidden, weight).kl_pq.tolist()
    [0.0, 0.0, 0.0]
    """
    hidden_p = check_tensor("hidden_p", hidden_p)
    hidden_q = check_tensor("hidden_q", hidden_q)
    weight_p = check_weight("weight_p", weight_p, hidden_p, "hidden_p")
    weight_q = check_weight("weight_q", weight_q, hidden_q, "hidden_q")
    leading = hidden_p.shape[:-1]
    if hidden_q.shape[:-1] != leading or hidden_q.device != hidden_p.device:
        raise InvalidInputError(
            f"hidden_p and hidden_q must have the same rows on the same device, got "
            f"{tuple(hidden_p.shape)} on {hidden_p.device} and {tuple(hidden_q.shape)} on "
            f"{hidden_q.device}"
        )
    if weight_p.shape[0] != weight_q.shape[0]:
        raise InvalidInputError(
            f"the two models must share one vocabulary, got {weight_p.shape[0]} and "
            f"{weight_q.shape[0]} tokens"
        )
    if targets is not None:
        targets = check_targets(targets, leading, hidden_p.device)
    temperature = check_temperature(temperature, leading, hidden_p.device)
    return backend_of(hidden_p, "hidden_p").linear_divergence(
        hidden_p, weight_p, hidden_q, weight_q, targets, temperature
    )
