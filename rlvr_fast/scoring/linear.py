"""Statistics of tokens, and divergence of models, from hidden states: no logits in memory."""

from __future__ import annotations

from typing import Any

import torch

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.scoring.inputs import (
    check_softcap,
    check_targets,
    check_temperature,
    check_tensor,
    check_weight,
)
from rlvr_fast.scoring.results import DivergenceStats, TokenStats

__all__ = ["linear_divergence", "linear_token_stats"]


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

    Logits are float32 whatever the inputs are: they are never rounded to bfloat16 or float16. On
    the CPU, tiles of the product are folded as they are made: at most 80 MB besides the outputs
    (see `cpu.py` for the sum), whatever the number of rows and the vocabulary.

    Rank, mass above and ties are exact: the target's logit has the bits that the sweep sees in the
    target's column. Statistics of a row are bitwise the same in any batch as far as torch's matrix
    product is: tiles have fixed shapes and rows are padded to fixed multiples, which makes it so
    with the libraries of the x86 builds (tested), but torch does not promise it.

    Args:
        hidden: [..., H] float32, bfloat16 or float16, torch tensor on CPU or CUDA.
        weight: [V, H], of any of these types, on the same device; the LM head's weight.
        targets: integers of shape [...] in [0, V), or -100 for a row to leave out.
        bias: [V], or None.
        temperature: a positive number, or one for each row.
        softcap: c of c tanh(z / c), or None. scale: of the logits, before softcap.

    Returns:
        TokenStats of shape [...], with the contract of `token_stats` for nan and infinite logits.

    Raises:
        InvalidInputError: as `token_stats`, and where hidden, weight and bias do not fit together.

    >>> import torch, rlvr_fast
    >>> hidden, weight = torch.eye(2), torch.tensor([[0.0, 1.0], [0.0, 0.0], [3.0, 0.0]])
    >>> rlvr_fast.linear_token_stats(hidden, weight, torch.tensor([2, 2])).rank.tolist()
    [0, 1]
    """
    hidden = check_tensor("hidden", hidden)
    weight = check_weight("weight", weight, hidden, "hidden")
    leading = hidden.shape[:-1]
    targets = check_targets(targets, leading, hidden.device)
    temperature = check_temperature(temperature, leading, hidden.device)
    softcap = check_softcap(softcap)
    if bias is not None:
        bias = check_tensor("bias", bias)
        if bias.shape != weight.shape[:1] or bias.device != hidden.device:
            raise InvalidInputError(
                f"bias must be [{weight.shape[0]}] on {hidden.device}, got {tuple(bias.shape)} "
                f"on {bias.device}"
            )
    scale = float(scale)
    if torch.compiler.is_compiling():
        from rlvr_fast.scoring import ops

        return ops.linear_token_stats(hidden, weight, targets, bias, temperature, softcap, scale)
    if hidden.device.type == "cpu":
        from rlvr_fast.scoring import cpu

        return cpu.linear_token_stats(hidden, weight, targets, bias, temperature, softcap, scale)
    if hidden.device.type == "cuda":
        from rlvr_fast.scoring import cuda

        stats: TokenStats = cuda.linear_token_stats(
            hidden, weight, targets, bias, temperature, softcap, scale
        )
        return stats
    raise InvalidInputError(f"hidden must lie on CPU or CUDA, not on {hidden.device}")


def linear_divergence(
    hidden_p: torch.Tensor,
    weight_p: torch.Tensor,
    hidden_q: torch.Tensor,
    weight_q: torch.Tensor,
    *,
    targets: torch.Tensor | None = None,
    temperature: Any = 1.0,
) -> DivergenceStats:
    """KL divergence both ways of two models over one vocabulary, without either's logits.

    p = softmax(hidden_p weight_p^T / temperature), and q likewise; both are folded in one sweep
    over the vocabulary. Hidden sizes may differ, the vocabulary may not.

    Args:
        hidden_p, hidden_q: [..., Hp] and [..., Hq], the same leading shape and device.
        weight_p, weight_q: [V, Hp] and [V, Hq].
        targets: tokens whose log-probs are wanted too, shape [...]; -100 gives nan in those only.
        temperature: of both models, a positive number or one for each row.

    Returns:
        DivergenceStats of shape [...], float32, nats: kl_pq = KL(p || q) and kl_qp, entropies, and
        the targets' log-probs (nan without targets). nan where either model's row is undefined.

    Raises:
        InvalidInputError: shapes, types or devices that do not fit, vocabularies that differ.

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
    if torch.compiler.is_compiling():
        from rlvr_fast.scoring import ops

        return ops.linear_divergence(hidden_p, weight_p, hidden_q, weight_q, targets, temperature)
    if hidden_p.device.type == "cpu":
        from rlvr_fast.scoring import cpu

        return cpu.linear_divergence(hidden_p, weight_p, hidden_q, weight_q, targets, temperature)
    if hidden_p.device.type == "cuda":
        from rlvr_fast.scoring import cuda

        divergence: DivergenceStats = cuda.linear_divergence(
            hidden_p, weight_p, hidden_q, weight_q, targets, temperature
        )
        return divergence
    raise InvalidInputError(f"hidden_p must lie on CPU or CUDA, not on {hidden_p.device}")
