"""The draws of one call: many requests under way in one thread, and few finished ones waiting."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from rlvr_fast.errors import EngineError, shown
from rlvr_fast.sampling.engine import Completion, Request
from rlvr_fast.sampling.engines.server.client import Client, FailedError, RefusedError
from rlvr_fast.sampling.engines.server.conversation import Conversation
from rlvr_fast.sampling.parameters import SamplingParameters

__all__ = ["Drawing"]

# Draws without a result before the others are stopped.
_MOST_ODD = 100
# Problems that may fail one after another before it is the server that fails, and draws of one
# problem before it is the prompt.
_MOST_FAILED = 8
# Finished draws wait so long for others, seconds, as to wake the caller costs more than a reply.
_GATHERED = 0.002
_SHOWN_END = 1000


class _Job(NamedTuple):
    """Some draws of one problem: those at the places start..stop of a request.

    Attributes:
        request: the draws of the problem.
        start: the first place.
        stop: behind the last one.
        limit: tokens of a completion at most.
    """

    request: Request
    start: int
    stop: int
    limit: int


class Drawing:
    """The draws of some requests.

    The event loop runs only while the caller waits for completions, and stops as soon as some are
    finished: those that wait are never more than twice the requests under way hold.

    What one request lacks, others may have: where a prompt is refused, a reply is none, or a
    request fails while others are answered, the other draws are made, and an error at the end
    names what is missing. Where nothing was answered meanwhile, the prompt or the server may be at
    fault: the problem is set aside, and others are asked, each request once, until one is answered
    or so many problems have failed that it is the server. Where the server fails or is gone, those
    under way are waited for, and nothing more is asked.

    Attributes:
        requests: requests that the server answered.
        sent_again: requests that were sent again.
        prompt_tokens: as the server counts them.
        completion_tokens: as the server counts them.
    """

    def __init__(
        self,
        conversation: Conversation,
        requests: Iterable[Request],
        parameters: SamplingParameters,
        *,
        context_length: int | None,
        logprobs: bool,
    ) -> None:
        """Asks for nothing yet.

        Args:
            conversation: with the server.
            requests: the draws to make, read as they are sent.
            parameters: how they are made.
            context_length: tokens of prompt and completion together, where it is known.
            logprobs: ask for log-probabilities.
        """
        self._conversation = conversation
        self._parameters = parameters
        self._logprobs = logprobs
        self._context_length = context_length
        self._jobs = self._all_jobs(requests)
        self._again: deque[_Job] = deque()
        self._finished: deque[Completion] = deque()
        self._ended: list[str] = []  # draws that ended in another way
        self._failed: list[str] = []  # draws and problems without a reply
        self._failing: dict[str, int] = {}  # problems, and their failures with no reply between
        self._refused: set[str] = set()  # problems that are not asked for any more
        self._fault: BaseException | None = None
        self._working = 0
        self._waking = False
        self.requests = self.sent_again = self.prompt_tokens = self.completion_tokens = 0

    def run(self, loop: asyncio.AbstractEventLoop, client: Client) -> Iterator[Completion]:
        """Yields each completion soon after it is finished, in any order.

        Raises:
            InvalidInputError: a prompt fills the context.
            EngineError: the server failed, or some draws have no result.
        """
        workers = [
            loop.create_task(self._work(loop, client))
            for _ in range(self._conversation.options.concurrency)
        ]
        self._working = len(workers)
        for worker in workers:
            worker.add_done_callback(lambda _: self._leave(loop))
        try:
            while self._working or self._finished:
                while self._finished:
                    yield self._finished.popleft()
                if self._working:
                    loop.run_forever()  # until `_wake` or `_leave` stops it
        finally:
            self.sent_again = client.sent_again
            for worker in workers:  # a result that nobody asks for is reported at exit
                if worker.done() and not worker.cancelled():
                    worker.exception()
        if self._fault is not None:
            raise self._fault
        if self._ended or self._failed:
            raise self._lacking()

    def _wake(self, loop: asyncio.AbstractEventLoop) -> None:
        """Lets the caller take what is finished: at once where that is much, else soon."""
        if len(self._finished) >= self._conversation.options.concurrency:
            loop.stop()
        elif self._finished and not self._waking:
            self._waking = True
            loop.call_later(_GATHERED, self._stop, loop)

    def _stop(self, loop: asyncio.AbstractEventLoop) -> None:
        self._waking = False
        loop.stop()

    def _leave(self, loop: asyncio.AbstractEventLoop) -> None:
        self._working -= 1
        if not self._working:
            loop.stop()

    def _all_jobs(self, requests: Iterable[Request]) -> Iterator[_Job]:
        for request in requests:
            limit = self._conversation.room(
                request, self._context_length, self._parameters.max_tokens
            )
            start = 0
            while start < len(request.seeds):
                stop = min(start + self._conversation.dialect.most, len(request.seeds))
                yield _Job(request, start, stop, limit)
                start = stop

    def _next_job(self) -> _Job | None:
        while self._fault is None:
            job = self._again.popleft() if self._again else next(self._jobs, None)
            if job is None or job.request.problem_id not in self._refused:
                return job
        return None

    async def _work(self, loop: asyncio.AbstractEventLoop, client: Client) -> None:
        try:
            while (job := self._next_job()) is not None:
                try:
                    await self._draw(client, job)
                    self._failing.clear()
                    client.doubted = False
                except (FailedError, RefusedError) as error:
                    self._note_failure(client, job, error)
                self._wake(loop)
        except Exception as error:
            if self._fault is None:
                self._fault = error
                client.give_up()

    def _note_failure(self, client: Client, job: _Job, error: FailedError | RefusedError) -> None:
        """Takes note of a request without a reply, or raises where the server is at fault."""
        if not (error.of_request if isinstance(error, RefusedError) else error.reached):
            raise error
        problem = job.request.problem_id
        if problem in self._refused:
            return
        where = f"problem {problem!r}"
        self._failing[problem] = failures = self._failing.get(problem, 0) + 1
        alone = isinstance(error, FailedError) and error.alone
        if alone and failures < _MOST_FAILED:
            where += f", sample {int(job.request.sample_indices[job.start])}"
        else:
            self._refused.add(problem)
        if isinstance(error, FailedError) and not alone:
            client.doubted = True
        self._failed.append(f"{where}: {error}")
        if len(self._failing) >= _MOST_FAILED or self._are_many():
            raise self._lacking()

    async def _draw(self, client: Client, job: _Job) -> None:
        request = job.request
        known = list(request.prompt_token_ids)
        reply, body = await self._conversation.reply(
            client,
            self._conversation.prompt(request.prompt, known),
            self._parameters,
            max_tokens=job.limit,
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
        if len(reply.choices) < asked:  # a server that knows no n, or none as large
            dialect = self._conversation.dialect
            dialect.most = min(dialect.most, len(reply.choices))
        if (place := job.start + len(reply.choices)) < job.stop:
            self._again.append(job._replace(start=place))
        self.requests += 1
        self.prompt_tokens += reply.usage.prompt_tokens
        self.completion_tokens += reply.usage.completion_tokens
        for place, choice in enumerate(reply.choices, job.start):
            index = int(request.sample_indices[place])
            if choice.finish_reason is None:
                self._note_end(request.problem_id, index, choice.ended)
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

    def _note_end(self, problem_id: str, index: int, ended: str) -> None:
        ended = shown(self._conversation.hidden(ended[:_SHOWN_END]), 40)
        self._ended.append(f"problem {problem_id!r}, sample {index}: {ended}")
        if self._are_many():
            raise self._lacking()

    def _are_many(self) -> bool:
        return len(self._ended) + len(self._failed) >= _MOST_ODD

    def _lacking(self) -> EngineError:
        """The error that names the draws without a result."""
        told = []
        if self._ended:
            told.append(
                f"the server {self._conversation.address.base} ended {len(self._ended)} draws "
                "neither by themselves nor at a limit, and they are not stored "
                f"({'; '.join(self._ended[:3])})"
            )
        if self._failed:
            told.append(
                f"{len(self._failed)} problems or draws have no reply, and others were asked for; "
                f"the first: {self._failed[0]}"
            )
        return EngineError(". ".join(told))
