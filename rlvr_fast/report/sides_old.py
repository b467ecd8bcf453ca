"""One run directory, measured problem by problem.

Reads `grades.parquet` (small), the answer and score parts without their texts, and of the sample
parts only what gives the length of a completion. Everything per draw is folded part by part into
arrays per problem, so that memory grows with the number of draws only by the few bytes that join
a score to its verdict.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from rlvr_fast.errors import RunDirectoryError
from rlvr_fast.metrics import answer_entropies
from rlvr_fast.store import Run

__all__ = ["AnswerCounts", "CompletionScores", "Problems", "Side", "read_problems", "read_side"]

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

VERDICTS = ("correct", "incorrect", "unparsed", "timeout", "error")
_CORRECT = VERDICTS.index("correct")


@dataclass(frozen=True, slots=True)
class Problems:
    """The problems two runs share, in the order of the base run; arrays are over problems."""

    ids: tuple[str, ...]
    tasks: tuple[str, ...]
    domains: tuple[str, ...]
    prompts: tuple[str, ...]
    golds: tuple[str | None, ...]
    metadata: tuple[dict[str, Any], ...]

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True)
class AnswerCounts:
    """How often each distinct answer of each problem was given: one row per answer.

    Rows are ordered by problem, then by falling count.
    """

    problem: IntArray
    canonical: tuple[str | None, ...]
    count: IntArray
    verdict: npt.NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class CompletionScores:
    """Teacher-forced scores of a run's completions under one model; one row per completion.

    logprob in nats, over the whole vocabulary. outside_nucleus counts the tokens outside the
    scoring model's top-p nucleus; log_kept_mass sums the logs of the masses that its nuclei keep.
    Both are None where (some of) the scores were made without `top_p`.
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
        """Log p under top-p sampling, which scales what a nucleus keeps up to 1; None if unknown.

        -inf for a completion with a token outside the nucleus. Not so for a model's `own`
        completions: it drew them, so a token outside is one at the edge, there by rounding.
        """
        if self.log_kept_mass is None or self.outside_nucleus is None:
            return None
        inside = self.logprob - self.log_kept_mass
        return inside if own else np.where(self.outside_nucleus > 0, -np.inf, inside)


