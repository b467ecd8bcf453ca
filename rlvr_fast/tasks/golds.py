"""Gold answers as text: numbers, lists and worked solutions reduced to their final answers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rlvr_fast.errors import InvalidInputError, shown

__all__ = ["accepted_golds", "gold_parts", "last_box"]

# The boxes of a worked solution. The last one holds the final answer where there is no '#### '.
BOX = re.compile(r"\\(?:boxed|fbox|framebox)\s*(?=\{)")


def accepted_golds(gold: str, metadata: Mapping[str, Any]) -> tuple[str, ...]:
    """The gold answer, and the alternatives of which a right answer equals any.

    Args:
        gold: the gold answer.
        metadata: the metadata of the problem; texts in its list "alternative_golds" count.

    Example:
        >>> accepted_golds("1/2", {"alternative_golds": ["0.5", "50 percent"]})
        ('1/2', '0.5', '50 percent')
    """
    others = metadata.get("alternative_golds")
    if not isinstance(others, list):
        return (gold,)
    texts = [other for other in others if isinstance(other, str) and other.strip()]
    return tuple(dict.fromkeys((gold, *texts)))


def gold_parts(value: object, where: str, field: str) -> list[str]:
    """The gold answers of one row, as text; a solution is reduced to its final answer."""
    if isinstance(value, list):
        parts = [part for item in value for part in gold_parts(item, where, field)]
        if parts:
            return parts
        raise InvalidInputError(f"{where}: field {field!r} (the gold answer) is an empty list")
    if isinstance(value, bool):
        return [str(value)]
    if isinstance(value, (int, float)):
        if value != value or value in (float("inf"), float("-inf")):
            raise InvalidInputError(f"{where}: the gold answer in {field!r} is {value}")
        return [str(int(value)) if value == int(value) and abs(value) < 2**53 else repr(value)]
    if not isinstance(value, str) or not value.strip():
        raise InvalidInputError(
            f"{where}: missing gold answer: field {field!r} is {shown(value)}; "
            "expected text, a number, or a list of these"
        )
    text = value.strip()
    if "\n#### " in text or text.startswith("#### "):
        text = text.rpartition("#### ")[2].strip()
    elif BOX.search(text):
        boxed = last_box(text)
        if boxed is None:
            raise InvalidInputError(
                f"{where}: the last \\boxed{{}} in field {field!r} has unbalanced braces"
            )
        text = boxed
    elif field == "solution":
        raise InvalidInputError(
            f"{where}: missing gold answer: field 'solution' has neither a \\boxed{{}} nor '#### '"
        )
    if not text:
        raise InvalidInputError(f"{where}: the gold answer in field {field!r} is empty")
    return [text]


def last_box(text: str) -> str | None:
    r"""Content of the last `\boxed{}`; None where its braces do not balance."""
    *_, last = BOX.finditer(text)
    depth = 0
    for position in range(last.end(), len(text)):
        if text[position - 1] == "\\":
            continue
        depth += {"{": 1, "}": -1}.get(text[position], 0)
        if depth == 0:
            return text[last.end() + 1 : position].strip()
    return None
