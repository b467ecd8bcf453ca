"""Following a plan: the run, its own options, and the samples that it is to have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rlvr_fast.errors import RunDirectoryError
from rlvr_fast.options import options_of
from rlvr_fast.sampling.finished import is_model_of, same_form
from rlvr_fast.sampling.options import SampleOptions
from rlvr_fast.sampling.parameters import SamplingParameters
from rlvr_fast.sampling.stage import wanted_of
from rlvr_fast.store import Run
from rlvr_fast.store.info import info_differences
from rlvr_fast.store.plan_file import planned_side, read_plan
from rlvr_fast.store.recorded import recorded_spec
from rlvr_fast.tasks import load_tasks

__all__ = ["PlannedRun", "planned_run", "recorded_options"]


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """A run that follows a plan.

    Attributes:
        run: the run.
        samples: the number of samples in all that it is to have, by problem_id.
        epsilon: the threshold of the plan.
    """

    run: Run
    samples: Mapping[str, int]
    epsilon: float

    @property
    def advice(self) -> str:
        """What the user is told after the draws."""
        return (
            f"Of the plan: compare with --epsilon {self.epsilon!r}, so that labels decided before "
            "keep their threshold."
        )

    def finished(
        self,
        model: str,
        options: SampleOptions,
        *,
        revision: str | None = None,
        adapter: str | Path | None = None,
    ) -> Run | None:
        """The run, where it is of this model and lacks no draw; None where it is not."""
        ours = is_model_of(self.run, model, options, revision=revision, adapter=adapter)
        lacks = next(self.run.iter_missing(wanted_of(self.run, self.samples)), None) is not None
        return self.run if ours and not lacks else None


def recorded_options(out: str | Path) -> dict[str, Any]:
    """The options that the run.json of a run gives, by their names on the command line.

    Raises:
        RunDirectoryError: no run, or one of imported rollouts.
    """
    info = Run.open(out, check=False).info
    if info.imported:
        raise RunDirectoryError(
            f"{out}: imported rollouts, which nothing here draws more of: draw them where they "
            "were drawn, and import them"
        )
    where = f"{Path(out) / 'run.json'}: sampling"
    parameters = SamplingParameters.from_mapping(info.sampling, where=where)
    return {
        "tasks": tuple(f"{task['name']}={task['spec']}" for task in info.tasks),
        "samples": max(info.requested_samples or 1, 1),
        "engine": info.engine["name"],
        **{each.name: getattr(parameters, each.name) for each in options_of(SamplingParameters)},
    }


def planned_run(out: str | Path, plan: str | Path, options: SampleOptions) -> PlannedRun:
    """The run `out` and what a plan asks of it.

    Args:
        out: the run directory, of either side of the plan.
        plan: the file.
        options: tasks, engine and sampling parameters have to be those of the run, as
            `recorded_options` gives them; the problems and their prompts are those that the run
            holds. The number of samples is the plan's.

    Raises:
        InvalidInputError: no plan, or one of other runs or problems.
        RunDirectoryError: no run, or options that differ from the run's.
    """
    run = Run.open(out)
    info = run.info
    asked = replace(info, sampling=options.sampling.to_json())
    asked = replace(asked, engine={**info.engine, "name": options.engine})
    if options.tasks != recorded_options(out)["tasks"]:
        tasks = load_tasks(options.tasks)
        given = [{"name": task.name, "spec": recorded_spec(task.spec)} for task in tasks]
        asked = replace(asked, tasks=given)
    _refuse(run, [text for _, text in info_differences(info, asked, same_run=True)])
    form = info.prompt_template
    if ("template" in options.given or options.prompt.given) and not same_form(form, options):
        _refuse(run, [f"prompt template {form.get('name')} and another one"])
    file = read_plan(plan)
    samples = planned_side(file, run).samples
    wanted_of(run, samples)
    return PlannedRun(run, samples, file.epsilon)


def _refuse(run: Run, found: Sequence[str]) -> None:
    if found:
        raise RunDirectoryError(
            f"{run.path}: a run that follows a plan keeps its options; they differ (there and "
            f"asked for): {'; '.join(found)}. Leave them out: they are taken from the run"
        )
