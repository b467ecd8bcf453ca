"""Derivatives, sums, products, integrals and limits."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

from rlvr_fast.tasks.schemes.math.parsing.cursor import NoTermError
from rlvr_fast.tasks.schemes.math.parsing.names import ALONG, DIFFERENTIALS, FUNCTIONS, GREEK
from rlvr_fast.tasks.schemes.math.parsing.naming import Naming
from rlvr_fast.tasks.schemes.math.parsing.tokens import Token, partners
from rlvr_fast.tasks.schemes.math.terms.making import ONE, negative
from rlvr_fast.tasks.schemes.math.terms.nodes import Bound, Call, Constant, Number, Symbol, Term

__all__ = ["Calculus"]


class Calculus(Naming):
    """Reads operators with a variable."""

    def at_differential(self) -> bool:
        """Whether a differential stands next, and an integral is open."""
        if not self.differentials or self.peek().text != "d" or self.peek().kind != "letter":
            return False
        after = self.peek(1)
        return after.kind == "letter" or after.text in GREEK

    def upper(self) -> Term:
        r"""The upper part of a fraction; in an integral it may end in dx."""
        close = self.partner.get(self.at) if self.is_next("{") else None
        if not self.differentials or close is None:
            return self.one()
        self.at += 1
        self.opened()
        upper: Term = ONE if self.at_differential() else self.structure()
        if self.at_differential():
            self.at += 1
            self.differentials[-1] = self.take().text
        self.closed()
        self.expect("}")
        return upper

    def leibniz(self) -> Term | None:
        r"""A derivative, `\frac{dy}{dx}`, taken; None where the fraction is none."""
        close = self.partner.get(self.at) if self.is_next("{") else None
        if close is None or close + 1 >= len(self.tokens) or self.tokens[close + 1].text != "{":
            return None
        end = self.partner.get(close + 1)
        if end is None:
            return None
        upper, lower = self.tokens[self.at + 1 : close], self.tokens[close + 2 : end]
        if not upper or not lower or upper[0].text not in DIFFERENTIALS:
            return None
        if lower[0].text != upper[0].text or len(lower) < 2:
            return None
        sign = upper[0].text
        lower = [token for token in lower if token.text not in "{}"]
        variables = _differentials(lower, sign)
        order, start = _order(upper, 1)
        if variables is None or order != len(variables):
            return None
        inside_at = self.at + 1 + start
        operator = "'" * order if sign == "d" else "partial_" + "_".join(variables)
        if start == len(upper):
            self.at = end + 1
            operand = self.factor() if self.is_next("(") else self.implicit()
        else:
            self.at = inside_at
            operand = self.structure()
            if self.at != close:
                raise NoTermError
            self.at = end + 1
        if isinstance(operand, Constant) and operand.name in ("i", "e"):
            operand = Symbol(operand.name)  # a current, an error
        if isinstance(operand, Symbol):
            if sign == "d" and len(set(variables)) == 1:
                return Symbol(f"{operand.name}{operator}{ALONG}{variables[0]}")
            return Symbol(f"{operator}({operand.name})")
        if sign == "d":
            at_variable = getattr(operand, "arguments", None) == (Symbol(variables[0]),)
            if isinstance(operand, Call) and at_variable and operand.name not in FUNCTIONS:
                return Call(operand.name + operator, operand.arguments)
            return Call(f"d{order}/d{variables[0]}", (operand,))
        return Call(operator, (operand,))

    def ends(self, start: Callable[[], None]) -> Term | None:
        """Reads the ends of an operator: the lower one by `start`; the upper one is returned."""
        upper: Term | None = None
        seen = ""
        while (sign := self.peek().text) in ("_", "^"):
            if sign in seen:
                raise NoTermError
            seen += sign
            self.at += 1
            if sign == "_":
                start()
            else:
                upper = self.end()
        return upper

    def end(self) -> Term:
        """One end of an integral, or the upper end of a sum."""
        minus = self.accept("-")
        if self.peek().kind == "number":
            term: Term = Number(Fraction(self.take().text.rstrip(".") or "0"))
        else:
            term = self.one()
        return negative(term) if minus else term

    def _on_sum(self) -> Term:
        return self.big("sum", "=")

    def _on_prod(self) -> Term:
        return self.big("product", "=")

    def _on_lim(self) -> Term:
        return self.big("limit", "to")

    def big(self, operator: str, sign: str) -> Term:
        """A sum, product or limit; `sign` stands between its variable and the lower end."""
        variable = ""
        lower: Term | None = None
        side = ""

        def start() -> None:
            nonlocal variable, lower, side
            braced = self.accept("{")
            variable = self.variable()
            if braced:
                if self.accept(sign):
                    if operator == "limit":
                        side = self.take_side()
                    lower = self.structure()
                self.expect("}")

        upper = self.ends(start)
        if not variable or (operator == "limit" and (lower is None or upper is not None)):
            raise NoTermError
        found = self.bound_body(operator, variable, lower, upper)
        return replace(found, side=side) if side else found

    def take_side(self) -> str:
        """Takes the sign of a limit from one side, at the end of its point: 0^+, 0^{-}, 0+."""
        close = self.at
        while close < len(self.tokens) and self.tokens[close].text != "}":
            if self.is_next("{", close - self.at):
                close = self.partner.get(close, len(self.tokens))
            close += 1
        last = [token.text for token in self.tokens[self.at : close]]
        for marks in (
            ["^", "{", "+", "}"],
            ["^", "{", "-", "}"],
            ["^", "+"],
            ["^", "-"],
            ["+"],
            ["-"],
        ):
            if len(last) > len(marks) and last[-len(marks) :] == marks:
                del self.tokens[close - len(marks) : close]
                self.partner = partners(self.tokens)
                return next(mark for mark in marks if mark in "+-")
        return ""

    def bound_body(
        self, operator: str, variable: str, lower: Term | None, upper: Term | None
    ) -> Bound:
        """An operator whose ends are read, with its body."""
        self.bound.append(variable)
        body = self.product()
        self.bound.pop()
        return Bound(operator, variable, lower, upper, body)

    def variable(self) -> str:
        """The name of a bound variable."""
        token = self.take()
        if token.kind == "letter" or (token.text in GREEK and token.kind in ("name", "command")):
            return token.text + (self.subscript() if self.is_next("_") else "")
        raise NoTermError

    def _on_int(self) -> Term:
        return self.integral("int")

    def _on_oint(self) -> Term:
        return self.integral("oint")

    def integral(self, name: str) -> Term:
        """An integral, after its sign."""
        lower: Term | None = None

        def start() -> None:
            nonlocal lower
            lower = self.end()

        upper = self.ends(start)
        self.differentials.append("")
        body: Term = ONE if self.at_differential() else self.sum()
        variable = self.differentials.pop()
        if not variable:
            self.differentials.append("")
            if self.at_differential():
                self.at += 1
                variable = self.variable()
            self.differentials.pop()
        if name == "int" and variable and lower is not None and upper is not None:
            return Bound("integral", variable, lower, upper, body)
        ends = tuple(end for end in (lower, upper) if end is not None)
        along = (Symbol(variable),) if variable else ()
        return Call(name, (body, *ends, *along))

    def _on_nabla(self) -> Term:
        if self.accept("cdot"):
            return Call("divergence", (self.factor(),))
        if self.accept("times"):
            return Call("curl", (self.factor(),))
        if self.is_next("^") and self.raw_after() == "2":
            self.at += 1
            self.one()
            return Call("laplacian", (self.factor(),))
        return Call("gradient", (self.factor(),))

    def _on_partial(self) -> Term:
        if self.is_next("/", 1) and self.is_next("partial", 2):
            function, variable = self.peek(), self.peek(3)
            if not (function.is_name() and variable.is_name()):
                raise NoTermError
            self.at += 4
            return Symbol(f"partial_{variable.text}({function.text})")
        name = "partial" + self.subscript()
        operand = self.factor()
        if isinstance(operand, Symbol):
            return Symbol(f"{name}({operand.name})")
        return Call(name, (operand,))

    def raw_after(self) -> str:
        """The text of the exponent that follows."""
        self.at += 1
        raw = self.raw_exponent() or ""
        self.at -= 1
        return raw


def _order(tokens: list[Token], at: int) -> tuple[int, int]:
    """The order of a differential whose exponent stands at `at`, and what follows it."""
    if at >= len(tokens) or tokens[at].text != "^":
        return 1, at
    at += 1
    if at < len(tokens) and tokens[at].text == "{" and at + 2 < len(tokens):
        digits, after = tokens[at + 1].text, at + 3
    elif at < len(tokens):
        digits, after = tokens[at].text, at + 1
    else:
        return 0, at
    return (int(digits), after) if re.fullmatch("[1-9]", digits) else (0, after)


def _differentials(tokens: list[Token], sign: str) -> list[str] | None:
    """The variables of the lower part of a derivative, each as often as it counts."""
    variables: list[str] = []
    at = 0
    while at < len(tokens):
        if tokens[at].text != sign or at + 1 >= len(tokens):
            return None
        name = tokens[at + 1]
        if name.kind != "letter" and name.text not in GREEK:
            return None
        order, at = _order(tokens, at + 2)
        variables += [name.text] * order
        if not order:
            return None
    return variables
