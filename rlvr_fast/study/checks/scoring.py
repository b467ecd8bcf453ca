"""The checks of the models that score, and of scores that are there already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rlvr_fast.errors import InvalidInputError, RunDirectoryError
from rlvr_fast.study.checks.faults import Faults
from rlvr_fast.study.checks.known import (
    Known,
    check_adapter_of,
    context_of,
    no_causal_model,
)
from rlvr_fast.study.checks.machine import check_memory, check_weights
from rlvr_fast.study.config import StudyConfig
from rlvr_fast.study.models import StudySide
from rlvr_fast.study.stages import ScoringPass, scoring_passes

if TYPE_CHECKING:
    import pyarrow as pa

    from rlvr_fast.store import Run

__all__ = ["check_scoring"]


def check_scoring(
    config: StudyConfig,
    sides: Sequence[StudySide],
    finished: Mapping[str, Run],
    known: Known,
    faults: Faults,
    remarks: list[str],
) -> None:
    """Checks the models that have to score, and scores that are there already."""

    def sampled(side: StudySide) -> Mapping[str, Any]:
        if side.name in finished:
            return finished[side.name].info.sampling
        parameters = known.parameters.get(side.name, side.sample.sampling)
        return parameters.to_json()

    for each in scoring_passes(config, sides, sampled):
        run = finished.get(each.side.name)
        done = False
        with faults.kept():
            done = run is not None and each.left(run, verify=False) is None
            _check_scores(each, known.runs.get(each.side.name))
        if not done:
            _check_scorer(config, each, known, faults, remarks)


def _check_scorer(
    config: StudyConfig, each: ScoringPass, known: Known, faults: Faults, remarks: list[str]
) -> None:
    from rlvr_fast.models import torch_device
    from rlvr_fast.scoring.runs.prompts import scored_prompts

    reader = known.model(each.model, faults)
    if reader is None:
        return
    with faults.kept():
        if reader.architecture is None:
            raise InvalidInputError(no_causal_model(each.model.model))
    check_adapter_of(each.model, faults, transformers=True)
    with faults.kept():
        device = config.score[0].device
        torch_device(None if device == "auto" else device)
    with faults.kept():
        check_weights(each.model)
    with faults.kept():
        options = config.score[0]  # which have one device and dtype in a study
        if options.device_map == "none":  # else layers may lie on several devices
            check_memory(each.model, options.device, options.dtype, "transformers")
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
        context = context_of(each.side, drawer)
        if context is not None:
            longest = min(longest, context)
        remark = (
            f"a completion of {each.side.name} may have {longest:,} tokens, and the context of "
            f"{each.scorer.name}, which scores it, holds {reader.context_length:,} with the "
            "prompt: a longer completion would end the scoring"
        )
        if longest >= reader.context_length and drawer is not reader and remark not in remarks:
            remarks.append(remark)


def _messages(table: pa.Table) -> bool:
    return bool(len(table)) and str(table["prompt"][0].as_py()).startswith("[{")


def _check_scores(each: ScoringPass, run: Run | None) -> None:
    """Refuses scores under the label of a pass that were made otherwise.

    Raises:
        RunDirectoryError: such scores; the message names the difference.
    """
    from rlvr_fast.scoring.runs.finished import pass_of, scores_refused

    if run is None:
        return
    model = each.model
    for options in each.options:
        label, scored = pass_of(run, options, each.label)
        stored = run.read_json(f"scores/{label}/scores.json")
        if stored is None or not run.num_samples(f"scores/{label}").any():
            continue
        refused = scores_refused(
            stored, options, scored, model.model, model.revision, model.adapter
        )
        if refused:
            raise RunDirectoryError(
                f"{run.path}: scores/{label} was made with {refused}; give the same model and "
                f"options, or remove {run.path / 'scores' / label}"
            )
