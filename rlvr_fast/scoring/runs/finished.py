"""What a pass of scoring asks for, and whether a run has it already: then no model is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rlvr_fast.adapters import same_adapter
from rlvr_fast.errors import InvalidInputError
from rlvr_fast.models import local_revision
from rlvr_fast.scoring.options import ScoreOptions
from rlvr_fast.store import Run
from rlvr_fast.store.digests import scores_mismatches
from rlvr_fast.store.recorded import same_model
from rlvr_fast.store.sampling_values import TRUNCATION, beyond_one_pass, sampling_value

__all__ = ["pass_of", "scores_finished", "scores_refused"]


def pass_of(run: Run, options: ScoreOptions, label: str) -> tuple[str, dict[str, Any]]:
    """(label of the scores, temperature, top_p, top_k and min_p) of a pass over a run.

    Raises:
        InvalidInputError: scores as sampled, of a run whose sampling does not define them.
    """
    scored = {name: getattr(options, name) for name in TRUNCATION}
    if options.as_sampled:
        return f"{label}-sampling", _as_sampled(run)
    if scored["top_p"] is None and (options.top_k or options.min_p):
        scored["top_p"] = 1.0
    return label, scored


def _as_sampled(run: Run) -> dict[str, Any]:
    """The temperature, top_p, top_k and min_p that a run was drawn with."""
    sampling = run.info.sampling
    drawn = {name: sampling.get(name) for name in ("temperature", "top_p")}
    if not drawn["temperature"] or not drawn["top_p"]:
        raise InvalidInputError(
            f"{run.path}: drawn at {drawn}: scoring as sampled needs a temperature above 0 and a "
            "top_p, both known"
        )
    if other := beyond_one_pass(sampling):
        raise InvalidInputError(
            f"{run.path}: scores as sampled with {other} ({sampling[other]!r}) are not defined by "
            "one pass of the model; score at a temperature of your own, without --as-sampled"
        )
    return {name: sampling_value(sampling, name) for name in TRUNCATION}


def scores_finished(
    run: Run,
    options: ScoreOptions,
    *,
    label: str,
    model: str,
    revision: str | None = None,
    adapter: str | Path | None = None,
    verify: bool = True,
) -> bool:
    """Whether every completion of a run has the scores that `score_run` would give it.

    Reads the run and a digest of the model's files, and loads nothing. Scores of another model or
    with other options are not these: `score_run` then says what differs.

    Args:
        run: the run.
        options: as for `score_run`.
        label: as for `score_run`.
        model: a folder, a .gguf file or a Hugging Face name. Where a local model is gone, its name
            decides.
        revision: branch, tag or commit of a Hugging Face name.
        adapter: folder of a LoRA adapter.
        verify: compare the digests of the files that the scores were made from, which reads all.

    Raises:
        InvalidInputError: as `pass_of`.
        RunDirectoryError: a damaged run.
    """
    label, scored = pass_of(run, options, label)
    stored = run.read_json(f"scores/{label}/scores.json")
    if not isinstance(stored, dict) or stored.get("made_from") is None:
        return False
    missing = run.num_samples() != run.num_samples(f"scores/{label}")
    return (
        not missing.any()
        and not scores_refused(stored, options, scored, model, revision, adapter)
        and not (verify and any(True for _ in scores_mismatches(run, label)))
    )


def scores_refused(
    stored: Mapping[str, Any],
    options: ScoreOptions,
    scored: Mapping[str, Any],
    model: str,
    revision: str | None = None,
    adapter: str | Path | None = None,
) -> str:
    """What stored scores differ in from those asked for, in words; "" where they do not.

    Args:
        stored: the contents of scores.json.
        options: as for `score_run`.
        scored: the distribution, from `pass_of`.
        model: as for `scores_finished`.
        revision: as for `scores_finished`.
        adapter: as for `scores_finished`.
    """
    there: Any = stored.get("model")
    known = isinstance(there, Mapping) and same_adapter(there.get("adapter"), adapter)
    if not known or not same_model(there, model, revision or local_revision(model)):
        with_adapter = f" with {adapter}" if adapter else ""
        return f"model {there}, asked for {model}{with_adapter}"
    asked: dict[str, Any] = {**scored, "per_token": options.per_token}
    if options.dtype != "auto":  # else that of the scores
        asked["dtype"] = options.dtype
    for name in asked:
        left, right = sampling_value(stored, name), sampling_value(asked, name)
        if left != right:
            return f"{name} {left}, asked for {right}"
    return ""
