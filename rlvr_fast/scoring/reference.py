"""Slow float64 definitions of what the kernels compute, in numpy: for tests and for reading.

Each follows the textbook, not the kernels: the maximum is found first, then everything is summed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from rlvr_fast.scoring.results import DivergenceStats, TokenStats

__all__ = ["linear_divergence", "linear_token_stats", "token_stats"]

Floats = npt.NDArray[np.float64]


def token_stats(
    logits: Any, targets: Any, *, temperature: Any = 1.0, softcap: float | None = None
) -> TokenStats:
    """`rlvr_fast.token_stats` in float64; `logits` anything numpy can hold, [..., V]."""
    z = np.asarray(logits, np.float64)
    target = np.asarray(targets, np.int64)
    temperatures = np.broadcast_to(np.asarray(temperature, np.float64), target.shape)
    rows = z.reshape(-1, z.shape[-1])
    results = [
        _row(row, int(t), float(temp), softcap)
        for row, t, temp in zip(rows, target.ravel(), temperatures.ravel(), strict=True)
    ]
    columns = zip(*results, strict=True) if results else ([] for _ in range(5))
    logprob, entropy, logsumexp, rank, mass_above = (
        np.array(list(column)).reshape(target.shape) for column in columns
    )
    return TokenStats(logprob, entropy, logsumexp, rank.astype(np.int32), mass_above)


def _row(
    z: Floats, target: int, temperature: float, softcap: float | None
) -> tuple[float, float, float, int, float]:
    undefined = (np.nan, np.nan, np.nan, -1, np.nan)
    if target == -100 or not len(z) or np.isnan(z).any():
        return undefined
    if np.isposinf(z).any() or np.isneginf(z).all():
        return undefined
    capped = z
    if softcap is not None:
        capped = np.where(np.isneginf(z), z, softcap * np.tanh(z / softcap))
    u = capped / temperature
    peak = u.max()
    weights = np.exp(u - peak)
    total = weights.sum()
    probabilities = weights / total
    seen = probabilities > 0
    log_probabilities = u - peak - np.log(total)
    above = z > z[target]
    return (
        float(log_probabilities[target]),
        float(-(probabilities[seen] * log_probabilities[seen]).sum()),
        float(peak + np.log(total)),
        int(above.sum()),
        float(probabilities[above].sum()),
    )


def linear_token_stats(
    hidden: Any,
    weight: Any,
    targets: Any,
    *,
    bias: Any = None,
    temperature: Any = 1.0,
    softcap: float | None = None,
    scale: float = 1.0,
) -> TokenStats:
    """`rlvr_fast.linear_token_stats` in float64."""
    logits = np.asarray(hidden, np.float64) @ np.asarray(weight, np.float64).T
    if bias is not None:
        logits = logits + np.asarray(bias, np.float64)
    return token_stats(scale * logits, targets, temperature=temperature, softcap=softcap)


def linear_divergence(
    hidden_p: Any,
    weight_p: Any,
    hidden_q: Any,
    weight_q: Any,
    *,
    targets: Any = None,
    temperature: Any = 1.0,
) -> DivergenceStats:
    """`rlvr_fast.linear_divergence` in float64."""
    zp = np.asarray(hidden_p, np.float64) @ np.asarray(weight_p, np.float64).T
    zq = np.asarray(hidden_q, np.float64) @ np.asarray(weight_q, np.float64).T
    temperatures = np.broadcast_to(np.asarray(temperature, np.float64), zp.shape[:-1])[..., None]
    log_p = _log_softmax(zp / temperatures)
    log_q = _log_softmax(zq / temperatures)
    p, q = np.exp(log_p), np.exp(log_q)
    with np.errstate(invalid="ignore"):
        difference = log_p - log_q
        kl_pq = np.where(p > 0, p * difference, 0).sum(-1)
        kl_qp = np.where(q > 0, -q * difference, 0).sum(-1)
        entropy_p = -np.where(p > 0, p * log_p, 0).sum(-1)
        entropy_q = -np.where(q > 0, q * log_q, 0).sum(-1)
    if targets is None:
        nothing = np.full(zp.shape[:-1], np.nan)
        return DivergenceStats(kl_pq, kl_qp, entropy_p, entropy_q, nothing, nothing)
    target = np.asarray(targets, np.int64)
    at = np.maximum(target, 0)[..., None]
    ignored = target == -100
    logprobs = (
        np.where(ignored, np.nan, np.take_along_axis(log, at, -1)[..., 0]) for log in (log_p, log_q)
    )
    return DivergenceStats(kl_pq, kl_qp, entropy_p, entropy_q, *logprobs)


def _log_softmax(u: Floats) -> Floats:
    peak = u.max(-1, keepdims=True)
    shifted = u - peak
    result: Floats = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    return result
