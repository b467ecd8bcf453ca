"""One run of a comparison, measured problem by problem.

Reads `grades.parquet` (small), the answer and score parts without their texts, and of the sample
parts only the columns that give the length of a completion. Values of single draws are added up
part by part in arrays over problems, so that memory grows with the number of draws only by the few
bytes that join a score to its verdict.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rlvr_fast.metrics import Draws, answer_entropies
from rlvr_fast.report.grades import (
    AnswerCounts,
    DrawVerdicts,
    draw_verdicts,
    read_grades,
    verdict_code,
)
from rlvr_fast.report.problems import BoolArray, FloatArray, IntArray, codes_of
from rlvr_fast.report.scores import CompletionScores, read_label, score_labels
from rlvr_fast.store import CompletionKeys, Repeats, Run, completion_keys, find_repeats
from rlvr_fast.store.info import adapter_name
from rlvr_fast.store.recorded import recorded_name

__all__ = ["Side", "curve_depth", "depth_of", "read_side", "sample_ks"]


@dataclass(frozen=True)
class Side:
    """One run of the comparison; arrays are over the shared problems.

    nan stands where a problem has no samples (or fewer than 32), or nothing was scored.

    Attributes:
        name: "base" or "rl".
        run: the run directory.
        ids: the ids of the problems in this run.
        model: the model's name.
        revision: the model's revision, None where unknown.
        num_samples: graded draws.
        num_correct: draws with a correct answer.
        num_unparsed: draws without an answer.
        num_timeout: draws whose verifier ran out of time.
        num_error: draws whose verifier failed.
        num_truncated: draws cut off at the token limit.
        num_ended: draws, graded or not, of which is known why they ended.
        num_ungraded: draws without a grade.
        length_sum: tokens of all draws.
        length_count: draws, graded or not, whose tokens are known.
        answers_known: whether answers say anything: false where imported verdicts decided and no
            draw has an answer.
        answer_entropy: nats; nan also where answers are not known.
        answer_entropy_32: nats, as expected of 32 of the draws, as in the papers' tables.
        token_entropy_sum: sum over scored completions of the mean token entropy, nats.
        token_entropy_count: scored completions.
        num_distinct: distinct answers.
        answers: the answers themselves.
        scores: scores of the completions by label.
        ended: graded draws that are known to have ended by themselves, and the correct among them.
        completions: a key of each stored completion, which tells equal ones.
        repeats: which draws repeat others.
        grading: contents of grading.json.
    """

    name: str
    run: Run
    ids: tuple[str, ...]
    model: str
    revision: str | None
    num_samples: IntArray
    num_correct: IntArray
    num_unparsed: IntArray
    num_timeout: IntArray
    num_error: IntArray
    num_truncated: IntArray
    num_ended: IntArray
    num_ungraded: IntArray
    length_sum: FloatArray
    length_count: IntArray
    answers_known: BoolArray
    answer_entropy: FloatArray
    answer_entropy_32: FloatArray
    token_entropy_sum: FloatArray
    token_entropy_count: IntArray
    num_distinct: IntArray
    answers: AnswerCounts
    scores: dict[str, CompletionScores]
    ended: Draws
    completions: CompletionKeys
    repeats: Repeats
    grading: dict[str, Any]

    # Checked once: every group of every section takes its rows of them.
    @cached_property
    def draws(self) -> Draws:
        """The counts of all problems, as the functions of `rlvr_fast.metrics` take them."""
        return Draws(self.num_samples, self.num_correct)

    @cached_property
    def decided(self) -> Draws:
        """The draws with a verdict on an answer: `draws` without the undecided ones."""
        return Draws(self.num_samples - self.num_undecided, self.num_correct)

    @property
    def effective_draws(self) -> IntArray:
        """Independent draws of each problem: `num_samples` where none repeats another."""
        return np.minimum(self.repeats.effective, self.num_samples)

    @property
    def adapter(self) -> str:
        """The adapter that the model drew with, by name and digest; "" without one."""
        return adapter_name(self.run.info.model)

    @property
    def recorded_model(self) -> dict[str, Any]:
        """The model as summary.json names it: name, revision, and adapter where there is one."""
        found: dict[str, Any] = {"name": self.model, "revision": self.revision}
        if self.adapter:
            found["adapter"] = dict(self.run.info.model["adapter"])
        return found

    @property
    def title(self) -> str:
        """The model as the report's sentences name it: "base" or "RL"."""
        return "RL" if self.name == "rl" else self.name

    @property
    def accuracy(self) -> FloatArray:
        """Share of correct draws for each problem; nan where there are none."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(
                self.num_samples > 0, self.num_correct / self.num_samples, np.nan
            ).astype(np.float64)

    @property
    def num_undecided(self) -> IntArray:
        """Draws that leave open whether the answer was right: unparsed, timeout or error."""
        return self.num_unparsed + self.num_timeout + self.num_error

    @property
    def imported_verdicts(self) -> bool:
        """Whether the verdicts came with the rollouts, and nothing was verified."""
        return self.grading.get("verdicts") == "imported"

    def unread(self, rows: IntArray | slice) -> bool:
        """Whether no draw of some problems has an answer that was found, or a verdict without."""
        drawn, unparsed = self.num_samples[rows], self.num_unparsed[rows]
        return bool(drawn.any()) and bool((unparsed == drawn).all())

    @property
    def sampling(self) -> dict[str, Any]:
        """The sampling parameters of the run."""
        return dict(self.run.info.sampling)


def read_side(run: Run, name: str, problem_ids: tuple[str, ...]) -> Side:
    """Measure one run over some of its problems (rows of other problems are left out).

    Args:
        run: the run.
        name: "base" or "rl".
        problem_ids: the ids in this run.

    Raises:
        RunDirectoryError: the run has not been graded.
    """
    ids = pa.array(problem_ids, pa.string())
    total = len(ids)
    answers, verdicts = read_grades(run, ids)
    grading = run.read_json("grading.json") or {}
    count_of = answers.by_verdict(total)
    num_samples = np.sum(count_of, axis=1)
    lengths = _read_samples(run, ids)
    completions = completion_keys(run, ids)
    scores: dict[str, CompletionScores] = {}
    labels = score_labels(run)
    ended = Draws(num_samples, count_of[:, verdict_code("correct")])
    if labels or lengths.other_than_stop:
        verdict_of_draw = draw_verdicts(run, ids, verdicts)
    if lengths.other_than_stop:
        ended = _ended_draws(run, ids, verdict_of_draw)
    if labels:
        found = {label: read_label(run, label, ids, verdict_of_draw) for label in labels}
        scores = {label: one for label, one in found.items() if one is not None}
    # Imported verdicts may come without answers, whose entropy is then unknown and not 0.
    imported = grading.get("verdicts") == "imported"
    known = ~((answers.num_distinct(total) == 0) & (num_samples > 0) & imported)
    texts = answers.whatever_verdict() if imported else answers
    entropy_sum, entropy_count = _token_entropy(scores.get(name), total)
    return Side(
        name=name,
        run=run,
        ids=problem_ids,
        model=recorded_name(str(run.info.model.get("name") or "?")),
        revision=_text(run.info.model.get("revision")),
        num_samples=num_samples,
        num_correct=count_of[:, verdict_code("correct")],
        num_unparsed=count_of[:, verdict_code("unparsed")],
        num_timeout=count_of[:, verdict_code("timeout")],
        num_error=count_of[:, verdict_code("error")],
        num_truncated=lengths.truncated,
        num_ended=lengths.ended,
        num_ungraded=lengths.drawn - num_samples,
        length_sum=lengths.tokens,
        length_count=lengths.with_tokens,
        answers_known=known,
        answer_entropy=np.where(known, _answer_entropy(texts, total), np.nan),
        answer_entropy_32=np.where(known, _answer_entropy(texts, total, draws=32), np.nan),
        token_entropy_sum=entropy_sum,
        token_entropy_count=entropy_count,
        num_distinct=answers.num_distinct(total),
        answers=answers,
        scores=scores,
        ended=ended,
        completions=completions,
        repeats=find_repeats(
            completions,
            total,
            temperature=run.info.sampling.get("temperature"),
            imported=run.info.imported,
        ),
        grading=grading,
    )


def curve_depth(base: Side, rl: Side, rows: IntArray | None = None) -> int:
    """The depth of the curves: the largest k that nine of ten problems have in both runs.

    The problems with so many draws of both models are the one set of problems that every point of a
    curve averages. Beyond the depth pass@k is not defined.

    Args:
        base: the run of the base model.
        rl: the run of the RL model.
        rows: rows of the problems to look at; None takes all.

    Returns:
        The largest k such that at least 90 % of the problems that both models have drawn have k
        draws of both; 0 where no problem has draws of both.
    """
    fewest = np.minimum(base.num_samples, rl.num_samples)
    return depth_of(fewest if rows is None else fewest[rows])


def depth_of(fewest: IntArray) -> int:
    """The largest k that nine of ten problems have, of those with any.

    Args:
        fewest: for each problem the draws that both models have.
    """
    drawn = np.sort(fewest[fewest > 0])
    if not drawn.size:
        return 0
    needed = -(-9 * drawn.size // 10)
    return int(drawn[drawn.size - needed])


def sample_ks(base: Side, rl: Side, rows: IntArray | None = None) -> list[int]:
    """The k at which curves are drawn: powers of two up to `curve_depth`, and that depth."""
    depth = curve_depth(base, rl, rows)
    if not depth:
        return []
    ks = [1 << i for i in range(depth.bit_length())]
    return ks if ks[-1] == depth else [*ks, depth]


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


class _Lengths(NamedTuple):
    """For each problem the draws, those whose end is known, those cut off, and their tokens."""

    drawn: IntArray
    ended: IntArray
    truncated: IntArray
    with_tokens: IntArray
    tokens: FloatArray

    @property
    def other_than_stop(self) -> bool:
        """Whether draws were cut off, or their end is not known."""
        return bool((self.ended - self.truncated < self.drawn).any())


def _read_samples(run: Run, ids: pa.Array) -> _Lengths:
    total = len(ids)
    drawn, ended, truncated, with_tokens = np.zeros((4, total), np.int64)
    found = _Lengths(drawn, ended, truncated, with_tokens, np.zeros(total))

    def add(to: IntArray, rows: IntArray) -> None:
        to += np.bincount(rows, minlength=total)

    for _, part in run.iter_parts("samples", columns=["problem_id", "token_ids", "finish_reason"]):
        code = codes_of(part.column("problem_id"), ids)
        mine = code >= 0
        length = pc.fill_null(pc.list_value_length(part.column("token_ids")), 0).to_numpy()
        reason = part.column("finish_reason")
        add(found.drawn, code[mine])
        add(found.ended, code[mine & pc.not_equal(reason, "unknown").to_numpy()])
        add(found.truncated, code[mine & pc.equal(reason, "length").to_numpy()])
        # Imported completions have no token ids where their file has none.
        add(found.with_tokens, code[mine & (length > 0)])
        tokens = np.bincount(code[mine], weights=length[mine], minlength=total)
        found.tokens[:] += tokens
    return found


def _ended_draws(run: Run, ids: pa.Array, verdicts: DrawVerdicts) -> Draws:
    """Graded draws that ended by themselves, and the correct among them."""
    total = len(ids)
    number, correct = np.zeros((2, total), np.int64)
    columns = ["problem_id", "sample_index", "finish_reason"]
    for _, part in run.iter_parts("samples", columns=columns):
        code = codes_of(part.column("problem_id"), ids)
        index = np.asarray(part.column("sample_index").to_numpy(), np.int64)
        stopped = pc.equal(part.column("finish_reason"), "stop").to_numpy()
        mine = (code >= 0) & stopped & (index < verdicts.width)  # the others are not graded
        code, found = code[mine], verdicts.find(code[mine], index[mine])
        number += np.bincount(code[found >= 0], minlength=total)
        correct += np.bincount(code[found == verdict_code("correct")], minlength=total)
    return Draws(number, correct)


def _answer_entropy(answers: AnswerCounts, total: int, draws: int | None = None) -> FloatArray:
    return answer_entropies(
        problem_index=answers.problem, counts=answers.count, num_problems=total, draws=draws
    )


def _token_entropy(own: CompletionScores | None, total: int) -> tuple[FloatArray, IntArray]:
    """The model's own entropy along its own completions: sum and number for each problem."""
    if own is None:
        return np.zeros(total), np.zeros(total, np.int64)
    known = np.isfinite(own.mean_entropy)
    problem = own.problem[known]
    total_entropy = np.bincount(problem, weights=own.mean_entropy[known], minlength=total)
    number = np.bincount(problem, minlength=total)
    return total_entropy.astype(np.float64), number.astype(np.int64)
