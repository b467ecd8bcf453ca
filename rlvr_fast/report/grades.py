"""The verdicts of one run: how often each answer was given, and the verdict on every draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from rlvr_fast.errors import RunDirectoryError
from rlvr_fast.report.problems import IntArray, codes_of
from rlvr_fast.store import Run, require_sealed_grades
from rlvr_fast.vocabulary import NO_GOLD, VERDICTS, Verdict

__all__ = [
    "AnswerCounts",
    "Codes",
    "DrawVerdicts",
    "VerdictLookup",
    "draw_verdicts",
    "read_grades",
    "require_graded",
    "verdict_code",
    "without_gold",
]

Codes = npt.NDArray[np.int8]

# The numbers of draws that verdicts are kept for: as many as any run may have, and by its draws.
_ROOM = 1 << 28
_ROOM_PER_ROW = 1000


def verdict_code(verdict: Verdict) -> int:
    """The number that stands for a verdict in arrays of this room."""
    return VERDICTS.index(verdict)


@dataclass(frozen=True, slots=True)
class AnswerCounts:
    """How often each distinct answer of each problem was given: one row per answer.

    Rows are ordered by problem, then by falling count.

    Attributes:
        problem: row of the answer's problem.
        canonical: the answer in its canonical form; None for "no answer".
        count: draws that gave the answer.
        verdict: `verdict_code` of the answer.
    """

    problem: IntArray
    canonical: tuple[str | None, ...]
    count: IntArray
    verdict: Codes

    def by_verdict(self, num_problems: int) -> IntArray:
        """Draws of each problem with each verdict, shape [problems, verdicts]."""
        flat = self.problem * len(VERDICTS) + self.verdict
        summed = np.bincount(flat, weights=self.count, minlength=num_problems * len(VERDICTS))
        return summed.reshape(num_problems, len(VERDICTS)).astype(np.int64)

    def num_distinct(self, num_problems: int) -> IntArray:
        """Distinct answers of each problem; "no answer" does not count as one."""
        given = np.array([text is not None for text in self.canonical], bool)
        given &= self.verdict != verdict_code("unparsed")
        return np.bincount(self.problem[given], minlength=num_problems).astype(np.int64)

    def whatever_verdict(self) -> AnswerCounts:
        """The answers of imported rollouts, whose file may call one answer right and wrong."""
        rows = pa.table(
            {
                "problem": self.problem,
                "canonical": pa.array(self.canonical, pa.large_string()),
                "count": self.count,
                "verdict": self.verdict,
            }
        )
        table = rows.group_by(["problem", "canonical"], use_threads=False).aggregate(
            [("count", "sum"), ("verdict", "min")]
        )
        table = table.sort_by([("problem", "ascending"), ("count_sum", "descending")])
        return AnswerCounts(
            problem=table["problem"].to_numpy(),
            canonical=tuple(table["canonical"].to_pylist()),
            count=table["count_sum"].to_numpy(),
            verdict=table["verdict_min"].to_numpy(),
        )


class VerdictLookup:
    """Verdict of each (problem, answer_id) pair."""

    def __init__(self, problem: IntArray, answer_id: IntArray, verdict: Codes) -> None:
        self._span = int(answer_id.max(initial=-1)) + 2
        key = problem * self._span + answer_id + 1
        order = np.argsort(key, kind="stable")
        self._keys, self._verdict = key[order], verdict[order]

    def find(self, problem: IntArray, answer_id: IntArray) -> Codes:
        """The verdict codes; -1 where the pair was not graded."""
        out = np.full(problem.shape, -1, np.int8)
        if self._keys.size == 0:
            return out
        key = problem * self._span + answer_id + 1
        at = np.minimum(np.searchsorted(self._keys, key), self._keys.size - 1)
        hit = (self._keys[at] == key) & (answer_id + 1 < self._span)
        out[hit] = self._verdict[at[hit]]
        return out


def require_graded(run: Run) -> None:
    """Checks that a run has verdicts, made from the files that lie there.

    Raises:
        RunDirectoryError: it has none, or of other files (see `store.require_sealed_grades`).
    """
    if not (run.path / "grades.parquet").exists():
        raise RunDirectoryError(
            f"{run.path}: grades.parquet is missing, so there are no verdicts to compare; "
            f"run `rlvr-fast grade {run.path}` first"
        )
    require_sealed_grades(run)


def without_gold(run: Run) -> frozenset[str]:
    """The ids of the problems that could not be graded because they have no gold answer."""
    grades = run.read_table("grades.parquet")
    if grades is None:
        return frozenset()
    lacking = grades.filter(pc.equal(grades["grader"], NO_GOLD))
    return frozenset(pc.unique(lacking["problem_id"]).to_pylist())


def read_grades(run: Run, ids: pa.Array) -> tuple[AnswerCounts, VerdictLookup]:
    """The graded answers of the problems `ids`.

    Raises:
        RunDirectoryError: the run is not graded, or holds a word that is no verdict.
    """
    require_graded(run)
    grades = run.read_table("grades.parquet")
    assert grades is not None
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
    return counts, VerdictLookup(problem[order], answer_id[order], verdict[order])


class DrawVerdicts:
    """The verdict of each draw; memory grows with the draws of each problem, not with the most.

    Args:
        num_problems: number of problems.
        parts: problem, number and verdict code of draws.

    Attributes:
        width: the largest number of a draw, plus 1.

    Raises:
        RunDirectoryError: numbers far beyond the number of draws.
    """

    def __init__(
        self, num_problems: int, parts: Sequence[tuple[IntArray, IntArray, Codes]] = ()
    ) -> None:
        self._widths = np.zeros(num_problems, np.int64)
        for problem, sample, _ in parts:
            np.maximum.at(self._widths, problem, sample + 1)
        total, rows = int(self._widths.sum()), sum(len(sample) for _, sample, _ in parts)
        if total > max(_ROOM, _ROOM_PER_ROW * rows):
            raise RunDirectoryError(
                f"expected draws that are numbered from 0 on, got a sample_index up to "
                f"{int(self._widths.max()) - 1} in {rows} graded draws; import or draw the run anew"
            )
        self._starts = np.cumsum(self._widths) - self._widths
        self._codes = np.full(total, -1, np.int8)
        for problem, sample, verdict in parts:
            self._codes[self._starts[problem] + sample] = verdict
        self.width = int(self._widths.max(initial=0))

    def find(self, problem: IntArray, sample: IntArray) -> Codes:
        """The verdict codes of some draws; -1 where a draw was not graded."""
        found = np.full(problem.shape, -1, np.int8)
        inside = sample < self._widths[problem]
        found[inside] = self._codes[self._starts[problem[inside]] + sample[inside]]
        return found


def draw_verdicts(run: Run, ids: pa.Array, verdicts: VerdictLookup) -> DrawVerdicts:
    """The verdict of each draw of the problems `ids`.

    Raises:
        RunDirectoryError: a part is damaged, or its draws are numbered beyond all bounds.
    """
    parts: list[tuple[IntArray, IntArray, Codes]] = []
    for _, part in run.iter_parts("answers", columns=["problem_id", "sample_index", "answer_id"]):
        code = codes_of(part.column("problem_id"), ids)
        mine = code >= 0
        sample = np.asarray(part.column("sample_index").to_numpy(), dtype=np.int64)[mine]
        answer = np.asarray(part.column("answer_id").to_numpy(), dtype=np.int64)[mine]
        parts.append((code[mine], sample, verdicts.find(code[mine], answer)))
    try:
        return DrawVerdicts(len(ids), parts)
    except RunDirectoryError as error:
        raise RunDirectoryError(f"{run.path / 'answers'}: {error}") from None
