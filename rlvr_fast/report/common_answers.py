"""The commonest answers of both models to each problem, and how often each gave them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from rlvr_fast.report.grades import AnswerCounts
from rlvr_fast.report.sides import Side
from rlvr_fast.vocabulary import VERDICTS, Verdict

__all__ = ["CommonAnswer", "ProblemAnswers", "common_answers"]


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


def common_answers(base: Side, rl: Side, *, most: int) -> Iterator[ProblemAnswers]:
    """The answers to each problem, in the order of the problems.

    An answer with two verdicts, which imported files may give, is two answers.

    Args:
        base: the run of the base model.
        rl: the run of the RL model.
        most: the number of commonest answers taken from each model.
    """
    total = base.num_samples.size
    sides = [_Answers(side.answers, total) for side in (base, rl)]
    draws = np.stack([base.num_samples, rl.num_samples]).T.tolist()
    for problem in range(total):
        given = [side.of(problem) for side in sides]
        wanted = dict.fromkeys(key for counts in given for key in list(counts)[:most])
        shares = [max(n, 1) for n in draws[problem]]
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

    def __init__(self, answers: AnswerCounts, total: int) -> None:
        self._canonical = answers.canonical
        self._start = np.searchsorted(answers.problem, np.arange(total + 1)).tolist()
        self._count = answers.count.tolist()
        self._verdict = answers.verdict.tolist()

    def of(self, problem: int) -> dict[tuple[str | None, int], int]:
        """(text, verdict code) to count, by falling count."""
        out: dict[tuple[str | None, int], int] = {}
        for row in range(self._start[problem], self._start[problem + 1]):
            key = self._canonical[row], self._verdict[row]
            out[key] = out.get(key, 0) + self._count[row]
        return out
