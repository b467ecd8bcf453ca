"""Reading tokens: brackets, arguments and limits of depth."""

from __future__ import annotations

from abc import ABC, abstractmethod
from fractions import Fraction

from rlvr_fast.tasks.schemes.math.parsing.names import CONSTANTS, RELATIONS
from rlvr_fast.tasks.schemes.math.parsing.tokens import Token, partners
from rlvr_fast.tasks.schemes.math.terms.making import quotient
from rlvr_fast.tasks.schemes.math.terms.nodes import Call, Constant, Number, Symbol, Term

__all__ = ["DEEPEST", "END", "Cursor", "NoTermError"]


# Parts of parts: what lies deeper is not read. A bracket is two or three levels.
DEEPEST = 60
END = Token("end", "")


class NoTermError(Exception):
    """The text is not one expression."""


class Cursor(ABC):
    """A place in a list of tokens, which is read once from left to right.

    The classes that follow add what is read; the last, `Parser`, reads whole expressions.

    Attributes:
        tokens: the tokens.
        partner: the position of the closing bracket of each opening one.
        at: the position of the next token.
        depth: how deep the part that is being read lies in others.
        bars: the bars that are open, in each bracket that is open.
        given: whether a bar is a condition, in each bracket that is open.
        bound: the names that are bound by sums and integrals around.
        differentials: an entry for each integral that is open; a variable once it is read.
    """

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.partner = partners(tokens)
        self.at = 0
        self.depth = 0
        self.bars = [0]
        self.given = [False]
        self.bound: list[str] = []
        self.differentials: list[str] = []

    def peek(self, ahead: int = 0) -> Token:
        """The next token, or one after it."""
        at = self.at + ahead
        return self.tokens[at] if at < len(self.tokens) else END

    def take(self) -> Token:
        """The next token, taken."""
        token = self.peek()
        self.at += 1
        return token

    def is_next(self, text: str, ahead: int = 0) -> bool:
        """Whether a sign or command stands next."""
        token = self.peek(ahead)
        return token.text == text and token.kind in ("mark", "command")

    def accept(self, text: str) -> bool:
        """Takes a sign or command if it stands next."""
        if self.is_next(text):
            self.at += 1
            return True
        return False

    def expect(self, text: str) -> None:
        """Takes the sign or command that must stand next."""
        if not self.accept(text):
            raise NoTermError

    def deeper(self) -> None:
        """Counts one level of depth."""
        self.depth += 1
        if self.depth > DEEPEST:
            raise NoTermError

    def opened(self, given: bool = False) -> None:
        """Enters a bracket."""
        self.bars.append(0)
        self.given.append(given)

    def closed(self) -> None:
        """Leaves a bracket."""
        self.bars.pop()
        self.given.pop()

    def group(self, left: str, right: str) -> Term:
        """What stands in brackets."""
        self.expect(left)
        self.opened()
        inside = self.structure()
        self.closed()
        self.expect(right)
        return inside

    def brace(self) -> Term:
        """What stands in braces."""
        self.expect("{")
        self.opened()
        inside = self.structure()
        if self.accept("choose"):
            inside = Call("binomial", (inside, self.structure()))
        elif self.accept("over"):
            inside = quotient(inside, self.structure())
        self.closed()
        self.expect("}")
        return inside

    def arguments(self) -> tuple[Term, ...]:
        """Arguments in brackets."""
        left = self.take().text
        right = {"(": ")", "[": "]", "\\{": "\\}"}[left]
        close = self.partner.get(self.at - 1)
        if close is None:
            raise NoTermError
        bars = sum(token.text == "|" for token in self.tokens[self.at : close])
        self.opened(bars == 1)
        arguments = [self.argument()]
        while self.accept(",") or self.accept(";"):
            arguments.append(self.argument())
        self.closed()
        self.expect(right)
        return tuple(arguments)

    def argument(self) -> Term:
        """One argument: an expression, a relation or a condition."""
        self.deeper()
        term = self._related()
        self.depth -= 1
        return term

    def _related(self) -> Term:
        left = self.structure()
        while (token := self.peek()).kind in ("mark", "command"):
            if token.text in RELATIONS:
                self.at += 1
                self.deeper()
                left = Call(token.text, (left, self.structure()))
            elif token.text == "mid" or (token.text == "|" and self.given[-1]):
                self.at += 1
                left = Call("given", (left, self.argument()))
            else:
                break
        return left

    def one(self) -> Term:
        r"""One argument of a command: a group, a digit or a token."""
        if self.is_next("{"):
            return self.brace()
        token = self.peek()
        if token.kind == "number":
            if not token.text.isdigit():
                raise NoTermError
            if len(token.text) > 1:
                self.tokens[self.at] = Token("number", token.text[1:])
            else:
                self.at += 1
            return Number(Fraction(int(token.text[0])))
        if token.kind == "letter":
            self.at += 1
            if token.text in CONSTANTS and token.text not in self.bound:
                return Constant(CONSTANTS[token.text])
            return Symbol(token.text)
        if token.kind == "command":
            return self.command(token)
        raise NoTermError

    def raw_exponent(self) -> str | None:
        """The text of an exponent that may be a mark; None where it is certainly none."""
        if not self.is_next("{"):
            return self.peek().text
        close = self.partner.get(self.at)
        if close is None or close - self.at > 6:
            return None
        return "".join(token.text for token in self.tokens[self.at + 1 : close])

    # What the classes that follow read, and parts need.

    @abstractmethod
    def structure(self, level: int = 0) -> Term:
        """Any expression."""

    @abstractmethod
    def sum(self) -> Term:
        """An expression without operators of structure."""

    @abstractmethod
    def product(self) -> Term:
        """A product."""

    @abstractmethod
    def factor(self) -> Term:
        """A factor with its powers and marks."""

    @abstractmethod
    def implicit(self) -> Term:
        """A product without signs."""

    @abstractmethod
    def primary(self) -> Term:
        """A factor without powers and marks."""

    @abstractmethod
    def command(self, token: Token) -> Term:
        """What begins with a command or a known name."""

    @abstractmethod
    def exponent(self) -> Term:
        """An exponent."""

    @abstractmethod
    def function(self, name: str, plain: bool = False) -> Term:
        """A function with its arguments."""
