"""The problems of an import: found row by row, told apart by id or by question."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from rlvr_fast.errors import InvalidInputError, MissingDependencyError, shown
from rlvr_fast.store.importing.columns import Column, to_list
from rlvr_fast.store.importing.summary import Problem
from rlvr_fast.store.joining import Joiner
from rlvr_fast.store.readers.reader import MISSING
from rlvr_fast.store.rollouts.columns import distinct_values
from rlvr_fast.store.rollouts.question_keys import question_key
from rlvr_fast.store.rollouts.questions import Question, read_questions
from rlvr_fast.store.rollouts.values import read_gold, read_ids

__all__ = ["ProblemTable"]

Codes = npt.NDArray[np.int64]
_NOBODY = Question("")


class ProblemTable:
    """The problems that the rows named so far.

    Attributes:
        problems: in the order of their first rows.
        unmatched: number of problems that the tasks of `--problems` do not have.
        faults: values that give no gold answer, each with file and row.
        notes: sentences that the user has to read.
    """

    def __init__(self, task: str, joiner: Joiner | None) -> None:
        self._task = task
        self._joiner = joiner
        self._by_spec: dict[str, Joiner | None] = {}
        self._places: dict[tuple[Any, ...], int] = {}
        self._by_id: dict[str, int] = {}
        self._golds: dict[int, str] = {}
        self.problems: list[Problem] = []
        self.unmatched = 0
        self.faults: list[str] = []
        self.notes: list[str] = []

    def codes(
        self, columns: dict[str, Column], numbers: npt.NDArray[np.int64], name: str, gold: str
    ) -> tuple[Codes, Codes, list[Question]]:
        """(problem of each row or -1, question of each row or -1, questions).

        A row has no problem where it has neither a question nor an id, or where the tasks of
        `--problems` do not have its problem.

        Args:
            columns: role to column.
            numbers: the row numbers.
            name: the file, for messages.
            gold: the path of the gold answers.

        Raises:
            InvalidInputError: rows contradict each other; the message names file and row.
        """
        rows = len(numbers)
        absent: list[Any] = [MISSING] * rows
        asked, questions = np.full(rows, -1, np.int64), list[Question]()
        if "question" in columns:
            try:
                asked, questions = read_questions(columns["question"], columns.get("system"))
            except InvalidInputError as error:
                raise InvalidInputError(f"{name}: {error}") from None
        ids = read_ids(columns["problem_id"]) if "problem_id" in columns else absent
        id_codes, id_values = distinct_values(ids)
        task_codes, task_values = distinct_values(columns.get("task", absent))
        spec_codes, spec_values = distinct_values(columns.get("spec", absent))
        # Where nothing else does, the token ids of the prompt identify the problem.
        prompt_codes = np.full(rows, -1, np.int64)
        nameless = (id_codes < 0) & (asked < 0)
        if nameless.any() and "prompt_token_ids" in columns:
            prompt_codes[nameless] = distinct_values(columns["prompt_token_ids"])[0][nameless]
        keys = np.stack([id_codes, asked, task_codes, spec_codes, prompt_codes], axis=1)
        distinct, first, inverse = np.unique(keys, axis=0, return_index=True, return_inverse=True)
        order = np.argsort(first)
        places = np.full(len(distinct), -1, np.int64)
        for at in order.tolist():
            i, q, t, s, _ = distinct[at].tolist()
            row = int(first[at])
            places[at] = self._place(
                id_values[i] if i >= 0 else None,
                questions[q] if q >= 0 else _NOBODY,
                str(task_values[t]) if t >= 0 else None,
                str(spec_values[s]) if s >= 0 else None,
                {
                    role: columns[role]
                    for role in ("metadata", "prompt_token_ids")
                    if role in columns
                },
                row,
                f"{name}, row {int(numbers[row])}",
            )
        codes = places[inverse.reshape(-1)]
        if "gold" in columns:
            self._read_golds(codes, columns["gold"], numbers, name, gold)
        return codes, asked, questions

    def _place(
        self,
        stated: str | None,
        question: Question,
        task: str | None,
        spec: str | None,
        about: dict[str, Column],
        row: int,
        where: str,
    ) -> int:
        prompt_ids = _whole_numbers(_value(about, "prompt_token_ids", row))
        key: tuple[Any, ...] = (stated, question.text, task, spec)
        if not question.text and stated is None:
            if prompt_ids is None:
                return -1
            key = (*key, tuple(prompt_ids))
        known = self._places.get(key)
        if known is not None:
            return known
        identity = question_key(question.text) or json.dumps(prompt_ids)
        owner = task or self._task
        problem_id = stated
        if problem_id is None:
            problem_id = f"q-{hashlib.blake2b(identity.encode(), digest_size=8).hexdigest()}"
        if task is not None and not problem_id.startswith(f"{task}/"):
            problem_id = f"{task}/{problem_id}"
        metadata = {}
        extra = _value(about, "metadata", row)
        if isinstance(extra, dict):
            metadata = _plain_json(extra)
        if question.messages and len(question.messages) > 1:
            metadata["messages"] = question.messages
        problem = Problem(
            problem_id, stated, owner, question.text, identity, None, False, metadata, prompt_ids,
            where, spec=spec,
        )  # fmt: skip
        joiner = self._joiner_of(spec)
        if joiner is None:
            problem.spec = None
        elif not joiner.pose(problem):
            if spec is None:
                self.unmatched += 1
                self._places[key] = -1
                return -1
            # Another version of the generator makes other problems; the gold answer of the rows
            # grades this one, under a task that has no verifier of its own.
            note = (
                f"problems of the file that {spec} does not make are graded by their gold answers"
            )
            if note not in self.notes:
                self.notes.append(note)
            problem.spec, problem.task = None, self._task
        place = self._by_id.get(problem.problem_id)
        if place is None:
            place = self._by_id[problem.problem_id] = len(self.problems)
            problem.metadata.setdefault("index", place)
            self.problems.append(problem)
        else:
            self._check_same(self.problems[place], problem, where)
        self._places[key] = place
        return place

    def _joiner_of(self, spec: str | None) -> Joiner | None:
        if self._joiner is not None or spec is None:
            return self._joiner
        if spec not in self._by_spec:
            try:
                self._by_spec[spec] = Joiner([spec])
            except (InvalidInputError, MissingDependencyError) as error:
                # The file names the task, not the user: its gold answers do without.
                self._by_spec[spec] = None
                why = str(error).partition(". It has: ")[0]
                self.notes.append(f"graded by gold answers, without the task of the file: {why}")
        return self._by_spec[spec]

    def _check_same(self, known: Problem, now: Problem, where: str) -> None:
        if self._joiner is not None or now.spec is not None:
            return
        if not known.question:
            known.question, known.key = now.question, now.key
        elif now.question and known.key != now.key:
            raise InvalidInputError(
                f"{where}: problem {now.problem_id!r} has another question than in {known.where} "
                f"({shown(known.question)} and {shown(now.question)}). Where the id does not "
                "identify the problem, leave it out: --field problem_id="
            )

    def _read_golds(
        self, codes: Codes, column: Column, numbers: npt.NDArray[np.int64], name: str, field: str
    ) -> None:
        gold_codes, values = distinct_values(column)
        rows = np.flatnonzero((codes >= 0) & (gold_codes >= 0))
        if not len(rows):
            return
        pairs = np.stack([codes[rows], gold_codes[rows]], axis=1)
        distinct, first = np.unique(pairs, axis=0, return_index=True)
        for (place, code), at in zip(distinct.tolist(), first.tolist(), strict=True):
            problem = self.problems[place]
            where = f"{name}, row {int(numbers[rows[at]])}"
            gold = read_gold(values[code], field, where=where)
            if gold.fault is not None:
                self.faults.append(gold.fault)
            if gold.text is None:
                continue
            if self._joiner is not None or problem.spec is not None:
                joiner = self._joiner or self._by_spec.get(problem.spec or "")
                if joiner is not None:
                    joiner.compare_gold(problem, gold.text, where)
                continue
            if problem.gold is None:
                problem.gold, problem.multiple = gold.text, gold.multiple
                self._golds[place] = where
            elif problem.gold != gold.text:
                raise InvalidInputError(
                    f"{where}: problem {problem.problem_id!r} has the gold {shown(gold.text)}, "
                    f"and {shown(problem.gold)} in {self._golds.get(place, problem.where)}. "
                    "One of them is wrong, or the rows are of two problems"
                )

    def ids(self, codes: Codes) -> pa.Array:
        """The problem id of each draw."""
        distinct, inverse = np.unique(codes, return_inverse=True)
        names = [self.problems[place].problem_id for place in distinct.tolist()]
        return pa.array(names, pa.string()).take(pa.array(inverse))

    def count(self, codes: Codes) -> None:
        """Counts the draws of each problem."""
        distinct, numbers = np.unique(codes, return_counts=True)
        for place, number in zip(distinct.tolist(), numbers.tolist(), strict=True):
            self.problems[place].draws += number

    def drop_undrawn(self) -> list[str]:
        """Removes the problems without completions, after the last row; returns their ids."""
        dropped = [p.problem_id for p in self.problems if not p.draws]
        self.problems = [p for p in self.problems if p.draws]
        return dropped

    def tasks(self) -> list[dict[str, str]]:
        """The objects "tasks" of run.json, for the problems that tasks pose."""
        joiners = [self._joiner] if self._joiner else list(filter(None, self._by_spec.values()))
        found: dict[str, str] = {}
        for joiner in joiners:
            found |= {task["name"]: task["spec"] for task in joiner.tasks}
        used = {problem.task for problem in self.problems}
        return [{"name": n, "spec": s} for n, s in found.items() if n in used]

    def matched(self) -> str:
        """How the problems of tasks were found, in words; "" where no task was asked."""
        joiners = [self._joiner] if self._joiner else list(filter(None, self._by_spec.values()))
        return "; ".join(filter(None, (joiner.summary() for joiner in joiners)))

    def same_questions(self) -> list[list[str]]:
        """Ids that stand for one question."""
        ids: dict[str, list[str]] = {}
        for problem in self.problems:
            if problem.question:
                ids.setdefault(problem.key, []).append(problem.problem_id)
        return [group for group in ids.values() if len(group) > 1]

    def table(self, prompts: Sequence[Sequence[int]]) -> pa.Table:
        """The columns of problems.parquet.

        Args:
            prompts: the token ids of each prompt.
        """
        for problem in self.problems:
            if problem.multiple:
                problem.metadata["multiple_answers"] = True
        return pa.table(
            {
                "problem_id": pa.array([p.problem_id for p in self.problems], pa.string()),
                "task": pa.array([p.task for p in self.problems], pa.string()),
                "prompt": pa.array([p.question for p in self.problems], pa.string()),
                "prompt_token_ids": pa.array(list(prompts), pa.list_(pa.int32())),
                "gold": pa.array([p.gold for p in self.problems], pa.string()),
                "metadata": pa.array([_json_text(p.metadata) for p in self.problems], pa.string()),
            }
        )


def _value(columns: dict[str, Column], role: str, row: int) -> Any:
    if role not in columns:
        return None
    value = to_list(columns[role][row : row + 1])[0]
    return None if value is MISSING else value


def _plain_json(extra: dict[Any, Any]) -> dict[str, Any]:
    """A mapping as JSON has it: nan and infinity become null, other values their text."""
    try:
        text = json.dumps(extra, default=str, skipkeys=True)
    except (RecursionError, ValueError):  # too deep, or holds itself
        return {}
    value: dict[str, Any] = json.loads(text, parse_constant=lambda _: None)
    return value


def _json_text(metadata: dict[str, Any]) -> str:
    """The metadata as JSON; half a surrogate pair, which is no text, becomes U+FFFD."""
    text = json.dumps(metadata)
    if "\\ud" in text:
        units = json.dumps(metadata, ensure_ascii=False).encode("utf-16-le", "surrogatepass")
        text = json.dumps(json.loads(units.decode("utf-16-le", "replace")))
    return text


def _whole_numbers(value: Any) -> list[int] | None:
    """A list of token ids; None for anything else."""
    try:
        return None if value is None or isinstance(value, str) else [int(token) for token in value]
    except (TypeError, ValueError, OverflowError):
        return None
