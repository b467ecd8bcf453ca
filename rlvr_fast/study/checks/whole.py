"""The checks of a study in their order, and what they found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rlvr_fast.errors import InvalidInputError, RlvrError, RunDirectoryError, require_none
from rlvr_fast.study.checks.faults import Faults
from rlvr_fast.study.checks.machine import check_disk
from rlvr_fast.study.checks.models import check_models, one_template
from rlvr_fast.study.checks.places import check_place, check_run_folder, check_writable
from rlvr_fast.study.config import StudyConfig
from rlvr_fast.study.models import StudySide

if TYPE_CHECKING:
    from rlvr_fast.sampling.parameters import SamplingParameters
    from rlvr_fast.store import Run
    from rlvr_fast.tasks import Problem, Task

__all__ = ["StudyCheck", "check_study"]


@dataclass(frozen=True, slots=True)
class StudyCheck:
    """What the checks of a study found.

    Attributes:
        sides: the models and their runs; a template "auto" is resolved to one form for all.
        runs: the runs that are there, by the name of the side.
        finished: those of them that have all draws already.
        parameters: the sampling parameters of the sides with draws to make, where they are known.
        tasks: the tasks.
        problems: their problems.
        faults: what has to be put right first.
        remarks: sentences for the user that are no faults.
    """

    sides: Sequence[StudySide]
    runs: Mapping[str, Run] = field(default_factory=dict)
    finished: Mapping[str, Run] = field(default_factory=dict)
    parameters: Mapping[str, SamplingParameters] = field(default_factory=dict)
    tasks: Sequence[Task] = ()
    problems: Sequence[Problem] = ()
    faults: Sequence[RlvrError] = ()
    remarks: Sequence[str] = ()

    def require(self) -> None:
        """Raises what stands in the way of the study: one error as it is, several as a list.

        Raises:
            SeveralFaults: several faults; the message numbers them.
            RlvrError: the only fault.
        """
        require_none(self.faults, "of this study; nothing was loaded or drawn")


def check_study(config: StudyConfig) -> StudyCheck:
    """Checks a study before anything is loaded, drawn or written.

    Checked are: the folder; tasks, their golds and what their verifiers need; the engine with its
    arguments, parameters and packages; of each model that has work to do its files, adapter,
    template, prompts, context and size; for scoring its architecture and tokenizer; the runs,
    gradings and scores that are there; what the comparison would refuse; room on the disk.

    Args:
        config: the study.
    """
    from rlvr_fast.store import Run

    faults = Faults()
    remarks: list[str] = []
    sides: list[StudySide] = []
    with faults.kept():
        sides = config.sides()
    if not sides:  # the names of the arms; the others may have faults of their own
        config = replace(config, arms={})
        sides = config.sides()
    _check_labels(sides, faults)
    out = Path(config.out)
    with faults.kept():
        check_place(out)
    with faults.kept():
        made = [side.path for side in sides if not side.path.is_file()]  # a file is said below
        check_writable([out, *made, out / "report"])
    tasks, problems = _check_tasks(config, faults)
    _check_engine(config, sides, faults)
    runs: dict[str, Run] = {}
    finished: dict[str, Run] = {}
    for side in sides:
        with faults.kept():
            check_run_folder(side.path)
            if (side.path / "run.json").is_file():
                runs[side.name] = Run.open(side.path)
        with faults.kept():
            if side.name in runs:
                _check_grading(config, runs[side.name])
        with faults.kept():
            if side.name in runs and tasks and _is_finished(side, runs[side.name], tasks):
                finished[side.name] = runs[side.name]
    with faults.kept():
        sides = one_template(sides, runs, finished, remarks)
    with faults.kept():
        _check_room(config, sides, runs, problems)
    parameters = check_models(config, sides, runs, finished, tasks, faults, remarks)
    return StudyCheck(
        sides=sides,
        runs=runs,
        finished=finished,
        parameters=parameters,
        tasks=tasks,
        problems=problems,
        faults=tuple(faults.found),
        remarks=tuple(remarks),
    )


def _check_labels(sides: Sequence[StudySide], faults: Faults) -> None:
    """Refuses labels by which a reader of the report could not tell two models apart."""
    owners: dict[str, str] = {}
    for side in sides:
        label = (side.model.label or "").strip().casefold()
        other = owners.setdefault(label, side.name) if label else side.name
        if other != side.name:
            faults.add(
                f"{other} and {side.name} have one label, {side.model.label!r}: the report could "
                "not tell them apart; give each its own"
            )


def _is_finished(side: StudySide, run: Run, tasks: Sequence[Task]) -> bool:
    """Whether the run of a side has all draws that are asked for."""
    from rlvr_fast.sampling.finished import holds_all

    model = side.model
    return holds_all(
        run, model.model, side.sample, tasks, revision=model.revision, adapter=model.adapter
    )


def _check_tasks(config: StudyConfig, faults: Faults) -> tuple[list[Task], list[Problem]]:
    """Loads each task; checks ids, golds and what the verifiers need."""
    from rlvr_fast.tasks import load_task, load_tasks
    from rlvr_fast.tasks.schemes import scheme_of

    tasks: list[Task] = []
    before = len(faults.found)
    with faults.kept():
        tasks = load_tasks(config.sample.tasks)
    if len(faults.found) > before:  # one of them: the others may have faults of their own
        for text in config.sample.tasks:
            head, colon, rest = text.partition(":")
            with faults.kept():
                load_task(head.rpartition("=")[2] + colon + rest)
        return [], []
    problems: list[Problem] = []
    owners: dict[str, str] = {}
    for task in tasks:
        posed: list[Problem] = []
        with faults.kept():
            posed = task.problems()
            if not posed:
                raise InvalidInputError(f"task {task.name!r} has no problem")
        problems += posed
        for problem in posed:
            if problem.problem_id in owners:
                faults.add(f"problems: the problem_id {problem.problem_id!r} comes twice")
            owners[problem.problem_id] = task.name
        with faults.kept():
            if scheme_of(task.spec).runs_programs:
                from rlvr_fast.tasks.sandbox import require_sandbox

                require_sandbox()
        with faults.kept():
            _check_golds(task, posed)
    if config.grade.verdicts == "imported":
        faults.add(
            "verdicts is 'imported', but a study draws its completions, and no verdicts come along;"
            " leave it out"
        )
    return tasks, problems


def _check_golds(task: Task, problems: Sequence[Problem]) -> None:
    verifier = task.verifier()
    if verifier.equivalence != "canonical":
        return
    lacking = [p.problem_id for p in problems if not (p.gold or "").strip()]
    if lacking:
        others = f" and {len(lacking) - 1} more of {len(problems)}" if len(lacking) > 1 else ""
        raise InvalidInputError(
            f"expected a gold answer for each problem of task {task.name!r}, which "
            f"{verifier.name} compares with; problem {lacking[0]!r}{others} has none"
        )


def _check_engine(config: StudyConfig, sides: Sequence[StudySide], faults: Faults) -> None:
    """Checks what the registry of engines knows of the engine, which is not loaded."""
    from rlvr_fast.sampling.engines import (
        check_adapts,
        check_arguments,
        check_honoured,
        check_logprobs,
        engine_kind,
    )

    options = config.sample
    name = options.engine
    with faults.kept():
        engine_kind(name)
        for arguments in {
            side.loaded[2]: side.sample.engine_arguments() for side in sides
        }.values():
            with faults.kept():
                check_arguments(name, arguments)
        with faults.kept():
            check_honoured(name, options.sampling)
        if options.logprobs:
            with faults.kept():
                check_logprobs(name)
        if any(side.model.adapter is not None for side in sides):
            with faults.kept():
                check_adapts(name)


def _check_grading(config: StudyConfig, run: Run) -> None:
    """Refuses a run that was graded by another policy, as grading would."""
    if config.grade.regrade:
        return
    policy = (run.read_json("grading.json") or {}).get("policy")
    if policy not in (None, config.grade.policy):
        raise RunDirectoryError(
            f"{run.path}: it was graded with policy {policy!r}, now {config.grade.policy!r} is "
            "asked for. Grade it as before, or with regrade: true, which grades it anew and "
            "keeps its samples"
        )


def _check_room(
    config: StudyConfig,
    sides: Sequence[StudySide],
    runs: Mapping[str, Run],
    problems: Sequence[Problem],
) -> None:
    """Refuses draws that do not fit the free disk, by the size of those that are there."""
    draws = held = size = 0
    for side in sides:
        draws += len(problems) * side.sample.samples
        if side.name in runs:
            run, samples = runs[side.name], side.sample.samples
            draws -= len(run.problems()) * samples - run.num_missing(samples)
            held += int(run.num_samples().sum())
            size += sum(part.stat().st_size for part in run.parts("samples"))
    if draws > 0:
        check_disk(Path(config.out), draws, size / held if held else None)
