"""Scores the completions of a run directory under a model."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from rlvr_fast.errors import InvalidInputError, RunDirectoryError
from rlvr_fast.progress import Progress
from rlvr_fast.scoring.models.distributions import Distribution
from rlvr_fast.scoring.models.scorer import Scored, Scorer
from rlvr_fast.scoring.options import ScoreOptions
from rlvr_fast.scoring.runs.finished import pass_of, scores_finished
from rlvr_fast.scoring.runs.prompts import scored_prompts
from rlvr_fast.scoring.runs.tables import score_table
from rlvr_fast.store.info import adapter_digest
from rlvr_fast.store.recorded import recorded_adapter, recorded_name
from rlvr_fast.store.sampling_values import TRUNCATION, sampling_value
from rlvr_fast.vocabulary import SAMPLING_DEFAULTS

if TYPE_CHECKING:
    from rlvr_fast.store import Run
    from rlvr_fast.store.appending import Appender

__all__ = ["score_run", "score_run_each"]

# What is sorted by length together, in tokens and in rows.
WINDOW_TOKENS = 2_000_000
WINDOW_ROWS = 20_000
# A part is stored so often: an interrupted stage loses no more, and Ctrl-C nothing.
PART_SECONDS = 30.0


class _Pass(NamedTuple):
    """One distribution that the completions of a run are scored under.

    Attributes:
        label: the folder of the scores below RUN/scores.
        distribution: the distribution.
        per_token: whether the values of each token are kept.
        settings: the contents of scores.json.
    """

    label: str
    distribution: Distribution
    per_token: bool
    settings: dict[str, Any]

    @property
    def stage(self) -> str:
        return f"scores/{self.label}"


def score_run(
    run: Run,
    model: Any,
    options: ScoreOptions = ScoreOptions(),
    *,
    label: str,
    revision: str | None = None,
    adapter: str | Path | None = None,
    progress: Progress | None = None,
) -> int:
    """Teacher-forces the run's completions through `model` into RUN/scores/LABEL.

    Scores the completions without scores, and stores a part every 30 s. The same call resumes after
    an interruption, and scores the new completions after a top-up. Imported rollouts without token
    ids are tokenised with the model's own tokenizer, whose tokens may differ from the tokens drawn.

    Args:
        run: a run with samples.
        model: as for `Scorer`, or a Scorer, which keeps its own device, dtype and batch_tokens.
        options: the distribution, and how the model is run; see `ScoreOptions`. With
            `options.as_sampled` temperature, top_p, top_k and min_p are those of the run, and the
            scores are in RUN/scores/LABEL-sampling: with the probability of each nucleus, which
            makes them the log-probabilities under which the sampler draws, and the tokens outside
            of it, which the sampler can never draw.
        label: names the scores, "base" or "rl" in a study.
        revision: branch, tag or commit of a Hugging Face name.
        adapter: a folder of a LoRA adapter to score with; not for a Scorer, which has its own.
        progress: called as progress("score", completions done, completions in all).

    Returns:
        How many completions were scored now.

    Raises:
        InvalidInputError: scores as sampled of a run whose temperature is 0 or not known, or whose
            top_p is not known, or that was drawn with penalties or min_tokens; token ids that the
            model does not have; a tokenizer that is not the model's, as it gives other ids for the
            prompt of a problem (the message names the problem); a completion longer than the
            model's context.
        RunDirectoryError: LABEL holds scores of another model or with other options.
        StorageError: the file system refused to write the scores, or another process is writing
            to the run.

    Example:
        >>> score_run(Run.open("runs/rl"), "path/to/base", label="base")     # doctest: +SKIP
        20480
    """
    return score_run_each(
        run, model, [options], label=label, revision=revision, adapter=adapter, progress=progress
    )


def score_run_each(
    run: Run,
    model: Any,
    several: Sequence[ScoreOptions],
    *,
    label: str,
    revision: str | None = None,
    adapter: str | Path | None = None,
    progress: Progress | None = None,
) -> int:
    """`score_run` with each of several options, by one forward pass of the model for all of them.

    Args:
        run: as for `score_run`.
        model: as for `score_run`.
        several: options whose scores have different labels. Device, dtype and batch_tokens are
            those of the first.
        label: as for `score_run`.
        revision: as for `score_run`.
        adapter: as for `score_run`.
        progress: as for `score_run`.

    Returns:
        How many completions went through the model now.

    Raises:
        RlvrError: as `score_run`.
    """
    if isinstance(model, Scorer) and adapter is not None:
        raise InvalidInputError(
            f"{adapter}: an adapter is given to the Scorer itself, Scorer(model, adapter=...)"
        )
    if isinstance(model, str | Path):
        several = [
            options
            for options in several
            if not scores_finished(
                run, options, label=label, model=str(model), revision=revision, adapter=adapter
            )
        ]
    if not several:
        return 0
    asked = [pass_of(run, options, label) for options in several]  # refused before a model loads
    with run.writing():
        scorer = (
            model
            if isinstance(model, Scorer)
            else Scorer(model, revision=revision, adapter=adapter, **several[0].model_arguments())
        )
        passes = [
            _Pass(
                name,
                Distribution(**scored),
                options.per_token,
                _settings(scorer, scored, options.per_token),
            )
            for (name, scored), options in zip(asked, several, strict=True)
        ]
        return _score(run, scorer, passes, progress)


def _score(run: Run, scorer: Scorer, passes: Sequence[_Pass], progress: Progress | None) -> int:
    from rlvr_fast.store.digests import scores_made_from, write_sealed

    for each in passes:
        exists = bool(run.num_samples(each.stage).any())
        _refuse_other_scores(run, each.label, each.settings, exists=exists)
    prompts = scored_prompts(
        run.problems(),
        scorer.tokenizer,
        scorer.name,
        where=str(run.path),
        messages=bool(run.info.prompt_template.get("messages")),
    )
    for each in passes:
        write_sealed(run, f"{each.stage}/scores.json", each.settings | _unchanged(run, each.label))
    total = int(run.num_samples().sum())
    done = min(int(run.num_samples(each.stage).sum()) for each in passes)
    made = 0
    with ExitStack() as stack:
        appenders = [stack.enter_context(run.appending(each.stage)) for each in passes]
        for rows in _windows(run, [each.stage for each in passes]):
            ids = _completions(rows, scorer)
            keys = rows["problem_id"].to_pylist()
            try:
                sequences = scorer.check([prompts[key] for key in keys], ids)
            except InvalidInputError:
                _name_the_row(scorer, prompts, rows, ids)
                raise
            part = _Part(run, passes, appenders, rows)
            try:
                for scored in scorer.stream(
                    sequences,
                    [each.distribution for each in passes],
                    per_token=[each.per_token for each in passes],
                ):
                    part.add(scored)
                    made += len(scored.which)
                    if progress is not None:
                        progress("score", done + made, total)
                part.store()
            except BaseException:
                part.rescue()
                raise
        for appender in appenders:
            appender.settle()
    for each in passes:
        made_from = scores_made_from(run, each.label)
        write_sealed(run, f"{each.stage}/scores.json", each.settings | {"made_from": made_from})
    return made


class _Part:
    """The scores of a window that are not stored yet, for each pass."""

    def __init__(
        self,
        run: Run,
        passes: Sequence[_Pass],
        appenders: Sequence[Appender],
        rows: pa.Table,
    ) -> None:
        self._run = run
        self._passes = passes
        self._appenders = appenders
        self._rows = rows
        self._waiting: list[Scored] = []
        self._stored_at = time.monotonic()

    def add(self, scored: Scored) -> None:
        """Takes the scores of some rows, and stores those that wait where it is time."""
        self._waiting.append(scored)
        if time.monotonic() - self._stored_at >= PART_SECONDS:
            self.store()

    def store(self) -> None:
        """Stores what waits."""
        for at, appender in enumerate(self._appenders):
            table = self._table(at)
            if len(table):
                appender.append(table)
        self._waiting = []
        self._stored_at = time.monotonic()

    def rescue(self) -> None:
        """Stores what waits and is not stored, at the end by an exception."""
        self._run.forget_index()
        for at, appender in enumerate(self._appenders):
            appender.rescue(self._table(at))

    def _table(self, at: int) -> pa.Table:
        """The rows that wait for one pass, without those that it has."""
        table = score_table(self._rows, [(each.which, each.scores[at]) for each in self._waiting])
        if len(self._passes) > 1:  # a pass may have more rows than another
            table = table.filter(pa.array(self._run.new_rows(self._passes[at].stage, table)))
        return table


def _unchanged(run: Run, label: str) -> dict[str, Any]:
    """What earlier scores of a label were made from, as the key "made_from" of scores.json.

    Raises:
        RunDirectoryError: files have changed since then.
    """
    from rlvr_fast.store.digests import scores_mismatches

    folder = run.path / "scores" / label
    made_from = (run.read_json(f"scores/{label}/scores.json") or {}).get("made_from")
    if made_from is None:
        return {}
    for wrong in scores_mismatches(run, label):
        # Parts of scores that came later are of a scoring that was killed.
        if wrong.file.parent != folder or wrong.file.name in made_from.get("scores", {}):
            raise RunDirectoryError(
                f"{wrong.file}: {wrong.message}. Restore the file, or remove {folder} and score "
                "the run again"
            )
    return {"made_from": made_from}


def _settings(scorer: Scorer, scored: dict[str, Any], per_token: bool) -> dict[str, Any]:
    versions = {}
    for package in ("rlvr-fast", "torch", "transformers"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    model: dict[str, Any] = {"name": recorded_name(scorer.name), "revision": scorer.revision}
    if scorer.adapter is not None:
        model["adapter"] = recorded_adapter(scorer.adapter.path, scorer.adapter.sha256)
    return {
        "model": model,
        # As scores.json had it before the two others came: absent is the default.
        **{
            name: value
            for name, value in scored.items()
            if name not in SAMPLING_DEFAULTS or value != SAMPLING_DEFAULTS[name]
        },
        "per_token": per_token,
        "dtype": scorer.dtype,
        "versions": versions,
    }


def _refuse_other_scores(run: Run, label: str, settings: dict[str, Any], *, exists: bool) -> None:
    stored = run.read_json(f"scores/{label}/scores.json")
    if stored is None or not exists:
        return
    if not isinstance(stored, dict):
        raise RunDirectoryError(f"{run.path}/scores/{label}/scores.json: expected a JSON object")
    for name in ("model", *TRUNCATION, "per_token", "dtype"):
        there, asked = sampling_value(stored, name), sampling_value(settings, name)
        if name == "model" and isinstance(there, dict):
            # Equal digests of the weights mean the same model, in any folder.
            revision = asked["revision"]
            there = {**there, "name": recorded_name(str(there.get("name")))}
            same = str(revision).startswith("sha256:") and there.get("revision") == revision
            same = same or (there["name"], there.get("revision")) == (asked["name"], revision)
            if same and adapter_digest(there) == adapter_digest(asked):
                continue
        if there != asked:
            raise RunDirectoryError(
                f"{run.path}: scores/{label} was made with {name} {there}, now asked for {asked}; "
                "give another label, or the same model and options"
            )


def _windows(run: Run, stages: Sequence[str]) -> Iterator[pa.Table]:
    """Samples that lack scores of one of the stages, cut into tables of a window's size."""
    for _, part in run.iter_parts("samples", ["problem_id", "sample_index", "text", "token_ids"]):
        lacking = ~np.logical_and.reduce([run.has_rows(stage, part) for stage in stages])
        missing = part.filter(pa.array(lacking))
        # Sorted by problem: the completions of one problem share a prompt, and many are equal.
        missing = missing.sort_by([("problem_id", "ascending"), ("sample_index", "ascending")])
        lengths = np.diff(missing["token_ids"].combine_chunks().offsets.to_numpy())
        ends = np.cumsum(lengths)
        start = 0
        while start < len(missing):
            fed = ends[start] - lengths[start]
            stop = int(np.searchsorted(ends, fed + WINDOW_TOKENS, side="right"))
            stop = min(max(stop, start + 1), start + WINDOW_ROWS)
            yield missing.slice(start, stop - start)
            start = stop


