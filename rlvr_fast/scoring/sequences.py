"""Prompts and completions as flat arrays: checks, duplicates, batches, and sums per sequence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.scoring.results import SequenceScores

__all__ = ["Batch", "Ids", "Sequences", "plan_batches"]

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Batch:
    """Sequences that go through the model together."""

    tokens: Ids  # [rows, width], zeros on the right
    positions: Ids  # of tokens.ravel(): where each completion token is predicted
    targets: Ids  # the completion tokens
    slots: Ids  # where their statistics belong among all completion tokens
    sequences: int  # how many distinct sequences
    # Where completions share what they have in common (trees.py):
    rows: Ids | None = None  # which of `targets` each slot's statistics come from
    depths: Ids | None = None  # position of each token
    ancestors: npt.NDArray[np.bool_] | None = None  # [rows, width, width]: who sees whom


@dataclass(frozen=True, slots=True)
class Sequences:
    """Distinct (prompt, completion) pairs, and where each given pair is among them."""

    prompts: list[Ids]
    completions: list[Ids]
    first: list[int]  # the first given pair that each distinct one stands for
    index: Ids  # given pair -> distinct pair
    lengths: Ids  # of the distinct completions
    offsets: Ids  # of the distinct completions' tokens among all of them
    order: Ids  # distinct pairs from the longest to the shortest

    @classmethod
    def from_lists(
        cls, prompts: Sequence[Sequence[int]], completions: Sequence[Sequence[int]]
    ) -> Sequences:
        """Raises InvalidInputError naming the sequence where one is not a list of token ids."""
        if len(prompts) != len(completions):
            raise InvalidInputError(
                f"expected one prompt a completion, got {len(prompts)} prompts and "
                f"{len(completions)} completions"
            )
        known: dict[tuple[bytes, bytes], int] = {}
        index = np.empty(len(prompts), np.int64)
        unique_prompts: list[Ids] = []
        unique_completions: list[Ids] = []
        first: list[int] = []
        # Equal prompts become one array, so that they may be told apart by identity.
        known_prompts: dict[bytes, Ids] = {}
        previous: tuple[Sequence[int], Ids, bytes] | None = None
        for i, (prompt, completion) in enumerate(zip(prompts, completions, strict=True)):
            if previous is None or previous[0] is not prompt:
                ids = _token_ids(prompt, f"prompt {i}")
                content = ids.tobytes()
                previous = (prompt, known_prompts.setdefault(content, ids), content)
            completion_ids = _token_ids(completion, f"completion {i}")
            key = (previous[2], completion_ids.tobytes())
            at = known.setdefault(key, len(known))
            index[i] = at
            if at == len(first):
                unique_prompts.append(previous[1])
                unique_completions.append(completion_ids)
                first.append(i)
        lengths = np.array([len(c) for c in unique_completions], np.int64)
        totals = lengths + np.array([len(p) for p in unique_prompts], np.int64)
        order = np.argsort(-totals, kind="stable")
        return cls(
            prompts=unique_prompts,
            completions=unique_completions,
            first=first,
            index=index,
            lengths=lengths,
            offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            order=order,
        )

    def check(self, vocab_size: int, context_length: int | None, model: str) -> None:
        """Raises InvalidInputError naming the first given pair that the model cannot be fed."""
        for i, prompt, completion in zip(self.first, self.prompts, self.completions, strict=True):
            if not len(prompt):
                raise InvalidInputError(
                    f"prompt {i} has no tokens: the first token of a completion has no probability "
                    "without one before it; begin with the model's start token"
                )
            for name, ids in (("prompt", prompt), ("completion", completion)):
                if len(ids) and (ids.min() < 0 or ids.max() >= vocab_size):
                    wrong = ids[(ids < 0) | (ids >= vocab_size)][0]
                    raise InvalidInputError(
                        f"{name} {i} holds token id {wrong}, but {model} has {vocab_size} tokens; "
                        "were these ids made by another model's tokenizer?"
                    )
            total = len(prompt) + len(completion)
            if context_length is not None and total > context_length:
                raise InvalidInputError(
                    f"sequence {i} has {len(prompt)} prompt and {len(completion)} completion "
                    f"tokens, {total} in all, but the context of {model} holds {context_length}"
                )

    def scores(
        self,
        logprobs: npt.NDArray[np.float32],
        entropies: npt.NDArray[np.float32],
        outside: npt.NDArray[np.bool_] | None,
        kept: npt.NDArray[np.float32] | None,
        *,
        per_token: bool,
    ) -> SequenceScores:
        """Statistics of all completion tokens, summed per sequence, in the order given.

        `kept` is the mass that each position's nucleus keeps.
        """
        lengths = self.lengths
        with np.errstate(invalid="ignore", over="ignore"):
            logprob = self._sums(logprobs)
            mean_entropy = self._sums(entropies) / np.where(lengths, lengths, np.nan)
            perplexity = np.exp(-logprob / np.where(lengths, lengths, np.nan))

        def pieces(values: npt.NDArray[np.float32]) -> list[npt.NDArray[np.float32]]:
            cut = np.split(values, self.offsets[1:-1]) if len(lengths) else []
            return [cut[i] for i in self.index]

        return SequenceScores(
            num_tokens=lengths[self.index].astype(np.int32),
            logprob=logprob[self.index],
            mean_entropy=mean_entropy[self.index],
            perplexity=perplexity[self.index],
            num_outside_nucleus=(
                None if outside is None else self._sums(outside)[self.index].astype(np.int32)
            ),
            log_kept_mass=None if kept is None else self._sums(np.log(kept))[self.index],
            token_logprobs=pieces(logprobs) if per_token else None,
            token_entropies=pieces(entropies) if per_token else None,
        )

    def _sums(self, values: npt.NDArray[np.generic]) -> npt.NDArray[np.float64]:
        sums = np.zeros(len(self.lengths), np.float64)
        filled = self.lengths > 0
        if filled.any():
            starts = self.offsets[:-1][filled]
            sums[filled] = np.add.reduceat(values.astype(np.float64), starts)
        return sums


def plan_batches(sequences: Sequences, batch_tokens: int) -> Iterator[Batch]:
    """Batches of at most `batch_tokens` tokens (one sequence at least), the longest first.

    The longest first, so that a batch that does not fit in memory fails at once. The last token of
    a sequence predicts nothing and is not fed.
    """
    order = sequences.order
    start = 0
    while start < len(order):
        at = order[start]
        width = max(1, len(sequences.prompts[at]) + len(sequences.completions[at]) - 1)
        stop = min(len(order), start + max(1, batch_tokens // width))
        yield _batch(sequences, order[start:stop], width)
        start = stop


def _batch(sequences: Sequences, chosen: Ids, width: int) -> Batch:
    tokens = np.zeros((len(chosen), width), np.int64)
    starts = np.empty(len(chosen), np.int64)
    for row, at in enumerate(chosen):
        prompt, completion = sequences.prompts[at], sequences.completions[at]
        tokens[row, : len(prompt)] = prompt[:width]
        tokens[row, len(prompt) : len(prompt) + len(completion) - 1] = completion[:-1]
        starts[row] = row * width + len(prompt) - 1
    lengths = sequences.lengths[chosen]
    within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return Batch(
        tokens=tokens,
        positions=np.repeat(starts, lengths) + within,
        targets=np.concatenate([sequences.completions[at] for at in chosen]),
        slots=np.repeat(sequences.offsets[chosen], lengths) + within,
        sequences=len(chosen),
    )


def _token_ids(value: Sequence[int], name: str) -> Ids:
    ids = np.asarray(value)
    if ids.ndim != 1 or (ids.size and ids.dtype.kind not in "iu"):
        raise InvalidInputError(f"{name} must be a list of token ids, got {type(value).__name__}")
    return ids.astype(np.int64, copy=False)
