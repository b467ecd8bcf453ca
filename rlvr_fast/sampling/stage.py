"""The sampling stage: makes a run directory of problems, and its missing samples."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from markupsafe import escape

from rlvr_fast.errors import EngineError, InvalidInputError, RunDirectoryError, shown
from rlvr_fast.progress import Progress
from rlvr_fast.sampling.engine import Engine, LogprobEngine, Request
from rlvr_fast.sampling.engines import engine_packages
from rlvr_fast.sampling.generation_config import ModelSampling
from rlvr_fast.sampling.parameters import SamplingParameters
from rlvr_fast.sampling.pending import PendingDraws
from rlvr_fast.sampling.prompts import load_template
from rlvr_fast.store import Run
from rlvr_fast.store.appending import Appender
from rlvr_fast.store.extending import tasks_in_order
from rlvr_fast.store.missing import wanted_samples
from rlvr_fast.store.recorded import recorded_name, recorded_spec
from rlvr_fast.tasks.schemes import scheme_packages

if TYPE_CHECKING:
    from rlvr_fast.tasks import Problem, Task

__all__ = ["prepare_run", "sample_run", "wanted_of"]

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
    from_model: ModelSampling | None = None,
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
        from_model: where `parameters` come from, if the model gave some. run.json records what it
            gave as "generation_config" of its "model", beside the notes of the engine.

    Raises:
        InvalidInputError: a chat template whose prompt does not hold the question; a prompt that is
            longer than the model's context or holds token ids the model does not have (the message
            names the problem); a problem_id that comes twice.
        RunDirectoryError: `path` holds something else; the message names what differs.
    """
    form = load_template(template, engine)
    tasks = _in_order(path, tasks)
    problems: list[Problem] = [problem for task in tasks for problem in task.problems()]
    prompts = [form.render(problem.question, engine) for problem in problems]
    if form.name == "chat" and not form.messages:
        _check_questions(problems, prompts, engine)
    # A chat template writes the special tokens itself.
    encoded = engine.encode(prompts, special_tokens=form.name != "chat")
    for problem, ids in zip(problems, encoded, strict=True):
        _check_prompt(problem, ids, engine)
    table = pa.table(
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
    model: dict[str, Any] = {"name": engine.model, "revision": engine.revision}
    notes = list(engine.notes)
    if from_model is not None:
        model["generation_config"] = dict(from_model.gave)
        notes += from_model.notes
    return Run.create(
        path,
        model=model,
        engine={"name": engine.name, "version": engine.version, "notes": notes},
        sampling=parameters.to_json(),
        prompt_template=form.to_json(),
        tasks=[{"name": task.name, "spec": task.spec} for task in tasks],
        problems=table,
        versions=_versions(),
    )


def _in_order(path: str | Path, tasks: Sequence[Task]) -> list[Task]:
    """The tasks in the order of the run `path`, where there is one: its own, then the others."""
    if not (Path(path) / "run.json").exists():
        return list(tasks)
    recorded = [{"name": task.name, "spec": recorded_spec(task.spec)} for task in tasks]
    places = tasks_in_order(Run.open(path, check=False).info, recorded)
    return [tasks[place] for place in places or range(len(tasks))]


# Questions that are asked before those of the problems.
_PROBES = ("Is 91 a prime number?", "Name a river of Africa.")


def _check_questions(problems: Sequence[Problem], prompts: Sequence[str], engine: Engine) -> None:
    """Refuses a chat template whose prompts do not hold the questions."""
    asked = [(f"problem {problem.problem_id!r}", problem.question) for problem in problems]
    told = [*prompts, *(engine.render_chat(probe) for probe in _PROBES)]
    asked += [(f"question {probe!r}", probe) for probe in _PROBES]
    for (what, question), prompt in zip(asked, told, strict=True):
        if not _holds(prompt, question):
            raise InvalidInputError(
                f"the chat template of {engine.model} gives the {what} a prompt that does not hold "
                "the question; use --template plain, or a text file that holds {question}"
            )


def _holds(prompt: str, question: str) -> bool:
    """Whether a prompt holds a question, but for blanks, case and the escapes of JSON or HTML."""
    said = " ".join(prompt.split()).casefold()
    plain = json.dumps(question, ensure_ascii=False)[1:-1]
    forms = (question, plain, json.dumps(question)[1:-1], str(escape(question)))
    return any(" ".join(form.split()).casefold() in said for form in forms)


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
        total = run.num_missing(wanted)
        pending = PendingDraws()
        made, flushed, told = 0, time.monotonic(), 0.0
        if progress is not None and total:
            progress("sample", 0, total)
        requests = _requests(run, wanted)
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
            last = appender.unstored()
            _store_rest(run, appender, [table for table in (last, pending.table()) if table])
            if isinstance(error, EngineError):
                asked = int(wanted.sum())
                raise EngineError(
                    f"{error}. {asked - total + made} of {asked} draws are stored in {run.path}; "
                    "the same command makes the others"
                ) from None
            raise
        if progress is not None and made:
            progress("sample", made, total)
    return made


def _store_rest(run: Run, appender: Appender, tables: Sequence[pa.Table]) -> None:
    """Stores of some rows those that are not stored: they may be in the part of an interrupt."""
    if not tables:
        return
    rows = pa.concat_tables(tables, promote_options="default")
    rows = rows.filter(pa.array(run.new_rows("samples", rows)))
    if len(rows):
        appender.append(rows)
        appender.settle()


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
    if run.info.engine["name"] != engine.name:
        raise RunDirectoryError(
            f"{run.path}: made with the engine {run.info.engine['name']}, not {engine.name}; "
            "go on with that one, or name another folder"
        )


def _requests(run: Run, wanted: npt.NDArray[np.int64]) -> Iterator[Request]:
    problems = run.problems().select(["problem_id", "prompt", "prompt_token_ids"])
    missing = run.iter_missing(wanted)
    asked = next(missing, None)
    for batch in problems.to_batches(max_chunksize=_REQUESTS):
        if asked is None:
            return
        for problem_id, prompt, ids in zip(*(c.to_pylist() for c in batch.columns), strict=True):
            if asked is not None and asked[0] == problem_id:
                yield Request(problem_id, ids, asked[1], asked[2], prompt)
                asked = next(missing, None)