@dataclass(frozen=True, slots=True)
class Side:
    """One run of the comparison; arrays are over the shared problems.

    mean_length is in tokens; token_entropy and answer_entropy are in nats; the latter also as to be
    expected of 32 of the draws, as in the papers' tables. nan where a problem has no samples (or
    fewer than 32), or nothing was scored.
    """

    name: str
    run: Run
    model: str
    revision: str | None
    num_samples: IntArray
    num_correct: IntArray
    num_unparsed: IntArray
    num_timeout: IntArray
    num_error: IntArray
    num_truncated: IntArray
    num_ungraded: IntArray
    length_sum: FloatArray
    length_count: IntArray
    answer_entropy: FloatArray
    answer_entropy_32: FloatArray
    token_entropy_sum: FloatArray
    token_entropy_count: IntArray
    num_distinct: IntArray
    answers: AnswerCounts
    scores: dict[str, CompletionScores]
    grading: dict[str, Any]

    @property
    def accuracy(self) -> FloatArray:
        """Share of correct draws for each problem; nan where there are none."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(
                self.num_samples > 0, self.num_correct / self.num_samples, np.nan
            ).astype(np.float64)

    @property
    def num_undecided(self) -> IntArray:
        """Draws whose verdict is no verdict on the answer: unparsed, timeout or error."""
        return self.num_unparsed + self.num_timeout + self.num_error


def read_problems(run: Run, domains: dict[str, str] | None = None) -> Problems:
    """The problems of a run. A problem's domain is `metadata["domain"]`, else the task's name."""
    table = run.problems()
    columns = {name: table.column(name).to_pylist() for name in table.column_names}
    metadata = tuple(_as_dict(text) for text in columns["metadata"])
    tasks = tuple(columns["task"])
    of_task = domains or {}
    return Problems(
        ids=tuple(columns["problem_id"]),
        tasks=tasks,
        domains=tuple(
            str(meta.get("domain") or of_task.get(task) or task)
            for meta, task in zip(metadata, tasks, strict=True)
        ),
        prompts=tuple(columns["prompt"]),
        golds=tuple(columns["gold"]),
        metadata=metadata,
    )


def _as_dict(text: str | None) -> dict[str, Any]:
    if not text:
        return {}
    value = json.loads(text)
    return value if isinstance(value, dict) else {}


def require_graded(run: Run) -> None:
    """RunDirectoryError where a run has no verdicts."""
    if not (run.path / "grades.parquet").exists():
        raise RunDirectoryError(
            f"{run.path}: grades.parquet is missing, so there are no verdicts to compare; "
            f"run `rlvr-fast grade {run.path}` first"
        )


def read_side(run: Run, name: str, problems: Problems) -> Side:
    """Measure one run over `problems` (rows of other problems are left out).

    Raises:
        RunDirectoryError: the run has not been graded.
    """
    ids = pa.array(problems.ids, pa.string())
    total = len(problems)
    require_graded(run)
    grades = run.read_table("grades.parquet")
    assert grades is not None
    answers, answer_of = _read_grades(grades, ids)
    count_of = _verdict_counts(answers, total)
    num_samples = np.sum(count_of, axis=1)
    drawn, truncated, length_sum = _read_samples(run, ids, total)
    scores, entropy_sum, entropy_count = _read_scores(run, name, ids, answer_of, total)
    return Side(
        name=name,
        run=run,
        model=_model_field(run, "name") or "?",
        revision=_model_field(run, "revision"),
        num_samples=num_samples,
        num_correct=count_of[:, _CORRECT],
        num_unparsed=count_of[:, VERDICTS.index("unparsed")],
        num_timeout=count_of[:, VERDICTS.index("timeout")],
        num_error=count_of[:, VERDICTS.index("error")],
        num_truncated=truncated,
        num_ungraded=drawn - num_samples,
        length_sum=length_sum,
        length_count=drawn,
        answer_entropy=answer_entropies(answers.problem, answers.count, total),
        answer_entropy_32=answer_entropies(answers.problem, answers.count, total, draws=32),
        token_entropy_sum=entropy_sum,
        token_entropy_count=entropy_count,
        num_distinct=_distinct(answers, total),
        answers=answers,
        scores=scores,
        grading=run.read_json("grading.json") or {},
    )


def sample_ks(base: Side, rl: Side) -> list[int]:
    """The k at which curves are drawn: powers of two up to the number of samples, and that number.

    Where problems differ in it, up to what at least half of them have in both runs.
    """
    fewest = np.minimum(base.num_samples, rl.num_samples)
    drawn = fewest[fewest > 0]
    if not drawn.size:
        return []
    depth = int(np.median(drawn))
    ks = [1 << i for i in range(depth.bit_length())]
    return ks if ks[-1] == depth else [*ks, depth]


def _model_field(run: Run, key: str) -> str | None:
    model = run.info.model
    value = model.get(key) if isinstance(model, dict) else getattr(model, key, None)
    return None if value is None else str(value)


def codes_of(values: pa.ChunkedArray | pa.Array, ids: pa.Array) -> npt.NDArray[np.int64]:
    """Index of each value in `ids`, or -1."""
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    index = pc.fill_null(pc.index_in(values.cast(ids.type), value_set=ids), -1)
    return np.asarray(index.to_numpy(zero_copy_only=False), dtype=np.int64)


class _AnswerLookup:
    """Verdict of each (problem, answer_id) pair."""

    def __init__(
        self, problem: IntArray, answer_id: IntArray, verdict: npt.NDArray[np.int8]
    ) -> None:
        self._span = int(answer_id.max(initial=-1)) + 2
        key = problem * self._span + answer_id + 1
        order = np.argsort(key, kind="stable")
        self._keys, self._verdict = key[order], verdict[order]

    def verdict(self, problem: IntArray, answer_id: IntArray) -> npt.NDArray[np.int8]:
        """-1 where the pair was not graded."""
        out = np.full(problem.shape, -1, np.int8)
        if self._keys.size == 0:
            return out
        key = problem * self._span + answer_id + 1
        at = np.minimum(np.searchsorted(self._keys, key), self._keys.size - 1)
        hit = (self._keys[at] == key) & (answer_id + 1 < self._span)
        out[hit] = self._verdict[at[hit]]
        return out


def _read_grades(grades: pa.Table, ids: pa.Array) -> tuple[AnswerCounts, _AnswerLookup]:
    problem = codes_of(grades.column("problem_id"), ids)
    answer_id = np.asarray(grades.column("answer_id").to_numpy(), dtype=np.int64)
    count = np.asarray(grades.column("count").to_numpy(), dtype=np.int64)
    verdict = codes_of(grades.column("verdict"), pa.array(VERDICTS)).astype(np.int8)
    if verdict.size and verdict.min() < 0:
        row = int(np.argmin(verdict))
        raise RunDirectoryError(
            f"grades.parquet row {row}: verdict {grades.column('verdict')[row].as_py()!r} is none "
            f"of {', '.join(VERDICTS)}; grade the run again"
        )
    mine = np.flatnonzero(problem >= 0)
    order = mine[np.lexsort((answer_id[mine], -count[mine], problem[mine]))]
    counts = AnswerCounts(
        problem=problem[order],
        canonical=tuple(grades.column("canonical").take(pa.array(order)).to_pylist()),
        count=count[order],
        verdict=verdict[order],
    )
    return counts, _AnswerLookup(problem[order], answer_id[order], verdict[order])


def _verdict_counts(answers: AnswerCounts, total: int) -> IntArray:
    flat = answers.problem * len(VERDICTS) + answers.verdict
    summed = np.bincount(flat, weights=answers.count, minlength=total * len(VERDICTS))
    return summed.reshape(total, len(VERDICTS)).astype(np.int64)


def _distinct(answers: AnswerCounts, total: int) -> IntArray:
    """Distinct answers, "no answer" not counted as one."""
    given = answers.verdict != VERDICTS.index("unparsed")
    return np.bincount(answers.problem[given], minlength=total).astype(np.int64)


def _read_samples(run: Run, ids: pa.Array, total: int) -> tuple[IntArray, IntArray, FloatArray]:
    """Draws, draws cut off at the token limit, and tokens for each problem."""
    drawn = np.zeros(total, np.int64)
    truncated = np.zeros(total, np.int64)
    tokens = np.zeros(total, np.float64)
    for _, part in run.iter_parts("samples", columns=["problem_id", "token_ids", "finish_reason"]):
        code = codes_of(part.column("problem_id"), ids)
        mine = code >= 0
        length = pc.fill_null(pc.list_value_length(part.column("token_ids")), 0).to_numpy()
        cut = pc.fill_null(pc.equal(part.column("finish_reason"), "length"), False).to_numpy()
        drawn += np.bincount(code[mine], minlength=total)
        truncated += np.bincount(code[mine], weights=cut[mine], minlength=total).astype(np.int64)
        tokens += np.bincount(code[mine], weights=length[mine], minlength=total)
    return drawn, truncated, tokens


def _read_scores(
    run: Run, name: str, ids: pa.Array, answers: _AnswerLookup, total: int
) -> tuple[dict[str, CompletionScores], FloatArray, IntArray]:
    entropy_sum = np.zeros(total)
    entropy_count = np.zeros(total, np.int64)
    labels = score_labels(run)
    if not labels:
        return {}, entropy_sum, entropy_count
    verdict_of_draw = _verdicts_by_draw(run, ids, answers, total)
    scores: dict[str, CompletionScores] = {}
    for label in labels:
        one = _read_label(run, label, ids, verdict_of_draw)
        if one is None:
            continue
        scores[label] = one
        if label == name:  # the model's own entropy along its own completions
            known = np.isfinite(one.mean_entropy)
            entropy_sum += np.bincount(
                one.problem[known], weights=one.mean_entropy[known], minlength=total
            )
            entropy_count += np.bincount(one.problem[known], minlength=total)
    return scores, entropy_sum, entropy_count


def score_labels(run: Run) -> list[str]:
    """The labels under RUN/scores."""
    prefix = "scores/"
    return [stage.removeprefix(prefix) for stage in run.stages() if stage.startswith(prefix)]


def read_scores(run: Run, problems: Problems) -> dict[str, CompletionScores]:
    """All scores of a run over `problems`, graded or not; `correct` is False throughout."""
    ids = pa.array(problems.ids, pa.string())
    width = int(run.num_samples().max(initial=0))
    ungraded = np.full((len(problems), max(width, 1)), -1, np.int8)
    found = {label: _read_label(run, label, ids, ungraded) for label in score_labels(run)}
    return {label: scores for label, scores in found.items() if scores is not None}


def _verdicts_by_draw(
    run: Run, ids: pa.Array, answers: _AnswerLookup, total: int
) -> npt.NDArray[np.int8]:
    """Verdict codes [problems, largest sample_index + 1]; -1 where a draw was not graded."""
    parts: list[tuple[IntArray, IntArray, npt.NDArray[np.int8]]] = []
    for _, part in run.iter_parts("answers", columns=["problem_id", "sample_index", "answer_id"]):
        code = codes_of(part.column("problem_id"), ids)
        mine = code >= 0
        sample = np.asarray(part.column("sample_index").to_numpy(), dtype=np.int64)[mine]
        answer = np.asarray(part.column("answer_id").to_numpy(), dtype=np.int64)[mine]
        parts.append((code[mine], sample, answers.verdict(code[mine], answer)))
    width = max((int(sample.max(initial=-1)) for _, sample, _ in parts), default=-1) + 1
    table = np.full((total, width), -1, np.int8)
    for code, sample, verdict in parts:
        table[code, sample] = verdict
    return table


_SCORE_COLUMNS = ("problem_id", "sample_index", "num_tokens", "logprob", "mean_entropy")


def _read_label(
    run: Run, label: str, ids: pa.Array, verdict_of_draw: npt.NDArray[np.int8]
) -> CompletionScores | None:
    columns: dict[str, list[npt.NDArray[Any]]] = {}
    width = verdict_of_draw.shape[1]
    for _, part in run.iter_parts(f"scores/{label}"):
        code = codes_of(part.column("problem_id"), ids)
        sample = np.asarray(part.column("sample_index").to_numpy(), dtype=np.int64)
        mine = (code >= 0) & (sample < width)
        code, sample = code[mine], sample[mine]
        _append(columns, "problem", code.astype(np.int32))
        _append(columns, "sample_index", sample.astype(np.int32))
        _append(columns, "verdict", verdict_of_draw[code, sample])
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
        correct=whole["verdict"] == _CORRECT,
        num_tokens=whole["num_tokens"],
        logprob=whole["logprob"],
        mean_entropy=whole["mean_entropy"],
        outside_nucleus=outside,
        log_kept_mass=kept,
    )


def _append(
    columns: dict[str, list[npt.NDArray[Any]]], name: str, values: npt.NDArray[Any]
) -> None:
    columns.setdefault(name, []).append(values)


def task_domains(specs: Iterable[Any]) -> dict[str, str]:
    """Task name to domain where run.json records one."""
    out: dict[str, str] = {}
    for spec in specs:
        if isinstance(spec, dict) and spec.get("domain"):
            out[str(spec["name"])] = str(spec["domain"])
    return out
