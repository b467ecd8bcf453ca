"""Functions and other commands with arguments."""

from __future__ import annotations

from fractions import Fraction

from rlvr_fast.tasks.schemes.math.parsing.calculus import Calculus
from rlvr_fast.tasks.schemes.math.parsing.cursor import NoTermError
from rlvr_fast.tasks.schemes.math.parsing.names import (
    ACCENTS,
    BARE,
    CONSTANTS,
    FENCES,
    FUNCTIONS,
    GREEK,
    INVERSES,
    LETTERS,
    NO_FACTOR,
    PREFIXES,
    TRIGONOMETRY,
    WORDS,
)
from rlvr_fast.tasks.schemes.math.parsing.tokens import Token
from rlvr_fast.tasks.schemes.math.terms.making import (
    MINUS_ONE,
    THREE,
    TWO,
    negative,
    product,
    quotient,
)
from rlvr_fast.tasks.schemes.math.terms.nodes import Call, Constant, Number, Pow, Root, Symbol, Term

__all__ = ["Calling"]


class Calling(Calculus):
    """Reads functions and commands."""

    def command(self, token: Token) -> Term:
        """What begins with a command or a known name."""
        self.deeper()
        term = self._named_command(token)
        self.depth -= 1
        return term

    def _named_command(self, token: Token) -> Term:
        text = token.text
        if token.kind == "command":
            if text in FENCES:
                return self.fenced(*FENCES[text])
            if text in PREFIXES:
                self.at += 1
                return Call(PREFIXES[text], (self.factor(),))
            method = getattr(self, f"_on_{text}", None)
            if method is not None:
                self.at += 1
                term: Term = method()
                return term
        plain = token.kind == "name"
        self.at += 1
        infimum = text == "inf" and (not plain or self.is_next("[") or self.is_next("("))
        if text in CONSTANTS and not infimum:
            return Constant(CONSTANTS[text])
        if text in FUNCTIONS and (plain or text not in GREEK):
            return self.function(FUNCTIONS[text], plain)
        if text in GREEK or (not plain and text in LETTERS):
            return self.named(text)
        if not plain and text in ACCENTS:
            return self.accent(text)
        raise NoTermError

    def function(self, name: str, plain: bool = False) -> Term:
        """A function whose name is taken, with its power, index and arguments."""
        index: Term | None = None
        exponent: Term | None = None
        if name in ("log10", "log2"):
            name, index = "log", Number(Fraction(int(name[3:])))
        while True:
            if self.is_next("_"):
                if name == "log" and index is None:
                    self.at += 1
                    index = self.base()
                else:
                    name += self.subscript()
            elif (self.is_next("^") or self.is_next("**")) and exponent is None:
                self.at += 1
                exponent = self.exponent()
            else:
                break
        after = self.peek()
        glued = after.kind == "number" and not after.space and self.is_next("(", 1)
        if name == "log" and index is None and glued:
            index = self.number()
        term = self.applied(name, index, plain)
        if exponent == MINUS_ONE and name in INVERSES and isinstance(term, Call):
            return Call(INVERSES[name], term.arguments)
        return term if exponent is None else Pow(term, exponent)

    def applied(self, name: str, index: Term | None, plain: bool) -> Term:
        """A function, after its name, power and index."""
        if name == "sqrt":
            return self.root()
        sets = ("max", "min", "gcd", "lcm", "sup", "inf")
        if self.is_next("{") and self.partner.get(self.at + 1, -2) + 1 == self.partner.get(self.at):
            # Braces around brackets: \gcd{(a,b)}.
            self.at += 1
            if self.is_next("("):
                arguments = self.arguments()
                self.expect("}")
                return self.call(name, arguments, index)
            self.at -= 1
        if self.is_next("(") or self.is_next("[") or (self.is_next("\\{") and name in sets):
            arguments = self.arguments()
        elif name in ("pow", "binomial") or (plain and name not in BARE and not self._at_name()):
            raise NoTermError
        else:
            arguments = (self.bare(name),)
        return self.call(name, arguments, index)

    def _at_name(self) -> bool:
        # 'max 5' and 'area x' are words before a value; 'det A' and 'area ABC' are functions.
        token = self.peek()
        return token.kind in ("capitals", "command") or token.text[:1].isupper()

    def call(self, name: str, arguments: tuple[Term, ...], index: Term | None) -> Term:
        """The term of a function of arguments."""
        if name == "cbrt" and len(arguments) == 1:
            return Root(THREE, arguments[0])
        if name in ("pow", "ratio"):
            if len(arguments) != 2:
                raise NoTermError
            return Pow(*arguments) if name == "pow" else quotient(*arguments)
        if name in ("log", "ln") and len(arguments) == 2 and index is None:
            return Call("log", arguments[:1], arguments[1])
        return Call(name, arguments, index)

    def starts_factor(self) -> bool:
        """Whether a factor stands next."""
        token = self.peek()
        if token.kind == "mark":
            if token.text in ("|", "\\|"):
                return not self.bars[-1] and not self.given[-1]
            return token.text in ("(", "[", "{")
        if token.kind == "command":
            return token.text not in NO_FACTOR
        if self.at_differential():
            return False
        if token.kind == "name" and token.text == "mod":
            return False
        return token.kind != "end"

    def check_apart(self) -> None:
        """Refuses a word that stands between spaces; it is no product of letters."""
        token, before = self.peek(), self.tokens[self.at - 1]
        if not token.space:
            return
        if len(token.run) > 2 and token.kind != "name" and not token.run.isupper():
            raise NoTermError
        if len(before.run) > 2 and before.kind == "letter":
            raise NoTermError
        if token.run in WORDS and (self.peek(2).space or self.peek(2).kind == "end"):
            raise NoTermError

    def bare(self, name: str) -> Term:
        r"""The argument of a function without brackets: \sin 2x."""
        if self.is_next("-"):
            self.at += 1
            return negative(self.bare(name))
        factors = [self.factor()]
        while self.starts_factor() and self.continues(factors):
            self.check_apart()
            factors.append(self.factor())
        pi = Constant("pi")
        if (
            name in TRIGONOMETRY
            and pi in factors
            and all(isinstance(item, Number) or item == pi for item in factors)
            and self.is_next("/")
            and self.peek(1).kind == "number"
        ):
            self.at += 1
            factors.append(Pow(self.number(), MINUS_ONE))
        return product(factors)

    def continues(self, factors: list[Term]) -> bool:
        """Whether what stands next belongs to the argument of a function without brackets."""
        token = self.peek()
        numeric = all(isinstance(item, Number) or item == Constant("pi") for item in factors)
        if token.kind in ("letter", "capitals"):
            if token.text in "ei" and token.text not in self.bound:
                return numeric
            return True
        if token.kind in ("name", "command") and (token.text in GREEK or token.text == "pi"):
            return True
        if token.kind == "mark" or token.text in ("frac", "sqrt", "binom"):
            return numeric
        return False

    def _on_frac(self) -> Term:
        derivative = self.leibniz()
        if derivative is not None:
            return derivative
        upper = self.upper()
        return quotient(upper, self.one())

    def _on_binom(self) -> Term:
        upper = self.one()
        return Call("binomial", (upper, self.one()))

    def _on_sqrt(self) -> Term:
        return self.root()

    def root(self) -> Term:
        """A root, after its sign."""
        degree: Term = TWO
        if self.is_next("["):
            degree = self.group("[", "]")
        return Root(degree, self.under())

    def under(self) -> Term:
        """What stands under a root."""
        if self.is_next("("):
            return self.group("(", ")")
        if self.is_next("-"):
            raise NoTermError
        return self.primary()

    def fenced(self, right: str, name: str) -> Term:
        """A function that is written as brackets."""
        self.at += 1
        self.opened()
        inside = self.structure()
        self.closed()
        if name == "floor" and self.accept("rceil"):
            return Call("round", (inside,))
        self.expect(right)
        return Call(name, (inside,))

    def _on_angle(self) -> Term:
        inside = self.primary()
        if isinstance(inside, Symbol) and len(inside.name) == 3 and inside.name.isupper():
            inside = Symbol(min(inside.name, inside.name[::-1]))
        return Call("angle", (inside,))