def _completions(rows: pa.Table, scorer: Scorer) -> list[Any]:
    column = rows["token_ids"].combine_chunks()
    values = column.values.to_numpy(zero_copy_only=False)
    offsets = column.offsets.to_numpy()
    ids: list[Any] = [values[a:b] for a, b in pairwise(offsets)]
    # Imported rollouts may hold text without token ids.
    for i, text in enumerate(rows["text"].to_pylist()):
        if text and not len(ids[i]):
            if scorer.tokenizer is None:
                raise InvalidInputError(
                    f"problem {rows['problem_id'][i]}, sample {rows['sample_index'][i]}: stored "
                    "without token ids, and the loaded model has no tokenizer; give the model's "
                    "name or folder"
                )
            ids[i] = scorer.tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids


def _name_the_row(
    scorer: Scorer, prompts: dict[str, list[int]], rows: pa.Table, ids: list[Any]
) -> None:
    """Raises the error of the first draw that cannot be scored, with its problem and sample."""
    for i, key in enumerate(rows["problem_id"].to_pylist()):
        try:
            scorer.check([prompts[key]], [ids[i]])
        except InvalidInputError as error:
            raise InvalidInputError(
                f"problem {key!r}, sample {rows['sample_index'][i]}: {error}"
            ) from None
