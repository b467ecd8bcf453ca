"""The process that generates problems: JSON on standard output, under limits of time and memory."""

from __future__ import annotations

import contextlib
import json
import resource
import sys
from typing import Any

from rlvr_fast.tasks.schemes.reasoning_gym.config import config_of, dataset_of
from rlvr_fast.tasks.specs import TaskSpec, parse_spec

__all__ = ["entries", "main"]


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


def main(spec: str, seconds: int, memory_bytes: int) -> None:
    """Writes the problems of a spec; the kernel ends the process after `seconds` of its time."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    out = sys.stdout
    try:
        with contextlib.redirect_stdout(sys.stderr):  # datasets may print
            made = entries(parse_spec(spec))
    except MemoryError:
        sys.exit(f"it needs more than {memory_bytes >> 20} MiB of memory")
    json.dump(made, out)
