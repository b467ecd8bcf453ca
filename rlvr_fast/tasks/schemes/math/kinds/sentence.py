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
from rlvr_fast.tasks.schemes.math.parts.wording import FILLERS, TURNING, is_noun, word_set
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
_DENIES = re.compile(
    r"(?<![A-Za-z])(?:no|not|never|or|either|neither|nor|wrong|incorrect|false|if|unless|maybe|"
    r"perhaps|possibly|might|assuming|claims?|allegedly|supposedly|some|could|"
    r"cannot|wait|but|however|instead|rather|alternatively|unknown|"
    r"impossible|except|whether|suppose|assume|guess|unclear|unsure|doubt|another|other|"
    r"otherwise)(?![A-Za-z])|n't(?![A-Za-z])",
    re.IGNORECASE,
)
_IS = r"(?:is|are|was|were|=|:|equals|will be|would be|must be|should be|has to be|comes out to be)"
_MARK = re.compile(
    r"(?<![A-Za-z])(?:(?:the|my|our|your|a|its|this|final|correct|right|required|desired|exact|"
    r"numerical|numeric|complete|overall)\s+)*(?:answers?|ans\.?)"
    rf"(?:\s+(?:to|for|of)\s+(?:the|this|that)\s+(?:\w+\s+)?(?:question|problem|task|exercise))?"
    rf"(?:\s+(?:therefore|thus|then|hence|here|now))?\s*,?\s*{_IS}"
    r"(?:\s+(?:therefore|thus|then|hence|simply|just|indeed|clearly))?\s*:?\s*",
    re.IGNORECASE,
)
# A choice before the sentence: it says more than the sentence.
_LABELLED = re.compile(r"(?:\([A-J]\)|[A-J][.):])\s")
# What may stand right before "the answer is": anything else may change it ("twice", "1 -").
_LEADS_ON = re.compile(
    r"(?:^|[,;:.!?)\]}\u2014]|(?<![A-Za-z])(?:so|thus|hence|therefore|then|and|that|finally|now|"
    r"means|because|since|conclude|consequently|overall|here|is|i\.e\.|implies|get|find|have))\s*$",
    re.IGNORECASE,
)
_AFTER_MARK = re.compile(
    r"(?P<value>.*\S)\s+(?:is|are)\s+(?:the|my|our)\s+(?:final\s+|correct\s+|right\s+)*answers?",
    re.IGNORECASE | re.DOTALL,
)
_LEAD = re.compile(
    r"(?:(?:so|hence|thus|therefore|then|and|finally|now|consequently|accordingly|in conclusion|"
    r"overall|altogether|in total|in all|as a result|which means|this means|this gives(?: us)?|"
    r"which gives(?: us)?|that gives(?: us)?|it follows that|we get|we have|we find|"
    r"we obtain|we conclude that|"
    r"i choose|we choose|i select|i got|we got|it must be|"
    r"we see that|i get|i found|i think it is|you get|it is|it's|that is|that's|this is|"
    r"i\.e\.|namely|(?:result|solutions?|solution set|conclusion|domain|range|interval|roots?|"
    r"zeros?|center|vertex)(?= ?:)|"
    r"the (?:ordered (?:pair|triple)|points?|vertex|vector|(?:open |closed )?interval|set)"
    r"(?= ?[(\[{\\])|"
    r"the (?:[a-z]+ ){0,4}?(?:result|value|solution|sum|product|total|number|probability|area|"
    r"volume|length|distance|cost|price|average|mean|difference|ratio|count|amount|perimeter|root|"
    r"point|vertex|coordinate|minimum|maximum|minimum value|maximum value|equation|interval|range|"
    r"polynomial|function|expression|fraction|percentage|integer|solution set|derivative|integral|"
    r"limit|coefficient|slope|inverse|matrix|"
    r"domain|remainder|quotient|radius|diameter|height|width|angle|speed|time|age|term|digit)s?"
    r"(?: of (?:[a-z ]{2,40}?|[a-z](?:\([^()]{1,12}\))?))? (?:is|are|equals|=|:))"
    r"(?![A-Za-z])\s*[,:]?\s*)+",
    re.IGNORECASE,
)
_HOPE = re.compile(
    r"\s*[.,;]?\s*(?:I hope (?:it|this|that) (?:is correct|helps)|hope (?:it|this) helps|"
    r"(?:thanks|thank you|done|q\.?e\.?d)\b.{0,20})\s*[.!]*",
    re.IGNORECASE,
)
# A reason may hold figures; a remark may not, save for what the value is a part of.
_TAIL = re.compile(
    r"\s*,?\s+(?P<reason>because|since|as (?:we|it|the|there|this|required|"
    r"desired|expected|shown)|due to|by the|for the reason that|"
    r"which follows)"
    r"(?![A-Za-z])|"
    r"\s*,\s*(?P<remark>in total|altogether|in all|overall|in the end|as required|as desired|"
    r"as expected|as claimed|so|hence|thus|therefore|which|that is the|out of)(?![A-Za-z])"
)
_PART_OF = re.compile(r"out of (?:the )?\d+", re.IGNORECASE)
_VERB = re.compile(
    r"(?P<subject>[A-Za-z][A-Za-z' ,-]{0,100}?)\s+"
    r"(?:(?:will|would|can|must|has to|have to|had to|needs? to|needed to) "
    r"(?:have|be|need|take|pay|give|make|earn|get|cost|spend|save|use|buy|sell|receive|owe|run|"
    r"walk|drive|read|eat|weigh|travel|work|finish in)|"
    r"has|have|"
    r"had|is|are|was|were|gets?|got|earns?|earned|needs?|costs?|makes?|made|equals|takes?|took|"
    r"spends?|spent|saves?|saved|pays?|paid|weighs?|ate|eats?|sold|sells?|bought|buys?|ran|runs?|"
    r"travels?|travelled|traveled|covers?|covered|uses?|used|requires?|contains?|holds?|produces?|"
    r"reads?|drove|drives?|walked|walks?|received|receives?|owes?|scored?|scores?)\s+"
    r"(?P<value>\S.*)",
    re.DOTALL,
)
_SAID = re.compile(
    r"(?P<subject>it|he|she|this|(?:the|this|that|its|their) [A-Za-z' -]{2,80}?)\s+"
    r"(?:is|are|was|were|will be|must be)\s+(?P<value>[A-Za-z][A-Za-z' -]{0,60})",
    re.IGNORECASE,
)
_OUTCOMES = frozenset({"profit", "loss"})
_TITLE = re.compile(r"(?P<title>[A-Za-z]{3,15}(?: [A-Za-z]{2,15}){0,4}) ?: ?(?P<value>\S.*)", re.S)
_NAME_IS = re.compile(r"(?P<name>[a-z])\s+(?:is equal to|is|equals)\s+(?P<value>\S.*)", re.DOTALL)
_LONGEST_SAID = 3
_YES_NO = re.compile(
    r"(?P<value>yes|no|true|false)\s*[,.;]\s*(?P<rest>(?:it|they|he|she|this|that|there|the)\s.{2,80})",
    re.IGNORECASE,
)
_NOT = re.compile(r"(?<![A-Za-z])(?:not|no|cannot)(?![A-Za-z])|n't(?![A-Za-z])", re.IGNORECASE)
_OPPOSITE = re.compile(r"(?<![A-Za-z])(?:yes|no|true|false)(?![A-Za-z])", re.IGNORECASE)
_LEFT = re.compile(
    r"\s+(?:left|remaining|left over|in total|altogether|in all|now)$", re.IGNORECASE
)
_TO_WHOM = re.compile(r"^(?:him|her|them|us|me|you)\s+", re.IGNORECASE)
_SENTENCE_END = re.compile(r"(?<=[\w)\]}])[.!?:]\s+")
# Another sentence, or a figure that is computed: more is said than one reason.
_NEXT = re.compile(r"[.!?:;]\s|<<|#")
_LONGEST_REASON = 120
# "12, not 13": the value, and what it is not.
_NOT_THAT = re.compile(
    r"(?P<value>.*\S)\s*,\s*(?:and |but )?not\s+(?P<other>[^,;()]{1,40}?)",
    re.IGNORECASE | re.DOTALL,
)
# Another line, which explains the answer above.
_NOTE = re.compile(
    r"\s*[.;]?\s+(?:this is because(?![A-Za-z])|"
    r"(?:explanation|reason|reasoning|check|verification|proof|justification)\s*:)",
    re.IGNORECASE,
)
_CONCLUDES = re.compile(
    r"(?:so|thus|hence|therefore|in total|altogether|in all|finally|overall)(?![A-Za-z])",
    re.IGNORECASE,
)
_CHOSEN = re.compile(
    r"(?:(?:so|thus|hence|therefore),? )?(?:(?:option|choice|answer) )?(?P<value>\(?[A-J]\)?) is "
    r"(?:the )?(?:correct|right)(?: (?:answer|option|choice|one))?",
    re.IGNORECASE,
)
_HEADING = re.compile(r"#* *(?:the )?(?:final |correct )*answers? +(?=[^\sA-Za-z])", re.IGNORECASE)
_WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2,}")
_MATHEMATICAL = re.compile(
    r"[<>]|\\(?:le|ge|ne|in|approx|equiv|sim|to|implies|iff|pm|mp)(?![A-Za-z])"
)
# What is said of an answer, and not the answer: "the square of the answer is 25".
_OF_ANOTHER = word_set(
    """
    answer answers part guess bound square cube twice half double triple negative opposite inverse
    reciprocal squared cubed loss debt deficit error
    """
)
_MOST_SIDES = 8


