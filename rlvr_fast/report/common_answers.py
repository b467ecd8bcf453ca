"""The commonest answers of both models to each problem, and how often each gave them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rlvr_fast.report.grades import AnswerCounts
from rlvr_fast.report.problems import IntArray
from rlvr_fast.report.sides import Side
from rlvr_fast.vocabulary import VERDICTS, Verdict

__all__ = ["AnswerRows", "CommonAnswer", "ProblemAnswers", "answer_rows", "common_answers"]


@dataclass(frozen=True, slots=True)
class CommonAnswer:
    """One answer to a problem.

    Attributes:
        text: in its canonical form; None for "no answer", or where only a verdict is known.
        verdict: the verdict on it.
        base: draws of the base model that gave it.
        rl: draws of the RL model that gave it.
    """

    text: str | None
    verdict: Verdict
    base: int
    rl: int


@dataclass(frozen=True, slots=True)
class ProblemAnswers:
    """What both models answered to one problem.

    Attributes:
        common: the commonest answers, by the sum of both models' shares, falling.
        rest: (distinct answers, draws) of base and of RL that `common` leaves out.
    """

    common: list[CommonAnswer]
    rest: tuple[tuple[int, int], tuple[int, int]]


def common_answers(
    base: Side, rl: Side, *, most: int, problems: Iterable[int]
) -> Iterator[ProblemAnswers]:
    """The answers to some problems, in their order.

    An answer with two verdicts, which imported files may give, is two answers.

    Args:
        base: the run of the base model.
        rl: the run of the RL model.
        most: the number of commonest answers taken from each model.
        problems: rows of the problems.
    """
    sides = [_Answers(side.answers) for side in (base, rl)]
    for problem in problems:
        given = [side.of(problem) for side in sides]
        wanted = dict.fromkeys(key for counts in given for key in list(counts)[:most])
        shares = [max(int(side.num_samples[problem]), 1) for side in (base, rl)]
        found = [
            CommonAnswer(text, VERDICTS[code], *(counts.get((text, code), 0) for counts in given))
            for text, code in wanted
        ]
        found.sort(key=lambda a: -(a.base / shares[0] + a.rl / shares[1]))
        rest = [
            (len(left), sum(left))
            for counts in given
            for left in [[n for key, n in counts.items() if key not in wanted]]
        ]
        yield ProblemAnswers(found, (rest[0], rest[1]))


class _Answers:
    """Counts of the answers of one run by problem."""

    def __init__(self, answers: AnswerCounts) -> None:
        self._answers = answers

    def of(self, problem: int) -> dict[tuple[str | None, int], int]:
        """(text, verdict code) to count, by falling count."""
        a = self._answers
        start, end = (int(np.searchsorted(a.problem, p)) for p in (problem, problem + 1))
        out: dict[tuple[str | None, int], int] = {}
        for row in range(start, end):
            key = a.canonical[row], int(a.verdict[row])
            out[key] = out.get(key, 0) + int(a.count[row])
        return out


@dataclass(frozen=True, slots=True)
class AnswerRows:
    """`common_answers` of all problems as columns: a row an answer, in the same order.

    Behind the answers of a problem stands a row for its other answers, where there are any.

    Attributes:
        problem: row of the problem.
        text: as `CommonAnswer`; null for a row of other answers too.
        verdict: `verdict_code`; -1 for a row of other answers.
        answers: distinct answers in the row, at least.
        base: draws of the base model.
        rl: draws of the RL model.
    """

    problem: IntArray
    text: pa.Array
    verdict: IntArray
    answers: IntArray
    base: IntArray
    rl: IntArray


def answer_rows(base: Side, rl: Side, *, most: int) -> AnswerRows:
    """The commonest answers to every problem.

    Args:
        base: the run of the base model.
        rl: the run of the RL model.
        most: the number of commonest answers taken from each model.
    """
    sides = (base.answers, rl.answers)
    texts = pa.concat_arrays([pa.array(a.canonical, pa.large_string()) for a in sides])
    encoded = texts.dictionary_encode()
    # the text of an answer, 0 for none
    code = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64) + 1
    problem = np.concatenate([a.problem for a in sides])
    verdict = np.concatenate([a.verdict for a in sides]).astype(np.int64)
    span = len(encoded.dictionary) + 1
    key = (problem * span + code) * len(VERDICTS) + verdict
    # one row for each answer to each problem, whoever gave it
    keys, first, of = np.unique(key, return_index=True, return_inverse=True)
    problem, code, verdict = problem[first], code[first], verdict[first]
    cut = len(base.answers.problem)
    counts = np.zeros((2, keys.size), np.int64)
    rank = np.full((2, keys.size), np.iinfo(np.int64).max)
    for i, (mine, a) in enumerate(zip((of[:cut], of[cut:]), sides, strict=True)):
        np.add.at(counts[i], mine, a.count)
        given, place = np.unique(mine, return_index=True)
        order = np.lexsort((place, problem[given]))
        given = given[order]
        rank[i, given] = _within(problem[given])
    wanted = (rank < most).any(axis=0)
    share = sum(
        count / np.maximum(side.num_samples, 1)[problem]
        for count, side in zip(counts, (base, rl), strict=True)
    )
    # answers of base in its order, then those that only RL's commonest hold
    of_base = rank[0] < most
    order = np.lexsort((np.where(of_base, rank[0], rank[1]), ~of_base, -share, problem))
    order = order[wanted[order]]
    total = base.num_samples.size
    others = [np.bincount(problem[~wanted & (c > 0)], minlength=total) for c in counts]
    draws = [
        np.bincount(problem[~wanted], weights=c[~wanted], minlength=total).astype(np.int64)
        for c in counts
    ]
    rest = np.flatnonzero((draws[0] > 0) | (draws[1] > 0))
    none = np.zeros(rest.size, np.int64)
    columns = [
        np.concatenate([left, right])
        for left, right in (
            (problem[order], rest),
            (code[order], none),
            (verdict[order], none - 1),
            (np.ones(order.size, np.int64), np.maximum(*others)[rest]),
            (counts[0, order], draws[0][rest]),
            (counts[1, order], draws[1][rest]),
        )
    ]
    placed = np.argsort(columns[0], kind="stable")
    problem, code, verdict, answers, in_base, in_rl = (column[placed] for column in columns)
    text = encoded.dictionary.take(pa.array(code - 1, mask=code == 0))
    return AnswerRows(problem, text, verdict, answers, in_base, in_rl)


def _within(problem: IntArray) -> IntArray:
    """The place of each row among those of its problem; `problem` rises."""
    start = np.flatnonzero(np.diff(problem, prepend=-1))
    return np.arange(problem.size) - np.repeat(start, np.diff(start, append=problem.size))
