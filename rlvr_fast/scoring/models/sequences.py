"""Prompts and completions as arrays: checks, duplicates, and sums over the tokens of sequences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.scoring.models.distributions import TokenValues
from rlvr_fast.scoring.results import SequenceScores

__all__ = ["Ids", "Sequences", "sequence_scores"]

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Sequences:
    """Distinct (prompt, completion) pairs, and the map from the given pairs to them.

    Attributes:
        prompts: prompt of each distinct pair; equal prompts are one array.
        completions: completion of each distinct pair.
        first: index of the first given pair of each distinct pair.
        index: given pair -> distinct pair.
        given: the given pairs, those of one distinct pair side by side, in its order.
        starts: the first place in `given` of each distinct pair, and the number of given pairs.
        lengths: length of each distinct completion.
        order: distinct pairs from the longest to the shortest.
    """

    prompts: list[Ids]
    completions: list[Ids]
    first: list[int]
    index: Ids
    given: Ids
    starts: Ids
    lengths: Ids
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
            given=np.argsort(index, kind="stable"),
            starts=np.concatenate([[0], np.cumsum(np.bincount(index, minlength=len(first)))]),
            lengths=lengths,
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

    def pairs(self, chosen: Ids) -> tuple[Ids, Ids]:
        """The given pairs of some distinct pairs, and the place of each one's in `chosen`."""
        counts = np.diff(self.starts)[chosen]
        places = np.repeat(np.arange(len(chosen)), counts)
        within = np.arange(len(places)) - np.repeat(np.cumsum(counts) - counts, counts)
        return self.given[np.repeat(self.starts[chosen], counts) + within], places


def sequence_scores(lengths: Ids, values: TokenValues, *, per_token: bool) -> SequenceScores:
    """The scores of some sequences, from the statistics of their tokens.

    Args:
        lengths: number of tokens of each completion.
        values: of all their tokens, one completion after another.
        per_token: whether the scores hold the arrays of each token.

    Returns:
        SequenceScores; the sums are float64.
    """
    number = np.where(lengths, lengths, np.nan)
    with np.errstate(invalid="ignore", over="ignore"):
        logprob = _sums(values.logprob, lengths)
        mean_entropy = _sums(values.entropy, lengths) / number
        perplexity = np.exp(-logprob / number)
    outside, kept = values.outside, values.kept

    def pieces(each: npt.NDArray[np.float32]) -> list[npt.NDArray[np.float32]]:
        return np.split(each, np.cumsum(lengths)[:-1]) if len(lengths) else []

    return SequenceScores(
        num_tokens=lengths.astype(np.int32),
        logprob=logprob,
        mean_entropy=mean_entropy,
        perplexity=perplexity,
        num_outside_nucleus=None if outside is None else _sums(outside, lengths).astype(np.int32),
        log_kept_mass=None if kept is None else _sums(np.log(kept), lengths),
        token_logprobs=pieces(values.logprob) if per_token else None,
        token_entropies=pieces(values.entropy) if per_token else None,
    )


def _sums(values: npt.NDArray[np.generic], lengths: Ids) -> npt.NDArray[np.float64]:
    sums = np.zeros(len(lengths), np.float64)
    filled = lengths > 0
    if filled.any():
        starts = (np.cumsum(lengths) - lengths)[filled]
        sums[filled] = np.add.reduceat(values.astype(np.float64), starts)
    return sums


def _token_ids(value: Sequence[int], name: str) -> Ids:
    ids = np.asarray(value)
    if ids.ndim != 1 or (ids.size and ids.dtype.kind not in "iu"):
        raise InvalidInputError(f"{name} must be a list of token ids, got {type(value).__name__}")
    return ids.astype(np.int64, copy=False)
