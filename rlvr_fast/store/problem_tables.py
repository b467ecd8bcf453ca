"""Tables of problems: unique ids, the problems of two runs matched, and their differences."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import pyarrow as pa

from rlvr_fast.errors import InvalidInputError, shown
from rlvr_fast.store.rollouts.question_keys import question_key

__all__ = ["align_problems", "check_unique", "matched_differences", "problem_differences"]


def check_unique(problems: pa.Table) -> None:
    """Checks that there are problems and that each problem_id comes once.

    Raises:
        InvalidInputError: a problem_id comes twice, or there is no problem.
    """
    ids = problems["problem_id"].to_pylist()
    if not ids:
        raise InvalidInputError("problems: expected at least one problem, got none")
    seen: set[str] = set()
    for problem_id in ids:
        if problem_id in seen:
            raise InvalidInputError(f"problems: the problem_id {problem_id!r} comes twice")
        seen.add(problem_id)


def problem_differences(a: pa.Table, b: pa.Table) -> list[str]:
    """The differences between two tables of problems of one run, in words.

    Args:
        a: a table of problems.
        b: the other table, with the same columns.

    Returns:
        One message for each column that differs, with the first problem that differs.
    """
    left, right = a["problem_id"].to_pylist(), b["problem_id"].to_pylist()
    if left != right:
        only = sorted(set(left) ^ set(right))
        what = f"problem {only[0]!r} is in one only" if only else "their order differs"
        return [f"{len(left)} and {len(right)} problems: {what}"]
    found = []
    for column in a.column_names[1:]:
        if a[column].equals(b[column]):
            continue
        rows = zip(left, a[column].to_pylist(), b[column].to_pylist(), strict=True)
        problem_id, x, y = next(row for row in rows if row[1] != row[2])
        found.append(f"{column} of problem {problem_id!r}: {shown(x)} and {shown(y)}")
    return found


def align_problems(base: pa.Table, rl: pa.Table) -> list[tuple[str, str]]:
    """The problems that two runs share, by problem_id, else by question.

    Problems with one id and one question come first; then problems with one question (see
    `question_key`: white space and chat templates aside) under two ids; then problems with one id
    whose questions differ, which `matched_differences` judges. Of several problems with one
    question the first ones are matched in order.

    Args:
        base: the table of problems of one run.
        rl: the table of problems of the other.

    Returns:
        Pairs of ids, each id at most once, in the order of `base`.
    """
    left, right = _column(base, "prompt"), _column(rl, "prompt")
    pairs = {
        name: name
        for name, prompt in left.items()
        if name in right
        and (prompt == right[name] or question_key(prompt) == question_key(right[name]))
    }
    if len(pairs) < len(left):
        by_question: dict[str, list[str]] = {}
        for name, prompt in right.items():
            key = "" if name in pairs else question_key(prompt)
            if key:
                by_question.setdefault(key, []).append(name)
        for name, prompt in left.items():
            candidates = [] if name in pairs else by_question.get(question_key(prompt), [])
            if candidates:
                pairs[name] = candidates.pop(0)
        taken = set(pairs.values())
        pairs |= {n: n for n in left if n not in pairs and n in right and n not in taken}
    return [(name, pairs[name]) for name in left if name in pairs]


def matched_differences(
    a: pa.Table,
    b: pa.Table,
    pairs: Sequence[tuple[str, str]],
    *,
    imported: bool,
    prompts: bool = True,
) -> list[str]:
    """The differences between the problems of the runs of two models, in words.

    A gold answer that one run lacks is no difference, nor are two spellings of one number. Prompts
    and metadata of imported rollouts are what a file happened to hold: there the questions count,
    where no equal gold answers identify the problem, and of the metadata what a verifier reads.

    Args:
        a: a table of problems.
        b: the other table, with the same columns.
        pairs: the problems of both; see `align_problems`.
        imported: whether one of the runs is imported.
        prompts: whether prompts are compared.

    Returns:
        A message where a problem is in one run only, and one for each column that differs, with
        the first problem that differs.
    """
    found = []
    if len(pairs) < len(a) or len(pairs) < len(b):
        (only, *_), run, held = next(
            (names, run, table)
            for run, table, side in (("first", a, 0), ("second", b, 1))
            if (names := sorted(set(_ids(table)) - {pair[side] for pair in pairs}))
        )
        shared = f"{len(pairs)} of both; " if pairs else ""
        # An id that an import made of the question says nothing by itself.
        made = imported and only.startswith("q-")
        asked = f" (it asks {shown(_column(held, 'prompt')[only])})" if made else ""
        found.append(
            f"{len(a)} and {len(b)} problems: {shared}problem {only!r} is in the {run} run only"
            f"{asked}"
        )
    golds = [_column(table, "gold") for table in (a, b)]
    for column, same in _COMPARED.items():
        if imported and column == "task":  # a file may name the task, or the user, or nobody
            continue
        if column == "prompt" and not prompts:
            continue
        left, right = _column(a, column), _column(b, column)
        for x, y in pairs:
            if left[x] == right[y] or same(left[x], right[y], imported):
                continue
            if column == "prompt" and imported and _one_gold(golds[0][x], golds[1][y]):
                continue
            name = repr(x) if x == y else f"{x!r} and {y!r}"
            found.append(f"{column} of problem {name}: {shown(left[x])} and {shown(right[y])}")
            break
    return found


def _one_gold(a: Any, b: Any) -> bool:
    return bool(a and b) and _same_gold(a, b, True)


def _same_prompt(a: Any, b: Any, imported: bool) -> bool:
    return imported and _same_question(a, b)


def _same_question(a: str, b: str) -> bool:
    """Whether two prompts of problems with one id ask one question, as far as the texts show."""
    if a == b or not a.strip() or not b.strip():  # a file may hold no questions
        return True
    keys = sorted((question_key(a), question_key(b)), key=len)
    # A template that is not known stands around the question.
    return not keys[0] or keys[0] in keys[1]


def _same_gold(a: Any, b: Any, imported: bool) -> bool:
    if a is None or b is None or not a.strip() or not b.strip():
        return True
    left, right = _plain_gold(a), _plain_gold(b)
    if left == right:
        return True
    numbers = _number(left), _number(right)
    return numbers[0] is not None and numbers[0] == numbers[1]


def _same_metadata(a: Any, b: Any, imported: bool) -> bool:
    left, right = (_as_dict(value) for value in (a, b))
    if imported:
        return all(left.get(key) == right.get(key) for key in _VERIFIED)
    return {**left, "index": None} == {**right, "index": None}


# What two runs compare of their problems. Prompt token ids follow from the prompts, and differ
# between tokenizers.
_COMPARED: dict[str, Callable[[Any, Any, bool], bool]] = {
    "task": lambda a, b, imported: False,
    "prompt": _same_prompt,
    "gold": _same_gold,
    "metadata": _same_metadata,
}
# The metadata that decide, beside the gold answer, which answers are right.
_VERIFIED = ("tolerance", "multiple_answers")

_BOXED = re.compile(r"\\(?:boxed|fbox)\{(.*)\}", re.DOTALL)
_FRACTION = re.compile(r"([+-]?)\\frac\{?([+-]?\d+)\}?\{?([+-]?\d+)\}?")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(/\d+)?")
# Longer numerals are compared as texts.
_DIGITS = 400


def _plain_gold(text: str) -> str:
    """A gold answer without marks around it and without white space."""
    text = text.strip().strip("$").strip()
    boxed = _BOXED.fullmatch(text)
    text = boxed[1] if boxed else text
    for mark in ("\\left", "\\right", "\\,", "\\!", "\\ "):
        text = text.replace(mark, "")
    text = text.replace("\\dfrac", "\\frac").replace("\\tfrac", "\\frac").replace("−", "-")
    return "".join(text.split()).rstrip(".")


def _number(text: str) -> Fraction | None:
    """The value of a decimal, a fraction or a numeral with separators of thousands, else None."""
    fraction = _FRACTION.fullmatch(text)
    if fraction:
        text = f"{fraction[1]}{fraction[2]}/{fraction[3]}"
    if re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?", text):
        text = text.replace(",", "")
    if len(text) > _DIGITS or not _NUMBER.fullmatch(text):
        return None
    top, _, bottom = text.partition("/")
    if bottom and not int(bottom):
        return None
    return Fraction(top) / int(bottom or 1)


def _ids(table: pa.Table) -> list[str]:
    ids: list[str] = table["problem_id"].to_pylist()
    return ids


def _column(table: pa.Table, name: str) -> dict[str, Any]:
    return dict(zip(_ids(table), table[name].to_pylist(), strict=True))


def _as_dict(metadata: str) -> dict[str, Any]:
    value = json.loads(metadata) if metadata else {}
    return value if isinstance(value, dict) else {"": value}
