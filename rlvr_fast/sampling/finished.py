"""Whether a run holds every draw that is asked for: then no engine is loaded."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from rlvr_fast.adapters import same_adapter
from rlvr_fast.errors import InvalidInputError
from rlvr_fast.models import local_revision
from rlvr_fast.sampling.engine import Engine
from rlvr_fast.sampling.engines import engine_kind
from rlvr_fast.sampling.options import SampleOptions
from rlvr_fast.sampling.parameters import SamplingParameters
from rlvr_fast.sampling.prompts import load_template
from rlvr_fast.store import Run
from rlvr_fast.store.extending import tasks_in_order
from rlvr_fast.store.info import RunInfo, info_differences
from rlvr_fast.store.recorded import recorded_spec, same_model

if TYPE_CHECKING:
    from rlvr_fast.tasks import Task

__all__ = ["finished_run", "holds_all", "in_order_of", "is_model_of", "is_run_of", "same_form"]


def finished_run(
    path: str | Path,
    model: str,
    options: SampleOptions,
    tasks: Sequence[Task],
    *,
    revision: str | None = None,
    adapter: str | Path | None = None,
    first_sample: int = 0,
) -> Run | None:
    """The run in a folder, where it holds all draws of these options; None where it does not.

    Reads the run and a digest of the model's files, and loads nothing. A run that differs in
    anything from what is asked for is none of these: the engine is loaded, and `prepare_run` says
    what differs.

    Args:
        path: the run directory.
        model: as for `draw_run`. Where a local model is gone, its name decides.
        options: as for `draw_run`.
        tasks: those of the options.
        revision: branch, tag or commit of a Hugging Face name.
        adapter: folder of a LoRA adapter.
        first_sample: as for `draw_run`.

    Raises:
        RunDirectoryError: a damaged run.
        StorageError: a file cannot be read.
    """
    path = Path(path)
    if not (path / "run.json").is_file():
        return None
    run = Run.open(path)
    named: dict[str, Any] = {"revision": revision, "adapter": adapter}
    if not holds_all(run, model, options, tasks, first_sample=first_sample, **named):
        return None
    run.request(options.samples)
    return run


def holds_all(
    run: Run,
    model: str,
    options: SampleOptions,
    tasks: Sequence[Task],
    *,
    revision: str | None = None,
    adapter: str | Path | None = None,
    first_sample: int = 0,
) -> bool:
    """Whether a run holds all draws of these options; see `finished_run`."""
    named: dict[str, Any] = {"revision": revision, "adapter": adapter}
    tasks = in_order_of(run.info, tasks)
    return (
        is_run_of(run, model, options, tasks, **named)
        and _poses(run, tasks)
        and next(run.iter_missing(options.samples, first_sample=first_sample), None) is None
    )


def in_order_of(info: RunInfo, tasks: Sequence[Task]) -> list[Task]:
    """Tasks in the order of a run: its own, then the others; as they are where one is missing."""
    recorded = [{"name": task.name, "spec": recorded_spec(task.spec)} for task in tasks]
    places = tasks_in_order(info, recorded)
    return list(tasks) if places is None else [tasks[place] for place in places]


def is_run_of(
    run: Run,
    model: str,
    options: SampleOptions,
    tasks: Sequence[Task],
    *,
    revision: str | None = None,
    adapter: str | Path | None = None,
) -> bool:
    """Whether a run was drawn by a model with these options; see `finished_run`."""
    info = run.info
    parameters = options.sampling
    gave = info.model.get("generation_config") if options.sampling_from_model else None
    if isinstance(gave, dict):
        own = {name: getattr(parameters, name) for name in parameters.given}
        try:
            parameters = SamplingParameters.from_mapping({**gave, **own}, where=str(run.path))
        except InvalidInputError:  # the run.json of a stranger
            return False
    elif options.sampling_from_model:
        return False
    asked = replace(
        info,
        engine={**info.engine, "name": options.engine},
        sampling=parameters.to_json(),
        tasks=[{"name": task.name, "spec": recorded_spec(task.spec)} for task in tasks],
    )
    return (
        is_model_of(run, model, options, revision=revision, adapter=adapter)
        and not info_differences(info, asked, same_run=True)
        and same_form(info.prompt_template, options)
    )


def is_model_of(
    run: Run,
    model: str,
    options: SampleOptions,
    *,
    revision: str | None = None,
    adapter: str | Path | None = None,
) -> bool:
    """Whether a run was drawn by a model, whatever the other options; see `finished_run`."""
    local = engine_kind(options.engine).from_files
    revision = revision or (local_revision(model) if local else None)
    recorded = run.info.model
    return same_model(recorded, model, revision) and same_adapter(recorded.get("adapter"), adapter)


def same_form(recorded: Mapping[str, Any], options: SampleOptions) -> bool:
    """Whether a recorded template is the one asked for; the chat template is the model's own."""
    name = options.template
    if name == "auto" and recorded.get("name") in ("chat", "plain"):
        name = str(recorded["name"])
    messages = bool(recorded.get("messages"))
    reader = SimpleNamespace(
        prompt_form="messages" if messages else "tokens", chat_template="", model=""
    )
    try:
        form = load_template(name, cast(Engine, reader), options.prompt)
    except InvalidInputError:
        return False
    wanted = options.prompt.instruction
    own = recorded.get("instruction", "")  # with which a run goes on where "auto" is asked for
    instruction = own if wanted == "auto" else "" if wanted == "none" else wanted
    asked, there = replace(form, instruction=instruction).to_json(), dict(recorded)
    if name == "chat" and not messages:
        del asked["sha256"]
        there.pop("sha256", None)
    return asked == there


def _poses(run: Run, tasks: Sequence[Task]) -> bool:
    """Whether a run has the problems of tasks, in their order; prompts follow from them."""
    problems = [problem for task in tasks for problem in task.problems()]
    stored = run.problems().select(["problem_id", "task", "gold", "metadata"]).to_pylist()
    return len(stored) == len(problems) and all(
        row["problem_id"] == problem.problem_id
        and row["task"] == problem.task
        and row["gold"] == problem.gold
        and json.loads(row["metadata"]) == problem.metadata
        for row, problem in zip(stored, problems, strict=True)
    )
