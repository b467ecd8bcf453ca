"""Problems of rollouts joined to the problems of tasks, by id or by question, in any order."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Protocol

from rlvr_fast.errors import InvalidInputError, shown
from rlvr_fast.store.question_texts import QuestionTexts
from rlvr_fast.store.rollouts.questions import question_key
from rlvr_fast.tasks import Problem, TaskSpec, load_tasks
from rlvr_fast.tasks.specs import parse_spec

__all__ = ["Joinable", "Joiner"]

_NUMBER = re.compile(r"[+-]?\d+")
_WHOLE = re.compile(r"([+-]?\d+)\.0+")  # an id that went through a float column
# Metadata that say which answers are right beside the gold answer of the rows, which the task's
# gold answer replaces.
_OF_THE_GOLD = ("alternative_golds", "multiple_answers", "tolerance")


class Joinable(Protocol):
    """A problem of rollouts; a match replaces its fields with those of the task's problem.

    Attributes:
        problem_id: the id in the run.
        stated_id: the id in the rows, None where they have none.
        task: the name of the task.
        question: the text of the question, "" where the rows have none.
        key: what identifies the question; see `question_key`.
        gold: the gold answer, None where there is none.
        multiple: whether the gold is a list of answers.
        metadata: JSON values.
    """

    problem_id: str
    stated_id: str | None
    task: str
    question: str
    key: str
    gold: str | None
    multiple: bool
    metadata: dict[str, Any]


class Joiner:
    """Finds the problems of tasks that finished completions belong to.

    A stated id matches the problem's id, the id behind "TASK/", or either in other case
    ("HumanEval/12"). A plain number also matches the place in the task's source, unless the task
    has numbers of its own for ids. Ids that are plain numbers, and places, need a question that
    agrees where the rows have one: rows are numbered in many ways. Without such an id the question
    decides (white space, templates and instructions aside), then a question that stands inside the
    text of the other side.

    Attributes:
        tasks: [{"name", "spec"}] of every task, as run.json holds them.
        matched: way of matching ("id", "place", "question", "question inside the prompt") to the
            number of distinct problems of the rows.
        notes: sentences that the user has to read, complete after the last `pose`.
    """

    def __init__(self, specs: Sequence[str]) -> None:
        """Loads the tasks.

        Args:
            specs: `SPEC` or `NAME=SPEC` of each task, as for `load_tasks`.

        Raises:
            InvalidInputError, MissingDependencyError: as `load_tasks`.
        """
        tasks = load_tasks(specs)
        self.tasks = [{"name": task.name, "spec": task.spec} for task in tasks]
        self.matched: Counter[str] = Counter()
        self._problems = [problem for task in tasks for problem in task.problems()]
        self._ids = _by_id(self._problems)
        self._keys = [question_key(problem.question) for problem in self._problems]
        self._by_key: dict[str, list[int]] = {}
        for place, key in enumerate(self._keys):
            self._by_key.setdefault(key, []).append(place)
        self._texts: QuestionTexts | None = None
        self._stated: dict[int, str] = {}
        self._examples: dict[str, str] = {}
        self._counts: Counter[str] = Counter()
        self._other_golds: dict[str, str] = {}
        self._unmatched: Joinable | None = None

    def pose(self, problem: Joinable) -> bool:
        """Makes the problem that of a task: id, task, question, gold, metadata.

        Keys of the metadata that the task does not use stay.

        Returns:
            Whether a task has the problem; it is unchanged where none has.
        """
        found = self._find(problem)
        if found is None:
            if self._unmatched is None:
                self._unmatched = problem
            self._counts["unmatched"] += 1
            return False
        place, way = found
        self.matched[way] += 1
        posed = self._problems[place]
        if problem.stated_id is not None:
            first = self._stated.setdefault(place, problem.stated_id)
            if first != problem.stated_id:
                self._count(
                    "ids of the rows stand for a problem that another id stands for too; they are "
                    "one problem",
                    f"{problem.stated_id!r} and {first!r} are {posed.problem_id!r}",
                )
        problem.problem_id, problem.task = posed.problem_id, posed.task
        problem.question, problem.key = posed.question, self._keys[place]
        problem.gold, problem.multiple = posed.gold, False
        kept = {key: value for key, value in problem.metadata.items() if key not in _OF_THE_GOLD}
        problem.metadata = {**kept, **posed.metadata}
        return True

    def compare_gold(self, problem: Joinable, gold: str, where: str) -> None:
        """Compares a gold answer of the rows with the task's, which alone decides.

        Args:
            problem: a problem that `pose` has matched.
            gold: the gold answer of a row.
            where: the file and the row.
        """
        if problem.gold is not None and _spelling(gold) != _spelling(problem.gold):
            said = f"{where}: {shown(gold)}, and {shown(problem.gold)} in the task"
            self._other_golds.setdefault(problem.problem_id, said)

    @property
    def notes(self) -> list[str]:
        """Sentences that the user has to read."""
        notes = [
            f"{number:,} {what} (first: {self._examples[what]})"
            for what, number in self._counts.items()
            if what in self._examples
        ]
        if self._other_golds:
            notes.append(
                f"{len(self._other_golds):,} problems have another gold answer in the rows than in "
                "the task, or another spelling of it; the task's is used (first: "
                f"{next(iter(self._other_golds.values()))})"
            )
        return notes

    def summary(self) -> str:
        """How problems were matched, with the notes, in words."""
        specs = ", ".join(_without_digest(task["spec"]) for task in self.tasks)
        ways = ", ".join(f"{number:,} by {way}" for way, number in self.matched.items())
        total = self._counts["unmatched"] + sum(self.matched.values())
        parts = [f"{sum(self.matched.values()):,} of {total:,} problems are of {specs}"]
        parts[0] += f" ({ways})" if ways else f": {self.explain()}"
        return "; ".join(parts + self.notes)

    def check(self) -> None:
        """Checks that some problem of the rows is one of the tasks', once all rows were read.

        Raises:
            InvalidInputError: none is; the message shows one problem of each side.
        """
        if self._unmatched is not None and not self.matched:
            raise InvalidInputError(
                f"none of the {self._counts['unmatched']:,} problems of the rows is one of "
                f"{', '.join(_without_digest(task['spec']) for task in self.tasks)}: "
                f"{self.explain()}. Name the task whose problems the rows answer, or the fields "
                "with the id and the question: --field problem_id=PATH, --field question=PATH"
            )

    def explain(self) -> str:
        """What was compared, with an example of each side, where some problem has no match."""
        other = self._unmatched
        if other is None:
            return ""
        stated = "no id" if other.stated_id is None else f"the id {other.stated_id!r}"
        asked = f"the question {shown(question_key(other.question))}" if other.question else ""
        own = self._problems[0]
        return (
            f"no problem of the tasks has the id or the question of, for example, {stated} with "
            f"{asked or 'no question'}; the first of the {len(self._problems):,} problems of the "
            f"tasks has the id {own.problem_id!r} and the question {shown(self._keys[0])}"
        )

    def _find(self, problem: Joinable) -> tuple[int, str] | None:
        key = question_key(problem.question) if problem.question.strip() else ""
        candidates = self._candidates(problem)
        if not key:
            return self._by_id_alone(candidates)
        for place, way in candidates:
            if self._agree(key, problem.question, place):
                return place, way
        same = self._by_key.get(key, [])
        if same:
            return self._one_of(same, key)
        inside = self._text_index().inside(problem.question, key)
        if inside is not None:
            return self._one_of(self._by_key[self._keys[inside]], key, " inside the prompt")
        for place, way in candidates:
            if way == "id" and not _NUMBER.fullmatch(_plain(problem.stated_id)):
                self._count(
                    "problems have the id of a problem of the task, but another question; the id "
                    "decides",
                    f"{problem.stated_id!r} asks {shown(key)}, {shown(self._keys[place])} in the "
                    "task",
                )
                return place, way
        return None

    def _candidates(self, problem: Joinable) -> list[tuple[int, str]]:
        """The problems that a stated id may mean, the most likely first."""
        if problem.stated_id is None:
            return []
        stated = _plain(problem.stated_id)
        ids = self._ids
        tail = stated.rpartition("/")[2]
        ways = [
            ("id", ids.exact.get(stated, [])),
            ("id", ids.exact.get(f"{problem.task}/{stated}", [])),
            ("id", ids.folded.get(stated.casefold(), [])),
            # "HumanEval/12" where the task has another name: the number alone is no id.
            ("place", ids.exact.get(tail, []) if tail != stated else []),
            ("place", ids.place.get(stated, [])),
        ]
        found = [(place, way) for way, places in ways for place in places]
        named = [pair for pair in found if self._problems[pair[0]].task == problem.task]
        return list(dict.fromkeys(named or found))

    def _by_id_alone(self, candidates: list[tuple[int, str]]) -> tuple[int, str] | None:
        for wanted in ("id", "place"):
            places = {place for place, way in candidates if way == wanted}
            if (
                wanted == "place"
                and self._ids.numbered
                and any(
                    not self._problems[place].problem_id.endswith(f"/{self._index(place)}")
                    for place in places
                )
            ):
                return None
            if len(places) == 1:
                return places.pop(), wanted
            if places:
                ids = ", ".join(repr(self._problems[place].problem_id) for place in sorted(places))
                self._count("ids are those of several tasks, and the rows have no question", ids)
                return None
        return None

    def _index(self, place: int) -> object:
        return self._problems[place].metadata.get("index")

    def _one_of(self, places: list[int], key: str, how: str = "") -> tuple[int, str] | None:
        """The problem of a question; None where problems of one question have other answers."""
        problems = [self._problems[place] for place in places]
        if len(places) > 1:
            ids = ", ".join(repr(problem.problem_id) for problem in problems[:3])
            if not _interchangeable(problems):
                self._count(
                    "problems have a question that the tasks ask several times, with other "
                    "answers, and no id; they are left out",
                    f"{shown(key)}: {ids}",
                )
                return None
            self._count(
                "problems have a question that the tasks ask several times; the first is taken",
                f"{shown(key)}: {ids}",
            )
        return places[0], f"question{how}"

    def _agree(self, key: str, question: str, place: int) -> bool:
        own = self._keys[place]
        return key == own or self._text_index().holds(question, key, place)

    def _text_index(self) -> QuestionTexts:
        if self._texts is None:
            questions = [problem.question for problem in self._problems]
            self._texts = QuestionTexts(questions, self._keys)
        return self._texts

    def _count(self, what: str, example: str) -> None:
        self._counts[what] += 1
        self._examples.setdefault(what, example)


@dataclass(frozen=True, slots=True)
class _Ids:
    exact: dict[str, list[int]]
    folded: dict[str, list[int]]
    place: dict[str, list[int]]
    numbered: bool


def _by_id(problems: Sequence[Problem]) -> _Ids:
    ids = _Ids({}, {}, {}, any(_NUMBER.fullmatch(_own_id(p)) for p in problems))
    for place, problem in enumerate(problems):
        for name in dict.fromkeys((problem.problem_id, _own_id(problem))):
            ids.exact.setdefault(name, []).append(place)
            ids.folded.setdefault(name.casefold(), []).append(place)
        ids.place.setdefault(str(problem.metadata.get("index")), []).append(place)
    return ids


def _own_id(problem: Problem) -> str:
    return problem.problem_id.removeprefix(f"{problem.task}/")


def _without_digest(spec: str) -> str:
    parsed = parse_spec(spec)
    shown = {key: value for key, value in parsed.options.items() if key != "sha256"}
    return str(TaskSpec(parsed.scheme, parsed.source, shown))


def _plain(stated: str | None) -> str:
    text = "" if stated is None else stated.strip()
    return match[1] if (match := _WHOLE.fullmatch(text)) else text


def _interchangeable(problems: Sequence[Problem]) -> bool:
    """Whether one answer is right for all of these problems, which have one question."""
    golds = {problem.gold for problem in problems}
    if len(golds) == 1 and None not in golds:
        return True
    generated = {problem.metadata.get("question_sha256") for problem in problems}
    return len(generated) == 1 and None not in generated


_LATEX_SPACE = re.compile(r"\\[,;:! ]|\\(?:left|right|displaystyle)(?![A-Za-z])|[\s$~]|\\[()\[\]]")
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?")


def _spelling(gold: str) -> list[str]:
    """A gold answer without differences of spelling that mean nothing; lists in any order."""
    parts = [gold] if _THOUSANDS.fullmatch(gold.strip()) else re.split(r",\s", gold)
    return sorted(map(_one_spelling, parts))


def _one_spelling(gold: str) -> str:
    text = re.sub(r"\\[dt]frac", r"\\frac", _LATEX_SPACE.sub("", gold))
    if _THOUSANDS.fullmatch(text):
        text = text.replace(",", "")
    try:
        number = Decimal(text)
    except InvalidOperation:
        return text
    return str(number.normalize() + 0) if number.is_finite() else text
