"""Prompts and completions as flat arrays: checks, duplicates, batches, and sums of sequences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.scoring.results import SequenceScores

__all__ = ["Ids", "Sequences", "TokenBatch", "plan_batches"]

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class TokenBatch:
    """The tokens of some sequences, which go through the model in one forward pass.

    Attributes:
        tokens: [rows, width], with zeros to the right.
        positions: indices into tokens.ravel(): the position that predicts each target.
        targets: the completion tokens.
        slots: the indices of the targets' statistics among those of all completion tokens.
        sequences: number of distinct sequences.
        rows: in a batch of prefix trees, the index into `targets` of each slot's statistics.
        depths: in a batch of prefix trees, [rows, width]: the position of each token in its
            sequence.
        ancestors: in a batch of prefix trees, [rows, width, width]: whether the token of the second
            dimension attends to the token of the third.
    """

    tokens: Ids
    positions: Ids
    targets: Ids
    slots: Ids
    sequences: int
    rows: Ids | None = None
    depths: Ids | None = None
    ancestors: npt.NDArray[np.bool_] | None = None


@dataclass(frozen=True, slots=True)
class Sequences:
    """Distinct (prompt, completion) pairs, and the map from the given pairs to them.

    Attributes:
        prompts: prompt of each distinct pair; equal prompts are one array.
        completions: completion of each distinct pair.
        first: index of the first given pair of each distinct pair.
        index: given pair -> distinct pair.
        lengths: length of each distinct completion.
        offsets: first token of each distinct completion among the tokens of all, and their number.
        order: distinct pairs from the longest to the shortest.
    """

    prompts: list[Ids]
    completions: list[Ids]
    first: list[int]
    index: Ids
    lengths: Ids
    offsets: Ids
    order: Ids

    @classmethod
    def from_lists(
        cls, prompts: Sequence[Sequence[int]], completions: Sequence[Sequence[int]]
    ) -> Sequences:
        """Finds the distinct pairs of prompts and completions.

        Raises:
            InvalidInputError: lists of different lengths, or a value that is not a list of token
                ids; the message names the sequence.
        """
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
        # Equal prompts become one array, so that id() identifies a prompt.
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
        """Checks that the model can take every sequence.

        Args:
            vocab_size: number of tokens of the model.
            context_length: largest number of tokens of a sequence, or None.
            model: name of the model, for the message.

        Raises:
            InvalidInputError: an empty prompt, a token id outside the vocabulary or a sequence
                longer than the context; the message names the first such pair.
        """
        for i, prompt, completion in zip(self.first, self.prompts, self.completions, strict=True):
            if not len(prompt):
                raise InvalidInputError(
                    f"prompt {i} has no tokens: the first token of a completion has no probability "
                    "without a token before it; begin with the model's start token"
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
        """The scores of the given pairs, from the statistics of all completion tokens.

        Args:
            logprobs: log-prob of each completion token, nats.
            entropies: entropy at each completion token, nats.
            outside: whether each completion token is outside the nucleus, or None.
            kept: probability of the nucleus at each completion token, or None.
            per_token: whether the scores hold the arrays of each token.

        Returns:
            SequenceScores in the order of the given pairs; the sums are float64.
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


def plan_batches(sequences: Sequences, batch_tokens: int) -> Iterator[TokenBatch]:
    """Yields batches of at most `batch_tokens` tokens, but of at least one sequence.

    The longest sequences come first, so that a batch that does not fit in memory fails at once. The
    last token of a sequence predicts no token and does not go through the model.
    """
    order = sequences.order
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
