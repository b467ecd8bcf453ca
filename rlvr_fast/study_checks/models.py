"""The checks of the models of a study, of their prompts, and of what they need of the machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from rlvr_fast.errors import InvalidInputError, RlvrError, RunDirectoryError
from rlvr_fast.study_checks.faults import Faults
from rlvr_fast.study_checks.machine import check_memory, check_weights
from rlvr_fast.study_config import StudyConfig
from rlvr_fast.study_models import StudyModel, StudySide
from rlvr_fast.study_stages import ScoringPass, scoring_passes

if TYPE_CHECKING:
    import pyarrow as pa

    from rlvr_fast.sampling.engine import Engine
    from rlvr_fast.sampling.parameters import SamplingParameters
    from rlvr_fast.sampling.prompts import Template
    from rlvr_fast.sampling.unloaded import UnloadedModel
    from rlvr_fast.store import Run
    from rlvr_fast.tasks import Task

__all__ = ["check_models", "one_template"]


def one_template(
    sides: Sequence[StudySide], finished: Mapping[str, Run], remarks: list[str]
) -> list[StudySide]:
    """The sides with one form of prompts in the place of "auto", where draws are still to be made.

    The form of the runs that are there is kept. A model that cannot be read is left to the checks
    of models.

    Args:
        sides: the sides of a study.
        finished: the runs that have their draws.
        remarks: receives a sentence where the models have no common chat template.
    """
    from rlvr_fast.sampling.engines import engine_kind
    from rlvr_fast.sampling.prompt_forms import chat_template_of, one_form
    from rlvr_fast.store import Run

    open_sides = [s for s in sides if s.sample.template == "auto" and s.name not in finished]
    if not open_sides or not engine_kind(open_sides[0].sample.engine).from_files:
        return list(sides)
    held = {}
    for side in sides:
        if (side.path / "run.json").is_file():
            name = Run.open(side.path, check=False).info.prompt_template.get("name")
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


@dataclass(slots=True)
class _Known:
    """What the checks read of the models and sides.

    Attributes:
        models: by model and revision; None for one that cannot be read.
        parameters: the sampling parameters of each side.
        forms: the template of each side.
        tables: the problems of each side with its prompts.
    """

    models: dict[tuple[str, str | None], UnloadedModel | None] = field(default_factory=dict)
    parameters: dict[str, SamplingParameters] = field(default_factory=dict)
    forms: dict[str, Template] = field(default_factory=dict)
    tables: dict[str, pa.Table] = field(default_factory=dict)

    def model(self, model: StudyModel, faults: Faults) -> UnloadedModel | None:
        """A model without its weights; read once, and None where it cannot be read."""
        from rlvr_fast.sampling.unloaded import UnloadedModel

        key = model.weights
        if key not in self.models:
            self.models[key] = None
            with faults.kept():
                self.models[key] = UnloadedModel(model.model, revision=model.revision)
        return self.models[key]


def check_models(
    config: StudyConfig,
    sides: Sequence[StudySide],
    finished: Mapping[str, Run],
    tasks: Sequence[Task],
    faults: Faults,
    remarks: list[str],
) -> None:
    """Checks the models that have to be loaded, and only those.

    Args:
        config: the study.
        sides: its sides.
        finished: the runs that have their draws.
        tasks: the tasks; none where they have faults, and then prompts are not made.
        faults: receives what has to be put right.
        remarks: receives sentences for the user that are no faults.
    """
    from rlvr_fast.sampling.engines import engine_kind

    known = _Known()
    for side in sides:
        if side.name in finished:
            known.tables[side.name] = finished[side.name].problems()
        elif engine_kind(side.sample.engine).from_files:
            _check_drawing(side, tasks, known, faults)
        else:
            _check_served(side, known, faults)
    _check_common(config, sides, known, faults)
    _check_scoring(config, sides, finished, known, faults, remarks)


def _check_drawing(side: StudySide, tasks: Sequence[Task], known: _Known, faults: Faults) -> None:
    """Checks a model that draws, and the run that is there already."""
    from rlvr_fast.sampling.prompts import load_template
    from rlvr_fast.sampling.stage import posed_problems

    reader = known.model(side.model, faults)
    _check_parameters(side, known, faults)
    if reader is None:
        return
    if side.sample.engine == "transformers" and reader.architecture is None:
        faults.add(_no_causal_model(side.model.model))
    _check_adapter(side.model, faults, transformers=side.sample.engine == "transformers")
    with faults.kept():
        check_weights(side.model)
    with faults.kept():
        check_memory(side.model, side.sample.device, side.sample.dtype, side.sample.engine)
    if not tasks:  # they have faults of their own, and no prompts can be made
        with faults.kept():
            load_template(side.sample.template, cast("Engine", reader), side.sample.prompt)
        return
    with faults.kept():
        limit = side.sample.engine_args.get("max_model_len")
        if isinstance(limit, int):
            reader.context_length = min(limit, reader.context_length or limit)
        known.forms[side.name], known.tables[side.name] = posed_problems(
            cast("Engine", reader),
            tasks,
            template=side.sample.template,
            prompt=side.sample.prompt,
            path=side.path,
        )
    with faults.kept():
        _check_run(side, reader, tasks, known)


def _check_parameters(side: StudySide, known: _Known, faults: Faults) -> None:
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


def _check_served(side: StudySide, known: _Known, faults: Faults) -> None:
    """Checks a model that is not loaded from files: a server is asked for its models."""
    from rlvr_fast.sampling.engine import close_engine
    from rlvr_fast.sampling.engines import load_engine

    _check_parameters(side, known, faults)
    if side.sample.engine == "server":
        with faults.kept():
            close_engine(
                load_engine(
                    "server",
                    side.model.model,
                    revision=side.model.revision,
                    **side.sample.engine_arguments(),
                )
            )


def _check_adapter(model: StudyModel, faults: Faults, *, transformers: bool) -> None:
    """Checks the folder of an adapter, and the package by which transformers takes it."""
    from rlvr_fast.adapted_models import check_peft
    from rlvr_fast.adapters import check_adapter, read_adapter

    if model.adapter is not None:
        with faults.kept():
            check_adapter(read_adapter(model.adapter), model.model, model.revision)
            if transformers:
                check_peft()


def _no_causal_model(model: str) -> str:
    return (
        f"{model}: transformers has no causal language model of the kind that its config.json names"
    )


def _check_run(
    side: StudySide, reader: UnloadedModel, tasks: Sequence[Task], known: _Known
) -> None:
    """Refuses a folder that holds another run than the one that would be made.

    Raises:
        RunDirectoryError: such a folder; the message names the differences.
    """
    import pyarrow.compute as pc

    from rlvr_fast.adapters import same_adapter
    from rlvr_fast.store import Run
    from rlvr_fast.store.info import info_differences
    from rlvr_fast.store.problem_tables import problem_differences
    from rlvr_fast.store.recorded import recorded_name, recorded_spec

    if not (side.path / "run.json").exists() or side.name not in known.parameters:
        return
    run = Run.open(side.path)
    specs = {task.name: recorded_spec(task.spec) for task in tasks}
    asked = replace(
        run.info,
        model={
            **run.info.model,
            "name": recorded_name(side.model.model),
            "revision": reader.revision,
        },
        engine={**run.info.engine, "name": side.sample.engine},
        sampling=known.parameters[side.name].to_json(),
        prompt_template=known.forms[side.name].to_json(),
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
    config: StudyConfig, sides: Sequence[StudySide], known: _Known, faults: Faults
) -> None:
    """Refuses what the comparison would refuse after the draws: templates, prompts, sampling."""
    from rlvr_fast.store.problem_tables import align_problems, matched_differences

    base = sides[0]
    for side in sides[1:]:
        found: dict[str, str] = {}
        left, right = (known.forms.get(s.name) for s in (base, side))
        if left is not None and right is not None and left.sha256 != right.sha256:
            found["template"] = f"prompt template {left.name} and {right.name}"
        values = [known.parameters.get(s.name) for s in (base, side)]
        if values[0] is not None and values[1] is not None:
            here, there = (replace(each, seed=0) for each in values if each is not None)
            if here != there:
                found["sampling"] = "; ".join(
                    f"{name} {getattr(here, name)} and {getattr(there, name)}"
                    for name in here.__dataclass_fields__
                    if getattr(here, name) != getattr(there, name)
                )
        tables = known.tables.get(base.name), known.tables.get(side.name)
        known_both = tables[0] is not None and tables[1] is not None
        if known_both and config.sample.engine != "server":
            pairs = align_problems(*tables)
            if texts := matched_differences(*tables, pairs, imported=False):
                found["problems"] = "; ".join(texts)
        refused = [name for name in found if name not in config.compare.allow]
        if refused:
            faults.add(
                f"{base.name} and {side.name} would be no runs of one experiment: "
                + "; ".join(f"{name}: {found[name]}" for name in refused)
                + ". Make them alike, or allow the difference by name: allow: "
                f"[{', '.join(refused)}]"
            )


def _check_scoring(
    config: StudyConfig,
    sides: Sequence[StudySide],
    finished: Mapping[str, Run],
    known: _Known,
    faults: Faults,
    remarks: list[str],
) -> None:
    """Checks the models that have to score, and scores that are there already."""
    from rlvr_fast.scoring.finished import scores_finished

    def sampled(side: StudySide) -> Mapping[str, Any]:
        if side.name in finished:
            return finished[side.name].info.sampling
        parameters = known.parameters.get(side.name, side.sample.sampling)
        return parameters.to_json()

    for each in scoring_passes(config, sides, sampled):
        run = finished.get(each.side.name)
        done = False
        with faults.kept():
            done = run is not None and scores_finished(
                run,
                each.options,
                label=each.label,
                model=each.model.model,
                revision=each.model.revision,
                adapter=each.model.adapter,
            )
            _check_scores(each)
        if not done:
            _check_scorer(config, each, known, faults, remarks)


def _check_scorer(
    config: StudyConfig, each: ScoringPass, known: _Known, faults: Faults, remarks: list[str]
) -> None:
    from rlvr_fast.scoring.heads import architecture_of
    from rlvr_fast.scoring.prompts import scored_prompts

    reader = known.model(each.model, faults)
    if reader is None:
        return
    with faults.kept():
        if reader.architecture is None:
            raise InvalidInputError(_no_causal_model(each.model.model))
        architecture_of(reader.architecture)
    _check_adapter(each.model, faults, transformers=True)
    with faults.kept():
        check_memory(each.model, each.options.device, each.options.dtype, "transformers")
    table = known.tables.get(each.side.name)
    if table is not None and each.side.model.weights != each.model.weights:
        with faults.kept():
            scored_prompts(
                table,
                reader.tokenizer,
                each.model.model,
                where=str(each.side.path),
                messages=config.sample.engine == "server" and _messages(table),
            )
    drawer = known.models.get(each.side.model.weights)
    if drawer is not None and reader.context_length is not None:
        longest = each.side.sample.sampling.max_tokens
        if drawer.context_length is not None:
            longest = min(longest, drawer.context_length)
        remark = (
            f"a completion of {each.side.name} may have {longest:,} tokens, and the context of "
            f"{each.scorer.name}, which scores it, holds {reader.context_length:,} with the "
            "prompt: a longer completion would end the scoring"
        )
        if longest >= reader.context_length and drawer is not reader and remark not in remarks:
            remarks.append(remark)


def _messages(table: pa.Table) -> bool:
    return bool(len(table)) and str(table["prompt"][0].as_py()).startswith("[{")


def _check_scores(each: ScoringPass) -> None:
    """Refuses scores under the label of a pass that were made otherwise.

    Raises:
        RunDirectoryError: such scores; the message names the difference.
    """
    from rlvr_fast.scoring.finished import pass_of, scores_refused
    from rlvr_fast.store import Run

    if not (each.side.path / "run.json").is_file():
        return
    run = Run.open(each.side.path)
    label, scored = pass_of(run, each.options, each.label)
    stored = run.read_json(f"scores/{label}/scores.json")
    if stored is None or not run.num_samples(f"scores/{label}").any():
        return
    model = each.model
    refused = scores_refused(
        stored, each.options, scored, model.model, model.revision, model.adapter
    )
    if refused:
        raise RunDirectoryError(
            f"{run.path}: scores/{label} was made with {refused}; give the same model and options, "
            f"or remove {run.path / 'scores' / label}"
        )
