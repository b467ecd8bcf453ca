"""Reasoning Gym datasets as tasks, scored by their own verifiers."""

from __future__ import annotations

import dataclasses
import enum
import functools
import hashlib
import json
import os
import subprocess
import sys
import types
import typing
from collections.abc import Mapping
from importlib import metadata as importlib_metadata
from pathlib import Path
from typing import Any

from rlvr_fast.errors import InvalidInputError, MissingDependencyError
from rlvr_fast.tasks.base import Equivalence, Problem, Verdict
from rlvr_fast.tasks.gym_fixes import fixed
from rlvr_fast.tasks.specs import TaskSpec, closest

__all__ = ["GymTask", "GymVerifier"]

DEFAULT_SIZE = 50
DEFAULT_SEED = 0
# An option of ours beside the dataset's own: what is mended in an answer before it is scored.
FIXES_OPTION = "fixes"
FIXES_VALUES = ("none", "leash")


class GymTask:
    """`reasoning_gym:NAME?size=50&seed=7&...`: any dataset with any value of its config.

    Values are read as the types of the dataset's config dataclass say; lists are
    comma-separated. `size` is 50 and `seed` 0 where not given: a task without a seed would be
    another task each time. `fixes=leash` scores answers as arXiv 2507.14843 does (see
    `gym_fixes`); by default the dataset's own verifier decides alone.
    """

    def __init__(self, spec: TaskSpec, name: str | None = None) -> None:
        config_of(spec)  # names unknown datasets, keys and values now, not while sampling
        options = {"size": str(DEFAULT_SIZE), "seed": str(DEFAULT_SEED), **spec.options}
        self._spec = TaskSpec(spec.scheme, spec.source, options)
        self.name = name or spec.source
        self.spec = str(self._spec)
        self.domain = _datasets()[spec.source][0].__module__.split(".")[1]

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
                    "question_sha256": _sha256(entry["question"]),
                    "generator": generator(),
                },
            )
            for index, entry in enumerate(_generated(self.spec))
        ]

    def verifier(self) -> GymVerifier:
        return GymVerifier(self._spec)


class GymVerifier:
    """The dataset's own `score_answer`; an answer is correct where it scores 1 or more.

    Partial credit (0.05 for a well-formed wrong answer, say) is a shaping reward and not
    correctness. The problem is generated again from the spec and its index, and has to be the
    one that was asked. Runs the dataset's code on untrusted text (several evaluate it through
    sympy's `parse_expr`): call it in a worker process.
    """

    equivalence: Equivalence = "exact"

    def __init__(self, spec: TaskSpec) -> None:
        self._spec = spec
        self._fixes = spec.options.get(FIXES_OPTION, "none")
        self._dataset: Any = None
        self._entries: dict[int, dict[str, Any]] = {}

    @property
    def name(self) -> str:
        mended = " with leash fixes" if self._fixes == "leash" else ""
        return f"{generator()} {self._spec.source}{mended}"

    def prepare(self, problem_id: str, metadata: Mapping[str, Any]) -> None:
        self._entry(problem_id, metadata)

    def limit_seconds(self, metadata: Mapping[str, Any], timeout: float) -> float:
        return timeout

    def verify(
        self, problem_id: str, gold: str | None, metadata: Mapping[str, Any], answer: str
    ) -> Verdict:
        return "correct" if self.score(problem_id, metadata, answer) >= 1.0 else "incorrect"

    def score(self, problem_id: str, metadata: Mapping[str, Any], answer: str) -> float:
        """The dataset's own reward, partial credit included; with fixes the better of two."""
        entry = self._entry(problem_id, metadata)
        reward = float(self._dataset.score_answer(answer, entry))
        if self._fixes == "leash" and reward < 1.0:
            mended = fixed(self._spec.source, answer)
            if mended != answer:
                reward = max(reward, float(self._dataset.score_answer(mended, entry)))
        return reward

    def _entry(self, problem_id: str, metadata: Mapping[str, Any]) -> dict[str, Any]:
        if self._dataset is None:
            self._dataset = dataset_of(self._spec)
        index = int(metadata["index"])
        if index not in self._entries:
            entry = self._dataset[index]
            if _sha256(entry["question"]) != metadata["question_sha256"]:
                raise InvalidInputError(
                    f"problem {problem_id!r} ({self._spec}, index {index}) is not the problem "
                    f"that was asked: it was generated by {metadata.get('generator')} and is now "
                    f"generated by {generator()} with PYTHONHASHSEED="
                    f"{os.environ.get('PYTHONHASHSEED', 'random')}. Install the version it was "
                    "generated with; datasets that iterate over sets also need PYTHONHASHSEED=0, "
                    "which the worker processes of grade_run set."
                )
            if len(self._entries) >= 4096:
                self._entries.clear()
            self._entries[index] = entry
        return self._entries[index]


