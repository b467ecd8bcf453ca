r"""Sets of numbers by their signs and in words: \mathbb{R}, "all real numbers"."""

from __future__ import annotations

import re
from fractions import Fraction

from rlvr_fast.tasks.schemes.math.parts.set_values import REALS, Interval, NamedSet, without
from rlvr_fast.tasks.schemes.math.terms.nodes import Number
from rlvr_fast.tasks.schemes.math.values import Value

__all__ = ["by_sign", "in_words"]

_NAME = re.compile(r"\\mathbb\{([A-Z])\}")
_MARK = re.compile(
    r" ?(?:[\^_] ?\{? ?(?P<mark>\+|-|\*|\\ast|\\times|0) ?\}?"
    r"|_ ?\{(?P<relation>\\ge|\\le|>|<|\\ne) ?0\})"
)
_MARKS = {
    "": "", "+": "+", "-": "-", "*": "*", "\\ast": "*", "\\times": "*", "0": "0+", "\\ge": "0+",
    "\\le": "0-", ">": "+", "<": "-", "\\ne": "*",
}  # fmt: skip
# Sets of numbers in words, without article and in the singular.
_IN_WORDS = {
    "real": "R", "real number": "R", "positive real": "R+", "positive real number": "R+",
    "negative real": "R-", "negative real number": "R-", "nonzero real number": "R*",
    "nonzero real": "R*", "nonnegative real number": "R0+", "nonnegative real": "R0+",
    "integer": "Z", "natural number": "N", "positive integer": "Z+", "negative integer": "Z-",
    "nonnegative integer": "Z0+", "nonzero integer": "Z*", "whole number": "Z0+",
    "rational number": "Q", "rational": "Q", "complex number": "C", "prime": "P",
    "prime number": "P", "even integer": "2Z", "odd integer": "2Z+1", "even number": "2Z",
    "odd number": "2Z+1", "positive even integer": "2Z_+", "positive odd integer": "2Z+1_+",
}  # fmt: skip
_ARTICLES = re.compile(r"(?:(?:the|all|any|some|an|a|every|arbitrary|set|of)\s+)+", re.I)


def by_sign(text: str) -> Value | None:
    r"""The set of numbers that a sign names: `\mathbb{Z}`, `\mathbb{R}^+`."""
    match = _NAME.match(text)
    if match is None:
        return None
    rest = text[match.end() :]
    mark = _MARK.fullmatch(rest) if rest else None
    if rest and mark is None:
        return None
    sign = _MARKS[(mark["mark"] or mark["relation"]) if mark else ""]
    return _number_set(match[1] + sign)


def in_words(text: str, alone: bool = False) -> Value | None:
    """The set of numbers that words name: "an integer", "all real numbers".

    Args:
        text: the words.
        alone: whether the words are a whole answer: a set is named by the plural.
    """
    words_ = " ".join(text.lower().replace("non-", "non").split())
    words_ = _ARTICLES.sub("", words_ + " ", count=1).strip()
    single = words_.removesuffix("s")
    if alone and (single == words_ or re.match("some ", text, re.IGNORECASE)):
        return None
    name = _IN_WORDS.get(single)
    return None if name is None else _number_set(name)


def _number_set(name: str) -> Value:
    if not name.startswith("R"):
        return NamedSet(name)
    zero = Number(Fraction(0))
    sets: dict[str, Value] = {
        "R": REALS,
        "R+": Interval(zero, False, None, False),
        "R-": Interval(None, False, zero, False),
        "R*": without(zero),
        "R0+": Interval(zero, True, None, False),
        "R0-": Interval(None, False, zero, True),
    }
    return sets[name]
