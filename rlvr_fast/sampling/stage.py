"""The sampling stage: makes a run directory of problems, and its missing samples."""

from __future__ import annotations

import json
import platform
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from rlvr_fast.errors import EngineError, InvalidInputError, RunDirectoryError, shown
from rlvr_fast.progress import Progress
from rlvr_fast.sampling.engine import Engine, LogprobEngine, Request
from rlvr_fast.sampling.engines import engine_packages
from rlvr_fast.sampling.finished import in_order_of
from rlvr_fast.sampling.generation_config import ModelSampling
from rlvr_fast.sampling.instructions import choose_instructions
from rlvr_fast.sampling.parameters import SamplingParameters
from rlvr_fast.sampling.pending import PendingDraws
from rlvr_fast.sampling.prompt_checks import (
    check_held,
    check_questions,
    check_read,
    first_prompt,
)
from rlvr_fast.sampling.prompt_options import PromptOptions
from rlvr_fast.sampling.prompts import Template, load_template
from rlvr_fast.store import Run
from rlvr_fast.store.info import adapter_digest, adapter_name
from rlvr_fast.store.missing import wanted_samples
from rlvr_fast.store.recorded import recorded_adapter, recorded_name
from rlvr_fast.tasks.schemes import scheme_packages

if TYPE_CHECKING:
    from rlvr_fast.tasks import Problem, Task

__all__ = ["check_values", "posed_problems", "prepare_run", "sample_run", "wanted_of"]

_FLUSH_ROWS = 20_000
_FLUSH_BYTES = 64 << 20
# Problems whose prompts are in memory as lists of token ids.
_REQUESTS = 1000
_PROGRESS_SECONDS = 0.2


def prepare_run(
    path: str | Path,
    engine: Engine,
    tasks: Sequence[Task],
    parameters: SamplingParameters,
    *,
    template: str = "auto",
    prompt: PromptOptions = PromptOptions(),
    from_model: ModelSampling | None = None,
    tell: Callable[[str], None] | None = None,
) -> Run:
    """Makes the run directory `path` for the problems of `tasks`, or opens it if it is that run.

    A run that has only some of the tasks gets the others: the tasks have to name all of its own.

    Args:
        path: the run directory.
        engine: the model that will draw.
        tasks: where the problems come from.
        parameters: how the completions will be drawn.
        template: "auto", "plain", "chat" or a text file that holds {question}; see
            `prompts.load_template`.
        prompt: what stands around the questions.
        from_model: where `parameters` come from, if the model gave some. run.json records what it
            gave as "generation_config" of its "model", beside the notes of the engine.
        tell: called with sentences for the user, the prompt of the first problem among them.

    Raises:
        InvalidInputError: sampling parameters that the model cannot draw with; as
            `load_template`; a chat template whose prompt does not hold the
            question, the system message or the examples, or that never reads an argument; a
            prompt that is longer than the model's context or holds token ids the model does not
            have (the message names the problem); a problem_id that comes twice.
        RunDirectoryError: `path` holds something else; the message names what differs.
    """
    check_values(engine, parameters)
    if (Path(path) / "run.json").exists():
        tasks = in_order_of(Run.open(path, check=False).info, tasks)
    form, table = posed_problems(
        engine, tasks, template=template, prompt=prompt, path=path, tell=tell
    )
    model: dict[str, Any] = {"name": engine.model, "revision": engine.revision}
    if (adapter := getattr(engine, "adapter", None)) is not None:
        model["adapter"] = recorded_adapter(adapter.path, adapter.sha256)
    notes = list(engine.notes)
    if from_model is not None:
        model["generation_config"] = dict(from_model.gave)
        notes += from_model.notes
    drawn_by: dict[str, Any] = {"name": engine.name, "version": engine.version, "notes": notes}
    arguments = dict(getattr(engine, "recorded", {}))
    if arguments:
        drawn_by["arguments"] = arguments
    run = Run.create(
        path,
        model=model,
        engine=drawn_by,
        sampling=parameters.to_json(),
        prompt_template=form.to_json(),
        tasks=[{"name": task.name, "spec": task.spec} for task in tasks],
        problems=table,
        versions=_versions(),
    )
    _compare_arguments(run, arguments)
    return run


def check_values(engine: Engine, parameters: SamplingParameters) -> None:
    """Refuses sampling parameters that a model cannot draw with, before a run is made.

    Args:
        engine: the model that will draw, or one whose weights are not loaded.
        parameters: how the completions will be drawn.

    Raises:
        InvalidInputError: such a value; the message names it.
    """
    parameters.check_vocabulary(engine.model, engine.vocab_size)
    check = getattr(engine, "check_parameters", None)
    if check is not None:
        check(parameters)


def _compare_arguments(run: Run, arguments: dict[str, Any]) -> None:
    """Warns where a run was begun with other arguments of the engine."""
    begun = dict(run.info.engine.get("arguments") or {})
    given = json.loads(json.dumps(arguments))
    if begun != given:
        other = [name for name in {**begun, **given} if begun.get(name) != given.get(name)]
        told = ", ".join(
            f"{name} {shown(begun.get(name))}, not {shown(given.get(name))}" for name in other[:5]
        )
        warnings.warn(
            f"{run.path}: begun with other arguments of the engine ({told}); run.json keeps those, "
            "and the missing draws are made with the new ones",
            UserWarning,
            stacklevel=3,
        )


