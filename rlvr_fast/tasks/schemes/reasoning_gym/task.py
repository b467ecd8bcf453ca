"""A dataset of Reasoning Gym as a task."""

from __future__ import annotations

import functools
import json
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import rlvr_fast
from rlvr_fast.errors import InvalidInputError, shown
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

# Processor seconds of generation: those of the dataset, one for each problem, and the most.
GENERATION_SECONDS = 120
MAX_GENERATION_SECONDS = 3600
MEMORY_BYTES = 4 << 30
# The folders of packages stand behind those of the standard library, which nothing then hides.
_PROGRAM = (
    "import json, sys; search, *request = json.load(sys.stdin); "
    "sys.path += [item for item in search if item not in sys.path]; "
    "from rlvr_fast.tasks.schemes.reasoning_gym.generate import main; main(*request)"
)


class GymTask:
    """`reasoning_gym:NAME?size=50&seed=7&...`: any dataset with any value of its config.

    Values are read as the types of the dataset's config dataclass say; lists are
    comma-separated. `size` is 50 and `seed` 0 where not given: without a seed each use would pose
    other problems. `fixes=leash` scores answers as arXiv 2507.14843 does (see `fixes.py`); by
    default the dataset's own verifier decides alone.
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

    The process sees none of the user's folders of modules (the current folder, the script's), works
    in an empty folder and has no environment but the seed of string hashes; `-I` would ignore that
    seed.
    """
    seconds = min(GENERATION_SECONDS + size, MAX_GENERATION_SECONDS)
    arguments = [sys.executable, "-P", "-s", "-c", _PROGRAM]
    with tempfile.TemporaryDirectory(prefix="rlvr-fast-") as empty:
        environment = {"PYTHONHASHSEED": "0", "HOME": empty, "OPENBLAS_NUM_THREADS": "1"}
        try:
            done = subprocess.run(
                arguments,
                input=json.dumps([_search_path(), spec, seconds, MEMORY_BYTES]).encode(),
                env=environment,
                cwd=empty,
                capture_output=True,
                check=False,
                timeout=2 * seconds + 60,  # wall time: it may share its processor
            )
        except subprocess.TimeoutExpired:
            done = None
    if done is None or -done.returncode in (signal.SIGXCPU, signal.SIGKILL):
        raise InvalidInputError(
            f"{generator()} did not generate {shown(spec, 400)} within {seconds} s of "
            "processor time; ask for fewer or smaller problems (size=N, and the ranges of the "
            "dataset)"
        )
    if done.returncode:
        reason = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise InvalidInputError(
            f"{generator()} failed to generate {shown(spec, 400)}: "
            f"{reason[-1][:400] if reason else 'no message'}"
        )
    return tuple(json.loads(done.stdout))


def _search_path() -> list[str]:
    """The folders of installed packages: those of this process without the user's own."""
    own = {str(Path.cwd()), str(Path(sys.argv[0]).absolute().parent) if sys.argv else ""}
    package_root = str(Path(rlvr_fast.__file__).parents[1])
    return list(
        dict.fromkeys(
            [package_root]
            + [item for item in sys.path if item and str(Path(item).absolute()) not in own]
        )
    )
