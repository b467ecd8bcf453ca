"""`python attack_runner.py < JSON`: outcomes of answers, in a process that can be attacked.

Reads {"spec": ..., "answers": [...], "options": {...}} and prints [[verdict, detail], ...], whether
workers ran in bubblewrap, and the peak of memory in MiB.
"""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path


def peak_mib() -> float:
    """The peak of this program; getrusage tells that of the process before exec as well."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def main() -> None:
    # A background job of a shell ignores SIGINT.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    asked = json.load(sys.stdin)
    from rlvr_fast.answers import worker_process, workers
    from rlvr_fast.answers.pairs import Pair

    if not asked.get("bubblewrap", True):
        workers._Walls.decided = False
    for name, value in asked.get("wall", {}).items():
        setattr(worker_process, name, value)
    spec, metadata, gold = asked["spec"], {"index": 0}, "7"
    if asked.get("generate"):
        from rlvr_fast.tasks import load_task

        task = load_task(spec)
        (problem,) = task.problems()
        spec, metadata, gold = task.spec, problem.metadata, problem.gold
    answers = [gold if text is None else text for text in asked["answers"]]
    pairs = [Pair(spec, "p", gold, metadata, text) for text in answers]
    found = {}
    for _ in range(asked.get("times", 1)):
        workers.verify_pairs(pairs, found.__setitem__, **asked.get("options", {}))
    told = {
        "outcomes": [[found[i].verdict, found[i].detail] for i in range(len(pairs))],
        "sandboxed": workers._Walls.decided,
        "peak_mib": peak_mib(),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
