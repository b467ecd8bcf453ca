"""The distinct answers of a run, their ids and their counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rlvr_fast.answers.grouping import group_answers
from rlvr_fast.answers.normalization import UNRESOLVED, complete_forms, normalize_answers

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["DistinctAnswers"]


@dataclass(slots=True)
class DistinctAnswers:
    """The distinct answers of a run; the place of an answer in the lists is its answer_id.

    A distinct answer is a class of answers to one problem that have one canonical form, completed
    from the gold answer (`complete_forms`), or, where the verifier of the task compares texts
    (`exact`), one text. Where imported verdicts decide, the
    answers of a class share the verdict as well, and completions without an answer form classes
    too. Ids follow the order in which
    answers first appear in the parts of answers/, so more samples add ids and change none. Memory
    grows with the distinct answers, not with the completions.

    Attributes:
        problems: the problem ids of the run.
        exact: for each problem, whether its distinct answers are texts.
        golds: for each problem, the gold answers that are accepted. Where they complete a form
            differently, the form stays as it is.
        problem: for each distinct answer, the place of its problem in `problems`.
        text: for each distinct answer, its text as first written; None for completions without an
            answer that have an imported verdict.
        canonical: for each distinct answer, its canonical form; None where `exact` is true.
        verdict: for each distinct answer, the number of its imported verdict; -1 without one.
    """

    problems: list[str]
    exact: list[bool]
    golds: Sequence[tuple[str, ...]]
    problem: list[int] = field(default_factory=list)
    text: list[str | None] = field(default_factory=list)
    canonical: list[str | None] = field(default_factory=list)
    verdict: list[int] = field(default_factory=list)
    _counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    _without: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    _ids: dict[tuple[int, str | None, int], int] = field(default_factory=dict)
    _number: dict[str, int] = field(default_factory=dict)
    _misnumbered: str | None = None
    _gold_forms: list[list[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._number = {problem_id: number for number, problem_id in enumerate(self.problems)}
        self._without = np.zeros(len(self.problems), np.int64)
        self._gold_forms = [
            [] if exact else normalize_answers(list(accepted))
            for exact, accepted in zip(self.exact, self.golds, strict=True)
        ]

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
        self,
        problem_ids: Any,
        answers: Any,
        known: NDArray[np.int32] | None = None,
        verdicts: NDArray[np.int64] | None = None,
    ) -> NDArray[np.int32]:
        """Counts the answers of some rows and gives an id to each new distinct answer.

        Args:
            problem_ids: one for each row.
            answers: one for each row, null where the row has none.
            known: the ids of the rows where they have ids already.
            verdicts: the numbers of the imported verdicts, 0 to 2, where they decide.

        Returns:
            The id of each row; -1 where the row has no answer and no verdict decides.
        """
        if verdicts is None:
            groups = group_answers(problem_ids, answers)
            owners = [self._number[name] for name in groups.problem_id.to_pylist()]
            words = [-1] * len(owners)
        else:
            codes = pc.index_in(problem_ids, value_set=pa.array(self.problems, pa.string()))
            groups = group_answers(codes.to_numpy().astype(np.int64) * 3 + verdicts, answers)
            keys = groups.problem_id.to_pylist()
            owners, words = [key // 3 for key in keys], [key % 3 for key in keys]
        assert groups.group_of_row is not None
        forms = self._completed(owners, normalize_answers(groups.answer).to_pylist())
        texts = groups.answer.to_pylist()
        given = np.full(len(groups), -1, np.int32)
        rows = zip(owners, words, texts, forms, strict=True)
        for place, (owner, word, text, form) in enumerate(rows):
            if text is None and word < 0:
                self._without[owner] += groups.count[place]
                continue
            exact = self.exact[owner]
            key = (owner, text if exact else form, word)
            number = self._ids.get(key) if known is None else int(known[groups.first_row[place]])
            if number is None:
                number = len(self)
            elif number < 0:
                self._misnumbered = "an answer has no answer_id"
                continue
            if number >= len(self):
                self._reserve(number + 1)
            if self.problem[number] < 0:
                self.problem[number], self.text[number] = owner, text
                self.canonical[number] = None if exact else form
                self.verdict[number] = word
            elif self._key(number) != key:
                self._misnumbered = f"several distinct answers have the answer_id {number}"
            if self._ids.setdefault(key, number) != number:
                self._misnumbered = f"one distinct answer has the answer_ids {number} and another"
            self._counts[number] += groups.count[place]
            given[place] = number
        return given[groups.group_of_row]

    def _completed(self, owners: list[int], forms: list[str | None]) -> list[str | None]:
        """The forms as every gold of their problem completes them; the form where two disagree."""
        places = [place for place, owner in enumerate(owners) for _ in self._gold_forms[owner]]
        made = complete_forms(
            pa.array([forms[place] for place in places], pa.large_string()),
            pa.array([form for owner in owners for form in self._gold_forms[owner]]),
        ).to_pylist()
        by_place: dict[int, set[str | None]] = {}
        for place, form in zip(places, made, strict=True):
            by_place.setdefault(place, set()).add(form)
        return [
            next(iter(by_place[place])) if len(by_place.get(place, ())) == 1 else form
            for place, form in enumerate(forms)
        ]

    def _key(self, number: int) -> tuple[int, str | None, int]:
        owner = self.problem[number]
        text = self.text[number] if self.exact[owner] else self.canonical[number]
        return owner, text, self.verdict[number]

    def _reserve(self, size: int) -> None:
        extra = size - len(self)
        self.problem += [-1] * extra
        self.text += [None] * extra
        self.canonical += [None] * extra
        self.verdict += [-1] * extra
        if size > len(self._counts):
            grown = np.zeros(max(1024, 2 * size), np.int64)
            grown[: len(self._counts)] = self._counts
            self._counts = grown

    def unnumbered(self) -> str | None:
        """What is wrong with ids that were given with `known`; None where they number the answers.

        Each id from 0 on has to stand for one distinct answer, and each distinct answer has one.
        """
        if self._misnumbered is None and -1 in self.problem:
            return f"no answer has the answer_id {self.problem.index(-1)}"
        return self._misnumbered

    def shown(self, number: int) -> str | None:
        """The answer in tables: its canonical form where resolved, else its text, None without."""
        form = self.canonical[number]
        return self.text[number] if form is None or form.startswith(UNRESOLVED) else form
