"""Trees of expressions (verdict_pairs.py) as text, in many notations: LaTeX and plain."""

from __future__ import annotations

import random
from fractions import Fraction
from typing import Any

__all__ = ["Tree", "written"]

Tree = tuple[Any, ...]

_SUM, _PRODUCT, _UNARY, _POWER, _ATOM = range(5)


class Writer:
    """Writes a tree, with a notation drawn for each node.

    Args:
        draw: random numbers.
        plain: whether the text is plain (`sqrt(2)*pi`), not LaTeX.
    """

    def __init__(self, draw: random.Random, plain: bool) -> None:
        self.draw = draw
        self.plain = plain
        self.whole = False

    def text(self, tree: Tree, whole: bool = False) -> str:
        """The text of a tree, which is the whole answer or a part of it."""
        self.whole = whole and tree[0] == "int"
        return self._write(tree)[0]

    def _brackets(self, text: str) -> str:
        if not self.plain and self.draw.random() < 0.4:
            return rf"\left({text}\right)"
        return f"({text})"

    def _at(self, tree: Tree, level: int) -> str:
        text, own = self._write(tree)
        return text if own >= level else self._brackets(text)

    def _number(self, number: int) -> str:
        digits = str(abs(number))
        sign = "-" if number < 0 else ""
        if len(digits) > 4 and not self.plain and self.draw.random() < 0.3:
            # A bare comma within a longer expression may separate two answers.
            separator = self.draw.choice((",",) if self.whole else ("{,}", r"\,"))
            return sign + f"{abs(number):,}".replace(",", separator)
        return sign + digits

    def _write(self, tree: Tree) -> tuple[str, int]:
        name, *parts = tree
        return getattr(self, f"_{name}")(*parts)

    def _int(self, number: int) -> tuple[str, int]:
        return self._number(number), _ATOM if number >= 0 else _UNARY

    def _decimal(self, number: Fraction, places: int) -> tuple[str, int]:
        digits = str(abs(number.numerator) * 10**places // number.denominator)
        digits = digits.rjust(places + 1, "0")
        text = f"{digits[:-places]}.{digits[-places:]}" if places else digits
        return ("-" if number < 0 else "") + text, _ATOM if number >= 0 else _UNARY

    def _scientific(self, number: Fraction, exponent: int, places: int) -> tuple[str, int]:
        while number.denominator > 1 and (number * 10**places).denominator > 1:
            places += 1
        mantissa, _ = self._decimal(number, places)
        if self.plain:
            if self.draw.random() < 0.5:
                return f"{mantissa}e{exponent}", _UNARY
            return f"{mantissa}*10^({exponent})", _PRODUCT
        times = self.draw.choice((r"\times", r"\cdot"))
        return rf"{mantissa} {times} 10^{{{exponent}}}", _PRODUCT

    def _pi(self) -> tuple[str, int]:
        return ("pi" if self.plain else r"\pi"), _ATOM

    def _e(self) -> tuple[str, int]:
        return "e", _ATOM

    def _add(self, first: Tree, second: Tree) -> tuple[str, int]:
        right = self._at(second, _SUM)
        if right.startswith("-"):
            right = self._brackets(right)
        return f"{self._at(first, _SUM)} + {right}", _SUM

    def _sub(self, first: Tree, second: Tree) -> tuple[str, int]:
        right = self._at(second, _PRODUCT)
        if right.startswith("-"):
            right = self._brackets(right)
        return f"{self._at(first, _SUM)} - {right}", _SUM

    def _mul(self, first: Tree, second: Tree) -> tuple[str, int]:
        left, right = self._at(first, _PRODUCT), self._at(second, _PRODUCT)
        if right.startswith("-"):
            right = self._brackets(right)
        glued = right.startswith(("(", r"\left(", r"\sqrt", r"\pi")) and left[-1] not in "e!"
        # After a slash, what belongs to the denominator depends on the reader.
        glued = glued and "/" not in left and left[-1] in "0123456789)}"
        if glued and self.draw.random() < 0.5:
            return f"{left}{right}", _PRODUCT
        if self.plain:
            return f"{left}*{right}", _PRODUCT
        sign = self.draw.choice((r" \cdot ", r" \times ", r"\cdot ", "*"))
        return f"{left}{sign}{right}", _PRODUCT

    def _div(self, first: Tree, second: Tree) -> tuple[str, int]:
        if not self.plain and self.draw.random() < 0.75:
            command = self.draw.choice((r"\frac", r"\frac", r"\dfrac", r"\tfrac"))
            # Digits in front of it would be read as a mixed number.
            return f"{command}{{{self.text(first)}}}{{{self.text(second)}}}", _UNARY
        return f"{self._at(first, _POWER)}/{self._at(second, _POWER)}", _PRODUCT

    def _neg(self, inside: Tree) -> tuple[str, int]:
        text = self._at(inside, _PRODUCT)
        if text.startswith("-"):
            text = self._brackets(text)
        return f"-{text}", _UNARY

    def _pow(self, base: Tree, exponent: int) -> tuple[str, int]:
        under = self._at(base, _ATOM)
        if self.plain:
            sign = self.draw.choice(("^", "**"))
            return f"{under}{sign}{exponent if exponent > 0 else f'({exponent})'}", _POWER
        if 0 < exponent < 10 and self.draw.random() < 0.5:
            return f"{under}^{exponent}", _POWER
        return f"{under}^{{{exponent}}}", _POWER

    def _sqrt(self, inside: Tree) -> tuple[str, int]:
        if self.plain:
            return f"sqrt({self.text(inside)})", _ATOM
        return rf"\sqrt{{{self.text(inside)}}}", _ATOM

    def _cbrt(self, number: int) -> tuple[str, int]:
        if self.plain:
            return f"cbrt({number})", _ATOM
        return rf"\sqrt[3]{{{number}}}", _ATOM

    def _angle(self, p: int, q: int) -> str:
        if self.plain:
            return f"{p}*pi/{q}"
        if 180 % q == 0 and self.draw.random() < 0.3:
            return rf"{p * 180 // q}^\circ"
        return self.draw.choice((rf"\frac{{{p}\pi}}{{{q}}}", rf"{p}\pi/{q}"))

    def _function(self, name: str, argument: str) -> tuple[str, int]:
        if self.plain:
            return f"{name}({argument})", _ATOM
        return rf"\{name}\left({argument}\right)", _ATOM

    def _sin(self, p: int, q: int) -> tuple[str, int]:
        return self._function("sin", self._angle(p, q))

    def _cos(self, p: int, q: int) -> tuple[str, int]:
        return self._function("cos", self._angle(p, q))

    def _ln(self, number: int) -> tuple[str, int]:
        return self._function("ln", str(number))

    def _log(self, number: int, base: int) -> tuple[str, int]:
        if self.plain:
            return f"log({number})/log({base})", _PRODUCT
        return rf"\log_{{{base}}}({number})", _ATOM

    def _exp(self, inside: Tree) -> tuple[str, int]:
        text = self.text(inside)
        if self.plain:
            return f"exp({text})", _ATOM
        return self.draw.choice(((rf"e^{{{text}}}", _POWER), (rf"\exp({text})", _ATOM)))

    def _factorial(self, number: int) -> tuple[str, int]:
        return f"{number}!", _POWER

    def _binomial(self, top: int, low: int) -> tuple[str, int]:
        if self.plain:
            return f"binomial({top}, {low})", _ATOM
        return rf"\binom{{{top}}}{{{low}}}", _ATOM

    def _abs(self, inside: Tree) -> tuple[str, int]:
        if self.plain:
            return f"abs({self.text(inside)})", _ATOM
        return rf"\left|{self.text(inside)}\right|", _ATOM

    def _floor(self, p: int, q: int) -> tuple[str, int]:
        if self.plain:
            return f"floor({p}/{q})", _ATOM
        return rf"\left\lfloor \frac{{{p}}}{{{q}}} \right\rfloor", _ATOM


def written(tree: Tree, draw: random.Random) -> str:
    """The text of a tree in a drawn notation."""
    text = Writer(draw, draw.random() < 0.3).text(tree, whole=True)
    return draw.choice((text, text, f"${text}$", rf"\boxed{{{text}}}", f"${text}$."))
