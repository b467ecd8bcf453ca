"""The distinct answers of a run, their ids and their counts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from rlvr_fast.answers.grouping import group_answers
from rlvr_fast.answers.normalization import UNRESOLVED, normalize_answers

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["DistinctAnswers"]


@dataclass(slots=True)
class DistinctAnswers:
    """The distinct answers of a run; the place of an answer in the lists is its answer_id.

    A distinct answer is a class of answers to one problem that have one canonical form or, where
    the verifier of the task compares texts (`exact`), one text. Ids follow the order in which
    answers first appear in the parts of answers/, so more samples add ids and change none. Memory
    grows with the distinct answers, not with the completions.

    Attributes:
        problems: the problem ids of the run.
        exact: for each problem, whether its distinct answers are texts.
        problem: for each distinct answer, the place of its problem in `problems`.
        text: for each distinct answer, its text as first written.
        canonical: for each distinct answer, its canonical form; None where `exact` is true.
    """

    problems: list[str]
    exact: list[bool]
    problem: list[int] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    canonical: list[str | None] = field(default_factory=list)
    _counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    _without: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    _ids: dict[tuple[int, str], int] = field(default_factory=dict)
    _number: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._number = {problem_id: number for number, problem_id in enumerate(self.problems)}
        self._without = np.zeros(len(self.problems), np.int64)

    def __len__(self) -> int:
        return len(self.problem)

    @property
    def counts(self) -> NDArray[np.int64]:
        """The number of completions with each distinct answer."""
        return self._counts[: len(self)]

    @property
    def without_answer(self) -> NDArray[np.int64]:
        """The number of completions of each problem without an answer."""
        return self._without

    def add(
        self, problem_ids: Any, answers: Any, known: NDArray[np.int32] | None = None
    ) -> NDArray[np.int32]:
        """Counts the answers of some rows and gives an id to each new distinct answer.

        Args:
            problem_ids: one for each row.
            answers: one for each row, null where the row has none.
            known: the ids of the rows where they have ids already.

        Returns:
            The id of each row; -1 where the row has no answer.
        """
        groups = group_answers(problem_ids, answers)
        assert groups.group_of_row is not None
        forms = normalize_answers(groups.answer).to_pylist()
        texts = groups.answer.to_pylist()
        owners = [self._number[name] for name in groups.problem_id.to_pylist()]
        given = np.full(len(groups), -1, np.int32)
        for place, (owner, text, form) in enumerate(zip(owners, texts, forms, strict=True)):
            if text is None:
                self._without[owner] += groups.count[place]
                continue
            exact = self.exact[owner]
            key = (owner, text if exact else form)
            number = self._ids.get(key) if known is None else int(known[groups.first_row[place]])
            if number is None:
                number = len(self)
            if number >= len(self):
                self._reserve(number + 1)
            if self.problem[number] < 0:
                self.problem[number], self.text[number] = owner, text
                self.canonical[number] = None if exact else form
            self._ids.setdefault(key, number)
            self._counts[number] += groups.count[place]
            given[place] = number
        return given[groups.group_of_row]

    def _reserve(self, size: int) -> None:
        extra = size - len(self)
        self.problem += [-1] * extra
        self.text += [""] * extra
        self.canonical += [None] * extra
        if size > len(self._counts):
            grown = np.zeros(max(1024, 2 * size), np.int64)
            grown[: len(self._counts)] = self._counts
            self._counts = grown

    def shown(self, number: int) -> str:
        """The text of an answer in tables: its canonical form where resolved, else its own text."""
        form = self.canonical[number]
        return self.text[number] if form is None or form.startswith(UNRESOLVED) else form
