"""`python attack_runner.py < JSON`: outcomes of answers, in a process that can be attacked.

Reads {"spec": ..., "answers": [...], "options": {...}} and prints [[verdict, detail], ...], whether
workers ran in bubblewrap, and the peak of memory in MiB.
"""

from __future__ import annotations

import json
import resource
import signal
import sys


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
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
