r"""Words: Evelyn, even, type II, Sunday."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fractions import Fraction

from rlvr_fast.tasks.schemes.math.evaluation import equal_terms
from rlvr_fast.tasks.schemes.math.kinds.expression import Expression
from rlvr_fast.tasks.schemes.math.kinds.quantity import Quantity, is_ordinal
from rlvr_fast.tasks.schemes.math.parts.substitution import symbols
from rlvr_fast.tasks.schemes.math.parts.wording import (
    ARTICLES,
    ORDINALS,
    TURNING,
    is_noun,
    plain,
    word_set,
)
from rlvr_fast.tasks.schemes.math.terms.nodes import Constant, Mul, Number, Symbol, Term
from rlvr_fast.tasks.schemes.math.values import Read, Same, Value

__all__ = ["NO_VALUE", "Phrase", "Words", "compare", "read"]


@dataclass(frozen=True, slots=True)
class Words(Value):
    """Words without articles, in small letters save for single letters and Roman numerals.

    Attributes:
        words: the words.
        capital: whether the text begins with a capital.
    """

    words: tuple[str, ...]
    capital: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Phrase(Value):
    """Words that are no name: with a figure, or with a word such as "than" or "not"."""

    words: tuple[str, ...]


_LETTERS = r"[^\W\d_][\w'.]*(?:-[^\W\d_][\w'.]*)*"
_WORDS = re.compile(rf"{_LETTERS}(?: {_LETTERS})*(?: #?\d+)?")
_SPLIT = re.compile(r"[ ,\-]+")
_NO_WORDS = frozenset({"answer", "nan", "solution"})
# Words before one word that say nothing more: "on Friday", "due east".
_LEADING = frozenset({"on", "in", "at", "due", "to", "toward", "towards", "facing", "heading"})
# Wordings of answers that are no number.
_SYNONYMS = {
    wording: tuple(name.split())
    for name, wordings in {
        "infinitely many": (
            "infinite", "infinite number", "infinitely many solutions", "infinite solutions",
            "infinitely many values",
        ),
        "east": ("eastward", "eastwards"),
        "west": ("westward", "westwards"),
        "north": ("northward", "northwards"),
        "south": ("southward", "southwards"),
        "does not exist": ("dne", "doesn't exist", "undefined", "not defined", "is undefined"),
    }.items()
    for wording in wordings
}  # fmt: skip
_INFINITE = ("infinitely", "many")
NO_VALUE = ("does", "not", "exist")
_ROMAN = re.compile(r"[IVX]+")
# Words that are answers in capitals too.
_IN_CAPITALS = word_set(
    """
    yes no true false even odd none never always north south east west left right up down both
    neither either all positive negative zero increasing decreasing convergent divergent converges
    diverges prime composite rational irrational finite infinite undefined impossible possible
    monday tuesday wednesday thursday friday saturday sunday red blue green white black heads tails
    """
)
# Nouns that an adjective is said of: the question names them.
_OF_A_KIND = word_set("function number integer triangle angle sequence series error")
_LONGEST = 200
_MOST = 8


def read(text: str, read: Read) -> Value | None:
    """The value of a text of words; see `kinds`."""
    text = plain(text).strip('".!')
    if text[:1] == "'":
        text = text.strip("'")
    if len(text) > _LONGEST or not _WORDS.fullmatch(text):
        return None
    words = [_bare(word) for word in _SPLIT.split(text)]
    words = [word for word in words if word]
    if not any(len(word) > 1 and word.isalpha() for word in words):
        return None
    if any("_" in word for word in words) or text.casefold() in _NO_WORDS:
        return None
    if len(words) > _MOST:
        return None
    kept = [
        word
        for place, word in enumerate(words)
        if word.casefold() not in ARTICLES or (word == "A" and place)
    ]
    folded = tuple(_folded(word) for word in kept or words)
    if len(folded) == 2 and folded[0] in _LEADING:
        folded = folded[1:]
    folded = _SYNONYMS.get(" ".join(folded), folded)
    turned = any(word in TURNING or word[-1].isdigit() for word in folded)
    return Phrase(folded) if len(folded) > 1 and turned else Words(folded, text[0].isupper())


def _bare(word: str) -> str:
    """A word without apostrophe and period; a prime of a letter, P', stays."""
    bare = word.strip("'.")
    return word.strip(".") if len(bare) == 1 and word.rstrip(".").endswith("'") else bare


def _folded(word: str) -> str:
    return word if len(word.rstrip("'")) < 2 or _ROMAN.fullmatch(word) else word.casefold()


def compare(gold: Value, answer: Value, same: Same) -> bool | None:
    """Whether two texts of words are equal; see `kinds`."""
    if isinstance(gold, Words | Phrase) and isinstance(answer, Words | Phrase):
        return gold.words == answer.words or _says_its_kind(gold.words, answer.words)
    for words, other in ((gold, answer), (answer, gold)):
        if isinstance(words, Words) and isinstance(other, Quantity) and other.product is not None:
            return _is_product(words, other.product)  # m g h, where m may be metres
        if isinstance(words, Words) and isinstance(other, Quantity) and is_ordinal(other):
            place = ORDINALS.get(words.words[0]) if len(words.words) == 1 else None
            return place is not None and other.term == Number(Fraction(place))
        # "YES" is read as a name; beside "Yes" it is the word, but "abc" is no "ABC".
        if isinstance(words, Words) and isinstance(other, Expression):
            term = other.term
            name = term.name if isinstance(term, Symbol) else ""
            if _is_product(words, term):
                return True
            if words.words == _INFINITE:
                return term == Constant("infinity")
            word = name.casefold()
            spelled = words.capital or word in _IN_CAPITALS or word in _SYNONYMS
            spelled = spelled or (len(word) > 4 and is_noun(word))  # no row of points
            found = _SYNONYMS.get(word, (word,))
            return len(name) > 1 and name.isupper() and spelled and words.words == found
        if isinstance(words, Phrase) and isinstance(other, Expression):
            name = other.term.name if isinstance(other.term, Symbol) else ""
            return name.isupper() and words.words == _SYNONYMS.get(name.casefold())
    return None


def _says_its_kind(first: tuple[str, ...], second: tuple[str, ...]) -> bool:
    """Whether one is an adjective, and the other the same one with its noun: "even function"."""
    short, long = sorted((first, second), key=len)
    return len(short) == 1 and len(long) == 2 and long[0] == short[0] and long[1] in _OF_A_KIND


def _is_product(words: Words, term: Term) -> bool:
    """Whether a word is the letters of a product, which the other side writes with signs."""
    letters = words.words[0] if len(words.words) == 1 else ""
    if not 2 < len(letters) < 7 or not letters.isalpha() or symbols(term) != set(letters):
        return False
    return equal_terms(term, Mul(tuple(map(Symbol, letters))))