def posed_problems(
    engine: Engine,
    tasks: Sequence[Task],
    *,
    template: str,
    prompt: PromptOptions,
    path: str | Path,
    tell: Callable[[str], None] | None = None,
) -> tuple[Template, pa.Table]:
    """The template and the problems of a run, with the prompts that an engine is given.

    Args:
        engine: the model that will draw, or one whose weights are not loaded.
        tasks: as for `prepare_run`.
        template: as for `prepare_run`.
        prompt: as for `prepare_run`.
        path: the run directory.
        tell: as for `prepare_run`.

    Raises:
        InvalidInputError: as `prepare_run`.
    """
    tell = tell or (lambda sentence: None)
    form = load_template(template, engine, prompt)
    problems: list[Problem] = [problem for task in tasks for problem in task.problems()]
    special = form.name != "chat"  # a chat template writes the special tokens itself
    check_questions(form, problems, engine)
    form, instructions = choose_instructions(
        prompt.instruction, form, tasks, problems, path=path, tell=tell
    )
    asked = list(zip(problems, instructions, strict=True))
    prompts: list[str] = []
    if asked:
        # Before the others are made: examples longer than the context would fill the memory.
        first = form.render(problems[0].question, engine, instructions[0])
        if getattr(engine, "prompt_form", "tokens") == "tokens":
            _check_prompt(problems[0], engine.encode([first], special_tokens=special)[0], engine)
        prompts = [form.render(problem.question, engine, text) for problem, text in asked]
        if prompts[0] != first:
            raise InvalidInputError(
                f"the chat template of {engine.model} gives one question two different prompts, "
                "as by a random number: a run could not go on with them; use --template plain, or "
                "a text file that holds {question}"
            )
    if form.name == "chat" and not form.messages:
        check_held(form, problems, instructions, prompts, engine)
    if form.told_date:
        tell(
            f"the chat template asks for the date: it is told {form.told_date}, whenever the "
            "prompts are made (--template-arg strftime_now=2025-01-31 tells another one)"
        )
    if prompts:
        tell(first_prompt(problems[0].problem_id, prompts[0]))
    encoded = engine.encode(prompts, special_tokens=special)
    for problem, ids in zip(problems, encoded, strict=True):
        _check_prompt(problem, ids, engine)
    if form.messages and form.arguments and encoded:
        check_read(form, problems[0], prompts[0], encoded[0], engine)
    return form, pa.table(
        {
            "problem_id": [problem.problem_id for problem in problems],
            "task": [problem.task for problem in problems],
            "prompt": prompts,
            "prompt_token_ids": pa.array(encoded, pa.list_(pa.int32())),
            "gold": pa.array([problem.gold for problem in problems], pa.string()),
            "metadata": [
                json.dumps(problem.metadata, ensure_ascii=False, sort_keys=True)
                for problem in problems
            ],
        }
    )


def _check_prompt(problem: Problem, ids: Sequence[int], engine: Engine) -> None:
    where = f"problem {problem.problem_id!r}"
    if not ids and getattr(engine, "prompt_form", "tokens") != "tokens":
        return  # an engine without a tokenizer need not know the ids
    if not ids:
        raise InvalidInputError(f"{where}: its prompt has no tokens")
    if max(ids) >= engine.vocab_size:
        raise InvalidInputError(
            f"{where}: its prompt holds token id {max(ids)}, but {engine.model} has "
            f"{engine.vocab_size} tokens; is the tokenizer the model's own?"
        )
    context = engine.context_length
    if context is not None and len(ids) >= context:
        raise InvalidInputError(
            f"{where}: its prompt has {len(ids)} tokens, but the context of {engine.model} holds "
            f"{context} with the completion; leave the problem out or take another model"
        )