def read(text: str, read: Read) -> Value | None:
    """The value that a sentence states; see `kinds`."""
    if len(text) > _LONGEST:
        return None
    if "=" in text and (stated := _chain(text, read)) is not None:
        return stated
    if (abroad := stated_abroad(text)) is not None:
        return _known(abroad, read, words=False)
    if not _WORD.search(text):
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
    for match in _HOPE.finditer(text):
        if match.end() == len(text) and match.start():
            return _known(text[: match.start()].rstrip(" ."), read, words=True)
    return None


def _marked(text: str, read: Read) -> Value | None:
    """`... the answer is 42`: the last mark of an answer."""
    marks = list(_MARK.finditer(text))
    if not marks or _LABELLED.match(text):
        return None
    before = _SENTENCE_END.split(text[: marks[-1].start()])[-1]
    rest = text[marks[-1].end() :].strip()
    capital = marks[-1][0][:1].isupper()  # another line
    if not rest or _DENIES.search(before) or not (_LEADS_ON.search(before) or capital):
        return None
    return _with_reason(rest, read) or _known(rest, read, words=True)


def _headed(text: str, read: Read) -> Value | None:
    """A heading, "Final Answer", and the value below it."""
    match = _HEADING.match(text)
    return _known(text[match.end() :], read, words=False) if match else None


