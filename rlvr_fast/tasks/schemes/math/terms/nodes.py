r"""The nodes of a mathematical expression as it was written.

A node keeps what the text says; nothing is simplified and nothing is evaluated. `parse` makes nodes
from text (`parser.py`), `balls.py` evaluates them, `equality.py` decides whether two are equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

__all__ = [
    "Add",
    "Bound",
    "Call",
    "Constant",
    "Mul",
    "Number",
    "Pow",
    "Root",
    "Symbol",
    "Term",
]


@dataclass(frozen=True, slots=True)
class Term:
    """Any node."""


@dataclass(frozen=True, slots=True)
class Number(Term):
    """A rational number.

    Attributes:
        value: the exact value of what is written (0.25 is 1/4; a repeating decimal is exact too).
        digits: of a decimal that ends, the number of its significant digits; 0 of any other
            number. A decimal of many digits may be a rounded value (`equality.py`).
    """

    value: Fraction
    digits: int = 0


@dataclass(frozen=True, slots=True)
class Constant(Term):
    """A number with a name: "pi", "e", "i" (the imaginary unit) or "infinity"."""

    name: str


@dataclass(frozen=True, slots=True)
class Symbol(Term):
    r"""A free name. The case, and every mark on it, is part of the name.

    Attributes:
        name: letters or the name of a Greek letter ("x", "R", "theta", "Theta"), then subscripts
            and marks in one spelling each: "x_1", "x_max", "x'" and "x''" (for `x'`, `x^\prime`,
            `\dot{x}`), "x'|t" (for `\frac{dx}{dt}`), "hat(x)", "vec(v)", "bar(x)",
            "overline(AB)", "A^T", "z^*".
            A run of two or more capitals (AB, MATH) is one symbol: their order counts.
    """

    name: str


@dataclass(frozen=True, slots=True)
class Add(Term):
    """The sum of two or more terms."""

    parts: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Mul(Term):
    """The product of two or more terms; a quotient is a factor to the power -1."""

    parts: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Pow(Term):
    """A power on its principal branch."""

    base: Term
    exponent: Term


@dataclass(frozen=True, slots=True)
class Root(Term):
    r"""A root with its sign: `\sqrt{x}` and `\sqrt[n]{x}`.

    An odd root of a negative real number is negative; other roots are principal.
    """

    degree: Term
    inside: Term


@dataclass(frozen=True, slots=True)
class Call(Term):
    r"""A function of its arguments.

    Attributes:
        name: "sin" ... "arctan", "sinh" ..., "ln", "log" (with `index`, the base; without, natural
            or decimal as the other side says), "exp", "abs", "floor", "ceil", "factorial",
            "double_factorial", "binomial", "gcd", "lcm", "max", "min", "re", "im", "conjugate",
            "arg", "degrees" (of its argument, in radians), "cis", "mod"; or any other name (f, g,
            P, E, "f'", "f^{-1}"), of which nothing is known but that equal arguments give equal
            values.
        arguments: one or more.
        index: a subscript that is part of the function: the base of a logarithm.
    """

    name: str
    arguments: tuple[Term, ...]
    index: Term | None = None


@dataclass(frozen=True, slots=True)
class Bound(Term):
    r"""An operator with a bound variable: `\sum`, `\prod`, `\int`, `\lim`.

    Attributes:
        operator: "sum", "product", "integral" or "limit".
        variable: the name of the bound symbol.
        lower: the lower end, or the point that a limit approaches; None where none is written.
        upper: the upper end; None where none is written.
        body: the term under the operator.
        side: of a limit, "+" or "-" where it is approached from one side only.
    """

    operator: str
    variable: str
    lower: Term | None
    upper: Term | None
    body: Term
    side: str = ""
