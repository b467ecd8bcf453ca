"""Pairs of expressions whose values are known, in many notations.

An expression is a tree of this file, and its value comes from the tree, by exact fractions or balls
of 4000 bits: nothing of the reader that is tried takes part. verdict_notation.py puts it into text.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from flint import arb, ctx, fmpq, fmpz
from verdict_notation import Tree, written

__all__ = ["Pair", "make_pair"]

_PRECISIONS = (128, 4000)
# A decimal of so many digits may be a rounded value of the other side.
_ROUNDED_DIGITS = 7


@dataclass(frozen=True, slots=True)
class Pair:
    """Two texts, how the second was made, and whether their values are equal."""

    gold: str
    answer: str
    relation: str
    equal: bool


def value(tree: Tree) -> fmpq | arb:
    """The value of a tree, at the current precision where it is not rational."""
    name, *parts = tree
    return _VALUES[name](*parts)


def _power(base: Tree, exponent: int) -> fmpq | arb:
    found = value(base)
    if exponent < 0:
        return 1 / found**-exponent
    return found**exponent


def _sqrt(inside: Tree) -> fmpq | arb:
    return arb(value(inside)).sqrt()


def _nary(fold: Callable[[Any, Any], Any]) -> Callable[..., fmpq | arb]:
    return lambda first, second: fold(value(first), value(second))


_VALUES: dict[str, Callable[..., fmpq | arb]] = {
    "int": lambda number: fmpq(number),
    "decimal": lambda number, _: fmpq(number.numerator, number.denominator),
    "scientific": lambda number, exponent, _: (
        fmpq(number.numerator, number.denominator) * fmpq(10) ** exponent
    ),
    "pi": lambda: arb.pi(),
    "e": lambda: arb.const_e(),
    "add": _nary(lambda a, b: a + b),
    "sub": _nary(lambda a, b: a - b),
    "mul": _nary(lambda a, b: a * b),
    "div": _nary(lambda a, b: a / b),
    "neg": lambda inside: -value(inside),
    "pow": _power,
    "sqrt": _sqrt,
    "cbrt": lambda number: arb(number).root(3) if number > 0 else -arb(-number).root(3),
    "sin": lambda p, q: arb.sin_pi_fmpq(fmpq(p, q)),
    "cos": lambda p, q: arb.cos_pi_fmpq(fmpq(p, q)),
    "ln": lambda number: arb(number).log(),
    "log": lambda number, base: arb(number).log() / arb(base).log(),
    "exp": lambda inside: arb(value(inside)).exp(),
    "factorial": lambda number: fmpq(fmpz.fac_ui(fmpz(number))),
    "binomial": lambda n, k: fmpq(fmpz.bin_uiui(fmpz(n), fmpz(k))),
    "abs": lambda inside: abs(value(inside)),
    "floor": lambda p, q: fmpq(fmpq(p, q).floor()),
}


# Making trees ---------------------------------------------------------------------------------


def _integer(draw: random.Random) -> Tree:
    size = draw.random()
    if size < 0.75:
        return ("int", draw.randint(1, 40))
    if size < 0.93:
        return ("int", draw.randint(10, 10**6))
    return ("int", draw.randint(10**8, 10 ** draw.randint(9, 45)))


def _decimal(draw: random.Random) -> Tree:
    places = draw.randint(1, 9) if draw.random() < 0.85 else draw.randint(10, 30)
    number = draw.randint(1, 10 ** min(places + draw.randint(0, 3), 34))
    if number % 10 == 0:
        number += 1
    return ("decimal", Fraction(number, 10**places), places)


def _scientific(draw: random.Random) -> Tree:
    places = draw.randint(0, 4)
    number = Fraction(draw.randint(10**places, 10 ** (places + 1) - 1), 10**places)
    exponent = draw.choice((1, -1)) * draw.randint(2, 40)
    return ("scientific", number, exponent, places)


def _special(draw: random.Random) -> Tree:
    match draw.randrange(11):
        case 0:
            return ("sqrt", ("int", draw.randint(2, 300)))
        case 1:
            return ("cbrt", draw.choice((1, -1)) * draw.randint(2, 100))
        case 2:
            return ("sin", draw.randint(1, 23), draw.choice((2, 3, 4, 5, 6, 7, 12)))
        case 3:
            return ("cos", draw.randint(1, 23), draw.choice((2, 3, 4, 5, 6, 7, 12)))
        case 4:
            return ("ln", draw.randint(2, 200))
        case 5:
            return ("log", draw.randint(2, 100), draw.randint(2, 12))
        case 6:
            # Of a larger exponent, sums would need more bits than anybody spends.
            quotient = ("div", ("int", draw.randint(1, 999)), ("int", draw.randint(2, 99)))
            return ("exp", draw.choice((("int", draw.randint(1, 30)), quotient)))
        case 7:
            return ("factorial", draw.randint(2, 60))
        case 8:
            top = draw.randint(3, 60)
            return ("binomial", top, draw.randint(1, top - 1))
        case 9:
            return ("floor", draw.randint(1, 999), draw.randint(2, 20))
        case _:
            return ("pow", ("int", draw.randint(2, 30)), draw.choice((-1, 1)) * draw.randint(2, 60))


def _fraction(draw: random.Random) -> Tree:
    return ("div", _integer(draw), _integer(draw))


def _leaf(draw: random.Random) -> Tree:
    choice = draw.random()
    if choice < 0.35:
        return _integer(draw)
    if choice < 0.5:
        return _fraction(draw)
    if choice < 0.6:
        return _decimal(draw)
    if choice < 0.65:
        return _scientific(draw)
    if choice < 0.75:
        return draw.choice((("pi",), ("pi",), ("e",)))
    return _special(draw)


def tree_of(draw: random.Random, depth: int) -> Tree:
    """A random tree."""
    if depth <= 0 or draw.random() < 0.25:
        return _leaf(draw)
    match draw.randrange(12):
        case 0 | 1 | 2:
            return ("add", tree_of(draw, depth - 1), tree_of(draw, depth - 1))
        case 3 | 4:
            return ("sub", tree_of(draw, depth - 1), tree_of(draw, depth - 1))
        case 5 | 6 | 7:
            return ("mul", tree_of(draw, depth - 1), tree_of(draw, depth - 1))
        case 8:
            return ("div", tree_of(draw, depth - 1), tree_of(draw, depth - 1))
        case 9:
            return ("neg", tree_of(draw, depth - 1))
        case 10:
            return ("pow", tree_of(draw, depth - 2), draw.randint(2, 5))
        case _:
            return draw.choice(
                (("sqrt", ("abs", tree_of(draw, depth - 2))), ("abs", tree_of(draw, depth - 1)))
            )


# Changes of a tree ----------------------------------------------------------------------------


def rewritten(tree: Tree, draw: random.Random) -> Tree:
    """Another tree of the same value."""
    name, *parts = tree
    parts = [rewritten(part, draw) if isinstance(part, tuple) else part for part in parts]
    tree = (name, *parts)
    if draw.random() < 0.35:
        return tree
    match tree:
        case ("add", first, second):
            return draw.choice((("add", second, first), ("sub", first, ("neg", second)), tree))
        case ("sub", first, second):
            return ("add", ("neg", second), first)
        case ("mul", first, second):
            return ("mul", second, first)
        case ("div", first, second):
            factor = ("int", draw.randint(2, 9))
            return draw.choice(
                (
                    ("div", ("mul", factor, first), ("mul", factor, second)),
                    ("mul", first, ("pow", second, -1)),
                    ("mul", ("div", ("int", 1), second), first),
                )
            )
        case ("neg", ("sub", first, second)):
            return ("sub", second, first)
        case ("neg", inside):
            return ("mul", ("int", -1), inside)
        case ("pow", ("add", first, second), 2):
            middle = ("mul", ("int", 2), ("mul", first, second))
            return ("add", ("pow", first, 2), ("add", middle, ("pow", second, 2)))
        case ("pow", base, exponent) if exponent > 2:
            return ("mul", ("pow", base, exponent - 2), ("pow", base, 2))
        case ("sqrt", ("int", number)):
            factor = draw.randint(2, 6)
            return draw.choice(
                (
                    ("div", ("sqrt", ("int", number * factor**2)), ("int", factor)),
                    ("div", ("int", number), ("sqrt", ("int", number))),
                )
            )
        case ("int", number) if abs(number) > 1:
            return draw.choice(
                (
                    ("sub", ("int", number + 7), ("int", 7)),
                    ("div", ("int", 3 * number), ("int", 3)),
                    tree,
                    tree,
                )
            )
        case ("decimal", number, _) | ("scientific", number, 0, _):
            return ("div", ("int", number.numerator), ("int", number.denominator))
        case ("scientific", number, exponent, places):
            shift = draw.randint(-2, 2)
            moved = number * Fraction(10) ** -shift
            return ("scientific", moved, exponent + shift, max(0, places + shift))
        case ("sin", p, q):
            return draw.choice((("sin", p + 2 * q, q), ("cos", q - 2 * p, 2 * q)))
        case ("cos", p, q):
            return draw.choice((("cos", -p, q), ("cos", p + 2 * q, q), ("sin", q - 2 * p, 2 * q)))
        case ("ln", number):
            return draw.choice(
                (
                    ("sub", ("ln", 3 * number), ("ln", 3)),
                    ("div", ("ln", number**2), ("int", 2)),
                    ("neg", ("sub", ("ln", 5), ("ln", 5 * number))),
                )
            )
        case ("log", number, base):
            return draw.choice(
                (
                    ("div", ("ln", number), ("ln", base)),
                    ("sub", ("log", number * base, base), ("int", 1)),
                )
            )
        case ("exp", inside):
            return ("mul", ("exp", ("sub", inside, ("int", 1))), ("e",))
        case ("factorial", number):
            return ("mul", ("int", number), ("factorial", number - 1))
        case ("binomial", top, low):
            return draw.choice(
                (
                    ("binomial", top, top - low),
                    ("add", ("binomial", top - 1, low - 1), ("binomial", top - 1, low)),
                )
            )
    return tree


def _nodes(tree: Tree) -> list[tuple[int, ...]]:
    found: list[tuple[int, ...]] = [()]
    for index, part in enumerate(tree):
        if isinstance(part, tuple):
            found += [(index, *path) for path in _nodes(part)]
    return found


def _replaced(tree: Tree, path: tuple[int, ...], change: Callable[[Tree], Tree]) -> Tree:
    if not path:
        return change(tree)
    index, *rest = path
    parts = list(tree)
    parts[index] = _replaced(tree[index], tuple(rest), change)
    return tuple(parts)


def near(tree: Tree, draw: random.Random) -> Tree:
    """A tree of almost the same value, or with a sign, digit, exponent or part changed."""
    if draw.random() < 0.35:
        small = ("pow", ("int", 10), -draw.randint(6, 30))
        if draw.random() < 0.3:
            return draw.choice((("add", tree, small), ("sub", tree, small)))
        return ("mul", tree, draw.choice((("add", ("int", 1), small), ("sub", ("int", 1), small))))

    def change(node: Tree) -> Tree:
        match node:
            case ("int", number):
                step = 1 if draw.random() < 0.6 else 10 ** draw.randint(0, len(str(number)) - 1)
                return ("int", number + draw.choice((-1, 1)) * step)
            case ("decimal", number, places):
                step = Fraction(draw.choice((-1, 1)), 10**places)
                return ("decimal", number + step, places)
            case ("scientific", number, exponent, places):
                return ("scientific", number, exponent + draw.choice((-1, 1)), places)
            case ("pow", base, exponent):
                return ("pow", base, exponent + draw.choice((-1, 1)))
            case ("add" | "sub" as name, first, second):
                other = "sub" if name == "add" else "add"
                return draw.choice(((other, first, second), first, second))
            case ("mul", first, second):
                return draw.choice((("neg", node), first, second))
            case ("div", first, second):
                return ("div", second, first)
            case ("sin" | "cos" as name, p, q):
                return draw.choice(((name, p + 1, q), ("cos" if name == "sin" else "sin", p, q)))
            case ("cbrt" | "ln" | "factorial" as name, number):
                return (name, number + 1)
            case ("log" | "binomial" | "floor" as name, first, second):
                return (name, first + 1, second)
            case ("neg", inside):
                return inside
        return ("neg", node)

    return _replaced(tree, draw.choice(_nodes(tree)), change)


# Judging --------------------------------------------------------------------------------------


def equal(first: Tree, second: Tree) -> bool | None:
    """Whether the values are equal; None where one has none, or 4000 bits do not tell."""
    for precision in _PRECISIONS:
        ctx.prec = precision
        try:
            one, other = value(first), value(second)
        except (ZeroDivisionError, OverflowError):
            return None
        if isinstance(one, fmpq) and isinstance(other, fmpq):
            return bool(one == other)
        difference = arb(one) - arb(other)
        if not difference.is_finite():
            return None
        if not difference.contains(0):
            return False
        size = max(abs(arb(one)).lower(), abs(arb(other)).lower())
        if precision == _PRECISIONS[-1] and difference.rad() < size * arb(2) ** -2000:
            return True
    return None


def _may_be_rounded(tree: Tree) -> bool:
    """Whether a tree is one decimal of so many digits that it may stand for a rounded value."""
    while tree[0] == "neg":
        tree = tree[1]
    if tree[0] == "decimal":
        return len(str(int(tree[1] * 10 ** tree[2]))) >= _ROUNDED_DIGITS
    return tree[0] == "scientific" and tree[3] + 1 >= _ROUNDED_DIGITS


def make_pair(draw: random.Random) -> Pair | None:
    """A pair of texts; None where the values drawn are not defined or not judged."""
    gold = tree_of(draw, draw.choice((0, 1, 1, 2, 2, 3)))
    relation = draw.choice(("equal", "near", "near", "unrelated"))
    if relation == "equal":
        answer = rewritten(gold, draw)
    elif relation == "near":
        answer = near(rewritten(gold, draw) if draw.random() < 0.5 else gold, draw)
    else:
        answer = tree_of(draw, draw.choice((0, 1, 2)))
    if _may_be_rounded(gold) != _may_be_rounded(answer):
        return None
    same = equal(gold, answer)
    if same is None:
        return None
    return Pair(written(gold, draw), written(answer, draw), relation, same)
