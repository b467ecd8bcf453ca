r"""Words: Evelyn, even, type II, Sunday."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rlvr_fast.tasks.schemes.math.kinds.wording import ARTICLES, plain
from rlvr_fast.tasks.schemes.math.values import Read, Same, Value

__all__ = ["Words", "compare", "read"]


@dataclass(frozen=True, slots=True)
class Words(Value):
    """Words without articles; in small letters, but single letters and Roman numerals as written."""

    words: tuple[str, ...]


_WORDS = re.compile(r"[^\W\d_][\w'.\-]*(?:[ ,]+[\w'.\-]+)*", re.UNICODE)
_SPLIT = re.compile(r"[ ,\-]+")
_NO_WORDS = frozenset({"answer", "nan", "solution"})
_ROMAN = re.compile(r"[IVX]+")
_LONGEST = 200


def read(text: str, read: Read) -> Value | None:
    """The value of a text of words; see `kinds`."""
    text = plain(text).strip("\"'.!")
    if len(text) > _LONGEST or not _WORDS.fullmatch(text):
        return None
    words = [word.strip("'.") for word in _SPLIT.split(text)]
    words = [word for word in words if word]
    if not any(len(word) > 1 and word.isalpha() for word in words):
        return None
    if any("_" in word for word in words) or text.casefold() in _NO_WORDS:
        return None
    kept = [word for word in words if word.casefold() not in ARTICLES or word == "A"]
    return Words(tuple(_folded(word) for word in kept or words))


def _folded(word: str) -> str:
    return word if len(word) < 2 or _ROMAN.fullmatch(word) else word.casefold()


def compare(gold: Value, answer: Value, same: Same) -> bool | None:
    """Whether two texts of words are equal; see `kinds`."""
    if isinstance(gold, Words) and isinstance(answer, Words):
        return gold.words == answer.words
    return None
