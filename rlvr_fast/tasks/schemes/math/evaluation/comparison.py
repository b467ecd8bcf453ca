"""Whether two terms have one value, by balls at rising precision and points at need."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from flint import acb, arb, ctx, fmpq

from rlvr_fast.tasks.schemes.math.evaluation.arithmetic import Scalar
from rlvr_fast.tasks.schemes.math.evaluation.balls import Evaluation
from rlvr_fast.tasks.schemes.math.evaluation.common_points import CommonPoints
from rlvr_fast.tasks.schemes.math.evaluation.decimals import decimal_of
from rlvr_fast.tasks.schemes.math.evaluation.functions import size_of
from rlvr_fast.tasks.schemes.math.evaluation.odd_roots import with_real_roots
from rlvr_fast.tasks.schemes.math.evaluation.outcomes import (
    Budget,
    NoValue,
    OutOfBudget,
    Undecided,
    Undefined,
    shared_budget,
)
from rlvr_fast.tasks.schemes.math.evaluation.points import Point, points, step_points
from rlvr_fast.tasks.schemes.math.evaluation.rounding import rounds_to
from rlvr_fast.tasks.schemes.math.terms.facts import Facts, facts, structure
from rlvr_fast.tasks.schemes.math.terms.nodes import Add, Call, Constant, Mul, Term

__all__ = ["equal_values"]

_FIRST_PRECISION = 64
_MOST_PRECISION = 1 << 14
# Bits to which values agree that are held equal: without symbols, at each of several points, and at
# further points that look for another region only.
_CLOSED_BITS = 256
_POINT_BITS = 128
_FEWEST_BITS = 40
# Points that are tried at least, more where one region does not tell of the others; and at most.
_FEWEST_POINTS = 24
_FEWEST_BRANCHED = 96
_FEWEST_ON_A_LINE = 192
_MOST_POINTS = 256
# Each point where the highest precision does not tell takes long.
_MOST_UNDECIDED = 16


# A value at the first precision; None where that does not tell, or the reason why there is none.
_First: TypeAlias = "Scalar | NoValue | None"


@dataclass(frozen=True, slots=True)
class _Mode:
    """How symbols are read at the points."""

    real: bool
    naturals: frozenset[str] = frozenset()
    integers: frozenset[str] = frozenset()
    complexes: frozenset[str] = frozenset()


class _Same:
    """A term as a key of a cache: the same object, for the hash of a term takes long."""

    __slots__ = ("term",)

    def __init__(self, term: Term) -> None:
        self.term = term

    def __hash__(self) -> int:
        return id(self.term)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.term is other.term


@functools.lru_cache(maxsize=4096)
def _facts(key: _Same) -> Facts:
    return facts(key.term)


def equal_values(gold: Term, answer: Term) -> bool:
    """Whether two terms have one value; see `equal_terms`."""
    found = _facts(_Same(gold)) | _facts(_Same(answer))
    before = ctx.prec
    try:
        budget = shared_budget()
        for decimal_log in (False, True) if found.plain_log else (False,):
            verdict = _equal(gold, answer, found, decimal_log, budget)
            if verdict:
                return True
    except (OutOfBudget, RecursionError):
        verdict = None
    finally:
        ctx.prec = before
    if verdict is None:
        return structure(gold) == structure(answer)
    return False


def _equal(
    gold: Term, answer: Term, found: Facts, decimal_log: bool, budget: Budget
) -> bool | None:
    """Whether two terms are equal; None where neither is shown."""
    if not found.symbols:
        verdict = _equal_constants(gold, answer, decimal_log, budget)
        if not verdict:
            verdict = _dressed(gold, answer, decimal_log, budget) or verdict
        if not verdict:
            verdict = _with_real_roots(gold, answer, decimal_log, budget) or verdict
        return verdict
    return _equal_at_points(gold, answer, found, decimal_log, budget)


def _equal_constants(gold: Term, answer: Term, decimal_log: bool, budget: Budget) -> bool | None:
    first, second = (_constant(_Same(term), decimal_log) for term in (gold, answer))
    if isinstance(first, NoValue) or isinstance(second, NoValue):
        return None
    if first is not None and second is not None:
        if isinstance(first, fmpq) and isinstance(second, fmpq):
            return bool(first == second)
        if _apart(first, second):
            return False
    return _compare(gold, answer, {}, _CLOSED, decimal_log, _CLOSED_BITS, budget)


def _apart(first: Scalar, second: Scalar) -> bool:
    """Whether two finite values surely differ."""
    difference = first - second
    return difference != 0 if isinstance(difference, fmpq) else not difference.contains(0)


_CLOSED = _Mode(real=False)


@functools.lru_cache(maxsize=4096)
def _constant(key: _Same, decimal_log: bool) -> _First:
    return _first_value(key.term, {}, _CLOSED, decimal_log, shared_budget())


def _first_value(
    term: Term, point: Point, mode: _Mode, decimal_log: bool, budget: Budget
) -> _First:
    """The value at the first precision; None where more bits are needed, or why there is none."""
    ctx.prec = _FIRST_PRECISION
    evaluation = Evaluation(point, budget, real=mode.real, decimal_log=decimal_log)
    try:
        value = evaluation.value(term)
    except Undecided:
        return None
    except NoValue as reason:
        return reason.with_traceback(None)
    if evaluation.trusted_bits is not None:
        return None
    return value if isinstance(value, fmpq) or value.is_finite() else None


def _compare(
    gold: Term,
    answer: Term,
    point: Point,
    mode: _Mode,
    decimal_log: bool,
    bits: int,
    budget: Budget,
) -> bool | None:
    """Whether the two are equal at a point, at rising precision; None where that is not known."""
    precision = 2 * bits + 64
    earlier: tuple[int, arb] | None = None
    while precision <= _MOST_PRECISION:
        ctx.prec = precision
        values: list[Scalar] = []
        needed, trusted = bits, None
        try:
            for term in (gold, answer):
                evaluation = Evaluation(
                    point, budget, real=mode.real, decimal_log=decimal_log, settled=True
                )
                values.append(evaluation.value(term))
                needed += evaluation.spent_bits
                if evaluation.trusted_bits is not None:
                    trusted = min(evaluation.trusted_bits, trusted or _MOST_PRECISION)
            verdict = _verdict(values[0], values[1], needed, trusted)
            if verdict is not None:
                return verdict
            if trusted is None:
                difference = values[0] - values[1]
                radius = arb(0) if isinstance(difference, fmpq) else difference.rad()
                if precision >= 2 * needed and _both_vanish(values, radius, earlier):
                    return True
                earlier = precision, radius
        except Undecided:
            pass
        except NoValue:
            return None
        wanted = 2 * needed + 64
        precision = wanted if wanted > precision else 2 * precision
    return None


def _verdict(gold: Scalar, answer: Scalar, needed: int, trusted: int | None) -> bool | None:
    """What two values tell, of which `needed` bits make them equal."""
    finite = [isinstance(v, fmpq) or v.is_finite() for v in (gold, answer)]
    if not all(finite):
        return _infinite(gold, answer)
    difference = gold - answer
    if isinstance(difference, fmpq) and (trusted is None or difference == 0):
        return bool(difference == 0)
    if trusted is not None:
        # No ball bounds the error: the values are equal to the bits that are trusted, or different.
        return bool(size_of(difference) < size_of(answer) * arb(2) ** -(trusted - 8))
    if isinstance(difference, fmpq) or not difference.contains(0):
        return False
    if all(isinstance(v, fmpq) or v.rel_accuracy_bits() >= needed for v in (gold, answer)):
        return True
    # A complex value may have one part about zero.
    close = difference.rad() * arb(2) ** needed < size_of(gold)
    return True if close else None


def _both_vanish(values: Sequence[Scalar], radius: arb, earlier: tuple[int, arb] | None) -> bool:
    """Whether two values are zero: balls about zero that shrink as the precision rises.

    A ball that does not shrink is not known, and one that is far smaller than the precision makes
    it is about a small value.
    """
    for value in values:
        if not (value == 0 if isinstance(value, fmpq) else value.is_finite() and value.contains(0)):
            return False
    if radius == 0:
        return True
    if earlier is None or not radius > arb(2) ** (-8 * ctx.prec):
        return False
    precision, before = earlier
    return bool(before.is_finite() and radius < before * arb(2) ** ((precision - ctx.prec) // 2))


def _infinite(gold: Scalar, answer: Scalar) -> bool | None:
    """Whether two values are one infinity; None where one only overflows."""
    for value in (gold, answer):
        if isinstance(value, acb):
            return None
        if isinstance(value, arb) and not value.is_finite() and not value.is_exact():
            return None
        if isinstance(value, arb) and value.is_nan():
            return None
    return bool(gold == answer)


class _Values:
    """The values of one term at the points of a mode, at the first precision."""

    def __init__(self, term: Term, places: tuple[Point, ...], mode: _Mode, log: bool) -> None:
        self._term, self._places, self._mode, self._log = term, places, mode, log
        self._known: dict[int, _First] = {}

    def at(self, index: int, budget: Budget) -> _First:
        """The value at a point; see `_first_value`."""
        if index not in self._known:
            self._known[index] = _first_value(
                self._term, self._places[index], self._mode, self._log, budget
            )
        return self._known[index]


@functools.lru_cache(maxsize=256)
def _points(names: frozenset[str], mode: _Mode) -> tuple[Point, ...]:
    return tuple(
        points(
            names,
            count=_MOST_POINTS,
            naturals=mode.naturals,
            integers=mode.integers,
            complexes=mode.complexes,
        )
    )


@functools.lru_cache(maxsize=512)
def _values(key: _Same, names: frozenset[str], mode: _Mode, log: bool) -> _Values:
    return _Values(key.term, _points(names, mode), mode, log)


def _modes(found: Facts) -> Iterator[_Mode]:
    if found.imaginary:
        whole = found.integers | found.powers
        yield _Mode(False, found.integers, found.powers, found.complexes - whole)
        return
    yield _Mode(True, found.integers)
    if found.exponents - found.integers:
        yield _Mode(True, found.integers, found.exponents - found.integers)
    yield _Mode(False, found.integers)


def _equal_at_points(
    gold: Term, answer: Term, found: Facts, decimal_log: bool, budget: Budget
) -> bool | None:
    many = found.branched and not found.operators
    fewest = _FEWEST_POINTS
    if many:
        fewest = _FEWEST_ON_A_LINE if len(found.symbols) == 1 else _FEWEST_BRANCHED
    for mode in _modes(found):
        undecided = 0
        common = CommonPoints(mode.naturals | mode.integers, real=mode.real)
        places = _points(found.symbols, mode)
        wanted = _values(_Same(gold), found.symbols, mode, decimal_log)
        got = _values(_Same(answer), found.symbols, mode, decimal_log)
        for index, point in enumerate(places):
            first, second = wanted.at(index, budget), got.at(index, budget)
            same: bool | None = None
            if isinstance(first, NoValue) or isinstance(second, NoValue):
                if index == 0 and _never(gold, first, answer, second):
                    return None
                if isinstance(first, Undefined) != isinstance(second, Undefined):
                    common.miss(point)
            elif isinstance(first, fmpq) and isinstance(second, fmpq):
                same = bool(first == second)
            elif first is not None and second is not None and _apart(first, second):
                same = False
            elif common.count >= _FEWEST_POINTS and _accurate(first) and _accurate(second):
                same = True
            else:
                same = _compare(gold, answer, point, mode, decimal_log, _POINT_BITS, budget)
                undecided += same is None
            if same is False:
                return False
            if same:
                common.add(point)
            if undecided > _MOST_UNDECIDED:
                return None
            if index + 1 >= fewest and common.tell():
                return _equal_at_steps(gold, answer, found, mode, decimal_log, budget)
    return None


def _equal_at_steps(
    gold: Term, answer: Term, found: Facts, mode: _Mode, decimal_log: bool, budget: Budget
) -> bool:
    """Whether two terms that agree at the common points also agree at jumps of step functions."""
    if not found.steps:
        return True
    undecided = 0
    whole = mode.naturals | mode.integers
    for point in step_points(found.symbols, found.steps, whole, bounds=found.operators):
        first = _first_value(gold, point, mode, decimal_log, budget)
        second = _first_value(answer, point, mode, decimal_log, budget)
        if isinstance(first, NoValue) or isinstance(second, NoValue):
            continue
        if first is not None and second is not None:
            if _apart(first, second):
                return False
        elif undecided < _MOST_UNDECIDED:
            same = _compare(gold, answer, point, mode, decimal_log, _POINT_BITS, budget)
            if same is False:
                return False
            undecided += same is None
    return True


def _accurate(value: _First) -> bool:
    """Whether a value that overlaps with another tells, after many points at a high precision."""
    if isinstance(value, arb | acb):
        return int(value.rel_accuracy_bits()) >= _FEWEST_BITS
    return isinstance(value, fmpq)


def _never(gold: Term, first: _First, answer: Term, second: _First) -> bool:
    """Whether a term without symbols has no value, so that it has none at any point."""
    pairs = ((gold, first), (answer, second))
    return any(isinstance(v, NoValue) and not _facts(_Same(t)).symbols for t, v in pairs)


def _dressed(gold: Term, answer: Term, decimal_log: bool, budget: Budget) -> bool:
    """Whether one side is the other rounded to many digits, or without the sign of degrees."""
    for side, other in ((gold, answer), (answer, gold)):
        decimal = decimal_of(side)
        if decimal is not None and decimal_of(other) is None:
            return rounds_to(other, *decimal, decimal_log, budget)
        if _is_degrees(side) and not _is_degrees(other):
            assert isinstance(side, Call)
            if _has_pi(side.arguments[0]):
                return False  # a number of radians is no number of degrees
            return bool(_equal_constants(side.arguments[0], other, decimal_log, budget))
    return False


def _with_real_roots(gold: Term, answer: Term, decimal_log: bool, budget: Budget) -> bool:
    """Whether a side with an odd root as a power, (-8)^{1/3}, is the other with the real root."""
    for side, other in ((gold, answer), (answer, gold)):
        real = with_real_roots(side)
        if real is not side and _equal_constants(real, other, decimal_log, budget):
            return True
    return False


def _has_pi(term: Term) -> bool:
    """Whether a term is a multiple of pi, or a sum of such."""
    return term == Constant("pi") or (isinstance(term, Add | Mul) and any(map(_has_pi, term.parts)))


def _is_degrees(term: Term) -> bool:
    return isinstance(term, Call) and term.name == "degrees"
