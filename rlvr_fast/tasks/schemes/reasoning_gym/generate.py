"""The process that generates problems: JSON into a pipe, under limits of time and memory."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import sys
from typing import Any

from rlvr_fast.tasks.sandbox.landlock import read_only_view
from rlvr_fast.tasks.sandbox.locks import die_with_parent, drop_privileges
from rlvr_fast.tasks.sandbox.one_request import STARTED
from rlvr_fast.tasks.schemes.reasoning_gym.config import config_of, dataset_of
from rlvr_fast.tasks.specs import TaskSpec, parse_spec

__all__ = ["entries", "main"]

PRINTED_BYTES = 16 << 20  # of what datasets print


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
    """Writes the problems of a spec; the kernel ends the process after its processor seconds.

    The arguments are those of `LongLivedProcess`, then the spec, the processor seconds and the
    bytes of memory.
    """
    replies, paths = int(sys.argv[2]), json.loads(sys.argv[3])
    spec, seconds, memory_bytes = sys.argv[4], int(sys.argv[5]), int(sys.argv[6])
    die_with_parent()
    drop_privileges()
    if paths[0]:
        read_only_view([*paths[0], os.environ["HOME"]], paths[1])
    for kind, limit in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_FSIZE, PRINTED_BYTES),
    ):
        resource.setrlimit(kind, (limit, limit))
    with os.fdopen(replies, "wb") as out:
        out.write(STARTED)
        out.flush()
        try:
            with contextlib.redirect_stdout(sys.stderr):  # datasets may print
                made = entries(parse_spec(spec))
        except MemoryError:
            sys.exit(f"it needs more than {memory_bytes >> 20} MiB of memory")
        out.write(json.dumps(made).encode())
    os._exit(0)  # a large interpreter takes its time to end
