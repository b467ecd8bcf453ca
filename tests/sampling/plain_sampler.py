"""The distribution that a token is drawn from, as plain loops over one row of logits."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

import numpy as np

from rlvr_fast.sampling import SamplingParameters


def changed_logits(
    logits: Sequence[float],
    prompt: Sequence[int],
    output: Sequence[int],
    p: SamplingParameters,
    ends: Collection[int] = (),
) -> list[float]:
    """Logits after min_tokens and the penalties."""
    changed = []
    for token, logit in enumerate(logits):
        z = float(logit)
        if len(output) < p.min_tokens and (token in ends or token in p.stop_token_ids):
            z = -math.inf
        if token in prompt or token in output:
            z = z / p.repetition_penalty if z > 0 else z * p.repetition_penalty
        z -= p.frequency_penalty * list(output).count(token)
        z -= p.presence_penalty * (token in output)
        changed.append(z)
    return changed


def kept_tokens(
    logits: Sequence[float], p: SamplingParameters
) -> tuple[list[int], list[float], float]:
    """(tokens in the order of their probability, the probabilities, that of all kept tokens)."""
    peak = max(logits)
    weights = [math.exp((z - peak) / p.temperature) for z in logits]
    total = sum(weights)
    order = sorted(range(len(logits)), key=lambda token: -weights[token])
    probabilities = [weights[token] / total for token in order]
    left = [
        (token, x)
        for place, (token, x) in enumerate(zip(order, probabilities, strict=True))
        if x >= p.min_p * probabilities[0] and (not p.top_k or place < p.top_k)
    ]
    whole = sum(x for _, x in left)
    kept: list[tuple[int, float]] = []
    for token, x in left:
        if kept and sum(y for _, y in kept) >= p.top_p * whole:
            break
        kept.append((token, x))
    mass = sum(x for _, x in kept)
    return [token for token, _ in kept], [x for _, x in kept], mass


def drawn_token(logits: Sequence[float], p: SamplingParameters, u: float) -> int:
    """The token at `u` of the cumulative distribution, or the first largest at temperature 0."""
    if p.temperature == 0:
        return int(np.argmax(logits))
    tokens, probabilities, mass = kept_tokens(logits, p)
    place = int(np.searchsorted(np.cumsum(probabilities), u * mass, side="right"))
    return tokens[min(place, len(tokens) - 1)]
