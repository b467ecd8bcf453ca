"""Batches: the tokens of some sequences, which go through the model in one forward pass."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rlvr_fast.scoring.models.sequences import Ids, Sequences

__all__ = ["TokenBatch", "plan_batches"]


@dataclass(frozen=True, slots=True)
class TokenBatch:
    """The tokens of some whole sequences.

    Attributes:
        chosen: the distinct sequences, in the order of their completions' tokens.
        tokens: [rows, width], with zeros to the right; width 0 where the prompt is all that goes
            through the model.
        positions: the position that predicts each target: an index into tokens.ravel(), or where
            there is a prompt, 0 for the last token of the prompt, and an index above by one.
        targets: the predicted tokens.
        prompt: tokens that come before those of each row, and go through the model once.
        rows: in a batch of prefix trees, the index into `targets` of each completion token; else
            targets are the completion tokens.
        depths: in a batch of prefix trees, [rows, width]: the position of each token in its
            sequence.
        ancestors: in a batch of prefix trees, [rows, width, width]: whether the token of the second
            dimension attends to the token of the third.
    """

    chosen: Ids
    tokens: Ids
    positions: Ids
    targets: Ids
    prompt: Ids | None = None
    rows: Ids | None = None
    depths: Ids | None = None
    ancestors: npt.NDArray[np.bool_] | None = None


def plan_batches(
    sequences: Sequences, batch_tokens: int, chosen: Ids | None = None
) -> Iterator[TokenBatch]:
    """Yields batches of at most `batch_tokens` tokens, but of at least one sequence.

    The longest sequences come first, so that a batch that does not fit in memory fails at once. The
    last token of a sequence predicts no token and does not go through the model.

    Args:
        sequences: the sequences.
        batch_tokens: tokens of a batch, padding included.
        chosen: distinct sequences from the longest to the shortest; by default all.
    """
    order = sequences.order if chosen is None else chosen
    start = 0
    while start < len(order):
        at = order[start]
        width = max(1, len(sequences.prompts[at]) + len(sequences.completions[at]) - 1)
        stop = min(len(order), start + max(1, batch_tokens // width))
        yield _batch(sequences, order[start:stop], width)
        start = stop


def _batch(sequences: Sequences, chosen: Ids, width: int) -> TokenBatch:
    tokens = np.zeros((len(chosen), width), np.int64)
    starts = np.empty(len(chosen), np.int64)
    for row, at in enumerate(chosen):
        prompt, completion = sequences.prompts[at], sequences.completions[at]
        tokens[row, : len(prompt)] = prompt[:width]
        tokens[row, len(prompt) : len(prompt) + len(completion) - 1] = completion[:-1]
        starts[row] = row * width + len(prompt) - 1
    lengths = sequences.lengths[chosen]
    within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return TokenBatch(
        chosen=chosen,
        tokens=tokens,
        positions=np.repeat(starts, lengths) + within,
        targets=np.concatenate([sequences.completions[at] for at in chosen]),
    )
