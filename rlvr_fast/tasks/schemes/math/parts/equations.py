"""When two relations say the same."""

from __future__ import annotations

from fractions import Fraction

from rlvr_fast.tasks.schemes.math.evaluation import equal_terms
from rlvr_fast.tasks.schemes.math.kinds.expression import Expression
from rlvr_fast.tasks.schemes.math.parts.matching import all_in_order, all_matched
from rlvr_fast.tasks.schemes.math.parts.ordering import MINUS, ZERO, sign
from rlvr_fast.tasks.schemes.math.parts.polynomials import real_roots
from rlvr_fast.tasks.schemes.math.parts.relation_values import Relation, is_name
from rlvr_fast.tasks.schemes.math.parts.solving import FLIPPED, SYMMETRIC
from rlvr_fast.tasks.schemes.math.parts.substitution import put, symbols
from rlvr_fast.tasks.schemes.math.parts.unknowns import unknowns
from rlvr_fast.tasks.schemes.math.terms.nodes import Add, Mul, Number, Pow, Symbol, Term
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
    r"""Whether left - right of one is a constant multiple of the other's.

    The ratio must not be zero; of inequalities it must be positive. It is taken at a point and
    then holds everywhere, or the two differ. Equations may be multiplied by a denominator of
    symbols: `v = f/m` is `mv = f`. In a differential equation the parameters are constants too:
    `Vx' = r` is `x' = \frac{r}{V}`.
    """
    first, second = _difference(gold), _difference(answer)
    if first is None or second is None or first[0] != second[0]:
        return False
    if first[0] in ("=", "!="):
        first, second = (first[0], _cleared(first[1])), (first[0], _cleared(second[1]))
    names, others = symbols(first[1]), symbols(second[1])
    if first[0] == "=" and (unknown := unknowns((first[1], second[1]))):
        names, others = (
            frozenset(name for name in each if name.partition("'")[0] in unknown)
            for each in (names, others)
        )
    if not names or names != others:
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


def _cleared(term: Term) -> Term:
    """A term times the powers of symbols that stand in its denominators."""
    below = [(name, -power) for name, power in _powers(term).items() if power < 0]
    return Mul((term, *(Pow(Symbol(name), Number(Fraction(n))) for name, n in sorted(below))))


def _powers(term: Term) -> dict[str, int]:
    """The lowest power of each symbol in the parts of a sum, or in a product."""
    match term:
        case Symbol(name):
            return {name: 1}
        case Pow(base, Number(exponent)) if exponent.denominator == 1 and abs(exponent) <= 9:
            return {name: exponent.numerator * power for name, power in _powers(base).items()}
        case Add(parts) | Mul(parts):
            found = [_powers(part) for part in parts]
            join = min if isinstance(term, Add) else sum
            names = {name for powers in found for name in powers}
            return {name: join([powers.get(name, 0) for powers in found]) for name in names}
    return {}


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
