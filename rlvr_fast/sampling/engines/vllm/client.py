"""vLLM's engine, and the thread that talks to its processes."""

from __future__ import annotations

import asyncio
import multiprocessing
import threading
import weakref
from collections.abc import Coroutine, Iterator
from queue import SimpleQueue
from typing import Any, NamedTuple, TypeVar

__all__ = ["Client", "Job"]

_T = TypeVar("_T")
_WAIT_SECONDS = 0.01
# After these seconds a process that does not end by itself is killed.
_END_SECONDS = 20.0


class Job(NamedTuple):
    """One request to vLLM.

    Attributes:
        key: comes back with the output.
        prompt: as vLLM's renderer gives it.
        parameters: the SamplingParams.
        lora: the adapter, a LoRARequest, or None.
    """

    key: Any
    prompt: Any
    parameters: Any
    lora: Any


class Client:
    """An AsyncLLM, and an event loop for it in a thread of its own.

    The thread takes the outputs of vLLM's processes while the caller works, and goes on where the
    caller is interrupted. It also works where the caller's thread runs an event loop itself.
    """

    def __init__(self, llm: Any) -> None:
        """Takes over `llm`: `close` ends it, and so does the end of the interpreter."""
        self.llm = llm
        self._numbers = iter(range(1 << 62))
        self._loop = asyncio.new_event_loop()
        thread = threading.Thread(target=self._loop.run_forever, name="vllm", daemon=True)
        thread.start()
        # Runs where nobody called `close`, too.
        self._close = weakref.finalize(self, _close, llm, self._loop, thread)

    def close(self) -> None:
        """Ends vLLM's processes and the thread; a second call does nothing."""
        self._close()
        self.llm = None

    def add_adapter(self, lora: Any) -> None:
        """Loads an adapter, a LoRARequest."""
        self._call(self.llm.add_lora(lora))

    def prompt(self, token_ids: list[int]) -> Any:
        """A prompt as `Job` takes it."""
        (rendered,) = self.llm.renderer.render_cmpl([{"prompt_token_ids": token_ids}])
        return rendered

    def draw(self, jobs: Iterator[Job], *, most: int) -> Iterator[tuple[Any, Any]]:
        """Yields (key, output) of each job as soon as it is finished.

        A caller that stops early ends the other requests.

        Args:
            jobs: read in the thread of the loop.
            most: requests under way at most, and outputs that wait for the caller.

        Raises:
            Exception: what a job raised; the other requests are ended.
        """
        finished: SimpleQueue[tuple[Any, Any] | None] = SimpleQueue()
        task = self._call(self._begin(self._draw_all(jobs, most, finished), finished))
        ended = False
        try:
            while (item := finished.get()) is not None:
                yield item
            ended = True
        finally:
            if not ended:
                self._loop.call_soon_threadsafe(task.cancel)
                while finished.get() is not None:
                    pass
        if (error := task.exception()) is not None:
            raise error

    def _call(self, work: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    @staticmethod
    async def _begin(
        work: Coroutine[Any, Any, None], finished: SimpleQueue[Any]
    ) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        task.add_done_callback(lambda _: finished.put(None))
        return task

    async def _draw_all(self, jobs: Iterator[Job], most: int, finished: SimpleQueue[Any]) -> None:
        workers = [asyncio.create_task(self._work(jobs, most, finished)) for _ in range(most)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    async def _work(self, jobs: Iterator[Job], most: int, finished: SimpleQueue[Any]) -> None:
        for job in jobs:
            async for output in self.llm.generate(
                job.prompt, job.parameters, str(next(self._numbers)), lora_request=job.lora
            ):
                if output.finished:
                    finished.put((job.key, output))
            while finished.qsize() >= most:  # a caller that is slower than the engine
                await asyncio.sleep(_WAIT_SECONDS)


def _close(llm: Any, loop: asyncio.AbstractEventLoop, thread: threading.Thread) -> None:
    # The finalizer of llm calls it again, when modules are gone: also where a second Ctrl-C
    # interrupts what follows.
    shutdown, llm.shutdown = llm.shutdown, lambda *_, **__: None

    async def end() -> None:
        shutdown(timeout=_END_SECONDS)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    asyncio.run_coroutine_threadsafe(end(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()
    multiprocessing.active_children()  # takes note of those that have ended
