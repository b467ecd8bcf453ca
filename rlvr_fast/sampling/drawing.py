"""Draws of a model to a run directory: tasks, engine, run and samples in one call."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import cast

from rlvr_fast.adapters import Adapter, read_adapter
from rlvr_fast.errors import InvalidInputError
from rlvr_fast.progress import Progress
from rlvr_fast.safe_files import check_tree
from rlvr_fast.sampling.engine import AdaptedEngine, Engine, close_engine
from rlvr_fast.sampling.engines import (
    check_adapts,
    check_honoured,
    check_logprobs,
    load_engine,
)
from rlvr_fast.sampling.finished import finished_run
from rlvr_fast.sampling.generation_config import sampling_from_model
from rlvr_fast.sampling.options import SampleOptions
from rlvr_fast.sampling.planned import planned_run
from rlvr_fast.sampling.stage import prepare_run, sample_run
from rlvr_fast.store import Run
from rlvr_fast.tasks import load_tasks

__all__ = ["draw_run"]


def draw_run(
    model: str,
    out: str | Path,
    options: SampleOptions,
    *,
    revision: str | None = None,
    adapter: str | Path | Adapter | None = None,
    engine: Engine | None = None,
    plan: str | Path | None = None,
    first_sample: int = 0,
    progress: Progress | None = None,
    tell: Callable[[str], None] | None = None,
) -> Run:
    """Draws until every problem has `options.samples` completions; draws only what is missing.

    Where nothing is missing, no engine is loaded, and a local model need not be there.

    Args:
        model: a local folder, a .gguf file or a Hugging Face name.
        out: the run directory, new or to be topped up.
        options: tasks, number of samples, engine and sampling parameters.
        revision: branch, tag or commit of a Hugging Face name.
        adapter: a folder of a LoRA adapter to draw with, or what `read_adapter` gave of it.
        engine: `model` in an engine, loaded with the adapter (`load_engine`), which the caller
            closes; by default the model is loaded, and freed after the draws.
        plan: a file of `rlvr-fast plan --out`: draws what it asks of the run `out`, instead of
            `options.samples` completions of every problem. See `sampling.planned.planned_run`.
        first_sample: draws the samples of each problem from this index on, up to `options.samples`:
            those below are drawn into another run, which `store.merge_runs` joins to this one.
        progress: called as progress("sample", draws done, draws in all).
        tell: called with sentences for the user: the prompt of the first problem, what is put
            below the questions, and what the engine has to say of its draws, as a server's count
            of tokens.

    Returns:
        The run.

    Raises:
        InvalidInputError: no such task, engine, model or plan; an adapter that is damaged or does
            not fit the model, or an engine that draws with none; a prompt that the model cannot
            take; a sampling parameter that the engine does not honour, or a damaged value of it in
            the
            model's generation_config.json; an engine without log-probabilities that is asked for
            them; a first sample that is not below `options.samples`.
        EngineError: the engine failed; the message says how many draws are stored.
        MissingDependencyError: the package of the engine or of a task is not installed.
        RunDirectoryError: `out` holds something else.
        StorageError: the file system refused to write the run, or another process is writing to
            the run.
    """
    check_tree(out)
    if first_sample and (plan is not None or not 0 <= first_sample < options.samples):
        raise InvalidInputError(
            f"--first-sample {first_sample}: expected a number below --samples "
            f"({options.samples}), and no --plan, which has numbers of its own"
        )
    if options.logprobs:
        check_logprobs(options.engine)
    if adapter is not None:
        check_adapts(options.engine)
    if engine is not None and (engine.name, engine.model) != (options.engine, model):
        raise InvalidInputError(
            f"the loaded engine is {engine.name} with {engine.model}, but the draws are asked of "
            f"{options.engine} with {model}"
        )
    folder = adapter.path if isinstance(adapter, Adapter) else adapter
    planned = None if plan is None else planned_run(out, plan, options)
    tasks = load_tasks(options.tasks) if planned is None else []
    if planned is None:
        done = finished_run(
            out,
            model,
            options,
            tasks,
            revision=revision,
            adapter=folder,
            first_sample=first_sample,
        )
    else:
        done = planned.finished(model, options, revision=revision, adapter=folder)
    if done is not None:
        return done
    if isinstance(adapter, str | Path):
        adapter = read_adapter(adapter)
    parameters, from_model = options.sampling, None
    if options.sampling_from_model and planned is None:
        from_model = sampling_from_model(
            parameters, model, revision, adapter=None if adapter is None else adapter.path
        )
        parameters = from_model.parameters
        for remark in from_model.remarks:
            warnings.warn(f"{model}: {remark}", UserWarning, stacklevel=2)
    check_honoured(options.engine, parameters)
    loaded = engine or load_engine(
        options.engine,
        model,
        revision=revision,
        adapters=() if adapter is None else (adapter,),
        **options.engine_arguments(),
    )
    try:
        drawing = loaded if adapter is None else cast(AdaptedEngine, loaded).adapted(adapter)
        samples: int | Mapping[str, int] = options.samples
        if planned is None:
            run = prepare_run(
                out,
                drawing,
                tasks,
                parameters,
                template=options.template,
                prompt=options.prompt,
                from_model=from_model,
                tell=tell,
            )
        else:
            run, samples = planned.run, planned.samples
        try:
            sample_run(
                run,
                drawing,
                samples,
                logprobs=options.logprobs,
                first_sample=first_sample,
                progress=progress,
            )
        finally:
            if tell is not None:
                for sentence in getattr(drawing, "told", ()):
                    tell(sentence)
                if planned is not None:
                    tell(planned.advice)
    finally:
        if engine is None:
            close_engine(loaded)
    return run