def _versions() -> dict[str, str]:
    """The versions of everything that may decide a draw or a verdict, where it is installed."""
    found = {"python": platform.python_version()}
    for package in ("rlvr-fast", "pyarrow", *engine_packages(), *scheme_packages()):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def sample_run(
    run: Run,
    engine: Engine,
    num_samples: int | Mapping[str, int],
    *,
    logprobs: bool = False,
    first_sample: int = 0,
    progress: Progress | None = None,
    flush_seconds: float = 5.0,
) -> int:
    """Makes the draws that `run` lacks to have `num_samples` samples a problem; returns how many.

    Finished draws are stored every `flush_seconds`, beside the drawing of others, and when
    anything, Ctrl-C included, ends the stage early. A killed stage loses no more than the draws of
    the last two of these spans; given again it makes exactly the missing ones, each with the seed
    it would have had.

    Args:
        run: as `prepare_run` returned it.
        engine: the model that draws, the one of the run.
        num_samples: completions a problem, in all: one number, or one for each of some problems by
            their ids. Others are left as they are.
        logprobs: store the log-probability of each token drawn, where the engine's kind says that
            it has them.
        first_sample: the lowest sample index of a problem that is drawn.
        progress: called as progress("sample", draws done, draws in all).
        flush_seconds: how often finished draws are stored.

    Raises:
        InvalidInputError: num_samples < 1; a problem that is not of the run.
        RunDirectoryError: the run is of another model or engine.
        EngineError: the engine failed; the message says how many draws are stored.
        StorageError: the file system refused to write the run, or another process is writing to
            the run.
    """
    _check_engine(run, engine)
    where = f"{run.path / 'run.json'}: sampling"
    parameters = SamplingParameters.from_mapping(run.info.sampling, where=where)
    with run.appending("samples") as appender:
        wanted = wanted_of(run, num_samples)
        run.request(num_samples)
        total = run.num_missing(wanted, first_sample=first_sample)
        pending = PendingDraws()
        made, flushed, told = 0, time.monotonic(), 0.0
        if progress is not None and total:
            progress("sample", 0, total)
        requests = _requests(run, wanted, first_sample)
        if logprobs:
            draws = cast(LogprobEngine, engine).generate(requests, parameters, logprobs=True)
        else:
            draws = engine.generate(requests, parameters)
        try:
            for completion in draws:
                pending.add(completion)
                made += 1
                now = time.monotonic()
                full = len(pending) >= _FLUSH_ROWS or pending.size >= _FLUSH_BYTES
                if full or now - flushed >= flush_seconds:
                    appender.append(pending.table())
                    pending, flushed = PendingDraws(), time.monotonic()
                if progress is not None and now - told >= _PROGRESS_SECONDS:
                    progress("sample", made, total)
                    told = now
            if pending:
                appender.append(pending.table())
                pending = PendingDraws()
            appender.settle()
        except BaseException as error:
            close = getattr(draws, "close", None)
            if close is not None:
                close()  # ends the threads of the engine
            run.forget_index()  # an interrupt may have left the index half updated
            appender.rescue(pending.table())
            if isinstance(error, EngineError):
                asked = int(np.maximum(wanted - first_sample, 0).sum())
                raise EngineError(
                    f"{error}. {asked - total + made} of {asked} draws are stored in {run.path}; "
                    "the same command makes the others"
                ) from None
            raise
        if progress is not None and made:
            progress("sample", made, total)
    return made


def wanted_of(run: Run, num_samples: int | Mapping[str, int]) -> npt.NDArray[np.int64]:
    """The number of samples that each problem of a run is to have, in the order of `problems()`.

    Args:
        run: the run.
        num_samples: one number for all problems, or one for each of some, by their ids.

    Raises:
        InvalidInputError: a problem that is not of the run, or a number out of range.
    """
    ids = run.problems()["problem_id"].to_pylist()
    if not isinstance(num_samples, Mapping):
        return wanted_samples(num_samples, len(ids))
    unknown = sorted(set(num_samples) - set(ids))
    if unknown:
        raise InvalidInputError(
            f"{run.path}: {len(unknown)} of {len(num_samples)} problems are not of this run, first "
            f"{shown(unknown[0])}"
        )
    return wanted_samples(np.array([num_samples.get(name, 0) for name in ids], np.int64), len(ids))


def _check_engine(run: Run, engine: Engine) -> None:
    model, revision = run.info.model["name"], run.info.model["revision"]
    digest = isinstance(revision, str) and revision.startswith("sha256:")
    if revision != engine.revision or (not digest and model != recorded_name(engine.model)):
        raise RunDirectoryError(
            f"{run.path}: made with model {model} at {revision or 'no revision'}, "
            f"not {engine.model} at {engine.revision or 'no revision'}; name another folder"
        )
    adapter = getattr(engine, "adapter", None)
    if adapter_digest(run.info.model) != (None if adapter is None else adapter.sha256):
        made = adapter_name(run.info.model)
        raise RunDirectoryError(
            f"{run.path}: made {f'with the adapter {made}' if made else 'without an adapter'}, not "
            f"{f'with {adapter.path}' if adapter is not None else 'without one'}; name another "
            "folder"
        )
    if run.info.engine["name"] != engine.name:
        raise RunDirectoryError(
            f"{run.path}: made with the engine {run.info.engine['name']}, not {engine.name}; "
            "go on with that one, or name another folder"
        )


def _requests(run: Run, wanted: npt.NDArray[np.int64], first_sample: int) -> Iterator[Request]:
    problems = run.problems().select(["problem_id", "prompt", "prompt_token_ids"])
    missing = run.iter_missing(wanted, first_sample=first_sample)
    asked = next(missing, None)
    for batch in problems.to_batches(max_chunksize=_REQUESTS):
        if asked is None:
            return
        for problem_id, prompt, ids in zip(*(c.to_pylist() for c in batch.columns), strict=True):
            if asked is not None and asked[0] == problem_id:
                yield Request(problem_id, ids, asked[1], asked[2], prompt)
                asked = next(missing, None)