@functools.cache
def generator() -> str:
    """Package and version whose code makes the problems."""
    try:
        return f"reasoning-gym {importlib_metadata.version('reasoning-gym')}"
    except importlib_metadata.PackageNotFoundError as error:
        raise MissingDependencyError(
            "tasks named reasoning_gym:NAME need the package reasoning-gym: "
            "pip install reasoning-gym"
        ) from error


def _datasets() -> dict[str, tuple[type, type]]:
    generator()
    import reasoning_gym  # noqa: F401  (its import fills the registry)
    from reasoning_gym.factory import DATASETS

    return typing.cast("dict[str, tuple[type, type]]", DATASETS)


def config_of(spec: TaskSpec) -> dict[str, Any]:
    """Config values of a spec, read as the dataset's config dataclass types them."""
    datasets = _datasets()
    if spec.source not in datasets:
        raise InvalidInputError(
            f"{generator()} has no dataset {spec.source!r}.{closest(spec.source, datasets)} "
            f"It has: {', '.join(sorted(datasets))}"
        )
    config_class = datasets[spec.source][1]
    hints = typing.get_type_hints(config_class)
    known = {item.name: hints[item.name] for item in dataclasses.fields(config_class)}
    values: dict[str, Any] = {"size": DEFAULT_SIZE, "seed": DEFAULT_SEED}
    for key, text in spec.options.items():
        if key == FIXES_OPTION:
            if text not in FIXES_VALUES:
                raise InvalidInputError(
                    f"task {str(spec)!r}: fixes should be {' or '.join(FIXES_VALUES)}, got {text!r}"
                )
            continue
        if key not in known:
            raise InvalidInputError(
                f"task {str(spec)!r}: dataset {spec.source!r} has no config value {key!r}."
                f"{closest(key, [*known, FIXES_OPTION])} It has: {', '.join(sorted(known))}; and "
                f"{FIXES_OPTION}={' or '.join(FIXES_VALUES)}"
            )
        try:
            values[key] = _read(text, known[key])
        except (ValueError, TypeError, KeyError, StopIteration) as error:
            raise InvalidInputError(
                f"task {str(spec)!r}: {key}={text!r} is not of type {_type_name(known[key])}"
            ) from error
    if not isinstance(values["size"], int) or values["size"] < 1:
        raise InvalidInputError(f"task {str(spec)!r}: size should be at least 1")
    try:
        config = config_class(**values)
        # a few datasets' configs have nothing to validate
        getattr(config, "validate", lambda: None)()
    except (AssertionError, ValueError, TypeError) as error:
        raise InvalidInputError(
            f"task {str(spec)!r}: {generator()} refuses this config: {error or type(error)}"
        ) from error
    return values


def dataset_of(spec: TaskSpec) -> Any:
    dataset_class, config_class = _datasets()[spec.source]
    return dataset_class(config=config_class(**config_of(spec)))


def _read(text: str, kind: Any) -> Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        if type(None) in arguments and text.lower() in ("", "none", "null"):
            return None
        return _read(text, next(item for item in arguments if item is not type(None)))
    if origin is typing.Literal:
        return next(item for item in arguments if str(item) == text)
    if kind is bool:
        return {"true": True, "1": True, "false": False, "0": False}[text.lower()]
    if kind in (int, float, str):
        return kind(text)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return next(item for item in kind if text in (item.name, str(item.value)))
    if kind in (list, tuple) or origin in (list, tuple) or "Sequence" in str(origin):
        element = next((item for item in arguments if item is not Ellipsis), None)
        items = [item.strip() for item in text.strip("[]()").split(",") if item.strip()]
        read = [
            _number_or_text(item) if element is None else _read(item, element) for item in items
        ]
        return tuple(read) if tuple in (kind, origin) else read
    raise TypeError(kind)


def _number_or_text(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _type_name(kind: Any) -> str:
    return kind.__name__ if isinstance(kind, type) else str(kind).replace("typing.", "")


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def entries(spec: TaskSpec) -> list[dict[str, Any]]:
    """Questions and gold answers, generated in this process."""
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


@functools.lru_cache(maxsize=32)
def _generated(spec: str) -> tuple[dict[str, Any], ...]:
    package_root = str(Path(__file__).parents[2])
    search = os.pathsep.join([package_root, *(item for item in sys.path if item)])
    done = subprocess.run(
        [sys.executable, "-m", "rlvr_fast.tasks.gym_main", spec],
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
