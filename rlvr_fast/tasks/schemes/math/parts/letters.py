r"""Names whose reading follows from the rest of an answer, or from the other side."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

from rlvr_fast.tasks.schemes.math.parsing.names import EITHER
from rlvr_fast.tasks.schemes.math.parts.substitution import names_of, put, renamed, symbols
from rlvr_fast.tasks.schemes.math.terms.making import negative, rebuilt
from rlvr_fast.tasks.schemes.math.terms.nodes import Add, Constant, Mul, Number, Pow, Symbol, Term
from rlvr_fast.tasks.schemes.math.values import Value

__all__ = ["other_readings", "with_greek"]

_LETTERS = "|".join(EITHER)
_EITHER = re.compile(rf"(?<![a-z])({_LETTERS})")
_UNIT_VECTORS: dict[str, Term] = {
    "hat(i)": Constant("i"), "hat(j)": Symbol("j"), "hat(k)": Symbol("k")
}  # fmt: skip
_COUNT = re.compile(r"([CA])_(\d{1,3})")
_BETWEEN = re.compile(r"vec\(([A-Z]['_\d]*)([A-Z]['_\d]*)\)")


def with_greek(gold: Value, answer: Value) -> tuple[Value, Value]:
    r"""Two values in which a letter of plain text, φ, has one name: `\varphi` or `\phi`.

    It is the one that the two values have elsewhere, and `\varphi` where they have both or none.
    """
    found = names_of(gold) | names_of(answer)
    marked = {match[1] for name in found for match in _EITHER.finditer(name)}
    if not marked:
        return gold, answer
    new = {}
    for letter in marked:
        first, second = EITHER[letter]
        new[letter] = second if _has(found, second) and not _has(found, first) else first

    def name(old: str) -> str:
        return _EITHER.sub(lambda match: new[match[1]], old)

    return renamed(gold, name), renamed(answer, name)


def _has(names: Iterable[str], letter: str) -> bool:
    return any(re.search(rf"(?<![a-z]){letter}", name) for name in names)


def other_readings(gold: Term, answer: Term) -> tuple[Term, Term] | None:
    r"""Two terms in a second reading of their capitals; None where there is none.

    * A run of capitals is a product where each of its letters stands alone in the same term
      (`2RC+R+C`).
    * `\vec{AB}` is the difference of two points.
    * `\hat{i}` and `\hat{j}`, both in one term, are i and j of a vector.
    * `C_5^2` and `A_5^2` count combinations and variations.
    """
    pair = _read_again(gold), _read_again(answer)
    return None if pair == (gold, answer) else pair


def _read_again(term: Term) -> Term:
    names = symbols(term)
    new: dict[str, Term] = {}
    for name in names:
        if len(name) > 1 and name.isalpha() and name.isupper() and set(name) <= names:
            new[name] = Mul(tuple(map(Symbol, name)))
        elif match := _BETWEEN.fullmatch(name):
            start, end = (Symbol(f"point({point})") for point in match.groups())
            new[name] = Add((end, negative(start)))
    if len(names & _UNIT_VECTORS.keys()) > 1:
        new |= _UNIT_VECTORS
    found: Any = put(term, new) if new else term
    assert isinstance(found, Term)
    return _counted(found) if any(_COUNT.fullmatch(name) for name in names) else found


def _counted(term: Term) -> Term:
    """The term with numbers for C_n^k and A_n^k, of numerals."""
    if isinstance(term, Pow) and isinstance(term.base, Symbol):
        match, chosen = _COUNT.fullmatch(term.base.name), term.exponent
        if match and isinstance(chosen, Number) and chosen.value.denominator == 1:
            total, part = int(match[2]), int(chosen.value)
            if 0 <= part <= total:
                count = math.comb if match[1] == "C" else math.perm
                return Number(Fraction(count(total, part)))
    return rebuilt(term, _counted)
