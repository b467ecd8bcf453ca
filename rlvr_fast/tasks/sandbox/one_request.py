"""A process of this package that makes one thing and ends, in bubblewrap where it is there."""

from __future__ import annotations

import os
import selectors
import time
from collections.abc import Sequence
from typing import NamedTuple

from rlvr_fast.tasks.sandbox.bubblewrap import unavailable_reason
from rlvr_fast.tasks.sandbox.long_lived import LongLivedProcess

__all__ = ["STARTED", "Made", "made_apart"]

# The first bytes of such a process, by which a failed start is told from a failed request.
STARTED = b"started\n"


class Made(NamedTuple):
    """What a process made, and how it ended.

    Attributes:
        data: what it wrote, without `STARTED`.
        status: the exit status; negative (minus the number of the signal) after a signal.
        said: the end of its standard error.
        ended: why it was ended, else empty: "time" or "size".
    """

    data: bytes
    status: int
    said: str
    ended: str


def made_apart(
    module: str,
    arguments: Sequence[str],
    *,
    seconds: float,
    most_bytes: int,
    packages: Sequence[str] = (),
) -> Made:
    """What `main()` of a module of this package writes into its descriptor of replies.

    The process has no network, no environment of the user, and nothing of home but packages. Where
    bubblewrap is not there, or does not start this interpreter, the module closes files to itself
    (`read_only_view`).

    Args:
        module: the dotted name; `main()` first writes `STARTED`.
        arguments: follow the three arguments that `LongLivedProcess` describes.
        seconds: wall time after which the process is ended.
        most_bytes: bytes after which it is ended.
        packages: top-level modules that it needs, should they lie outside the package folders.

    Raises:
        OSError: the process cannot be started.
    """
    made = None
    if unavailable_reason() is None:
        made = _made(module, arguments, seconds, most_bytes, packages, sandboxed=True)
    if made is None or not (made.ended or made.data.startswith(STARTED)):
        made = _made(module, arguments, seconds, most_bytes, packages, sandboxed=False)
    return made._replace(data=made.data.removeprefix(STARTED))


def _made(
    module: str,
    arguments: Sequence[str],
    seconds: float,
    most_bytes: int,
    packages: Sequence[str],
    *,
    sandboxed: bool,
) -> Made:
    process = LongLivedProcess(module, arguments, sandboxed=sandboxed, packages=packages)
    try:
        data, ended = _read(process.replies, seconds, most_bytes)
    except BaseException:
        process.end()
        raise
    status = process.end(by_itself=not ended)
    return Made(data, status, process.error_output(), ended)


def _read(replies: int, seconds: float, most_bytes: int) -> tuple[bytes, str]:
    """All that comes until the other end is closed, and why it was not waited for."""
    deadline = time.monotonic() + seconds
    parts: list[bytes] = []
    size = 0
    with selectors.DefaultSelector() as selector:
        selector.register(replies, selectors.EVENT_READ)
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                return b"".join(parts), "time"
            if not selector.select(left):
                continue
            part = os.read(replies, 1 << 20)
            if not part:
                return b"".join(parts), ""
            parts.append(part)
            size += len(part)
            if size > most_bytes:
                return b"".join(parts), "size"
