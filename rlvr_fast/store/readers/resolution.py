"""The field behind each role of given rows.

A name alone decides nothing: `answer` is the gold answer beside a `response`, and the completion
beside a `ground_truth`; `id` may number the rows. The values of the first rows decide, and two
fields that fit one role with different values are an error that names both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.store.readers.naming import (
    NAMES,
    is_chat,
    is_list,
    is_several,
    may_complete,
    plain_name,
    shown,
    speaker,
    text_of,
    word_of,
)
from rlvr_fast.store.readers.reader import MISSING, value_at
from rlvr_fast.store.readers.row_fields import RowFields

__all__ = ["Resolved", "resolve_roles"]

# The completion where another field is the gold, or a verdict came along; else a worked answer.
_COMPLETION_OR_GOLD = "answer answers solution solutions"
# Names that mean the number of a draw, and of nothing else.
_DRAW_INDEX = ("sample_index", "sample_idx", "rollout_index", "completion_index", "draw_index")


class Resolved(NamedTuple):
    """The field behind each role.

    Attributes:
        columns: role to path, or to paths that stand in for one another in different rows.
        notes: which field was passed over, and why.
    """

    columns: dict[str, str | tuple[str, ...]]
    notes: tuple[str, ...]


def resolve_roles(
    rows: Sequence[Any], given: Mapping[str, str] | None = None, *, where: str = "the rows"
) -> Resolved:
    """The field behind each role, by the usual names and the values of the rows.

    Args:
        rows: the first rows; what is no object is passed over.
        given: role to path, as the user named them; these are taken as they are.
        where: the name of the file, for the message of an error.

    Returns:
        The columns. Without a completion the rows hold no rollouts under usual names.

    Raises:
        InvalidInputError: two fields fit one role, and differ.
    """
    return _Resolution([row for row in rows if isinstance(row, Mapping)], given or {}, where).run()


class _Resolution(RowFields):
    def run(self) -> Resolved:
        if "question" not in self._columns and "completion" not in self._columns:
            self._alpaca()
        if "completion" not in self._columns:
            self._completion()
        if "completion" not in self._columns and not self._judged_tokens():
            return Resolved(self._columns, tuple(self._notes))
        self._question()
        self._identity()
        # What the user calls the verdict is no gold answer.
        judged = {self._given["verdict"]} - self._used if "verdict" in self._given else set()
        self._used |= judged
        self._gold()
        self._used -= judged
        self._judged()
        for role in ("finish_reason", "token_ids", "prompt_token_ids", "logprobs", "model"):
            self._first(role)
        for role in ("reference_logprobs", "error", "task", "system", "seed"):
            self._first(role)
        self._reasoning()
        return Resolved(self._columns, tuple(self._notes))

    def _first(self, role: str) -> None:
        for names in NAMES[role]:
            found = self._present(role, names)
            if found and role not in self._columns:
                self._take(role, found[0])

    def _alpaca(self) -> None:
        """`instruction` with an `input` beside it: the varying one poses the problem."""
        instruction, given = self._paths.get("instruction"), self._paths.get("input")
        output = self._paths.get("output") or self._paths.get("response")
        if instruction is None or given is None or output is None:
            return
        orders = {text_of(v) for v in self._values(instruction) if v is not None}
        inputs = {text_of(v) for v in self._values(given) if v is not None}
        if not inputs:
            self._used.add(given)
        elif len(orders) == 1 and "system" not in self._given:
            self._take("system", instruction)
        elif orders and len(inputs) > 1 and orders != inputs:
            raise self._ambiguous("question", instruction, given)

    def _completion(self) -> None:
        for names in NAMES["completion"]:
            found = self._present("completion", names)
            if found:
                found += self._worked_out(found) if names is NAMES["completion"][-1] else []
                self._take("completion", self._one_completion(found))
                return
        likely = [name for name in self._paths if may_complete(name)]
        found = self._present("completion", " ".join(likely))
        if found:
            self._take("completion", self._one_completion(found))
            return
        # Draws may fail at the head of a file: a usual name without any value stays the completion.
        # Names of the second tier mean other things too, as `code` and `message`.
        usual = [self._paths.get(name) for name in NAMES["completion"][0].split()]
        empty = [p for p in usual if p is not None and not any(map(_given, self._values(p)))]
        if empty:
            self._take("completion", empty[0])
            return
        found = self._present("completion", _COMPLETION_OR_GOLD)
        found = [path for path in found if self._values(path)]
        others = [
            p for names in NAMES["gold"] for p in self._present("gold", names) if p not in found
        ]
        judged = self._present("verdict", NAMES["verdict"][0]) + self._present(
            "reward", NAMES["reward"][0]
        )
        if found and (others or judged):
            varying = [path for path in found if self._varies(path)]
            if len(varying) == 1 < len(found):
                # A worked answer beside drawn solutions, or drawn answers beside a solution.
                found = varying
            self._take("completion", self._one_completion(found))

    def _judged_tokens(self) -> bool:
        """Whether the rows hold token ids with a verdict, which need no texts."""
        ids = [p for names in NAMES["token_ids"] for p in self._present("token_ids", names)]
        judged = self._present("verdict", NAMES["verdict"][0]) + self._present(
            "reward", NAMES["reward"][0]
        )
        return bool(ids) and bool(judged or "verdict" in self._given)

    def _worked_out(self, found: list[str]) -> list[str]:
        """Drawn solutions that hold each extracted answer, as `solution` beside `prediction`."""
        for path in self._present("completion", "solution solutions"):
            wholes = self._values(path)
            pairs = [
                (str(part).strip(), whole)
                for part, whole in zip(self._values(found[0]), wholes, strict=True)
                if isinstance(part, str) and isinstance(whole, str)
            ]
            if pairs and self._varies(path) and all(a in b and len(a) < len(b) for a, b in pairs):
                return [path]
        return []

    def _varies(self, path: str) -> bool:
        """Whether the values of a field differ among the rows of one question."""
        asked = self._present("question", NAMES["question"][0])
        if not asked:
            return False
        seen: dict[str, set[str]] = {}
        for question, value in zip(self._values(asked[0]), self._values(path), strict=True):
            if question is not None and value is not None:
                seen.setdefault(text_of(question), set()).add(text_of(value))
        return any(len(values) > 1 for values in seen.values())

    def _one_completion(self, found: list[str]) -> str | tuple[str, ...]:
        # A message is taken whole, with its thinking: not `message.content`.
        inside = [p for p in found if p.rpartition(".")[0] in found]
        found = [p for p in found if p not in inside]
        taken, *others = found
        instead: list[str] = []
        for other in others:
            pairs = [
                (a, b)
                for a, b in zip(self._values(taken), self._values(other), strict=True)
                if a is not None and b is not None
            ]
            if not pairs:
                instead.append(other)
            elif all(text_of(a) == text_of(b) for a, b in pairs):
                continue
            elif is_several(pairs[0][0]) != is_several(pairs[0][1]):
                # One text beside a list: the first of the draws, or the last extracted answer.
                passed = taken if is_several(pairs[0][1]) else other
                taken = other if passed == taken else taken
                self._notes.append(f"{passed!r} holds one text a row; {taken!r} holds all draws")
            elif all(isinstance(t, str) for pair in pairs for t in pair):
                taken = self._the_whole(taken, other, pairs)
            else:
                raise self._ambiguous("completion", taken, other)
        return (taken, *instead) if instead else taken

    def _the_whole(self, one: str, other: str, pairs: list[tuple[str, str]]) -> str:
        """Of two texts of which one holds the other: the whole, without the prompt."""
        for whole, part, texts in (
            (one, other, pairs),
            (other, one, [(b, a) for a, b in pairs]),
        ):
            if not all(b.strip() in a for a, b in texts):
                continue
            asked = [
                p for p in self._present("question", NAMES["question"][0]) if p not in (one, other)
            ]
            questions = [text_of(v).strip() for v in self._values(asked[0])] if asked else []
            heads = [a[: len(a) - len(b.rstrip())] for a, b in texts if a.endswith(b)]
            if questions and heads and all(any(q in h for q in questions if q) for h in heads):
                self._notes.append(f"{whole!r} is the prompt and {part!r}: {part!r} is taken")
                return part
            self._notes.append(f"{part!r} is a part of {whole!r}: {whole!r} is taken")
            return whole
        raise self._ambiguous("completion", one, other)

    def _question(self) -> None:
        found = self._present("question", NAMES["question"][0])
        # A conversation that ends with the answer is no prompt.
        found = [
            path
            for path in found
            if not any(is_chat(v) and speaker(v[-1]) == "assistant" for v in self._values(path))
        ]
        if not found or "question" in self._columns:
            return
        posed = [len({text_of(v) for v in self._values(path) if v is not None}) for path in found]
        varying = [path for path, count in zip(found, posed, strict=True) if count > 1]
        if varying and posed[0] == 1 and len(self._rows) > 1:
            self._notes.append(f"{found[0]!r} is the same in every row: {varying[0]!r} is taken")
            found = varying
        self._take("question", found[0])

    def _identity(self) -> None:
        questions = [None if v is None else text_of(v) for v in self._of_role("question")]
        asked = len({q for q in questions if q is not None})
        for path in [
            p for names in NAMES["problem_id"] for p in self._present("problem_id", names)
        ]:
            if "problem_id" in self._columns:
                break
            ids = [None if v is None else str(v) for v in self._values(path)]
            known = [(i, q) for i, q in zip(ids, questions, strict=True) if i is not None and q]
            if asked and len(known) > 1:
                of_id: dict[str, set[str]] = {}
                for identifier, question in known:
                    of_id.setdefault(identifier, set()).add(question)
                if len(of_id) == len(known) and asked <= 0.7 * len(known):
                    self._notes.append(
                        f"{path!r} differs in every row, also where the question is the same: it "
                        "numbers the rows, and is not the problem's id"
                    )
                    continue
                if sum(len(qs) > 1 for qs in of_id.values()) > len(of_id) / 2:
                    if path != self._paths.get("sample_id"):
                        self._notes.append(
                            f"{path!r} is the same for different questions: it is not the "
                            "problem's id"
                        )
                    continue
            self._take("problem_id", path)
        if "sample_index" in self._columns or any(map(is_several, self._of_role("completion"))):
            return
        groups = self._of_role("problem_id") if "problem_id" in self._columns else questions
        for path in self._present("sample_index", NAMES["sample_index"][0]):
            drawn = list(zip(map(text_of, groups), map(text_of, self._values(path)), strict=True))
            twice = {group for (group, _), count in Counter(drawn).items() if count > 1}
            # Indices of draws that repeat in a few problems are a fault, which the import names.
            few = (
                2 * len(twice) < len({group for group, _ in drawn})
                and plain_name(path) in _DRAW_INDEX
            )
            if (not twice or few) and None not in self._values(path):
                self._take("sample_index", path)
                return
            self._notes.append(f"{path!r} does not number the draws of a problem: not used")

    def _gold(self) -> None:
        if "gold" in self._columns:
            return
        groups = self._of_role("question")
        if not any(v is not None for v in groups):
            groups = self._of_role("problem_id")
        for names in NAMES["gold"]:
            found = []
            for path in self._present("gold", names):
                of_problem: dict[str, set[str]] = {}
                values = self._values(path)
                for group, value in zip(groups, values, strict=True):
                    if value is not None:
                        of_problem.setdefault(text_of(group), set()).add(text_of(value))
                # A few problems with two golds are a fault, which the import names.
                several = [g for g, n in Counter(map(text_of, groups)).items() if n > 1]
                differing = [g for g in several if len(of_problem.get(g, ())) > 1]
                if differing and 2 * len(differing) >= len(several):
                    self._notes.append(
                        f"{path!r} differs among the draws of one problem: not the gold answer"
                    )
                    continue
                if path == self._paths.get("label"):
                    self._check_label(path, values)
                found.append(path)
            if found:
                self._take("gold", self._one("gold", found))
                return

    def _check_label(self, path: str, values: list[Any]) -> None:
        words = {str(v) for v in values if v is not None}
        if words <= {"0", "1", "0.0", "1.0"} and not self._present("verdict", NAMES["verdict"][0]):
            raise InvalidInputError(
                f"{self._where}: {path!r} holds only 0 and 1, and may be the gold answer or the "
                f"verdict; name one: --field gold={path} or --field verdict={path}"
            )

    def _one(self, role: str, found: list[str]) -> str | tuple[str, ...]:
        taken, *others = found
        instead = []
        for other in others:
            pairs = [
                (word_of(a), word_of(b))
                for a, b in zip(self._values(taken), self._values(other), strict=True)
                if a is not None and b is not None
            ]
            if not pairs:
                instead.append(other)
            elif any(a != b for a, b in pairs):
                raise self._ambiguous(role, taken, other)
        return (taken, *instead) if instead else taken

    def _judged(self) -> None:
        several = any(map(is_several, self._of_role("completion")))
        for role in ("verdict", "reward"):
            if role in self._columns:
                continue
            found: list[str] = []
            for names in NAMES[role]:
                for path in self._present(role, names):
                    values = [v for v in self._values(path) if v is not None]
                    if several and not any(map(is_list, values)):
                        self._notes.append(
                            f"{path!r} holds one value for all draws of a row: not a {role}"
                        )
                    elif names is NAMES["verdict"][-1] and not self._judges(path, values):
                        continue
                    else:
                        found.append(path)
                if found:
                    break
            if found:
                self._take(role, self._one(role, found) if role == "verdict" else found[0])
        if not {"verdict", "reward"} & self._columns.keys() and not several:
            self._other_rewards()

    def _judges(self, path: str, values: list[Any]) -> bool:
        """Whether a label or score is a verdict: true, "False", "correct"; 0 and 1 are rewards."""
        flat = [v for value in values for v in (value if is_list(value) else (value,))]
        numbers = {word_of(v) for v in flat if v is not None and not isinstance(v, bool)}
        booleans = any(isinstance(v, bool) for v in flat)
        if path == self._paths.get("label") and not booleans and numbers <= {"0", "1"}:
            return "gold" in self._columns
        return any(
            isinstance(v, bool) or (isinstance(v, str) and v.strip()[:1].isalpha()) for v in flat
        )

    def _other_rewards(self) -> None:
        """One reward of another name, as `math_reward_func`; of several, none is taken."""
        likely = [name for name in self._paths if "reward" in name.split("_")]
        found = self._present("reward", " ".join(name for name in likely if " " not in name))
        if len(found) == 1:
            self._take("reward", found[0])
        elif found:
            self._notes.append(
                f"the rewards are {', '.join(found)}: --verdict NAME or --verdict 'NAME>=X' says "
                "which of them is the verdict"
            )

    def _reasoning(self) -> None:
        texts = [v for v in self._of_role("completion") if isinstance(v, str)]
        if any("</think>" in text for text in texts):
            return
        self._first("reasoning")

    def _ambiguous(self, role: str, one: str, other: str) -> InvalidInputError:
        pairs = [(value_at(row, one), value_at(row, other)) for row in self._rows]
        # Two fields may stand in different rows.
        apart = (self._values(one), self._values(other))
        firsts = tuple(next((v for v in values if v is not None), None) for values in apart)
        number, (a, b) = next(
            (
                (n, pair)
                for n, pair in enumerate(pairs, 1)
                if MISSING not in pair and text_of(pair[0]) != text_of(pair[1])
            ),
            (1, firsts),
        )
        return InvalidInputError(
            f"{self._where}: {one!r} and {other!r} may both be the {role} (row {number}: "
            f"{shown(a)} and {shown(b)}); name one: --field {role}={one} or "
            f"--field {role}={other}"
        )


def _given(value: Any) -> bool:
    return value is not None
