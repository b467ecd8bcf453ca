"""Parts of a hundred or of a thousand: 10%, 5 per cent, 5 per mille."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from rlvr_fast.tasks.schemes.math.kinds.expression import Expression
from rlvr_fast.tasks.schemes.math.kinds.quantity import scaled
from rlvr_fast.tasks.schemes.math.parsing import parse_term
from rlvr_fast.tasks.schemes.math.parts.unit_reading import read_dressing
from rlvr_fast.tasks.schemes.math.parts.wording import latex, plain, spoken_number
from rlvr_fast.tasks.schemes.math.terms.nodes import Number, Term
from rlvr_fast.tasks.schemes.math.values import Read, Same, Value

__all__ = ["Percent", "compare", "read"]


@dataclass(frozen=True, slots=True)
class Percent(Value):
    """A number of parts.

    Attributes:
        term: the number before the sign.
        per: 100 of per cent, 1000 of per mille.
        word: whether the sign is a word.
    """

    term: Term
    per: int
    word: bool


_SIGNS = re.compile(
    r"(?P<cent>%|\bpercent(?:age)?(?:\s+points?)?(?![A-Za-z])|\bper\s?cents?(?![A-Za-z])|\bpct(?![A-Za-z]))"
    r"|(?P<mille>‰|\\permil(?![A-Za-z])|\bper\s?mill?e?(?![A-Za-z])|\bper\s+thousand(?![A-Za-z]))"
    r"|(?P<basis>\bbasis\s+points?(?![A-Za-z]))"
)


def read(text: str, read: Read) -> Value | None:
    """The value of a text with a sign of per cent at its end; see `kinds`."""
    text = plain(text)
    signs = list(_SIGNS.finditer(text))
    if len(signs) != 1:
        return None
    sign = signs[0]
    head, rest = text[: sign.start()].strip(), text[sign.end() :].strip()
    if not head or (rest and not _is_dressing(rest)):
        return None
    spoken = head.removesuffix(" a").replace("-", " ")  # half a percent
    value = spoken_number(tuple(spoken.split()[:12]))
    term = parse_term(latex(head)) if value is None else Number(value)
    if term is None:
        return None
    parts = 100 if sign["cent"] else 1000 if sign["mille"] else 10000
    return Percent(term, parts, sign[0] not in "%‰")


def _is_dressing(rest: str) -> bool:
    dressing = read_dressing(rest)
    return dressing is not None and not dressing.unit.dimensions


def compare(gold: Value, answer: Value, same: Same) -> bool | None:
    """Whether an answer equals a gold of which one is a percentage; see `kinds`."""
    if isinstance(gold, Percent) and isinstance(answer, Percent):
        return same(_value(gold), _value(answer))
    if isinstance(gold, Percent) and isinstance(answer, Expression):
        bare = gold.per == 100 and not gold.word and same(Expression(gold.term), answer)
        return bare or same(_value(gold), answer)
    if isinstance(gold, Expression) and isinstance(answer, Percent):
        bare = answer.per == 100 and same(gold, Expression(answer.term))
        return bare or same(gold, _value(answer))
    return None


def _value(percent: Percent) -> Expression:
    return Expression(scaled(percent.term, Fraction(1, percent.per)))