def _named_last(text: str, read: Read) -> Value | None:
    """`42 is the answer`, `Option C is correct`."""
    match = _AFTER_MARK.fullmatch(text) or _CHOSEN.fullmatch(text)
    return _known(match["value"], read, words=True) if match else None


def _led(text: str, read: Read) -> Value | None:
    """`So the result is 42`."""
    match = _LEAD.match(text)
    if match is None or match.end() == len(text):
        return None
    return _with_reason(text[match.end() :], read) or _known(text[match.end() :], read, words=False)


def _reasoned(text: str, read: Read) -> Value | None:
    return _with_reason(text, read)


def _with_reason(text: str, read: Read) -> Value | None:
    """`42 because ...`, `72, in total, ...`: the value and what is said after it."""
    other = _NOT_THAT.fullmatch(text)
    if other is not None and _known(other["other"], read, words=False) is not None:
        said = other["value"]
        return None if _DENIES.search(said) else _known(said, read, words=False)
    if (note := _NOTE.search(text)) is not None:
        rest = text[note.end() :].strip()
        plain = not (_NEXT.search(rest) or _DENIES.search(rest) or _MARK.search(rest))
        short = note.start() and len(rest) <= _LONGEST_REASON and rest.count("=") <= 1
        return _known(text[: note.start()], read, words=True) if plain and short else None
    match = _TAIL.search(text)
    if match is None or not match.start() or match.start() > 200:
        return None
    tail = text[match.start() :]
    if len(tail) > _LONGEST_REASON or _NEXT.search(tail) or _DENIES.search(tail):
        return None
    if _MARK.search(tail) or tail.count("=") > 1:
        return None
    if match["reason"] and not ("=" in tail or len(tail.split()) > 2):
        return None
    if match["remark"] == "which" and len(tail.split()) < 4:
        return None
    if match["remark"] and re.search(r"[\d=$\\]", _PART_OF.sub("", tail)):
        return None
    return _known(text[: match.start()], read, words=True)


