"""A batch of draws in progress: a row that finishes is given to the next draw."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import torch
from transformers.cache_utils import DynamicCache

from rlvr_fast.errors import EngineError
from rlvr_fast.sampling.engine import Completion, Request
from rlvr_fast.sampling.engines.transformers.cache import RaggedCache
from rlvr_fast.sampling.engines.transformers.logit_changes import TokenCounts, mask_end_tokens
from rlvr_fast.sampling.engines.transformers.nucleus import sample_tokens, uniforms
from rlvr_fast.sampling.parameters import SamplingParameters

__all__ = ["DrawBatch", "DrawModel"]

# Rows that have finished wait until this share of the batch can be filled anew at once.
_REFILL_SHARE = 1 / 16
# The batch shrinks when no draws are left to fill it and this share of its rows is idle.
_SHRINK_SHARE = 1 / 4
# Attention runs over the whole room of the cache, as a slice of it would not be contiguous; so the
# room is kept close to the longest row. Measured with 512 rows and 4 heads: 3.4 ms against 9.7 ms
# for a slice.
_ROOM_STEP = 16


class Row(NamedTuple):
    """The draw that one row of the batch is making."""

    problem_id: str
    sample_index: int
    seed: int
    limit: int


class DrawModel(Protocol):
    """The model and tokenizer that a batch draws with."""

    @property
    def device(self) -> torch.device:
        """The device of the model."""
        ...

    @property
    def end_tokens(self) -> torch.Tensor:
        """The token ids that end a completion."""
        ...

    def limit(self, request: Request, parameters: SamplingParameters) -> int:
        """Largest number of tokens of a completion of `request`."""
        ...

    def rows(self, room: int) -> int:
        """Rows of a batch whose sequences may come to `room` tokens."""
        ...

    def prefill(self, prompt: Sequence[int]) -> tuple[torch.Tensor, DynamicCache]:
        """Runs one prompt: logits [1, vocabulary] after its last token, and its cache."""
        ...

    def decode_step(self, tokens: torch.Tensor, cache: RaggedCache) -> torch.Tensor:
        """One step of every row: logits [rows, vocabulary] after `tokens` [rows]."""
        ...

    def decode_texts(self, ids: list[list[int]]) -> list[str]:
        """The text of each completion, without special tokens."""
        ...


class DrawBatch:
    """The rows being drawn; `step` advances all of them by one token."""

    def __init__(
        self,
        engine: DrawModel,
        requests: Iterable[Request],
        parameters: SamplingParameters,
        *,
        logprobs: bool = False,
    ) -> None:
        """Draws nothing yet.

        Args:
            engine: the model that draws.
            requests: the draws to be made, in this order.
            parameters: how they are made.
            logprobs: keep the log-probability of each token drawn, under the model itself: before
                penalties, temperature and what leaves tokens out.
        """
        self.engine = engine
        self.parameters = parameters
        self.requests = iter(requests)
        self.device = engine.device
        self.waiting: deque[tuple[Row, int]] = deque()  # row and length of its prompt
        self.prompt: tuple[torch.Tensor, DynamicCache] | None = None
        self.prompt_ids: Sequence[int] = ()
        self.cache: RaggedCache | None = None
        self.said: TokenCounts | None = None
        own = torch.tensor(parameters.stop_token_ids, dtype=torch.int64, device=self.device)
        self.end_tokens = torch.cat([engine.end_tokens, own]) if len(own) else engine.end_tokens
        self.rows: list[Row | None] = []
        self.seeds: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        self.counts: npt.NDArray[np.int64] = np.zeros(0, np.int64)  # tokens drawn in each row
        self.limits: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        # Length of the text of the first min_tokens tokens: a stop text ends behind it.
        self.unstopped: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        self.drawn: npt.NDArray[np.int32] = np.zeros((0, 0), np.int32)
        self.asked_logprobs = logprobs
        # Of the tokens drawn; without columns where nobody asked.
        self.logprobs: npt.NDArray[np.float32] = np.zeros((0, 0), np.float32)
        self.tokens = torch.zeros(0, dtype=torch.int64, device=self.device)
        self.prompt_lengths: npt.NDArray[np.int64] = np.zeros(0, np.int64)

    def run(self) -> Iterator[list[Completion]]:
        """Yields the completions that each step finished, until no draw is left."""
        while True:
            # Around the step only: inference mode must not apply to the consumer's code.
            with torch.inference_mode():
                finished = self.step()
            if finished is None:
                return
            if finished:
                yield finished

    def step(self) -> list[Completion] | None:
        """Advances every row by a token; returns the completions that this finished.

        Returns:
            None when no draw is left.
        """
        finished: list[Completion] = []
        free = [number for number, row in enumerate(self.rows) if row is None]
        if self.cache is None or len(free) >= max(1, int(_REFILL_SHARE * len(self.rows))):
            finished += self._refill(free)
            free = [number for number, row in enumerate(self.rows) if row is None]
        if len(free) == len(self.rows):
            return finished or None
        if len(free) >= _SHRINK_SHARE * len(self.rows) and not self._more():
            self._shrink()
        cache = self.cache
        assert cache is not None
        lengths = self.prompt_lengths + self.counts - 1
        cache.lengths = torch.from_numpy(lengths).to(self.device)
        cache.reserve(_rounded(int(lengths.max()) + 1))
        logits = self.engine.decode_step(self.tokens, cache)
        active = np.array([row is not None for row in self.rows])
        return finished + self._draw(logits, np.flatnonzero(active), np.flatnonzero(active))

    # -- filling rows ----------------------------------------------------------------------------

    def _more(self) -> bool:
        """Whether draws are waiting; runs the next prompt through the model where none are."""
        while not self.waiting:
            request = next(self.requests, None)
            if request is None:
                return False
            limit = self.engine.limit(request, self.parameters)
            length = len(request.prompt_token_ids)
            self.waiting.extend(
                (Row(request.problem_id, int(index), int(seed), limit), length)
                for index, seed in zip(request.sample_indices, request.seeds, strict=True)
            )
            if self.waiting:
                self.prompt = self.engine.prefill(request.prompt_token_ids)
                self.prompt_ids = request.prompt_token_ids
        return True

    def _refill(self, free: list[int]) -> list[Completion]:
        finished: list[Completion] = []
        while (free or self.cache is None) and self._more():
            assert self.prompt is not None
            if self.cache is None:
                free = self._allocate(self.waiting[0][1] + self.waiting[0][0].limit)
            assert self.cache is not None
            taken, free = free[: len(self.waiting)], free[len(self.waiting) :]
            logits, prompt_cache = self.prompt
            for number in taken:
                row, length = self.waiting.popleft()
                self.rows[number] = row
                self.seeds[number], self.limits[number] = row.seed, row.limit
                self.counts[number], self.prompt_lengths[number] = 0, length
                self.unstopped[number] = 0
            self.cache.reserve(_rounded(length + 1))
            places = torch.tensor(taken, device=self.device)
            self.cache.fill(places, prompt_cache)
            if self.said is not None:
                self.said.begin(places, self.prompt_ids)
            numbers = np.array(taken)
            done = self._draw(logits.expand(len(taken), -1), np.arange(len(taken)), numbers)
            finished += done
            if done:
                free += [number for number in taken if self.rows[number] is None]
        return finished

    def _allocate(self, room: int) -> list[int]:
        assert self.prompt is not None
        size = self.engine.rows(room)
        self.cache = RaggedCache(self.prompt[1], size, _rounded(self.waiting[0][1] + 1))
        if self.parameters.penalized:
            self.said = TokenCounts(size, self.prompt[0].shape[1], self.device)
        self.rows = [None] * size
        self.seeds = np.zeros(size, np.int64)
        self.counts = np.ones(size, np.int64)
        self.limits = np.zeros(size, np.int64)
        self.unstopped = np.zeros(size, np.int64)
        self.prompt_lengths = np.zeros(size, np.int64)
        self.drawn = np.zeros((size, _ROOM_STEP), np.int32)
        self.logprobs = np.zeros((size, _ROOM_STEP if self.asked_logprobs else 0), np.float32)
        self.tokens = torch.zeros(size, dtype=torch.int64, device=self.device)
        return list(range(size))

    def _shrink(self) -> None:
        keep = np.array([number for number, row in enumerate(self.rows) if row is not None])
        assert self.cache is not None
        places = torch.from_numpy(keep).to(self.device)
        self.cache.keep(places)
        if self.said is not None:
            self.said.keep(places)
        self.rows = [self.rows[number] for number in keep]
        self.tokens = self.tokens[places]
        for name in (
            "seeds",
            "counts",
            "limits",
            "unstopped",
            "prompt_lengths",
            "drawn",
            "logprobs",
        ):
            setattr(self, name, getattr(self, name)[keep])

    # -- drawing tokens --------------------------------------------------------------------------

    def _draw(
        self,
        logits: torch.Tensor,
        of: npt.NDArray[np.int64],
        numbers: npt.NDArray[np.int64],
    ) -> list[Completion]:
        """Draws the next token of rows `numbers` from the rows `of` of `logits`."""
        if len(of) != len(logits):
            logits = logits[torch.from_numpy(of).to(self.device)]
        random = uniforms(self.seeds[numbers], self.counts[numbers])
        parameters = self.parameters
        rows = torch.from_numpy(numbers).to(self.device)
        unchanged = logits
        if parameters.min_tokens:
            logits = mask_end_tokens(
                logits, self.end_tokens, self.counts[numbers], parameters.min_tokens
            )
        if self.said is not None:
            logits = self.said.penalize(logits.float(), rows, parameters)
        tokens = sample_tokens(
            logits,
            random,
            temperature=parameters.temperature,
            top_p=parameters.top_p,
            top_k=parameters.top_k,
            min_p=parameters.min_p,
        )
        drawn = tokens.cpu().numpy()
        places = self.counts[numbers]
        if (drawn < 0).any():
            raise self._undefined(int(numbers[drawn < 0][0]))
        if self.said is not None:
            self.said.add(rows, tokens)
        self.tokens[rows] = tokens
        ended = torch.isin(tokens, self.end_tokens).cpu().numpy()
        if places.max() >= self.drawn.shape[1]:
            self.drawn = np.concatenate([self.drawn, np.zeros_like(self.drawn)], axis=1)
            self.logprobs = np.concatenate([self.logprobs, np.zeros_like(self.logprobs)], axis=1)
        self.drawn[numbers, places] = drawn
        if self.asked_logprobs:
            each = torch.log_softmax(unchanged.float(), -1).gather(1, tokens[:, None])[:, 0]
            self.logprobs[numbers, places] = each.cpu().numpy()
        self.counts[numbers] += 1
        full = self.counts[numbers] >= self.limits[numbers]
        texts: dict[int, str] = {}
        if parameters.stop:
            ended = ended | self._stopped(numbers, texts)
        over = np.flatnonzero(ended | full)
        return self._finish(numbers[over], ended[over], texts) if len(over) else []

    def _undefined(self, number: int) -> EngineError:
        row = self.rows[number]
        assert row is not None
        return EngineError(
            f"problem {row.problem_id!r}, sample {row.sample_index}, token "
            f"{self.counts[number] + 1}: the logits of the model are not numbers: its weights are "
            "damaged, or too large for their type (--dtype float32 or bfloat16), or a penalty "
            "takes a logit beyond all numbers"
        )

    def _stopped(
        self, numbers: npt.NDArray[np.int64], texts: dict[int, str]
    ) -> npt.NDArray[np.bool_]:
        """Which rows now hold a stop text; `texts` receives the text before it."""
        decoded = self._decode_rows(numbers)
        stopped = np.zeros(len(numbers), np.bool_)
        for place, (number, text) in enumerate(zip(numbers, decoded, strict=True)):
            if self.counts[number] <= self.parameters.min_tokens:
                self.unstopped[number] = len(text)
                continue
            behind = int(self.unstopped[number])
            found = [text.find(s, max(0, behind - len(s) + 1)) for s in self.parameters.stop]
            found = [at for at in found if at >= 0]
            if found:
                stopped[place] = True
                texts[int(number)] = text[: min(found)]
        return stopped

    def _decode_rows(
        self, numbers: npt.NDArray[np.int64], *, without: Sequence[int] = ()
    ) -> list[str]:
        """The text of each row; a last token that is among `without` has none."""
        ids = [self.drawn[number, : self.counts[number]].tolist() for number in numbers]
        if without:
            ids = [row[:-1] if row[-1] in without else row for row in ids]
        return self.engine.decode_texts(ids)

    def _finish(
        self,
        numbers: npt.NDArray[np.int64],
        ended: npt.NDArray[np.bool_],
        texts: dict[int, str],
    ) -> list[Completion]:
        decoded = self._decode_rows(numbers, without=self.parameters.stop_token_ids)
        finished = []
        for number, stop, text in zip(numbers.tolist(), ended.tolist(), decoded, strict=True):
            row = self.rows[number]
            assert row is not None
            finished.append(
                Completion(
                    row.problem_id,
                    row.sample_index,
                    texts.get(number, text),
                    self.drawn[number, : self.counts[number]].tolist(),
                    "stop" if stop else "length",
                    row.seed,
                    self.logprobs[number, : self.counts[number]].tolist()
                    if self.asked_logprobs
                    else None,
                )
            )
            self.rows[number] = None
            # An idle row still runs with the others; with one token it lengthens no step.
            self.counts[number], self.prompt_lengths[number] = 1, 0
        return finished


def _rounded(room: int) -> int:
    return -(-room // _ROOM_STEP) * _ROOM_STEP
