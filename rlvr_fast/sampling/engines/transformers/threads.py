"""Iterators that run side by side in threads and yield their items in the order of arrival."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import TypeVar

__all__ = ["run_threads"]

_T = TypeVar("_T")
_POLL_SECONDS = 0.2


class _Stopped(Exception):
    """The consumer takes no more items."""


def run_threads(
    sources: Sequence[Callable[[], Iterator[_T]]],
) -> Generator[_T, None, None]:
    """Yields the items of all `sources`, each run in a thread of its own.

    The first exception of a source ends all threads and is raised here. When the consumer stops
    early, Ctrl-C included, each thread ends after the item that it is making.
    """
    items: queue.Queue[tuple[bool, _T | BaseException | None]] = queue.Queue(maxsize=64)
    stop = threading.Event()

    def put(done: bool, value: _T | BaseException | None) -> None:
        while not stop.is_set():
            try:
                items.put((done, value), timeout=_POLL_SECONDS)
            except queue.Full:
                continue
            return
        raise _Stopped

    def work(source: Callable[[], Iterator[_T]]) -> None:
        try:
            for item in source():
                put(False, item)
            put(True, None)
        except _Stopped:
            pass
        except BaseException as error:  # handed to the consumer, who raises it
            with contextlib.suppress(_Stopped):
                put(True, error)

    threads = [threading.Thread(target=work, args=(source,), daemon=True) for source in sources]
    for thread in threads:
        thread.start()
    running = len(threads)
    try:
        while running:
            done, value = items.get()
            if not done:
                yield value  # type: ignore[misc]
            elif value is None:
                running -= 1
            else:
                raise value  # type: ignore[misc]
    finally:
        stop.set()
        for thread in threads:
            thread.join()
