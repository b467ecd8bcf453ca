"""Draws of a model to a run directory: tasks, engine, run and samples in one call."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.progress import Progress
from rlvr_fast.safe_files import check_tree
from rlvr_fast.sampling.engines import BUILT_IN, check_honoured, engine_kind, load_engine
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
    plan: str | Path | None = None,
    progress: Progress | None = None,
    tell: Callable[[str], None] | None = None,
) -> Run:
    """Draws until every problem has `options.samples` completions; draws only what is missing.

    Args:
        model: a local folder, a .gguf file or a Hugging Face name.
        out: the run directory, new or to be topped up.
        options: tasks, number of samples, engine and sampling parameters.
        revision: branch, tag or commit of a Hugging Face name.
        plan: a file of `rlvr-fast plan --out`: draws what it asks of the run `out`, instead of
            `options.samples` completions of every problem. See `sampling.planned.planned_run`.
        progress: called as progress("sample", draws done, draws in all).
        tell: called with each sentence that the engine has to say of its draws, as a server's count
            of tokens.

    Returns:
        The run.

    Raises:
        InvalidInputError: no such task, engine, model or plan; a prompt that the model cannot take;
            a sampling parameter that the engine does not honour, or a damaged value of it in the
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
    planned = None if plan is None else planned_run(out, plan, options)
    tasks = load_tasks(options.tasks) if planned is None else []
    parameters, from_model = options.sampling, None
    if options.sampling_from_model and planned is None:
        from_model = sampling_from_model(parameters, model, revision)
        parameters = from_model.parameters
        for remark in from_model.remarks:
            warnings.warn(f"{model}: {remark}", UserWarning, stacklevel=2)
    check_honoured(options.engine, parameters)
    engine = load_engine(options.engine, model, revision=revision, **options.engine_arguments())
    samples: int | Mapping[str, int] = options.samples
    if planned is None:
        run = prepare_run(
            out, engine, tasks, parameters, template=options.template, from_model=from_model
        )
    else:
        planned.check_prompts(options, engine)
        run, samples = planned.run, planned.samples
    try:
        sample_run(run, engine, samples, logprobs=options.logprobs, progress=progress)
    finally:
        if tell is not None:
            for sentence in getattr(engine, "told", ()):
                tell(sentence)
            if planned is not None:
                tell(
                    f"Of the plan: compare with --epsilon {planned.epsilon!r}, so that labels "
                    "decided before keep their threshold."
                )
    return run