def _told(text: str, read: Read) -> Value | None:
    """`she has 12 dollars left`: words, a verb, and nothing but the value."""
    match = _VERB.fullmatch(text)
    if match is None or _DENIES.search(text):
        return None
    subject = match["subject"].split()
    if len(subject) > 12 or (len(subject) == 1 and len(subject[0]) == 1):
        return None
    if (TURNING | _OF_ANOTHER) & {word.casefold().strip(",") for word in subject}:
        return None
    said = _TO_WHOM.sub("", _LEFT.sub("", match["value"]))
    value = _known(said, read, words=False)
    if isinstance(value, Qualified) and value.qualifier in _OUTCOMES:
        return value
    numbers = Expression | Quantity | Percent | Clock | Stated
    if not isinstance(value, numbers):
        return None
    term = getattr(value.value if isinstance(value, Stated) else value, "term", None)
    return None if isinstance(term, Term) and has_symbols(term) else value


def _titled(text: str, read: Read) -> Value | None:
    """`Total cost: $5`: nouns, a colon, and the value."""
    match = _TITLE.fullmatch(text)
    if match is None:
        return None
    words = [word.casefold() for word in match["title"].split()]
    if not all(is_noun(word) or word in FILLERS for word in words) or set(words) & _OF_ANOTHER:
        return None
    value = _known(match["value"], read, words=False)
    if not isinstance(value, Expression | Quantity | Percent | Clock):
        return None
    term = getattr(value, "term", None)
    return None if isinstance(term, Term) and has_symbols(term) else value


def _name_is(text: str, read: Read) -> Value | None:
    """`x equals 5`."""
    match = _NAME_IS.fullmatch(text)
    value = _known(match["value"], read, words=False) if match else None
    if match is None or not isinstance(value, Expression | Quantity) or has_symbols(value.term):
        return None
    return read(f"{match['name']} = {match['value']}")


def _said(text: str, read: Read) -> Value | None:
    """`The capital is Paris`: a subject, a verb, and a word or a name."""
    match = _SAID.fullmatch(text)
    if match is None or _DENIES.search(text):
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
    match = _YES_NO.fullmatch(text)
    if match is None or _NEXT.search(match["rest"]) or _OPPOSITE.search(match["rest"]):
        return None
    rest = match["rest"]
    if match["value"].casefold() in ("no", "false"):
        rest = _NOT.sub("", rest)
    return None if _DENIES.search(rest) else read(match["value"])


def _last_sentence(text: str, read: Read) -> Value | None:
    """`First compute 6*7. 42`: a last line that is a value, or words that lead to one."""
    ends = list(_SENTENCE_END.finditer(text))
    if not ends:
        return None
    before, last = text[: ends[-1].start()], text[ends[-1].end() :]
    if (
        len(_WORD.findall(before)) < 2
        or not before[0].isupper()
        or _MARK.search(before)
        or _DENIES.search(before)
    ):
        return None
    if ends[-1][0].startswith(":") and _OF_ANOTHER & set(before.casefold().split()[-5:]):
        return None
    if _WORD.search(last):
        value = _led(last, read)
        if value is None and _CONCLUDES.match(last):
            value = _told(_CONCLUDES.sub("", last, count=1).strip(" ,"), read)
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
    if _MATHEMATICAL.search(text) or text.count("=") > _MOST_SIDES or len(text) > 400:
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
