"""The worker of bench/gpu_peers.py with two more rivals: one dies, one hangs and blocks SIGALRM."""

from __future__ import annotations

import os
import signal
import time

from peers import rivals, worker
from peers.rivals import LOGPROB, Rival


def dies(inputs):
    os.kill(os.getpid(), signal.SIGKILL)


def hangs(inputs):
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
    time.sleep(1000)


worker.RIVALS = (
    Rival("dies", LOGPROB, "torch", ("torch",), "", dies),
    Rival("hangs", LOGPROB, "torch", ("torch",), "", hangs),
    *rivals.RIVALS,
)
main = worker.main
