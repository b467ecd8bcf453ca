r"""Choices of a question: A, (A) 5, A. text, Option A; labels in Roman numerals: (iv)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rlvr_fast.tasks.schemes.math.kinds.expression import Expression
from rlvr_fast.tasks.schemes.math.parsing import parse_term
from rlvr_fast.tasks.schemes.math.terms.nodes import Constant, Symbol
from rlvr_fast.tasks.schemes.math.values import Read, Same, Unread, Value

__all__ = ["Choice", "Label", "as_whole", "compare", "read"]


@dataclass(frozen=True, slots=True)
class Choice(Value):
    """A letter from A to J.

    Attributes:
        letter: a capital.
        content: what stands after the letter; None where nothing does.
        name: the small letter of (e) as an expression; None of every other choice.
    """

    letter: str
    content: Value | None = None
    name: Expression | None = None


@dataclass(frozen=True, slots=True)
class Label(Value):
    """A Roman numeral in small letters, such as (iv).

    Attributes:
        name: the letters.
        product: the letters as a product; None where they are none.
    """

    name: str
    product: Expression | None = None


_ALONE = re.compile(r"(?:\(\s*([A-J])\s*\)|\[\s*([A-J])\s*\]|([A-J])\s*[.):]?|([a-j])\))")
_SMALL = re.compile(r"\(\s*([a-j])\s*\)")
# Small letters that are choices without brackets too; others are names: e, g, i.
_BARE = frozenset("abcd")
_NAMED = re.compile(
    r"(?:(?:the|my|our)\s+)?(?:(?:correct|best|right|final)\s+)?(?:option|choice|letter|answer(?:\s+choice)?|ans\.?)s?\s*(?:is\s+|:\s*)?"
    r"(?:\(\s*([A-Ja-j])\s*\)|([A-J]))(?![A-Za-z])\s*[.:)]?\s*",
    re.IGNORECASE,
)
_WITH_TEXT = re.compile(
    r"(?:\(\s*([A-J])\s*\)\s*[.:]?\s+|\(([A-J])\)(?=\d)|([A-J])[.)](?=\d)|"
    r"([A-J]) (?=\([A-Za-z]{2})|([A-J])\s?[.:)]\s+|"
    r"([A-J])[.)](?=[A-Za-z][a-z])|([A-J]) --? (?=[A-Za-z][a-z]))(?=\S)"
)
_CHOSEN = re.compile(
    r"(?:(?:(?:i(?:\s+would|'d|\s+will|'ll)?|we)\s+)?"
    r"(?:choose|pick|select|go\s+with|chose|picked|selected)|it\s+is|it's|it\s+must\s+be)\s+"
    r"(?:(?:the\s+)?(?:correct\s+)?(?:option|choice|answer)\s+)?"
    r"(?:\(\s*([A-Ja-j])\s*\)|(?-i:([A-J])))\s*[.)]?|"
    r"(?:(?:the\s+)?(?:option|choice|answer)\s+)?(?:\(\s*([A-Ja-j])\s*\)|(?-i:([A-J])))\s*[.)]?\s+is\s+"
    r"(?:the\s+)?(?:only\s+)?(?:correct|right)(?:\s+(?:option|choice|answer|one))?",
    re.IGNORECASE,
)
_OTHERS = re.compile(
    r"(?:option|choice|answer|and|or|and/or|but|nor|"
    r"not(?!\s+(?:enough|sufficient|possible|given|necessarily|defined|applicable)(?![A-Za-z]))|"
    r"(?:both|either|neither)(?=\s+\(?[A-HJ](?![A-Za-z])))(?![A-Za-z])|[,;&/=*^_<>|]|[+-](?!\d|\\frac|\\sqrt)|"
    r"\(?[A-HJ]\)?\s*(?:[.:)]|$)|\\(?:cup|cap|times|cdot|le|ge)",
    re.IGNORECASE,
)
# "(A) is incorrect", "A. Wait, ...": what is said of the letter is no text of a choice.
_SAID_OF_IT = re.compile(
    r"^(?:is|was)\s+(?!(?:the\s+)?(?:only\s+)?(?:correct|right|answer|true))|"
    r"^(?:isn't|can't|cannot|incorrect|wrong)(?![A-Za-z])|(?<![A-Za-z])(?:wait|actually)(?![A-Za-z])",
    re.IGNORECASE,
)
_ANOTHER = re.compile(
    r"\([A-J]\)|(?<![A-Za-z])[A-J][.:)](?=\s)|(?<![A-Za-z])(?:or|and)\s+[A-J](?![A-Za-z])"
)
_EARLIER = re.compile(
    r"(?:both |neither )?\(?[A-J]\)?(?:, \(?[A-J]\)?)*,? (?:and|nor) \(?[A-J]\)?(?: only)?", re.I
)
_ROMAN = re.compile(r"\(?\s*(x{0,3}(?:ix|iv|v?i{0,3}))\s*[.)]?\)?")


def read(text: str, read: Read) -> Value | None:
    """The value of a choice; see `kinds`."""
    if match := _ALONE.fullmatch(text):
        return Choice(next(group for group in match.groups() if group).upper())
    if match := _SMALL.fullmatch(text):
        term = parse_term(match[1])
        return Choice(match[1].upper(), name=None if term is None else Expression(term))
    roman = _ROMAN.fullmatch(text)
    if roman and len(roman[1]) > 1:
        term = parse_term(roman[1])
        return Label(roman[1], None if term is None else Expression(term))
    if match := _CHOSEN.fullmatch(text):
        return Choice(next(group for group in match.groups() if group).upper())
    if match := _NAMED.match(text):
        letter = (match[1] or match[2]).upper()
        rest = text[match.end() :]
        if not rest:
            return Choice(letter)
        if match[0].rstrip()[-1] not in ".:)" or _several(rest):
            return None
        return _with(letter, rest, read)
    match = _WITH_TEXT.match(text)
    if match is None:
        return None
    letter = next(group for group in match.groups() if group)
    rest = text[match.end() :]
    return None if _several(rest) and not _of_earlier(letter, rest) else _with(letter, rest, read)


def _with(letter: str, rest: str, read: Read) -> Choice:
    return Choice(letter, read(rest))


def _several(rest: str) -> bool:
    """Whether what follows a letter goes on with another choice, or with mathematics."""
    rest = rest.lstrip("(")
    return "?" in rest or bool(
        _OTHERS.match(rest) or _SAID_OF_IT.search(rest) or _ANOTHER.search(rest)
    )


def _of_earlier(letter: str, rest: str) -> bool:
    """Whether the text of a choice is about choices before it: "D. A and B only"."""
    match = _EARLIER.fullmatch(rest)
    return match is not None and max(re.findall("[A-J](?![A-Za-z])", rest)) < letter


def compare(gold: Value, answer: Value, same: Same) -> bool | None:
    """Whether two choices agree; see `kinds`."""
    if isinstance(gold, Label) and isinstance(answer, Label):
        return gold.name == answer.name
    if isinstance(gold, Label) and isinstance(answer, Expression):
        return gold.product is not None and same(gold.product, answer)
    if isinstance(gold, Expression) and isinstance(answer, Label):
        return answer.product is not None and same(gold, answer.product)
    if isinstance(gold, Choice) and isinstance(answer, Choice):
        return gold.letter == answer.letter
    if isinstance(gold, Choice):
        if gold.name is not None and isinstance(answer, Expression):
            return same(gold.name, answer) or _letter(answer) == gold.letter
        if gold.content is None:
            return answer.term == Symbol(gold.letter) if isinstance(answer, Expression) else None
        if isinstance(answer, Expression) and answer.term == Symbol(gold.letter):
            return True
        return not isinstance(gold.content, Unread) and same(gold.content, answer)
    if isinstance(answer, Choice):
        content = answer.content
        if answer.name is not None:
            return same(gold, answer.name)
        if content is None:
            return gold.term == Symbol(answer.letter) if isinstance(gold, Expression) else None
        return not isinstance(content, Unread) and same(gold, content)
    return None


def as_whole(gold: Value, answer: Value) -> tuple[Value, Value]:
    """Two whole answers: beside the choice A, the letter a is one too. As a part it is a name."""
    if isinstance(gold, Choice) and isinstance(answer, Expression):
        letter = _letter(answer)
        if letter == gold.letter:
            return gold, Choice(letter)
    return gold, answer


def _letter(answer: Expression) -> str | None:
    """The capital of an answer that is one letter of a choice."""
    term = answer.term
    if not isinstance(term, Symbol | Constant) or len(term.name) != 1:
        return None
    return term.name.upper() if term.name in _BARE else term.name
