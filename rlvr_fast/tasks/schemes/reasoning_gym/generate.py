"""`python -m rlvr_fast.tasks.schemes.reasoning_gym.generate SPEC`: problems as JSON on stdout."""

from __future__ import annotations

import contextlib
import json
import sys
from typing import Any

from rlvr_fast.tasks.schemes.reasoning_gym.config import config_of, dataset_of
from rlvr_fast.tasks.specs import TaskSpec, parse_spec

__all__ = ["entries"]


def entries(spec: TaskSpec) -> list[dict[str, Any]]:
    """Question and gold answer of each problem, generated in this process."""
    dataset = dataset_of(spec)
    size = config_of(spec)["size"]
    made = []
    for index in range(size):
        entry = dataset[index]
        gold = entry["answer"]
        made.append(
            {
                "question": entry["question"],
                "answer": gold if gold is None or isinstance(gold, str) else json.dumps(gold),
            }
        )
    return made


def main() -> None:
    """Writes the problems of the spec in the first argument."""
    out = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):  # datasets may print
        made = entries(parse_spec(sys.argv[1]))
    json.dump(made, out)


if __name__ == "__main__":
    main()
