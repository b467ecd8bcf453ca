"""When two relations say the same."""

from __future__ import annotations

from fractions import Fraction

from rlvr_fast.tasks.schemes.math.evaluation import equal_terms
from rlvr_fast.tasks.schemes.math.kinds.expression import Expression
from rlvr_fast.tasks.schemes.math.parsing.names import ALONG
from rlvr_fast.tasks.schemes.math.parts.matching import all_in_order, all_matched
from rlvr_fast.tasks.schemes.math.parts.ordering import MINUS, ZERO, sign
from rlvr_fast.tasks.schemes.math.parts.polynomials import real_roots
from rlvr_fast.tasks.schemes.math.parts.relation_values import Relation, is_name
from rlvr_fast.tasks.schemes.math.parts.solving import FLIPPED, SYMMETRIC
from rlvr_fast.tasks.schemes.math.parts.substitution import put, symbols
from rlvr_fast.tasks.schemes.math.terms.nodes import Add, Mul, Number, Symbol, Term
from rlvr_fast.tasks.schemes.math.values import Same

__all__ = ["same_relations"]


def same_relations(gold: Relation, answer: Relation, same: Same) -> bool:
    """Whether two relations agree: side by side, or as one equation or inequality scaled."""
    if len(gold.signs) != len(answer.signs):
        return False
    if len(gold.sides) != len(answer.sides):
        first, second = _without_name(gold), _without_name(answer)
        return first.signs == second.signs and same(first.sides[-1], second.sides[-1])
    if gold.signs == answer.signs and all_in_order(gold.sides, answer.sides, same):
        return True
    if len(gold.signs) > 1 and {*gold.signs, *answer.signs} == {"="}:
        return all_matched(gold.sides, answer.sides, same)
    if len(answer.sides) > len(answer.signs):
        turned = _turned(answer)
        if gold.signs == turned.signs and all_in_order(gold.sides, turned.sides, same):
            return True
    return _scaled(gold, answer) or _is_solved(gold, answer) or _is_solved(answer, gold)


def _is_solved(solved: Relation, other: Relation) -> bool:
    """Whether `y = 1/x` is `xy = 1`, solved for y.

    The other equation has to be linear in y and has to hold for the value of y. Where the factor
    of y is 0 for some x, the rest must not be: else all y belong to the curve there.
    """
    if solved.signs != ("=",) or other.signs != ("=",) or not is_name(solved.sides[0]):
        return False
    first, second = _difference(solved), _difference(other)
    if first is None or second is None or len(solved.sides) != 2:
        return False
    name, value = solved.sides
    if not (isinstance(name, Expression) and isinstance(value, Expression)):
        return False
    if not isinstance(name.term, Symbol) or name.term.name in symbols(value):
        return False
    variable, whole = name.term.name, second[1]
    if symbols(whole) != symbols(value) | {variable} or len(symbols(value)) != 1:
        return False
    rest, at_one = (put(whole, {variable: Number(Fraction(n))}) for n in range(2))
    factor = Add((at_one, Mul((MINUS, rest))))
    if not equal_terms(whole, Add((Mul((factor, name.term)), rest))):
        return False
    if not equal_terms(put(whole, {variable: value.term}), ZERO):
        return False
    (parameter,) = symbols(value)
    roots = real_roots(factor, parameter)
    return roots is not None and all(sign(put(rest, {parameter: root})) for root in roots)


def _without_name(relation: Relation) -> Relation:
    """`x > 5 km` as `> 5 km`, to compare it with the latter."""
    if len(relation.sides) == 2 and not is_name(relation.sides[0]) and is_name(relation.sides[1]):
        relation = _turned(relation)
    if len(relation.sides) == 2 and not is_name(relation.sides[0]):
        return Relation(("",), relation.sides)
    return relation


def _turned(relation: Relation) -> Relation:
    """The relation read from right to left; a sign without a counterpart makes it match nothing."""
    signs = tuple(
        FLIPPED.get(sign_, sign_ if sign_ in SYMMETRIC else "") for sign_ in relation.signs[::-1]
    )
    return Relation(signs, relation.sides[::-1])


def _scaled(gold: Relation, answer: Relation) -> bool:
    """Whether left - right of one is a constant multiple of the other's.

    The ratio must not be zero; of inequalities it must be positive. It is taken at a point and
    then holds everywhere, or the two differ.
    """
    first, second = _difference(gold), _difference(answer)
    if first is None or second is None or first[0] != second[0]:
        return False
    names = _variables(symbols(first[1]))
    if not names or names != _variables(symbols(second[1])):
        return False
    for attempt in range(3):
        point = {
            name: Number(Fraction(7 * index + 11 + 2 * attempt, 5 + 3 * attempt + index % 3))
            for index, name in enumerate(sorted(names))
        }
        at_first, at_second = put(first[1], point), put(second[1], point)
        if equal_terms(at_first, ZERO) or equal_terms(at_second, ZERO):
            continue
        crosswise = Mul((first[1], at_second)), Mul((second[1], at_first))
        if not equal_terms(*crosswise):
            return False
        return first[0] in ("=", "!=") or sign(Mul((at_first, at_second))) == 1
    return False


def _variables(names: frozenset[str]) -> frozenset[str]:
    """The names that a factor must not depend on: all but the constants of a differential equation.

    Beside the derivative of x by t all names but x and t are constants.
    """
    derivatives = [name.partition(ALONG) for name in names if "'" in name]
    if not derivatives:
        return names
    variables = {name.rstrip("'") for name, _, _ in derivatives} | {v for _, _, v in derivatives}
    return frozenset(name for name in names if "'" in name or name in variables)


def _difference(relation: Relation) -> tuple[str, Term] | None:
    """The sign ("=", "!=", "<" or "<=") and left - right, of a relation of two terms."""
    if len(relation.signs) != 1 or len(relation.sides) != 2:
        return None
    left, right = relation.sides
    sign_ = relation.signs[0]
    if not (isinstance(left, Expression) and isinstance(right, Expression)):
        return None
    if sign_ in (">", ">="):
        left, right, sign_ = right, left, FLIPPED[sign_]
    if sign_ not in ("=", "!=", "<", "<="):
        return None
    assert isinstance(left, Expression)
    assert isinstance(right, Expression)
    return sign_, Add((left.term, Mul((MINUS, right.term))))
