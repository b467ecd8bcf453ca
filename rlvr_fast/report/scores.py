"""Teacher-forced scores of a run's completions, read row by row of RUN/scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from rlvr_fast.report.grades import DrawVerdicts, verdict_code
from rlvr_fast.report.problems import FloatArray, codes_of
from rlvr_fast.store import Run, require_sealed_scores
from rlvr_fast.store.sampling_values import TRUNCATION, beyond_one_pass, sampling_value

__all__ = [
    "CompletionScores",
    "as_sampled",
    "read_label",
    "read_scores",
    "row_for_row",
    "score_labels",
]


@dataclass(frozen=True, slots=True)
class CompletionScores:
    """Teacher-forced scores of a run's completions under one model; one row per completion.

    Attributes:
        label: name of the folder under RUN/scores.
        info: contents of scores.json: model, temperature, top_p, top_k, min_p.
        problem: row of the completion's problem.
        sample_index: number of the draw.
        correct: whether the completion's answer is correct.
        num_tokens: tokens of the completion.
        logprob: log-probability of the completion over the whole vocabulary, nats.
        mean_entropy: mean token entropy, nats.
        outside_nucleus: tokens outside the scoring model's nucleus; None where (some of) the
            scores were made without `top_p`.
        log_kept_mass: sum over tokens of the log of the probability that the nucleus keeps; None
            likewise.
    """

    label: str
    info: dict[str, Any]
    problem: npt.NDArray[np.int32]
    sample_index: npt.NDArray[np.int32]
    correct: npt.NDArray[np.bool_]
    num_tokens: npt.NDArray[np.int32]
    logprob: FloatArray
    mean_entropy: FloatArray
    outside_nucleus: npt.NDArray[np.int32] | None
    log_kept_mass: FloatArray | None

    def sampling_logprob(self, *, own: bool) -> FloatArray | None:
        """Log p under the sampler, which scales what a nucleus keeps up to 1; None if unknown.

        -inf for a completion with a token outside the nucleus. Not so for a model's `own`
        completions: the model drew them, so a token outside lies at the edge of the nucleus, and
        rounding put it there.
        """
        if self.log_kept_mass is None or self.outside_nucleus is None:
            return None
        inside = self.logprob - self.log_kept_mass
        return inside if own else np.where(self.outside_nucleus > 0, -np.inf, inside)


def score_labels(run: Run) -> list[str]:
    """The labels under RUN/scores."""
    prefix = "scores/"
    return [stage.removeprefix(prefix) for stage in run.stages() if stage.startswith(prefix)]


def read_scores(run: Run, problem_ids: Sequence[str]) -> dict[str, CompletionScores]:
    """All scores of a run over some problems, graded or not; `correct` is False throughout."""
    ids = pa.array(problem_ids, pa.string())
    found = {label: read_label(run, label, ids, None) for label in score_labels(run)}
    return {label: scores for label, scores in found.items() if scores is not None}


def read_label(
    run: Run, label: str, ids: pa.Array, verdicts: DrawVerdicts | None
) -> CompletionScores | None:
    """The scores under one label of the draws up to the last graded one; of all without verdicts.

    Raises:
        RunDirectoryError: the scores are not those of the samples of this run.
    """
    if run.parts(f"scores/{label}"):
        require_sealed_scores(run, label)
    columns: dict[str, list[npt.NDArray[Any]]] = {}
    width = np.inf if verdicts is None else verdicts.width
    for _, part in run.iter_parts(f"scores/{label}"):
        code = codes_of(part.column("problem_id"), ids)
        sample = np.asarray(part.column("sample_index").to_numpy(), dtype=np.int64)
        mine = (code >= 0) & (sample < width)
        code, sample = code[mine], sample[mine]
        _append(columns, "problem", code.astype(np.int32))
        _append(columns, "sample_index", sample.astype(np.int32))
        none = np.full(code.size, -1, np.int8)
        _append(columns, "verdict", none if verdicts is None else verdicts.find(code, sample))
        for name, kind in (
            ("num_tokens", np.int32),
            ("logprob", np.float64),
            ("mean_entropy", np.float64),
        ):
            _append(columns, name, np.asarray(part.column(name).to_numpy(), dtype=kind)[mine])
        if "num_outside_nucleus" in part.column_names:
            outside = pc.fill_null(part.column("num_outside_nucleus"), -1).to_numpy()
            _append(columns, "outside", np.asarray(outside, dtype=np.int32)[mine])
        if "log_kept_mass" in part.column_names:
            kept = pc.fill_null(part.column("log_kept_mass"), np.nan).to_numpy()
            _append(columns, "kept", np.asarray(kept, dtype=np.float64)[mine])
    if not columns:
        return None
    whole = {name: np.concatenate(chunks) for name, chunks in columns.items()}
    outside = whole.get("outside")
    if outside is not None and (outside.size != whole["problem"].size or np.all(outside < 0)):
        outside = None  # some parts were scored without top_p: no claim can be made
    kept = whole.get("kept")
    if kept is not None and (kept.size != whole["problem"].size or np.isnan(kept).any()):
        kept = None
    return CompletionScores(
        label=label,
        info=run.read_json(f"scores/{label}/scores.json") or {},
        problem=whole["problem"],
        sample_index=whole["sample_index"],
        correct=whole["verdict"] == verdict_code("correct"),
        num_tokens=whole["num_tokens"],
        logprob=whole["logprob"],
        mean_entropy=whole["mean_entropy"],
        outside_nucleus=outside,
        log_kept_mass=kept,
    )


def as_sampled(sampling: Mapping[str, Any], info: Mapping[str, Any]) -> bool:
    """Whether scores are of the distribution that a run was drawn from.

    Args:
        sampling: the sampling parameters of the run.
        info: contents of scores.json.
    """
    alike = (sampling_value(info, n) == sampling_value(sampling, n) for n in TRUNCATION)
    return all(alike) and not beyond_one_pass(sampling)


def row_for_row(
    own: CompletionScores | None, theirs: CompletionScores, values: FloatArray | None = None
) -> FloatArray:
    """`values` of `own` (by default its logprob), row for row of `theirs`; nan where not scored."""
    out = np.full(theirs.logprob.shape, np.nan)
    if own is None or own.logprob.size == 0:
        return out
    span = int(max(own.sample_index.max(initial=0), theirs.sample_index.max(initial=0))) + 1
    key = own.problem.astype(np.int64) * span + own.sample_index
    order = np.argsort(key)
    wanted = theirs.problem.astype(np.int64) * span + theirs.sample_index
    at = np.minimum(np.searchsorted(key[order], wanted), key.size - 1)
    hit = key[order][at] == wanted
    out[hit] = (own.logprob if values is None else values)[order][at[hit]]
    return out


def _append(
    columns: dict[str, list[npt.NDArray[Any]]], name: str, values: npt.NDArray[Any]
) -> None:
    columns.setdefault(name, []).append(values)
