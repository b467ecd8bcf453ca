"""Ends vLLM's processes where the process that draws was killed: they would wait for it for ever.

`Guard` runs this file as a small process of its own, which a kill of the other one does not reach.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

__all__ = ["Guard"]

_SCAN_MILLISECONDS = 1000
# vLLM gives its processes names that begin so.
_NAME = b"VLLM::"


class Guard:
    """A process that waits for the end of this one, and then kills vLLM's processes of it.

    On other systems than Linux there is none.
    """

    def __init__(self) -> None:
        """Begins before vLLM starts its processes."""
        self._process: subprocess.Popen[bytes] | None = None
        if hasattr(os, "pidfd_open") and Path("/proc/self/task").is_dir():
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", __file__, str(os.getpid())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                start_new_session=True,  # Ctrl-C in a terminal is not for it
            )

    def close(self) -> None:
        """Ends the process; vLLM's are left alone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def _children(pid: int) -> set[int]:
    found: set[int] = set()
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found.update(map(int, task.read_text().split()))
    return found


def _watch(pid: int) -> None:
    """Waits for the end of the process `pid`, and kills the children that vLLM named."""
    handles: dict[int, int] = {}
    poll = select.poll()
    poll.register(os.pidfd_open(pid), select.POLLIN)
    while not poll.poll(_SCAN_MILLISECONDS):
        children = _children(pid)
        for child in children - handles.keys():
            with contextlib.suppress(OSError):
                handles[child] = os.pidfd_open(child)
        for child in handles.keys() - children:
            os.close(handles.pop(child))
    for child, handle in handles.items():
        # The handle is of the process that was seen, also where its number has come again.
        with contextlib.suppress(OSError):
            if Path(f"/proc/{child}/cmdline").read_bytes().startswith(_NAME):
                signal.pidfd_send_signal(handle, signal.SIGKILL)


if __name__ == "__main__":
    with contextlib.suppress(OSError):
        _watch(int(sys.argv[1]))
