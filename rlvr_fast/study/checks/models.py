"""The checks of the models of a study, of their prompts, and of what they need of the machine."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from rlvr_fast.errors import RlvrError, RunDirectoryError
from rlvr_fast.store.info import RunInfo
from rlvr_fast.study.checks.faults import Faults
from rlvr_fast.study.checks.known import Known, check_adapter_of, context_of, no_causal_model
from rlvr_fast.study.checks.loading import check_loading
from rlvr_fast.study.checks.machine import check_memory, check_weights
from rlvr_fast.study.checks.scoring import check_scoring
from rlvr_fast.study.config import StudyConfig
from rlvr_fast.study.models import StudySide

if TYPE_CHECKING:
    from rlvr_fast.sampling.engine import Engine
    from rlvr_fast.sampling.parameters import SamplingParameters
    from rlvr_fast.store import Run
    from rlvr_fast.tasks import Task

__all__ = ["check_models", "one_template"]


def one_template(
    sides: Sequence[StudySide],
    runs: Mapping[str, Run],
    finished: Mapping[str, Run],
    remarks: list[str],
) -> list[StudySide]:
    """The sides with one form of prompts in the place of "auto", where draws are still to be made.

    The form of the runs that are there is kept. A model that cannot be read is left to the checks
    of models.

    Args:
        sides: the sides of a study.
        runs: the runs that are there.
        finished: the runs that have their draws.
        remarks: receives a sentence where the models have no common chat template.
    """
    from rlvr_fast.sampling.engines import engine_kind
    from rlvr_fast.sampling.prompt_forms import chat_template_of, one_form

    open_sides = [s for s in sides if s.sample.template == "auto" and s.name not in finished]
    if not open_sides or not engine_kind(open_sides[0].sample.engine).from_files:
        return list(sides)
    held = {}
    for side in sides:
        if side.name in runs:
            name = runs[side.name].info.prompt_template.get("name")
            if name in ("chat", "plain") and side.sample.template == "auto":
                held[side.name] = str(name)
    forms = set(held.values())
    if len(forms) == 1:
        form = forms.pop()
    else:
        models = {side.model.weights: side for side in sides if side.sample.template == "auto"}
        try:
            templates = [
                (side.model.model, chat_template_of(*side.model.weights))
                for side in models.values()
            ]
        except RlvrError:
            return list(sides)
        form = one_form(templates, tell=remarks.append)
    return [
        replace(s, sample=replace(s.sample, template=held.get(s.name, form)))
        if s in open_sides
        else s
        for s in sides
    ]


def check_models(
    config: StudyConfig,
    sides: Sequence[StudySide],
    runs: Mapping[str, Run],
    finished: Mapping[str, Run],
    tasks: Sequence[Task],
    faults: Faults,
    remarks: list[str],
) -> dict[str, SamplingParameters]:
    """Checks the models that have to be loaded, and only those.

    Args:
        config: the study.
        sides: its sides.
        runs: the runs that are there.
        finished: the runs that have their draws.
        tasks: the tasks; none where they have faults, and then prompts are not made.
        faults: receives what has to be put right.
        remarks: receives sentences for the user that are no faults.

    Returns:
        The sampling parameters of the sides with draws to make, where they are known.
    """
    from rlvr_fast.sampling.engines import engine_kind

    known = Known(runs)
    for side in sides:
        if side.name in finished:
            known.tables[side.name] = finished[side.name].problems()
            known.templates[side.name] = finished[side.name].info.prompt_template
        elif engine_kind(side.sample.engine).from_files:
            _check_drawing(side, tasks, known, faults)
        else:
            _check_served(side, tasks, known, faults)
    _check_common(config, sides, finished, known, faults)
    remarks += _one_model(sides, known)
    check_scoring(config, sides, finished, known, faults, remarks)
    return known.parameters


def _check_drawing(side: StudySide, tasks: Sequence[Task], known: Known, faults: Faults) -> None:
    """Checks a model that draws, and the run that is there already."""
    from rlvr_fast.sampling.prompts import load_template
    from rlvr_fast.sampling.stage import check_values

    reader = known.model(side.model, faults)
    _check_parameters(side, known, faults)
    check_loading(side, faults)
    if reader is None:
        return
    if side.sample.engine == "transformers" and reader.architecture is None:
        faults.add(no_causal_model(side.model.model))
    check_adapter_of(side.model, faults, transformers=side.sample.engine == "transformers")
    with faults.kept():
        check_weights(side.model)
    with faults.kept():
        check_memory(side.model, side.sample.device, side.sample.dtype, side.sample.engine)
    with faults.kept():
        if side.name in known.parameters:
            check_values(cast("Engine", reader), known.parameters[side.name])
    if not tasks:  # they have faults of their own, and no prompts can be made
        with faults.kept():
            load_template(side.sample.template, cast("Engine", reader), side.sample.prompt)
        return
    with faults.kept():
        reader = copy.copy(reader)  # other sides of this model may have other limits
        reader.context_length = context_of(side, reader)
        _pose(side, cast("Engine", reader), tasks, known)
    with faults.kept():
        _check_run(side, reader.revision, tasks, known)


def _pose(side: StudySide, engine: Engine, tasks: Sequence[Task], known: Known) -> None:
    """Makes the prompts of a side."""
    from rlvr_fast.sampling.stage import posed_problems

    form, known.tables[side.name] = posed_problems(
        engine, tasks, template=side.sample.template, prompt=side.sample.prompt, path=side.path
    )
    known.templates[side.name] = form.to_json()


def _check_parameters(side: StudySide, known: Known, faults: Faults) -> None:
    """Finds the sampling parameters of a side, which its model may give, and checks them."""
    from rlvr_fast.sampling.engines import check_honoured
    from rlvr_fast.sampling.generation_config import sampling_from_model

    parameters = side.sample.sampling
    with faults.kept():
        if side.sample.sampling_from_model:
            folder = None if side.model.adapter is None else Path(side.model.adapter)
            found = sampling_from_model(
                parameters, side.model.model, side.model.revision, adapter=folder
            )
            parameters = found.parameters
            check_honoured(side.sample.engine, parameters)
        known.parameters[side.name] = parameters


def _check_served(side: StudySide, tasks: Sequence[Task], known: Known, faults: Faults) -> None:
    """Checks a model that is not loaded from files: a server is asked for its models."""
    from rlvr_fast.sampling.engine import close_engine
    from rlvr_fast.sampling.engines import load_engine
    from rlvr_fast.sampling.prompts import load_template
    from rlvr_fast.sampling.stage import check_values

    _check_parameters(side, known, faults)
    check_loading(side, faults)
    if side.sample.engine != "server":
        return
    with faults.kept():
        engine = load_engine(
            "server",
            side.model.model,
            revision=side.model.revision,
            **side.sample.engine_arguments(),
        )
        try:
            if side.name in known.parameters:
                with faults.kept():
                    check_values(engine, known.parameters[side.name])
            if getattr(engine, "prompt_form", "tokens") != "tokens" or not tasks:
                # Without a tokenizer here the server would have to be asked for every prompt.
                load_template(side.sample.template, engine, side.sample.prompt)
                return
            _pose(side, engine, tasks, known)
        finally:
            close_engine(engine)
        _check_run(side, None, tasks, known)


def _check_run(side: StudySide, revision: str | None, tasks: Sequence[Task], known: Known) -> None:
    """Refuses a folder that holds another run than the one that would be made.

    Raises:
        RunDirectoryError: such a folder; the message names the differences.
    """
    import pyarrow.compute as pc

    from rlvr_fast.adapters import same_adapter
    from rlvr_fast.store.info import info_differences
    from rlvr_fast.store.problem_tables import problem_differences
    from rlvr_fast.store.recorded import recorded_name, recorded_spec

    run = known.runs.get(side.name)
    if run is None or side.name not in known.parameters or side.name not in known.templates:
        return  # what is wrong with them is said already
    specs = {task.name: recorded_spec(task.spec) for task in tasks}
    asked = replace(
        run.info,
        model={
            **run.info.model,
            "name": recorded_name(side.model.model),
            "revision": revision,
        },
        engine={**run.info.engine, "name": side.sample.engine},
        sampling=known.parameters[side.name].to_json(),
        prompt_template=known.templates[side.name],
        # Further tasks may come to those of a run.
        tasks=[
            {"name": each["name"], "spec": specs[each["name"]]}
            for each in run.info.tasks
            if each["name"] in specs
        ],
    )
    found = [text for _, text in info_differences(run.info, asked, same_run=True)]
    posed = known.tables[side.name]
    own = pc.index_in(run.problems()["problem_id"], value_set=posed["problem_id"])
    found += problem_differences(run.problems(), posed.take(own.drop_null()))
    if not same_adapter(run.info.model.get("adapter"), side.model.adapter):
        held = (run.info.model.get("adapter") or {}).get("name", "none")
        found.append(f"adapter {held} and {side.model.adapter or 'none'}")
    if found:
        raise RunDirectoryError(
            f"{side.path}: holds another run (there and asked for): {'; '.join(found)}. "
            "Give the study another folder (out), or the options that this run was made with"
        )


def _check_common(
    config: StudyConfig,
    sides: Sequence[StudySide],
    finished: Mapping[str, Run],
    known: Known,
    faults: Faults,
) -> None:
    """Refuses what the comparison would refuse after the draws: templates, prompts, sampling."""
    from rlvr_fast.store.info import info_differences
    from rlvr_fast.store.problem_tables import align_problems, matched_differences

    base = sides[0]
    for side in sides[1:]:
        # What is not known of one of the two is left to the comparison.
        forms = [known.templates.get(each.name) for each in (base, side)]
        values = [_sampling_of(each, finished, known) for each in (base, side)]
        left, right = (
            RunInfo(
                model={},
                engine={},
                sampling={} if None in values else value or {},
                prompt_template={} if None in forms else form or {},
                tasks=[],
            )
            for form, value in zip(forms, values, strict=True)
        )
        found: dict[str, list[str]] = {}
        for kind, text in info_differences(left, right, same_run=False):
            found.setdefault(kind, []).append(text)
        tables = known.tables.get(base.name), known.tables.get(side.name)
        known_both = tables[0] is not None and tables[1] is not None
        if known_both:
            pairs = align_problems(*tables)
            if texts := matched_differences(
                *tables, pairs, imported=False, prompts="template" not in found
            ):
                found["problems"] = texts
        refused = [name for name in found if name not in config.compare.allow]
        if refused:
            faults.add(
                f"{base.name} and {side.name} would be no runs of one experiment: "
                + "; ".join(f"{name}: {'; '.join(found[name])}" for name in refused)
                + ". Make them alike, or allow the difference by name: allow: "
                f"[{', '.join(refused)}]"
            )


def _one_model(sides: Sequence[StudySide], known: Known) -> list[str]:
    """A sentence where the model of base is that of another side with the same draws."""
    from rlvr_fast.adapters import read_adapter

    keys: dict[str, tuple[object, ...]] = {}
    for side in sides:
        reader = known.models.get(side.model.weights)
        if reader is None or side.name not in known.templates:
            continue
        digest = (reader.revision or "").startswith("sha256:")
        adapter = None
        if side.model.adapter is not None:
            try:
                adapter = read_adapter(side.model.adapter).sha256
            except RlvrError:  # said by the checks of adapters
                continue
        keys[side.name] = (
            reader.revision if digest else side.model.weights,
            adapter,
            known.templates[side.name].get("sha256"),
            known.parameters.get(side.name),
        )
    base = sides[0].name
    return [
        f"{base} and {name} are one model with the same seeds and prompts: their completions will "
        "be the same, and say nothing of a difference"
        for name, key in keys.items()
        if name != base and key == keys.get(base)
    ]


def _sampling_of(
    side: StudySide, finished: Mapping[str, Run], known: Known
) -> Mapping[str, Any] | None:
    """The sampling parameters of a side as run.json has them; None where they are not known."""
    if side.name in finished:
        return finished[side.name].info.sampling
    parameters = known.parameters.get(side.name)
    return None if parameters is None else parameters.to_json()
