"""Numbers: decimals, mixed numbers, repeating decimals, chosen things."""

from __future__ import annotations

import re
from fractions import Fraction

from rlvr_fast.tasks.schemes.math.parsing.cursor import END, Cursor, NoTermError
from rlvr_fast.tasks.schemes.math.terms.making import negative, quotient
from rlvr_fast.tasks.schemes.math.terms.nodes import Add, Call, Number, Term

__all__ = ["Numbers"]

# A decimal before an ellipsis: the most signs that are searched for a period, and the fewest digits
# that tell a number that is cut there.
_LONGEST_PERIODS = 64
_CUT = 7


class Numbers(Cursor):
    """Reads numbers."""

    def number(self) -> Term:
        """A number without sign."""
        text = self.take().text
        if "." in text:
            value = self.repeating(text)
            if value is not None:
                return value
        if self.is_next("_"):
            raise NoTermError  # a numeral of a base
        if text == ".":
            raise NoTermError
        digits = _significant(text) if "." in text else 0
        return Number(Fraction(text.rstrip(".")), digits)

    def repeating(self, text: str) -> Number | None:
        """A decimal that repeats: 0.(3), 0.333..., with an overline, with dots."""
        token = self.peek()
        block = ""
        if token.space:
            return None
        if token.kind == "command" and token.text == "ldots":
            if len(text) > _LONGEST_PERIODS:
                raise NoTermError
            match = re.search(r"\.\d*?((\d)\2+|(\d{2,9})\3+)$", text)
            self.at += 1
            if match is None:
                if _significant(text) < _CUT:
                    raise NoTermError
                return None
            block = match[2] or match[3]
            text = text[: match.start(1)]
        elif token.kind == "command" and token.text in ("overline", "bar"):
            block = self.digits_of_group(1)
            self.at += 1 + (3 if self.is_next("{", 1) else 1)
        elif token.kind == "command" and token.text == "dot":
            first = self.digits_of_group(1)
            self.at += 1 + (3 if self.is_next("{", 1) else 1)
            block = first
            middle = ""
            if self.peek().kind == "number" and self.peek().text.isdigit():
                middle = self.take().text
            if middle or self.is_next("dot"):
                if not self.is_next("dot"):
                    raise NoTermError
                last = self.digits_of_group(1)
                self.at += 1 + (3 if self.is_next("{", 1) else 1)
                block = first + middle + last
        elif token.text == "(" and self.peek(1).text.isdigit() and self.is_next(")", 2):
            if self.peek(1).kind != "number":
                return None
            block = self.peek(1).text
            self.at += 3
        else:
            return None
        whole, _, start = text.partition(".")
        value = Fraction(int(whole or "0")) + Fraction(int(start or "0"), 10 ** len(start))
        return Number(value + Fraction(int(block), (10 ** len(block) - 1) * 10 ** len(start)))

    def digits_of_group(self, ahead: int) -> str:
        """The digits in braces, or a number."""
        token = self.peek(ahead)
        if token.text == "{" and self.is_next("}", ahead + 2):
            token = self.peek(ahead + 1)
        if token.kind != "number" or not token.text.isdigit():
            raise NoTermError
        return token.text

    def mixed(self, whole: Term) -> Term:
        r"""A mixed number: 2\frac{1}{2}, 1 1/4."""
        assert isinstance(whole, Number)
        if self.is_next("frac"):
            fraction = self.literal_fraction()
        elif self.peek().kind == "number" and self.is_next("/", 1):
            upper, lower = self.peek().text, self.peek(2).text
            if not (upper.isdigit() and lower.isdigit() and int(lower)):
                raise NoTermError
            fraction = Fraction(int(upper), int(lower))
            self.at += 3
        else:
            return whole
        if fraction is None:
            return whole
        if not 0 < fraction < 1:
            raise NoTermError
        return Add((whole, Number(fraction)))

    def literal_fraction(self) -> Fraction | None:
        r"""The value of a `\frac` of two whole numbers, taken; None where it has other parts."""
        digits: list[str] = []
        at = self.at + 1
        while len(digits) < 2:
            braced = at < len(self.tokens) and self.tokens[at].text == "{"
            at += braced
            token = self.tokens[at] if at < len(self.tokens) else END
            if token.kind != "number" or not token.text.isdigit():
                return None
            if braced:
                if self.partner.get(at - 1) != at + 1:
                    return None
                digits.append(token.text)
            else:
                digits += token.text
            at += 1 + braced
        if len(digits) > 2 or not int(digits[1]):
            return None
        self.at = at
        return Fraction(int(digits[0]), int(digits[1]))

    def base(self) -> Term:
        """A subscript or superscript that is a term."""
        if self.is_next("{"):
            return self.brace()
        if self.peek().kind == "number":
            text = self.peek().text
            if len(text) > 1 and text.isdigit() and self.peek(1).kind == "end":
                return self.one()  # \log_28 is \log_2 8
            return self.number()
        return self.one()

    def combinations(self) -> Term:
        r"""`{}^{5}C_{2}` or `_5C_2`: 5 over 2; with P, the arrangements of 2 of 5."""
        if self.accept("{"):
            self.expect("}")
        if not (self.accept("^") or self.accept("_")):
            raise NoTermError
        upper = self.base()
        kind = self.take().text
        self.expect("_")
        return self.chosen(kind, upper, self.base())

    def chosen(self, kind: str, upper: Term, lower: Term) -> Term:
        """Choices of some of several things."""
        if kind == "C":
            return Call("binomial", (upper, lower))
        if kind == "P":
            rest = Call("factorial", (Add((upper, negative(lower))),))
            return quotient(Call("factorial", (upper,)), rest)
        raise NoTermError


def _significant(text: str) -> int:
    return len(text.replace(".", "").lstrip("0")) or 1
