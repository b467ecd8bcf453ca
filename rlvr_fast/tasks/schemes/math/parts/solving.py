"""The signs of relations; what a relation says about a name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from rlvr_fast.tasks.schemes.math.evaluation import equal_terms
from rlvr_fast.tasks.schemes.math.kinds.collection import Collection, List, Set, Tuple
from rlvr_fast.tasks.schemes.math.kinds.expression import Expression
from rlvr_fast.tasks.schemes.math.kinds.matrix import Matrix
from rlvr_fast.tasks.schemes.math.kinds.ratio import Ratio
from rlvr_fast.tasks.schemes.math.kinds.real_set import (
    EMPTY,
    REALS,
    Interval,
    NamedSet,
    Operation,
    as_set,
    without,
)
from rlvr_fast.tasks.schemes.math.kinds.words import Words
from rlvr_fast.tasks.schemes.math.parts.ordering import MINUS, ZERO, close, sign
from rlvr_fast.tasks.schemes.math.parts.polynomials import solution_set
from rlvr_fast.tasks.schemes.math.parts.relation_values import (
    Named,
    Relation,
    infinite_sign,
    is_name,
)
from rlvr_fast.tasks.schemes.math.parts.substitution import put, symbols
from rlvr_fast.tasks.schemes.math.terms.nodes import Add, Call, Mul, Number, Pow, Symbol, Term
from rlvr_fast.tasks.schemes.math.values import Value

__all__ = ["FLIPPED", "SIGN", "SIGN_OF", "SYMMETRIC", "solved", "without_left_side"]

# One spelling for the signs of relations.
_SPELLINGS = {
    "=": ("=", ":=", r"\equiv", r"\coloneqq"),
    "!=": (r"\ne",),
    "<": ("<",),
    ">": (">",),
    "<=": (r"\le",),
    ">=": (r"\ge",),
    "~": (r"\approx", r"\thickapprox", r"\doteq"),
    "in": (r"\in",),
    "not in": (r"\notin",),
    "contains": (r"\ni",),
    "subset": (r"\subset",),
    "subset or equal": (r"\subseteq",),
    "superset": (r"\supset",),
    "superset or equal": (r"\supseteq",),
    "not subset": (r"\not\subset", r"\nsubseteq", r"\not\subseteq"),
    "parallel": (r"\parallel", r"\|"),
    "perpendicular": (r"\perp", r"\bot"),
    "similar": (r"\sim", r"\simeq"),
    "congruent": (r"\cong",),
    "proportional": (r"\propto",),
    "divides": (r"\mid",),
    "not divides": (r"\nmid", r"\not\mid"),
    "much less": (r"\ll",),
    "much greater": (r"\gg",),
}
SIGN_OF = {spelling: sign for sign, spellings in _SPELLINGS.items() for spelling in spellings}
SIGN = re.compile(
    r"(?:"
    + "|".join(
        re.escape(spelling).replace(r"\\not", r"\\not\s*")
        + ("(?![A-Za-z])" if spelling[-1].isascii() and spelling[-1].isalpha() else "")
        for spelling in sorted(SIGN_OF, key=len, reverse=True)
    )
    + ")"
)
# The letters of sets of numbers in plain text, after "in" only.
_LETTERS: dict[Value, Value] = {
    Expression(Symbol("R")): REALS,
    **{Expression(Symbol(letter)): NamedSet(letter) for letter in "NZQ"},
}
# Words that say more of a value than its name.
_NO_NAME = frozenset(
    ("not", "no", "never", "than", "least", "most", "without", "or", "if", "unless", "neither")
)
FLIPPED = {
    ">": "<", ">=": "<=", "<": ">", "<=": ">=", "superset": "subset", "subset": "superset",
    "superset or equal": "subset or equal", "subset or equal": "superset or equal",
    "much less": "much greater", "much greater": "much less", "in": "contains", "contains": "in",
}  # fmt: skip
SYMMETRIC = frozenset(("=", "!=", "~", "parallel", "perpendicular", "similar", "congruent"))
_ONE = Number(Fraction(1))
_ORDERS = ("<", "<=", ">", ">=")


def without_left_side(sign: str, value: Value, about: Value | None) -> Value | None:
    r"""The value of a relation with nothing on its left: `\ge 5` is a set, `= 5` is 5."""
    if sign == "=" or (sign == "in" and not isinstance(value, Expression)):
        return value
    if sign == "~":
        return about
    found = _set(sign, value)
    return found if found is not None else Relation((sign,), (value,))


def solved(relation: Relation, about: Value | None = None) -> Value:
    """What a relation says: a value, a named value, or no more than it is.

    Args:
        relation: the relation as it was written.
        about: the last side as an approximate value, where the last sign says so.
    """
    signs, sides = relation.signs, relation.sides
    if "=" in signs or "~" in signs:
        relation = _shortened(relation)
        signs, sides = relation.signs, relation.sides
        if not signs:
            return sides[0]
    if len(signs) > 1 and set(signs) == {"="} and all(map(is_name, sides[:-1])):
        value = sides[-1]
        if isinstance(value, Expression) and is_name(value) and not isinstance(value.term, Call):
            return relation  # x = y = z
        return List(tuple(Named(n, value, Relation(("=",), (n, value))) for n in sides[:-1]))
    if len(signs) == 2:
        return _between(relation)
    if len(signs) > 2:
        return relation
    sign, (left, right) = signs[0], tuple(map(_as_tuple, sides))
    names = isinstance(left, Tuple) and all(map(is_name, left.parts))
    listed = sign == "in" and isinstance(right, Set)
    if names and (listed or (sign == "=" and isinstance(right, Collection | Matrix))):
        return Named(left, right, relation)
    for sign_, name, value in ((sign, left, right), (FLIPPED.get(sign, sign), right, left)):
        named = _name(name) if name is left else is_name(name)
        if not named or (name is right and sign not in SYMMETRIC and sign not in _ORDERS):
            continue
        if sign_ == "=" and not _is_in(name, value):
            return Named(name, value, relation)
        if sign_ == "~":
            return relation if about is None else Named(name, about, relation)
        found = _set(sign_, value)
        listed = sign_ == "in" and isinstance(name, Expression) and isinstance(name.term, Call)
        if found is not None and (listed or not symbols(name) & symbols(value)):
            return Named(name, found, relation)
    return (
        _distance(sign, left, right, relation)
        or _polynomial(sign, left, right, relation)
        or _quadratic(sign, left, right, relation)
        or relation
    )


def _as_tuple(value: Value) -> Value:
    """A column of names as a tuple: a name of several values."""
    if isinstance(value, Matrix) and all(len(row) == 1 for row in value.rows):
        parts = tuple(Expression(row[0]) for row in value.rows)
        if all(map(is_name, parts)):
            return Tuple(parts)
    return value


def _distance(sign: str, left: Value, right: Value, relation: Relation) -> Value | None:
    r"""`|x - a| < b` as an interval, `|x - a| \ge b` as two."""
    if not (isinstance(left, Expression) and isinstance(right, Expression)) or symbols(right):
        return None
    inside, names = left.term, symbols(left)
    if not isinstance(inside, Call) or inside.name != "abs" or len(names) != 1:
        return None
    (name,) = names
    line = _line(inside.arguments[0], name)
    if sign not in _ORDERS or line is None:
        return None
    ends = [line.at(part) for part in (Mul((MINUS, right.term)), right.term)]
    ends = ends if line.rises else ends[::-1]
    closed = sign[-1] == "="
    if sign[0] == "<":
        found: Value = Interval(ends[0], closed, ends[1], closed)
    else:
        parts = Interval(None, False, ends[0], closed), Interval(ends[1], closed, None, False)
        found = Operation("union", parts)
    return Named(Expression(Symbol(name)), found, relation)


@dataclass(frozen=True, slots=True)
class _Line:
    """A linear term in a symbol: slope * symbol + shift."""

    slope: Term
    shift: Term
    rises: bool

    def at(self, value: Term) -> Term:
        """Where the term has a value."""
        return Mul((Add((value, Mul((MINUS, self.shift)))), Pow(self.slope, MINUS)))


def _line(term: Term, name: str) -> _Line | None:
    shift = put(term, {name: ZERO})
    slope = Add((put(term, {name: _ONE}), Mul((MINUS, shift))))
    steep = sign(slope)
    if not steep or not equal_terms(term, Add((Mul((slope, Symbol(name))), shift))):
        return None
    return _Line(slope, shift, steep > 0)


def _polynomial(sign_: str, left: Value, right: Value, relation: Relation) -> Value | None:
    """`x^2 < 4` as a set of values of x."""
    if not (isinstance(left, Expression) and isinstance(right, Expression)) or sign_ not in _ORDERS:
        return None
    names = symbols(left) | symbols(right)
    if len(names) != 1:
        return None
    (name,) = names
    found = solution_set(Add((left.term, Mul((MINUS, right.term)))), name, sign_)
    return None if found is None else Named(Expression(Symbol(name)), found, relation)


def _quadratic(sign_: str, left: Value, right: Value, relation: Relation) -> Value | None:
    r"""`x^2 < a` as an interval: a quadratic or linear inequality in one symbol."""
    if sign_ not in _ORDERS or not (isinstance(left, Expression) and isinstance(right, Expression)):
        return None
    names = symbols(left) | symbols(right)
    if len(names) != 1:
        return None
    (name,) = names
    difference = Add((left.term, Mul((MINUS, right.term))))
    at = [put(difference, {name: value}) for value in (MINUS, ZERO, _ONE)]
    half = Number(Fraction(1, 2))
    first = Mul((half, Add((at[2], Mul((MINUS, at[0]))))))
    second = Add((Mul((half, Add((at[2], at[0])))), Mul((MINUS, at[1]))))
    symbol = Symbol(name)
    whole = Add((Mul((second, symbol, symbol)), Mul((first, symbol)), at[1]))
    leading = sign(second)
    if leading is None or not equal_terms(difference, whole):
        return None
    if leading == 0:
        return _linear(sign_, symbol, first, at[1], relation)
    square = Mul((first, first))
    discriminant = Add((square, Mul((Number(Fraction(-4)), second, at[1]))))
    real = sign(discriminant)
    if real is None:
        return None
    inner = (sign_[0] == "<") == (leading > 0)
    closed = sign_[-1] == "="
    if real < 0:
        return Named(Expression(symbol), EMPTY if inner else REALS, relation)
    root = Mul((Number(Fraction(leading)), Pow(discriminant, half)))
    below = Pow(Mul((Number(Fraction(2)), second)), MINUS)
    ends = [Mul((below, Add((Mul((MINUS, first)), part)))) for part in (Mul((MINUS, root)), root)]
    found: Value = Interval(ends[0], closed, ends[1], closed)
    if not inner:
        parts = Interval(None, False, ends[0], closed), Interval(ends[1], closed, None, False)
        found = Operation("union", parts)
    return Named(Expression(symbol), found, relation)


def _linear(
    sign_: str, symbol: Symbol, first: Term, last: Term, relation: Relation
) -> Value | None:
    slope = sign(first)
    if not slope:
        return None
    end = Mul((MINUS, last, Pow(first, MINUS)))
    if (sign_[0] == "<") == (slope > 0):
        return Named(Expression(symbol), _interval(None, False, end, sign_[-1] == "="), relation)
    return Named(Expression(symbol), _interval(end, sign_[-1] == "=", None, False), relation)


def _is_in(name: Value, value: Value) -> bool:
    """Whether a symbol is part of a value: `x = x + 1` names nothing."""
    if not isinstance(name, Expression) or not isinstance(name.term, Symbol):
        return False
    return name.term.name in symbols(value)


def _name(value: Value) -> bool:
    """A name on the left of an equation may also be words ("Area")."""
    if isinstance(value, Words):
        return not _NO_NAME & set(value.words)
    if isinstance(value, Expression) and isinstance(value.term, Call) and value.term.name == "abs":
        return _are_points(value.term.arguments[0])  # the length |AB|
    if isinstance(value, Tuple) and value.bracket == "[" and len(value.parts) == 1:
        area = value.parts[0]
        return isinstance(area, Expression) and _are_points(area.term)  # the area [ABC]
    if isinstance(value, Ratio):
        return all(isinstance(term, Symbol) for term in value.terms)
    return is_name(value)


def _are_points(term: Term) -> bool:
    return isinstance(term, Symbol) and len(term.name) > 1 and term.name.isupper()


def _shortened(relation: Relation) -> Relation:
    r"""The relation without steps that hold.

    `x = \sqrt{4} = 2` is x = 2, `48 + 24 = 72` is 72, `x = \sqrt{2} \approx 1.41` is the root.
    """
    signs, sides = list(relation.signs), list(relation.sides)
    if not set(signs) <= {"=", "~"}:
        return relation
    start = 1 if _name(sides[0]) else 0
    while len(sides) - start >= 2:
        first, second = sides[start], sides[start + 1]
        if not (isinstance(first, Expression) and isinstance(second, Expression)):
            return relation
        sign = signs[start]
        if sign == "~":
            if len(sides) - start > 2 or not close(first.term, second.term):
                return relation
            del sides[start + 1], signs[start]
            break
        if start == 0 and (symbols(first) or symbols(second)):
            return relation
        if not equal_terms(first.term, second.term):
            return relation
        del sides[start], signs[start]
    return Relation(tuple(signs), tuple(sides))


def _between(relation: Relation) -> Value:
    r"""`1 < x \le 2` as a set of values of x."""
    (first, second), (left, name, right) = relation.signs, relation.sides
    if not isinstance(name, Expression) or first not in _ORDERS or first[0] != second[:1]:
        return relation
    if second not in _ORDERS or not (
        isinstance(left, Expression) and isinstance(right, Expression)
    ):
        return relation
    if symbols(name) & (symbols(left) | symbols(right)):
        return relation
    lower, upper, below, above = left.term, right.term, first, second
    if first[0] == ">":
        lower, upper, below, above = upper, lower, above, below
    if not is_name(name):
        # 1 < 2x < 4
        variables = symbols(name)
        line = _line(name.term, *variables) if len(variables) == 1 else None
        if line is None or symbols(left) or symbols(right):
            return relation
        name, lower, upper = Expression(Symbol(*variables)), line.at(lower), line.at(upper)
        if not line.rises:
            lower, upper, below, above = upper, lower, above, below
    return Named(name, _interval(lower, "=" in below, upper, "=" in above), relation)


def _interval(lower: Term | None, with_lower: bool, upper: Term | None, with_upper: bool) -> Value:
    if lower is not None and infinite_sign(lower) < 0:
        lower, with_lower = None, False
    if upper is not None and infinite_sign(upper) > 0:
        upper, with_upper = None, False
    return Interval(lower, with_lower, upper, with_upper)


def _set(sign: str, value: Value) -> Value | None:
    """The set of x with x SIGN value; None where it is not known to be one."""
    if sign in ("in", "not in") and value in _LETTERS:
        value = _LETTERS[value]
    if sign == "in":
        # a pair that a name is in is an interval
        if isinstance(value, Collection) and not isinstance(value, Tuple):
            return value
        return as_set(value) or (value if isinstance(value, Tuple) else None)
    if sign == "not in":
        found = as_set(value)
        return None if found is None else Operation("minus", (REALS, found))
    if sign == "!=" and isinstance(value, List | Expression):
        parts = value.parts if isinstance(value, List) else (value,)
        terms = [part.term for part in parts if isinstance(part, Expression)]
        return without(*terms) if len(terms) == len(parts) else None
    if sign not in _ORDERS or not isinstance(value, Expression):
        return None
    if sign[0] == "<":
        return _interval(None, False, value.term, sign == "<=")
    return _interval(value.term, sign == ">=", None, False)
