"""The contents of run.json, the seeds of draws, and the differences between two run.json."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rlvr_fast.errors import RlvrError, RunDirectoryError, shown
from rlvr_fast.store.files import read_json
from rlvr_fast.store.json_files import run_fault
from rlvr_fast.store.prompt_templates import template_difference
from rlvr_fast.store.sampling_values import sampling_value
from rlvr_fast.tasks.schemes import scheme_of

__all__ = [
    "FORMAT",
    "Draw",
    "RunInfo",
    "adapter_digest",
    "adapter_name",
    "draw_seeds",
    "info_differences",
    "seed_bases",
    "seeds_of",
    "tasks_beyond",
    "unrecorded",
]

FORMAT = 1
# Left out of the file where they are empty, as in the runs of earlier versions.
_LEFT_OUT = ("requested_of", "states")
# The name of the engine in the run.json of imported rollouts.
IMPORTED_ENGINE = "imported"


class Draw(NamedTuple):
    """One completion to be drawn.

    Attributes:
        problem_id: the problem.
        sample_index: the number of the completion among those of the problem.
        seed: 63 bits, a function of everything that determines the draw; see `draw_seeds`.
    """

    problem_id: str
    sample_index: int
    seed: int


@dataclass(frozen=True, slots=True)
class RunInfo:
    """The contents of run.json; each attribute has the form of the JSON value of its name.

    Attributes:
        model: name, revision, and adapter (name, sha256) where the model drew with one.
        engine: name, version, notes; arguments, where the user gave some that matter to a reader.
        sampling: temperature, top_p, max_tokens, seed, stop, and the parameters of
            `SAMPLING_DEFAULTS` that differ from their default.
        prompt_template: name, sha256, and where they were given system, template_args, few_shot
            (name and sha256 of the file), prefill and instruction; messages is true where a server
            has the chat template.
        tasks: name and spec of each.
        versions: package name to version.
        requested_samples: the largest number of samples for each problem that was asked for; None
            for imported rollouts.
        states: where tasks were added: for each state of the run, from that before the first of
            them on, the number of tasks and of problems, and the SHA-256 of problems.parquet.
        requested_of: the problems of which more samples were asked for, and how many.
        format: version of the layout of the run directory.
    """

    model: Mapping[str, Any]
    engine: Mapping[str, Any]
    sampling: Mapping[str, Any]
    prompt_template: Mapping[str, Any]
    tasks: Sequence[Mapping[str, Any]]
    versions: Mapping[str, str] = field(default_factory=dict)
    requested_samples: int | None = None
    requested_of: Mapping[str, int] = field(default_factory=dict)
    states: Sequence[Mapping[str, Any]] = ()
    format: int = FORMAT

    @property
    def imported(self) -> bool:
        """Whether the completions were not drawn by this package: much may not be recorded."""
        return self.engine.get("name") == IMPORTED_ENGINE

    def to_json(self) -> dict[str, Any]:
        """A JSON-serialisable copy, `format` first."""
        values = dataclasses.asdict(self)
        for name in _LEFT_OUT:
            if not values[name]:
                del values[name]
        return {"format": values.pop("format"), **json.loads(json.dumps(values))}

    @classmethod
    def read(cls, run: Path) -> RunInfo:
        """The contents of the run.json of a run directory.

        Raises:
            RunDirectoryError: the file is no JSON, or none of this format.
        """
        file = run / "run.json"
        value = read_json(file, root=run, remedy="restore the file, or make the run anew")
        return cls.from_json(value, str(file))

    @classmethod
    def from_json(cls, value: Any, where: str) -> RunInfo:
        """The inverse of `to_json`.

        Args:
            value: a JSON value.
            where: the file, for the message of an error.

        Raises:
            RunDirectoryError: another format, or a key is missing or of another type.
        """
        if not isinstance(value, dict):
            raise RunDirectoryError(f"{where}: expected a JSON object, got {type(value).__name__}")
        if value.get("format") != FORMAT:
            raise RunDirectoryError(
                f"{where}: expected format {FORMAT}, got {shown(value.get('format'))}; "
                "this run was written by another version of rlvr_fast"
            )
        if fault := run_fault(value):
            raise RunDirectoryError(f"{where}: {fault}; restore the file")
        keys = ("model", "engine", "sampling", "prompt_template", "tasks", "versions")
        return cls(
            **{key: value[key] for key in keys},
            requested_samples=value.get("requested_samples"),
            requested_of=value.get("requested_of") or {},
            states=value.get("states") or [],
        )

    def requesting(self, num_samples: int | Mapping[str, int]) -> RunInfo:
        """This run.json where further samples were asked for, of all problems or of some."""
        least, of = self.requested_samples or 0, dict(self.requested_of)
        if isinstance(num_samples, Mapping):
            for name, number in num_samples.items():
                of[name] = max(number, of.get(name, 0))
        else:
            least = max(least, num_samples)
        of = {name: number for name, number in of.items() if number > least}
        return dataclasses.replace(self, requested_samples=least or None, requested_of=of)

    def earlier(self) -> list[RunInfo]:
        """This run.json as it was in each state of the run, the present one last."""
        found = [self]
        for number in range(len(self.states) - 1, 0, -1):
            kept = self.states[:number] if number > 1 else ()
            tasks = self.tasks[: self.states[number - 1]["tasks"]]
            found.insert(0, dataclasses.replace(self, tasks=tasks, states=kept))
        return found

    def asked_for(self, other: RunInfo) -> RunInfo:
        """This run.json with the numbers of samples that were asked for by another."""
        return dataclasses.replace(
            self, requested_samples=other.requested_samples, requested_of=other.requested_of
        )


def _model_identity(model: Mapping[str, Any]) -> list[Any]:
    # A revision that is a digest of the weights names the model in any folder.
    revision = model.get("revision")
    digest = isinstance(revision, str) and revision.startswith("sha256:")
    identity = [revision] if digest else [model.get("name"), revision]
    # Without an adapter nothing is added: the seeds of such draws are older than adapters.
    adapter = adapter_digest(model)
    return identity if adapter is None else [*identity, f"adapter {adapter}"]


def adapter_digest(model: Mapping[str, Any]) -> str | None:
    """The digest of the adapter of a "model" of run.json or scores.json; None without one."""
    adapter = model.get("adapter")
    return str(adapter.get("sha256")) if isinstance(adapter, Mapping) else None


def adapter_name(model: Mapping[str, Any]) -> str:
    """The adapter of a "model" of run.json or scores.json in words; "" without one.

    Example:
        >>> adapter_name({"name": "m", "adapter": {"name": "grpo", "sha256": "0123456789abcdef"}})
        'grpo (sha256 0123456789ab)'
    """
    adapter = model.get("adapter")
    if not isinstance(adapter, Mapping):
        return ""
    return f"{adapter.get('name')} (sha256 {str(adapter.get('sha256'))[:12]})"


def _splitmix64(x: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    # Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (OOPSLA 2014).
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def draw_seeds(
    info: RunInfo, problem_id: str, sample_indices: npt.NDArray[np.integer[Any]]
) -> npt.NDArray[np.int64]:
    """Seeds (non-negative, 63 bits) of the draws `sample_indices` of a problem.

    BLAKE2b over (model, revision, adapter where there is one, sampling parameters with their seed,
    problem_id), then one splitmix64 step for each sample index. A seed depends on nothing else, so
    a draw has the same seed whichever draws are made before it or beside it.
    """
    return seeds_of(seed_bases(info, [problem_id]), np.asarray(sample_indices))


def seed_bases(info: RunInfo, problem_ids: Sequence[str]) -> npt.NDArray[np.uint64]:
    """The number of each problem that the seeds of its draws follow from; see `draw_seeds`."""
    key = json.dumps(
        [_model_identity(info.model), sorted(info.sampling.items())], separators=(",", ":")
    )
    shared = hashlib.blake2b(f"{key[:-1]},".encode(), digest_size=8)
    found = bytearray()
    for problem_id in problem_ids:
        digest = shared.copy()
        digest.update(f"{json.dumps(problem_id)}]".encode())
        found += digest.digest()
    return np.frombuffer(bytes(found), "<u8").astype(np.uint64)


def seeds_of(
    bases: npt.NDArray[np.uint64], sample_indices: npt.NDArray[np.integer[Any]]
) -> npt.NDArray[np.int64]:
    """The seeds of draws, from the numbers of their problems (`seed_bases`), broadcast."""
    steps = sample_indices.astype(np.uint64) + np.uint64(1)
    with np.errstate(over="ignore"):
        mixed = _splitmix64(bases + steps * np.uint64(0x9E3779B97F4A7C15))
    return (mixed >> np.uint64(1)).astype(np.int64)


def info_differences(a: RunInfo, b: RunInfo, *, same_run: bool) -> list[tuple[str, str]]:
    """(kind, message) of each difference between the run.json of two runs.

    Args:
        a: the run.json of one run.
        b: the run.json of the other run.
        same_run: compare everything that determines a draw, model and seed included; False
            compares what two models must have in common to be compared: tasks, prompt template,
            sampling parameters, as far as imported runs record them.
    """
    found: list[tuple[str, str]] = []
    if same_run:
        if _model_identity(a.model) != _model_identity(b.model):
            found.append(
                ("model", f"model {_name(a.model, b.model)} and {_name(b.model, a.model)}")
            )
        if a.engine.get("name") != b.engine.get("name"):
            found.append(("engine", f"engine {a.engine.get('name')} and {b.engine.get('name')}"))
    for key in sorted({*a.sampling, *b.sampling}):
        if key == "seed" and not same_run:
            continue
        if not same_run and (_unknown(a, key) or _unknown(b, key)):
            continue
        left, right = sampling_value(a.sampling, key), sampling_value(b.sampling, key)
        if left != right:
            found.append(("sampling", f"sampling.{key} {left!r} and {right!r}"))
    # The prompts of imported rollouts came with them, and no template was recorded.
    known = same_run or not (a.imported or b.imported)
    if known and a.prompt_template.get("sha256") != b.prompt_template.get("sha256"):
        found.append(("template", template_difference(a.prompt_template, b.prompt_template)))
    specs = [[(task.get("name"), str(task.get("spec"))) for task in info.tasks] for info in (a, b)]
    if known:
        same = len(specs[0]) == len(specs[1]) and all(
            x[0] == y[0] and _same_task(x[1], y[1], same_run=same_run)
            for x, y in zip(*specs, strict=True)
        )
    else:  # one of two files may name its tasks and the other not
        same = all(
            any(_same_task(spec, other, same_run=False) for _, other in theirs)
            for ours, theirs in (specs, specs[::-1])
            for _, spec in ours
        )
    if not same:
        found.append(("tasks", f"tasks {specs[0]} and {specs[1]}"))
    return found


def tasks_beyond(info: RunInfo, earlier: RunInfo) -> list[Mapping[str, Any]] | None:
    """The tasks of a run that an earlier run.json does not name, in their order.

    None where the earlier one names a task that is not the run's.
    """
    left = list(info.tasks)
    for task in earlier.tasks:
        same = [
            one
            for one in left
            if one.get("name") == task.get("name")
            and _same_task(str(one.get("spec")), str(task.get("spec")), same_run=True)
        ]
        if not same:
            return None
        left.remove(same[0])
    return left


def unrecorded(info: RunInfo) -> list[str]:
    """What the run.json of an imported run does not record of what determines its draws.

    Example:
        >>> unrecorded(RunInfo({}, {"name": "imported"}, {"top_p": 1.0, "max_tokens": 9}, {}, []))
        ['temperature', 'prompt template']
    """
    if not info.imported:
        return []
    names = [key for key in ("temperature", "top_p", "max_tokens") if _unknown(info, key)]
    return [*names, "prompt template"]


def _unknown(info: RunInfo, key: str) -> bool:
    """Whether an imported run does not record a sampling parameter; [] are stop texts of nobody."""
    return info.imported and info.sampling.get(key) in (None, [], ())


def _same_task(a: str, b: str, *, same_run: bool) -> bool:
    """Whether two specs pose the same problems, as far as specs show it.

    Files with one SHA-256 are one file, under any path. Where the run alone decides which
    problems were posed, the problems are compared and not the specs: two imports come from two
    files.
    """
    if a == b:
        return True
    scheme = a.partition(":")[0]
    if scheme != b.partition(":")[0]:
        return False
    if not same_run and _posed_by_run(scheme):
        return True
    options = [sorted(spec.rpartition("?")[2].split("&")) for spec in (a, b)]
    return options[0] == options[1] and any(o.startswith("sha256=") for o in options[0])


def _posed_by_run(scheme: str) -> bool:
    try:
        return scheme_of(scheme).posed_by_run
    except RlvrError:  # the package that added this kind of task is not installed here
        return False


def _name(model: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """A model in a message that compares it with another one."""
    name = f"{model.get('name')} at {model.get('revision') or 'no revision'}"
    if adapter := adapter_name(model):
        return f"{name} with the adapter {adapter}"
    return f"{name} without an adapter" if adapter_name(other) else name
