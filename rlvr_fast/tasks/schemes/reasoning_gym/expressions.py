"""Arithmetic and algebra in answers, checked from their syntax alone: nothing is evaluated.

`refusal_of_expression` admits numbers, the operators + - * / // % **, brackets, and the names and
functions that its caller lists. The text has to be a Python expression of these, so that what
sympy's `parse_expr` evaluates is made of numbers, symbols and listed functions only. Sizes are
bounded before anything is computed: by the length of the text, the digits of a number, the depth of
brackets, and the height of the result.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Mapping, Set
from dataclasses import dataclass
from fractions import Fraction

__all__ = ["Bounds", "refusal_of_expression", "syntax_of"]

_TOKEN = re.compile(
    r"(?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,2})?(?![\w.]))"
    r"|(?P<name>[A-Za-z]\w*)"
    r"|\*\*|//|[-+*/%(),]|[ \t\n]+|\r\n",
    re.ASCII,
)
_SUMS = (ast.Add, ast.Sub)
_PRODUCTS = (ast.Mult, ast.Div)
_REMAINDERS = (ast.FloorDiv, ast.Mod)
# What ast.parse raises on text that is not Python, or that nests too deeply.
_UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError)


@dataclass(frozen=True, slots=True)
class Bounds:
    """The largest expression that is admitted.

    The height of a rational number is the number of bits of its numerator and its denominator
    together. The height of a result is bounded from the syntax: heights add under products and
    quotients (one more under sums), and a power multiplies the height of its base by its exponent.
    A symbol counts one bit, so that for polynomials the bound is one of the degree.

    Attributes:
        length: characters.
        digits: characters of one number.
        depth: nesting of brackets, signs and exponents.
        exponent_bits: the largest height of an exponent; 10 admits exponents to 1024.
        height: the largest height of any part of the expression.
    """

    length: int = 4096
    digits: int = 64
    depth: int = 100
    exponent_bits: float = 10.0
    height: float = float(1 << 17)


@dataclass(slots=True)
class _Reader:
    bounds: Bounds
    names: Set[str]
    functions: Mapping[str, tuple[int, int]]
    variable: str | None = None
    depth: int = 0

    def height(self, node: ast.expr) -> float:
        """A bound on the height of the value of a node."""
        self.depth += 1
        if self.depth > self.bounds.depth:
            raise _RefusedError("it is nested too deeply")
        height = self._height(node)
        self.depth -= 1
        if height > self.bounds.height:
            raise _RefusedError("its value may be too large to compute")
        return height

    def _height(self, node: ast.expr) -> float:
        if isinstance(node, ast.Constant) and type(node.value) in (int, float):
            value = Fraction(repr(node.value))
            return math.log2(max(1, abs(value.numerator))) + math.log2(value.denominator)
        if isinstance(node, ast.Name):
            if node.id not in self.names:
                raise _RefusedError(f"the name {node.id[:20]!r} has no meaning in it")
            return 1.0
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.UAdd, ast.USub)):
            return self.height(node.operand)
        if isinstance(node, ast.BinOp):
            return self._operation(node)
        if isinstance(node, ast.Call):
            return self._call(node)
        raise _RefusedError(f"{type(node).__name__} is no part of an expression")

    def _operation(self, node: ast.expr) -> float:
        # A sum of many terms is a chain of left operands, which is followed without recursion.
        chain: list[ast.BinOp] = []
        while isinstance(node, ast.BinOp):
            chain.append(node)
            node = node.left
        height = self.height(node)
        for operation in reversed(chain):
            height = self._combined(operation.op, height, self.height(operation.right))
            if height > self.bounds.height:
                raise _RefusedError("its value may be too large to compute")
        return height

    def _combined(self, operator: ast.operator, left: float, right: float) -> float:
        if isinstance(operator, (*_SUMS, *_REMAINDERS)):
            return left + right + 1.0
        if isinstance(operator, _PRODUCTS):
            return left + right
        if isinstance(operator, ast.Pow):
            if right > self.bounds.exponent_bits:
                raise _RefusedError("an exponent in it is too large")
            return left * math.exp2(right)
        raise _RefusedError(f"{type(operator).__name__} is no operation of an expression")

    def _call(self, node: ast.Call) -> float:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name not in self.functions or node.keywords:
            raise _RefusedError(f"{name[:20]!r} is no function that it may use")
        least, most = self.functions[name]
        if not least <= len(node.args) <= most:
            raise _RefusedError(f"{name} takes {least} to {most} arguments")
        if name == "Integral" and not (
            isinstance(node.args[1], ast.Name) and node.args[1].id == self.variable
        ):
            raise _RefusedError("an integral is over the variable of the problem")
        return sum(map(self.height, node.args), 1.0)


class _RefusedError(Exception):
    """The expression is outside the grammar; the message says why."""


def refusal_of_expression(
    text: str,
    *,
    names: Set[str] = frozenset(),
    functions: Mapping[str, tuple[int, int]] | None = None,
    variable: str | None = None,
    bounds: Bounds = Bounds(),
) -> str | None:
    """Why a text is no expression of the grammar; None where it is one.

    Args:
        text: the answer.
        names: the names that stand for symbols and constants.
        functions: the least and the largest number of arguments of each function.
        variable: the name over which `Integral` may be.
        bounds: the largest expression.

    Example:
        >>> refusal_of_expression("(8 - 4) * 6"), refusal_of_expression("9**9**9")
        (None, 'an exponent in it is too large')
    """
    text = text.strip()
    if len(text) > bounds.length:
        return f"it has more than {bounds.length} characters"
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            return f"{text[position]!a} is no part of an expression"
        if match["number"] and len(match["number"]) > bounds.digits:
            return f"a number in it has more than {bounds.digits} characters"
        position = match.end()
    tree = syntax_of(text)
    if tree is None:
        return "it is not one expression"
    try:
        _Reader(bounds, names, functions or {}, variable).height(tree)
    except _RefusedError as error:
        return str(error)
    except RecursionError:
        return "it is nested too deeply"
    return None


def syntax_of(text: str) -> ast.expr | None:
    """The syntax tree of a Python expression; None where the text is none or nests too deeply."""
    try:
        return ast.parse(text, mode="eval").body
    except _UNREADABLE:
        return None
