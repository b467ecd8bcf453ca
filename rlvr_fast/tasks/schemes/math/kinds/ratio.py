"""Ratios: 1:2:3."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from rlvr_fast.tasks.schemes.math.evaluation import equal_terms
from rlvr_fast.tasks.schemes.math.kinds.expression import Expression
from rlvr_fast.tasks.schemes.math.parsing import parse_term
from rlvr_fast.tasks.schemes.math.parts.ordering import ZERO
from rlvr_fast.tasks.schemes.math.parts.splitting import split
from rlvr_fast.tasks.schemes.math.terms.nodes import Mul, Number, Term
from rlvr_fast.tasks.schemes.math.values import Read, Same, Value

__all__ = ["Ratio", "compare", "read"]


@dataclass(frozen=True, slots=True)
class Ratio(Value):
    """Two or more numbers of which only the quotients count."""

    terms: tuple[Term, ...]


_COLON = re.compile(r":")
# "3 to 2": between whole numbers only; other words say a way or a range.
_TO = re.compile(r"\d{1,9}(?: ?(?:\\ )?to ?(?:\\ )?\d{1,9})+")
_OUT_OF = re.compile(r"(\d{1,9}) out of (?:every )?0*([1-9]\d{0,8})")
_MOST = 12


def read(text: str, read: Read) -> Value | None:
    """The value of a text that is a ratio; see `kinds`."""
    if match := _OUT_OF.fullmatch(text):
        return Expression(Number(Fraction(int(match[1]), int(match[2]))))
    if _TO.fullmatch(text):
        text = text.replace("to", ":")
    if ":" not in text:
        return None
    pieces = split(text, _COLON, most=_MOST)
    if pieces is None or not pieces.marks:
        return None
    terms = [parse_term(part) for part in pieces.parts]
    known = tuple(term for term in terms if term is not None)
    if len(known) < len(terms) or all(equal_terms(term, ZERO) for term in known):
        return None
    return Ratio(known)


def compare(gold: Value, answer: Value, same: Same) -> bool | None:
    """Whether two ratios agree; a ratio of two numbers is also their quotient."""
    if isinstance(gold, Ratio) and isinstance(answer, Ratio):
        return len(gold.terms) == len(answer.terms) and all(
            equal_terms(
                Mul((gold.terms[i], answer.terms[j])), Mul((gold.terms[j], answer.terms[i]))
            )
            for j in range(len(gold.terms))
            for i in range(j)
        )
    for ratio, other in ((gold, answer), (answer, gold)):
        if isinstance(ratio, Ratio):
            if len(ratio.terms) != 2 or not isinstance(other, Expression):
                return False
            upper, lower = ratio.terms
            return not equal_terms(lower, ZERO) and equal_terms(Mul((other.term, lower)), upper)
    return None
