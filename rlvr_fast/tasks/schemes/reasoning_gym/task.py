"""A dataset of Reasoning Gym as a task."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import rlvr_fast
from rlvr_fast.errors import InvalidInputError
from rlvr_fast.tasks.base import Problem
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


class GymTask:
    """`reasoning_gym:NAME?size=50&seed=7&...`: any dataset with any value of its config.

    Values are read as the types of the dataset's config dataclass say; lists are
    comma-separated. `size` is 50 and `seed` 0 where not given: without a seed each use would pose
    other problems. `fixes=leash` scores answers as arXiv 2507.14843 does (see `fixes.py`); by
    default the dataset's own verifier decides alone.
    """

    def __init__(self, spec: TaskSpec, name: str | None = None) -> None:
        config_of(spec)  # refuses unknown datasets, keys and values before any sampling
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
            for index, entry in enumerate(_generated(self.spec))
        ]

    def verifier(self) -> GymVerifier:
        """The dataset's own verifier."""
        return GymVerifier(self._spec)


@functools.lru_cache(maxsize=32)
def _generated(spec: str) -> tuple[dict[str, Any], ...]:
    package_root = str(Path(rlvr_fast.__file__).parents[1])
    search = os.pathsep.join([package_root, *(item for item in sys.path if item)])
    done = subprocess.run(
        [sys.executable, "-m", "rlvr_fast.tasks.schemes.reasoning_gym.generate", spec],
        env={**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": search},
        capture_output=True,
        check=False,
    )
    if done.returncode:
        reason = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise InvalidInputError(
            f"{generator()} failed to generate {spec!r}: {reason[-1] if reason else 'no message'}"
        )
    return tuple(json.loads(done.stdout))
