"""`python attack_runner.py < JSON`: outcomes of answers, in a process that can be attacked.

Reads {"spec": ..., "answers": [...], "options": {...}} and prints [[verdict, detail], ...].
"""

from __future__ import annotations

import json
import sys


def main() -> None:
    asked = json.load(sys.stdin)
    from rlvr_fast.answers import worker_process, workers
    from rlvr_fast.answers.pairs import Pair

    if not asked.get("bubblewrap", True):
        workers._Walls.decided = False
    for name, value in asked.get("wall", {}).items():
        setattr(worker_process, name, value)
    pairs = [Pair(asked["spec"], "p", "7", {"index": 0}, text) for text in asked["answers"]]
    found = {}
    workers.verify_pairs(pairs, found.__setitem__, **asked.get("options", {}))
    print(json.dumps([[found[i].verdict, found[i].detail] for i in range(len(pairs))]))


if __name__ == "__main__":
    main()
