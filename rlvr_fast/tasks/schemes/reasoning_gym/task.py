"""A dataset of Reasoning Gym as a task."""

from __future__ import annotations

import functools
import json
import signal
from typing import Any

from rlvr_fast.errors import InvalidInputError, shown
from rlvr_fast.tasks.base import Problem
from rlvr_fast.tasks.sandbox.one_request import made_apart
from rlvr_fast.tasks.schemes.reasoning_gym.config import (
    DEFAULT_SEED,
    DEFAULT_SIZE,
    config_of,
    datasets,
    generator,
)
from rlvr_fast.tasks.schemes.reasoning_gym.verifier import GymVerifier, question_sha256
from rlvr_fast.tasks.specs import TaskSpec

__all__ = ["GymTask"]

# Processor seconds of generation: those of the dataset, one for each problem, and the most.
GENERATION_SECONDS = 120
MAX_GENERATION_SECONDS = 3600
MEMORY_BYTES = 4 << 30
MOST_BYTES = 1 << 30


class GymTask:
    """`reasoning_gym:NAME?size=50&seed=7&...`: any dataset with any value of its config.

    Values are read as the types of the dataset's config dataclass say; lists are
    comma-separated. `size` is 50 and `seed` 0 where not given: without a seed each use would pose
    other problems. `guards=off` leaves out our own checks and readings of answers (see `guards.py`,
    `reading.py`); `fixes=leash` scores answers as arXiv 2507.14843 does (see `fixes.py`).
    """

    def __init__(self, spec: TaskSpec, name: str | None = None) -> None:
        # refuses unknown datasets, keys and values before any sampling
        self._size: int = config_of(spec)["size"]
        options = {"size": str(DEFAULT_SIZE), "seed": str(DEFAULT_SEED), **spec.options}
        self._spec = TaskSpec(spec.scheme, spec.source, options)
        self.name = name or spec.source
        self.spec = str(self._spec)
        self.domain = datasets()[spec.source][0].__module__.split(".")[1]

    def problems(self) -> list[Problem]:
        """The problems, generated in a process whose string hashes are fixed.

        Some datasets (isomorphic_strings, polynomial_multiplication, ransom_note, knight_swap in
        0.1.25) iterate over sets of strings, so that one seed gives other problems in every
        process unless PYTHONHASHSEED is fixed.
        """
        return [
            Problem(
                problem_id=f"{self.name}/{index}",
                task=self.name,
                question=entry["question"],
                gold=entry["answer"],
                metadata={
                    "index": index,
                    "domain": self.domain,
                    "question_sha256": question_sha256(entry["question"]),
                    "generator": generator(),
                },
            )
            for index, entry in enumerate(_generated(self.spec, self._size))
        ]

    def verifier(self) -> GymVerifier:
        """The dataset's own verifier."""
        return GymVerifier(self._spec)


@functools.lru_cache(maxsize=32)
def _generated(spec: str, size: int) -> tuple[dict[str, Any], ...]:
    """The problems of a spec, generated in a process of its own, under limits.

    A spec may be a stranger's. The process runs in bubblewrap where it is there, sees none of the
    user's folders and none of the user's environment.
    """
    seconds = min(GENERATION_SECONDS + size, MAX_GENERATION_SECONDS)
    made = made_apart(
        "rlvr_fast.tasks.schemes.reasoning_gym.generate",
        [spec, str(seconds), str(MEMORY_BYTES)],
        seconds=2 * seconds + 60,  # wall time: it may share its processor
        most_bytes=MOST_BYTES,
        packages=("reasoning_gym",),
    )
    if made.ended == "size":
        raise InvalidInputError(
            f"{generator()} generated more than {MOST_BYTES >> 20} MiB for {shown(spec, 400)}; ask "
            "for fewer or smaller problems (size=N, and the ranges of the dataset)"
        )
    if made.ended or -made.status in (signal.SIGXCPU, signal.SIGKILL):
        raise InvalidInputError(
            f"{generator()} did not generate {shown(spec, 400)} within {seconds} s of "
            "processor time; ask for fewer or smaller problems (size=N, and the ranges of the "
            "dataset)"
        )
    if made.status:
        reason = made.said.splitlines()
        raise InvalidInputError(
            f"{generator()} failed to generate {shown(spec, 400)}: "
            f"{reason[-1][:400] if reason else 'no message'}"
        )
    return tuple(json.loads(made.data))
