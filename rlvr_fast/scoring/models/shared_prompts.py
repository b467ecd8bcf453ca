"""Batches of the completions of one prompt, whose keys and values are computed once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from rlvr_fast.scoring.models.batches import TokenBatch, plan_batches
from rlvr_fast.scoring.models.sequences import Ids, Sequences

__all__ = ["plan_shared"]

# Sharing has to save this part of the tokens of a prompt and its completions: a prompt that goes
# through the model alone makes a small batch.
_SAVED = 0.1
# Keys and values of a batch, in multiples of its tokens: each row holds those of the prompt too.
_CACHED = 8


def plan_shared(sequences: Sequences, batch_tokens: int) -> Iterator[TokenBatch]:
    """Yields batches of at most `batch_tokens` tokens, but of at least one sequence.

    Prompts of which the completions are few or long are not shared: their sequences come last, as
    `plan_batches` gives them.
    """
    groups: dict[int, list[int]] = defaultdict(list)
    for at in sequences.order:  # the groups of the longest sequences come first
        groups[id(sequences.prompts[at])].append(int(at))
    alone = []
    for group in groups.values():
        prompt = sequences.prompts[group[0]]
        members = np.array(group, np.int64)
        saved = (len(group) - 1) * len(prompt)
        total = len(group) * len(prompt) + int(sequences.lengths[members].sum())
        if saved < _SAVED * total:
            alone += group
            continue
        start = 0
        while start < len(members):
            width = max(0, int(sequences.lengths[members[start]]) - 1)
            fitting = min(
                batch_tokens // max(1, width),
                _CACHED * batch_tokens // max(1, width + len(prompt)),
            )
            stop = min(len(members), start + max(1, fitting))
            yield _batch(sequences, members[start:stop], prompt, width)
            start = stop
    if alone:
        totals = sequences.lengths + np.array([len(p) for p in sequences.prompts], np.int64)
        rest = np.array(alone, np.int64)
        rest = rest[np.argsort(-totals[rest], kind="stable")]
        yield from plan_batches(sequences, batch_tokens, rest)


def _batch(sequences: Sequences, chosen: Ids, prompt: Ids, width: int) -> TokenBatch:
    tokens = np.zeros((len(chosen), width), np.int64)
    positions = []
    for row, at in enumerate(chosen):
        completion = sequences.completions[at]
        tokens[row, : max(0, len(completion) - 1)] = completion[:-1]
        if len(completion):
            positions.append(np.arange(len(completion)) + row * width)
            positions[-1][0] = 0
    return TokenBatch(
        chosen=chosen,
        tokens=tokens,
        positions=np.concatenate(positions) if positions else np.empty(0, np.int64),
        targets=np.concatenate([sequences.completions[at] for at in chosen]),
        prompt=prompt,
    )
