"""Sentences that state one answer: "The answer is 42, since ...", "72, in total", "48 + 24 = 72".

A sentence is read only where everything beside the value is known to say nothing else: a mark of
the answer, words that lead to it, a reason after it. A word that denies or doubts leaves it unread.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rlvr_fast.tasks.schemes.math.evaluation import equal_terms
from rlvr_fast.tasks.schemes.math.kinds.choice import Choice
from rlvr_fast.tasks.schemes.math.kinds.clock import Clock
from rlvr_fast.tasks.schemes.math.kinds.expression import Expression
from rlvr_fast.tasks.schemes.math.kinds.percent import Percent
from rlvr_fast.tasks.schemes.math.kinds.qualified import Qualified
from rlvr_fast.tasks.schemes.math.kinds.quantity import Quantity, has_symbols
from rlvr_fast.tasks.schemes.math.kinds.words import NO_VALUE, Phrase, Words
from rlvr_fast.tasks.schemes.math.parsing import parse_term
from rlvr_fast.tasks.schemes.math.parts.languages import stated_abroad
from rlvr_fast.tasks.schemes.math.parts.sentence_tables import (
    AFTER_MARK,
    CHOSEN,
    CONCLUDES,
    DENIES,
    HEADING,
    HOPE,
    LABELLED,
    LEAD,
    LEADS_ON,
    LEFT,
    MARK,
    MATHEMATICAL,
    NAME_IS,
    NEXT,
    NOT,
    NOT_THAT,
    NOTE,
    OF_ANOTHER,
    OPPOSITE,
    OUTCOMES,
    PART_OF,
    SAID,
    SENTENCE_END,
    TAIL,
    TITLE,
    TO_WHOM,
    VERB,
    WORD,
    YES_NO,
)
from rlvr_fast.tasks.schemes.math.parts.wording import FILLERS, TURNING, is_noun
from rlvr_fast.tasks.schemes.math.terms.nodes import Symbol, Term
from rlvr_fast.tasks.schemes.math.values import Read, Same, Unread, Value

__all__ = ["Said", "Stated", "compare", "read"]


@dataclass(frozen=True, slots=True)
class Stated(Value):
    """The right side of true equations between numbers."""

    value: Value


@dataclass(frozen=True, slots=True)
class Said(Value):
    """What a sentence says of its subject in words: "The capital is Paris".

    Attributes:
        subject: the words before the verb, in small letters.
        value: what it says.
    """

    subject: str
    value: Words


_LONGEST = 2000
_LONGEST_SAID = 3
_LONGEST_REASON = 120
_MOST_SIDES = 8


def read(text: str, read: Read) -> Value | None:
    """The value that a sentence states; see `kinds`."""
    if len(text) > _LONGEST:
        return None
    if "=" in text and (stated := _chain(text, read)) is not None:
        return stated
    if (abroad := stated_abroad(text)) is not None:
        return _known(abroad, read, words=False)
    if not WORD.search(text):
        return None
    for part in (
        _hoped,
        _headed,
        _marked,
        _named_last,
        _led,
        _reasoned,
        _told,
        _titled,
        _name_is,
        _said,
        _yes_no,
        _last_sentence,
    ):
        value = part(text, read)
        if value is not None:
            return value
    return None


def _known(text: str, read: Read, *, words: bool) -> Value | None:
    value = read(text.strip(" ,;:"))
    if isinstance(value, Phrase) and value.words == NO_VALUE:
        return value if words else None
    if isinstance(value, Unread | Phrase) or (isinstance(value, Words) and not words):
        return None
    if isinstance(value, Words) and len(value.words) > 4:
        return None
    return value


def _hoped(text: str, read: Read) -> Value | None:
    for match in HOPE.finditer(text):
        if match.end() == len(text) and match.start():
            return _known(text[: match.start()].rstrip(" ."), read, words=True)
    return None


def _marked(text: str, read: Read) -> Value | None:
    """`... the answer is 42`: the last mark of an answer."""
    marks = list(MARK.finditer(text))
    if not marks or LABELLED.match(text):
        return None
    before = SENTENCE_END.split(text[: marks[-1].start()])[-1]
    rest = text[marks[-1].end() :].strip()
    capital = marks[-1][0][:1].isupper()  # another line
    if not rest or DENIES.search(before) or not (LEADS_ON.search(before) or capital):
        return None
    return _with_reason(rest, read) or _known(rest, read, words=True)


def _headed(text: str, read: Read) -> Value | None:
    """A heading, "Final Answer", and the value below it."""
    match = HEADING.match(text)
    return _known(text[match.end() :], read, words=False) if match else None


def _named_last(text: str, read: Read) -> Value | None:
    """`42 is the answer`, `Option C is correct`."""
    match = AFTER_MARK.fullmatch(text) or CHOSEN.fullmatch(text)
    return _known(match["value"], read, words=True) if match else None


def _led(text: str, read: Read) -> Value | None:
    """`So the result is 42`."""
    match = LEAD.match(text)
    if match is None or match.end() == len(text):
        return None
    return _with_reason(text[match.end() :], read) or _known(text[match.end() :], read, words=False)


def _reasoned(text: str, read: Read) -> Value | None:
    return _with_reason(text, read)


def _with_reason(text: str, read: Read) -> Value | None:
    """`42 because ...`, `72, in total, ...`: the value and what is said after it."""
    other = NOT_THAT.fullmatch(text)
    if other is not None and _known(other["other"], read, words=False) is not None:
        said = other["value"]
        return None if DENIES.search(said) else _known(said, read, words=False)
    if (note := NOTE.search(text)) is not None:
        rest = text[note.end() :].strip()
        plain = not (NEXT.search(rest) or DENIES.search(rest) or MARK.search(rest))
        short = note.start() and len(rest) <= _LONGEST_REASON and rest.count("=") <= 1
        return _known(text[: note.start()], read, words=True) if plain and short else None
    match = TAIL.search(text)
    if match is None or not match.start() or match.start() > 200:
        return None
    tail = text[match.start() :]
    if len(tail) > _LONGEST_REASON or NEXT.search(tail) or DENIES.search(tail):
        return None
    if MARK.search(tail) or tail.count("=") > 1:
        return None
    if match["reason"] and not ("=" in tail or len(tail.split()) > 2):
        return None
    if match["remark"] == "which" and len(tail.split()) < 4:
        return None
    if match["remark"] and re.search(r"[\d=$\\]", PART_OF.sub("", tail)):
        return None
    return _known(text[: match.start()], read, words=True)


def _told(text: str, read: Read) -> Value | None:
    """`she has 12 dollars left`: words, a verb, and nothing but the value."""
    match = VERB.fullmatch(text)
    if match is None or DENIES.search(text):
        return None
    subject = match["subject"].split()
    if len(subject) > 12 or (len(subject) == 1 and len(subject[0]) == 1):
        return None
    if (TURNING | OF_ANOTHER) & {word.casefold().strip(",") for word in subject}:
        return None
    said = TO_WHOM.sub("", LEFT.sub("", match["value"]))
    value = _known(said, read, words=False)
    if isinstance(value, Qualified) and value.qualifier in OUTCOMES:
        return value
    numbers = Expression | Quantity | Percent | Clock | Stated
    if not isinstance(value, numbers):
        return None
    term = getattr(value.value if isinstance(value, Stated) else value, "term", None)
    return None if isinstance(term, Term) and has_symbols(term) else value


def _titled(text: str, read: Read) -> Value | None:
    """`Total cost: $5`: nouns, a colon, and the value."""
    match = TITLE.fullmatch(text)
    if match is None:
        return None
    words = [word.casefold() for word in match["title"].split()]
    if not all(is_noun(word) or word in FILLERS for word in words) or set(words) & OF_ANOTHER:
        return None
    value = _known(match["value"], read, words=False)
    if not isinstance(value, Expression | Quantity | Percent | Clock):
        return None
    term = getattr(value, "term", None)
    return None if isinstance(term, Term) and has_symbols(term) else value


def _name_is(text: str, read: Read) -> Value | None:
    """`x equals 5`."""
    match = NAME_IS.fullmatch(text)
    value = _known(match["value"], read, words=False) if match else None
    if match is None or not isinstance(value, Expression | Quantity) or has_symbols(value.term):
        return None
    return read(f"{match['name']} = {match['value']}")


def _said(text: str, read: Read) -> Value | None:
    """`The capital is Paris`: a subject, a verb, and a word or a name."""
    match = SAID.fullmatch(text)
    if match is None or DENIES.search(text):
        return None
    subject = match["subject"].casefold()
    if TURNING & set(subject.split()):
        return None
    value = read(match["value"])
    if not isinstance(value, Words) or len(value.words) > _LONGEST_SAID:
        return None
    return Said(subject, value)


def _yes_no(text: str, read: Read) -> Value | None:
    """`Yes, it is`; a "no" may be followed by "not"."""
    match = YES_NO.fullmatch(text)
    if match is None or NEXT.search(match["rest"]) or OPPOSITE.search(match["rest"]):
        return None
    rest = match["rest"]
    if match["value"].casefold() in ("no", "false"):
        rest = NOT.sub("", rest)
    return None if DENIES.search(rest) else read(match["value"])


def _last_sentence(text: str, read: Read) -> Value | None:
    """`First compute 6*7. 42`: a last line that is a value, or words that lead to one."""
    ends = list(SENTENCE_END.finditer(text))
    if not ends:
        return None
    before, last = text[: ends[-1].start()], text[ends[-1].end() :]
    if (
        len(WORD.findall(before)) < 2
        or not before[0].isupper()
        or MARK.search(before)
        or DENIES.search(before)
    ):
        return None
    if ends[-1][0].startswith(":") and OF_ANOTHER & set(before.casefold().split()[-5:]):
        return None
    if WORD.search(last):
        value = _led(last, read)
        if value is None and CONCLUDES.match(last):
            value = _told(CONCLUDES.sub("", last, count=1).strip(" ,"), read)
        return value
    value = _known(last, read, words=False)
    return value if isinstance(value, Expression | Quantity | Percent | Choice) else None


def _sides(text: str) -> Iterator[str]:
    depth = start = 0
    for position, letter in enumerate(text):
        if letter in "([{":
            depth += 1
        elif letter in ")]}":
            depth -= 1
        elif letter == "=" and depth == 0:
            yield text[start:position].strip()
            start = position + 1
    yield text[start:].strip()


def _chain(text: str, read: Read) -> Value | None:
    r"""`48 + 24 = 72`, `x = 2 \cdot 3 = 6`: true equations between numbers."""
    if MATHEMATICAL.search(text) or text.count("=") > _MOST_SIDES or len(text) > 400:
        return None
    sides = list(_sides(text))
    if len(sides) < 2 or not all(sides):
        return None
    first = parse_term(sides[0])
    name = isinstance(first, Symbol)
    if first is None or (name and len(sides) < 3) or (not name and has_symbols(first)):
        return None
    terms = [parse_term(side) for side in sides[name:-1]]
    value = read(sides[-1])
    last = value.term if isinstance(value, Expression | Quantity) else None
    if last is None or has_symbols(last):
        return None
    for term in terms:
        if term is None or has_symbols(term) or not equal_terms(term, last):
            return None
    if name:
        named = read(f"{sides[0]} = {sides[-1]}")
        return None if isinstance(named, Unread) else named
    return Stated(value)


def compare(gold: Value, answer: Value, same: Same) -> bool | None:
    """Whether true equations state the gold; see `kinds`."""
    if isinstance(gold, Said) and isinstance(answer, Said):
        return gold.subject == answer.subject and same(gold.value, answer.value)
    for said, other, swapped in ((gold, answer, True), (answer, gold, False)):
        if isinstance(said, Said):
            if not isinstance(other, Words | Expression):
                return False
            return same(said.value, other) if swapped else same(other, said.value)
    if isinstance(answer, Stated):
        return same(gold.value if isinstance(gold, Stated) else gold, answer.value)
    return None
