"""Draws of a model to a run directory: tasks, engine, run and samples in one call."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import cast

from rlvr_fast.adapters import Adapter, read_adapter
from rlvr_fast.errors import InvalidInputError
from rlvr_fast.progress import Progress
from rlvr_fast.safe_files import check_tree
from rlvr_fast.sampling.engine import AdaptedEngine, Engine, close_engine
from rlvr_fast.sampling.engines import (
    BUILT_IN,
    check_adapts,
    check_honoured,
    engine_kind,
    load_engine,
)
from rlvr_fast.sampling.generation_config import sampling_from_model
from rlvr_fast.sampling.options import SampleOptions
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
    progress: Progress | None = None,
    tell: Callable[[str], None] | None = None,
) -> Run:
    """Draws until every problem has `options.samples` completions; draws only what is missing.

    Args:
        model: a local folder, a .gguf file or a Hugging Face name.
        out: the run directory, new or to be topped up.
        options: tasks, number of samples, engine and sampling parameters.
        revision: branch, tag or commit of a Hugging Face name.
        adapter: a folder of a LoRA adapter to draw with, or what `read_adapter` gave of it.
        engine: `model` in an engine, loaded with the adapter (`load_engine`), which the caller
            closes; by default the model is loaded, and freed after the draws.
        progress: called as progress("sample", draws done, draws in all).
        tell: called with each sentence that the engine has to say of its draws, as a server's count
            of tokens.

    Returns:
        The run.

    Raises:
        InvalidInputError: no such task, engine or model; an adapter that is damaged or does not
            fit the model, or an engine that draws with none; a prompt that the model cannot take; a
            sampling parameter that the engine does not honour, or a damaged value of it in the
            model's generation_config.json; an engine without log-probabilities that is asked for
            them.
        EngineError: the engine failed; the message says how many draws are stored.
        MissingDependencyError: the package of the engine or of a task is not installed.
        RunDirectoryError: `out` holds something else.
        StorageError: the file system refused to write the run, or another process is writing to
            the run.
    """
    check_tree(out)
    if options.logprobs and not engine_kind(options.engine).logprobs:
        able = ", ".join(name for name in BUILT_IN if engine_kind(name).logprobs)
        raise InvalidInputError(
            f"the engine {options.engine} gives no log-probabilities of its tokens; leave "
            f"--logprobs out, or take one of: {able}"
        )
    if adapter is not None:
        check_adapts(options.engine)
        adapter = adapter if isinstance(adapter, Adapter) else read_adapter(adapter)
    if engine is not None and (engine.name, engine.model) != (options.engine, model):
        raise InvalidInputError(
            f"the loaded engine is {engine.name} with {engine.model}, but the draws are asked of "
            f"{options.engine} with {model}"
        )
    tasks = load_tasks(options.tasks)
    parameters, from_model = options.sampling, None
    if options.sampling_from_model:
        folder = None if adapter is None else adapter.path
        from_model = sampling_from_model(parameters, model, revision, adapter=folder)
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
        run = prepare_run(
            out, drawing, tasks, parameters, template=options.template, from_model=from_model
        )
        try:
            sample_run(run, drawing, options.samples, logprobs=options.logprobs, progress=progress)
        finally:
            if tell is not None:
                for sentence in getattr(drawing, "told", ()):
                    tell(sentence)
    finally:
        if engine is None:
            close_engine(loaded)
    return run
