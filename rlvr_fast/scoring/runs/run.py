"""Scores the completions of a run directory under a model."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from rlvr_fast.errors import InvalidInputError, RunDirectoryError
from rlvr_fast.progress import Progress
from rlvr_fast.scoring.models.scorer import Scorer
from rlvr_fast.scoring.options import ScoreOptions
from rlvr_fast.scoring.runs.finished import pass_of, scores_finished
from rlvr_fast.scoring.runs.prompts import scored_prompts
from rlvr_fast.store.info import adapter_digest
from rlvr_fast.store.recorded import recorded_adapter, recorded_name
from rlvr_fast.store.sampling_values import TRUNCATION, sampling_value
from rlvr_fast.vocabulary import SAMPLING_DEFAULTS

if TYPE_CHECKING:
    from rlvr_fast.scoring.results import SequenceScores
    from rlvr_fast.store import Run

__all__ = ["score_run"]

# Limits of a part, in tokens and in rows: an interrupted stage loses at most one part.
PART_TOKENS = 2_000_000
PART_ROWS = 20_000


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

    Scores the completions without scores, part by part. The same call resumes after an
    interruption, and scores the new completions after a top-up. Imported rollouts without token
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
    from rlvr_fast.store.digests import scores_made_from, write_sealed

    if isinstance(model, Scorer) and adapter is not None:
        raise InvalidInputError(
            f"{adapter}: an adapter is given to the Scorer itself, Scorer(model, adapter=...)"
        )
    if isinstance(model, str | Path) and scores_finished(
        run, options, label=label, model=str(model), revision=revision, adapter=adapter
    ):
        return 0
    label, scored = pass_of(run, options, label)
    stage = f"scores/{label}"
    with run.writing():
        samples = run.num_samples()
        total = int(samples.sum())
        done = int(run.num_samples(stage).sum())
        scorer = (
            model
            if isinstance(model, Scorer)
            else Scorer(model, revision=revision, adapter=adapter, **options.model_arguments())
        )
        settings = _settings(scorer, scored, options.per_token)
        _refuse_other_scores(run, label, settings, exists=done > 0)
        prompts = scored_prompts(
            run.problems(),
            scorer.tokenizer,
            scorer.name,
            where=str(run.path),
            messages=bool(run.info.prompt_template.get("messages")),
        )
        sealed = _unchanged(run, label)
        write_sealed(run, f"{stage}/scores.json", settings | sealed)
        before = done
        for rows in _unscored(run, stage):
            ids = _completions(rows, scorer)
            keys = rows["problem_id"].to_pylist()
            start = done

            def report(part_done: int, _: int, start: int = start) -> None:
                if progress is not None:
                    progress("score", start + part_done, total)

            try:
                scores = scorer.score(
                    [prompts[key] for key in keys],
                    ids,
                    **scored,
                    per_token=options.per_token,
                    progress=report,
                )
            except InvalidInputError:
                _name_the_row(scorer, prompts, rows, ids)
                raise
            run.append(stage, _table(rows, scores))
            done += len(rows)
            report(0, 0, done)
        made_from = scores_made_from(run, label)
        write_sealed(run, f"{stage}/scores.json", settings | {"made_from": made_from})
    return done - before


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


def _unscored(run: Run, stage: str) -> Iterator[pa.Table]:
    """Samples without scores, cut into tables of a part's size."""
    for _, part in run.iter_parts("samples", ["problem_id", "sample_index", "text", "token_ids"]):
        missing = part.filter(pa.array(~run.has_rows(stage, part)))
        # Sorted by problem: the completions of one problem share a prompt, and many are equal.
        missing = missing.sort_by([("problem_id", "ascending"), ("sample_index", "ascending")])
        lengths = np.diff(missing["token_ids"].combine_chunks().offsets.to_numpy())
        ends = np.cumsum(lengths)
        start = 0
        while start < len(missing):
            fed = ends[start] - lengths[start]
            stop = int(np.searchsorted(ends, fed + PART_TOKENS, side="right"))
            stop = min(max(stop, start + 1), start + PART_ROWS)
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


def _table(rows: pa.Table, scores: SequenceScores) -> pa.Table:
    columns: dict[str, Any] = {
        "problem_id": rows["problem_id"],
        "sample_index": rows["sample_index"],
        "num_tokens": pa.array(scores.num_tokens, pa.int32()),
        "logprob": pa.array(scores.logprob),
        "mean_entropy": pa.array(scores.mean_entropy),
    }
    if scores.num_outside_nucleus is not None:
        columns["num_outside_nucleus"] = pa.array(scores.num_outside_nucleus, pa.int32())
    if scores.log_kept_mass is not None:
        columns["log_kept_mass"] = pa.array(scores.log_kept_mass)
    for name in ("token_logprobs", "token_entropies"):
        lists = getattr(scores, name)
        if lists is not None:
            columns[name] = pa.array(lists, pa.list_(pa.float32()))
    return pa.table(columns)
