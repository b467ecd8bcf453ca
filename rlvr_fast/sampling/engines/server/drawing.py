"""The draws of one call: many requests under way in one thread, and few finished ones waiting."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rlvr_fast.errors import EngineError, shown
from rlvr_fast.sampling.engine import Completion, Request
from rlvr_fast.sampling.engines.server.client import Client
from rlvr_fast.sampling.engines.server.conversation import Conversation
from rlvr_fast.sampling.parameters import SamplingParameters

__all__ = ["Drawing"]

# Draws that may end in another way than by themselves or at a limit before the others are stopped.
_MOST_ODD = 100


class _Job(NamedTuple):
    """Some draws of one problem: those at the places start..stop of a request."""

    request: Request
    start: int
    stop: int


class Drawing:
    """The draws of some requests.

    The event loop runs only while the caller waits for a completion, and stops at the first one:
    what is finished and waiting is never more than the requests under way hold.

    Attributes:
        requests: requests that the server answered.
        sent_again: requests that were sent again.
        prompt_tokens: as the server counts them.
        completion_tokens: as the server counts them.
    """

    def __init__(
        self,
        conversation: Conversation,
        requests: Sequence[Request],
        parameters: SamplingParameters,
        *,
        context_length: int | None,
        logprobs: bool,
    ) -> None:
        """Asks for nothing yet.

        Args:
            conversation: with the server.
            requests: the draws to make.
            parameters: how they are made.
            context_length: tokens of prompt and completion together, where it is known.
            logprobs: ask for log-probabilities.

        Raises:
            InvalidInputError: a prompt fills the context.
        """
        self._conversation = conversation
        self._parameters = parameters
        self._logprobs = logprobs
        self._limits = [
            conversation.room(request, context_length, parameters.max_tokens)
            for request in requests
        ]
        self._requests = requests
        self._jobs = self._all_jobs()
        self._again: deque[tuple[_Job, int]] = deque()
        self._finished: deque[Completion] = deque()
        self._odd: list[str] = []
        self._news = asyncio.Event()
        self.requests = self.sent_again = self.prompt_tokens = self.completion_tokens = 0

    def run(self, loop: asyncio.AbstractEventLoop, client: Client) -> Iterator[Completion]:
        """Yields each completion as soon as it is finished, in any order.

        Raises:
            EngineError: the server failed, or draws ended in another way than by themselves or at
                a limit.
        """
        draws = sum(len(request.seeds) for request in self._requests)
        workers = [
            loop.create_task(self._work(client))
            for _ in range(min(self._conversation.options.concurrency, draws))
        ]
        for worker in workers:
            worker.add_done_callback(lambda _: self._news.set())
        try:
            running = bool(workers)
            while running or self._finished:
                while self._finished:
                    yield self._finished.popleft()
                for worker in workers:
                    if worker.done() and (error := worker.exception()) is not None:
                        raise error
                workers = [worker for worker in workers if not worker.done()]
                running = bool(workers)
                if running:
                    loop.run_until_complete(self._wait())
        finally:
            self.sent_again = client.sent_again
            for worker in workers:  # a result that nobody asks for is reported at exit
                if worker.done() and not worker.cancelled():
                    worker.exception()
        if self._odd:
            raise self._odd_ends()

    async def _wait(self) -> None:
        await self._news.wait()
        self._news.clear()

    def _all_jobs(self) -> Iterator[tuple[_Job, int]]:
        for request, limit in zip(self._requests, self._limits, strict=True):
            start = 0
            while start < len(request.seeds):
                stop = min(start + self._conversation.dialect.most, len(request.seeds))
                yield _Job(request, start, stop), limit
                start = stop

    async def _work(self, client: Client) -> None:
        while True:
            taken = self._again.popleft() if self._again else next(self._jobs, None)
            if taken is None:
                return
            await self._draw(client, *taken)
            self._news.set()

    async def _draw(self, client: Client, job: _Job, limit: int) -> None:
        request = job.request
        known = list(request.prompt_token_ids)
        reply, body = await self._conversation.reply(
            client,
            self._conversation.prompt(request.prompt, known),
            self._parameters,
            max_tokens=limit,
            n=job.stop - job.start,
            seed=int(request.seeds[job.start]),
            logprobs=self._logprobs,
        )
        if known and reply.prompt_token_ids not in (None, known):
            raise EngineError(
                f"problem {request.problem_id!r}: the server {self._conversation.address.base} "
                "makes other token ids of its prompt than when the run was begun; does it serve "
                "another model or template under the name?"
            )
        asked = body.get("n", 1)
        if len(reply.choices) < asked:  # a server that knows no n
            self._conversation.dialect.most = 1
        if (place := job.start + len(reply.choices)) < job.stop:
            self._again.append((_Job(request, place, job.stop), limit))
        self.requests += 1
        self.prompt_tokens += reply.usage.prompt_tokens
        self.completion_tokens += reply.usage.completion_tokens
        for place, choice in enumerate(reply.choices, job.start):
            index = int(request.sample_indices[place])
            if choice.finish_reason is None:
                self._note_odd(request.problem_id, index, choice.ended)
                continue
            if self._logprobs and choice.logprobs is None:
                raise EngineError(
                    f"the server {self._conversation.address.base} tells no log-probabilities of "
                    "its tokens; leave --logprobs out"
                )
            # A seed of a request for several draws is the seed of none of them.
            own = asked == 1 and "seed" in body
            self._finished.append(
                Completion(
                    request.problem_id,
                    index,
                    choice.text,
                    choice.token_ids,
                    choice.finish_reason,
                    int(request.seeds[place]) if own else None,
                    choice.logprobs,
                )
            )

    def _note_odd(self, problem_id: str, index: int, ended: str) -> None:
        ended = shown(self._conversation.hidden(ended), 40)
        self._odd.append(f"problem {problem_id!r}, sample {index}: {ended}")
        if len(self._odd) >= _MOST_ODD:
            raise self._odd_ends()

    def _odd_ends(self) -> EngineError:
        shown_ones = "; ".join(self._odd[:3])
        return EngineError(
            f"the server {self._conversation.address.base} ended {len(self._odd)} draws neither by "
            f"themselves nor at a limit, and they are not stored ({shown_ones})"
        )
