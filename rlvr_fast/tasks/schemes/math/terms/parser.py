"""From text to a term: LaTeX, plain text and Python spelling."""

from __future__ import annotations

import re
from fractions import Fraction

from rlvr_fast.tasks.schemes.math.terms.names import (
    ACCENTS,
    CONSTANTS,
    FUNCTIONS,
    GREEK,
    INVERSES,
    OPERATORS,
    TRIGONOMETRY,
    WORDS,
)
from rlvr_fast.tasks.schemes.math.terms.nodes import (
    Add,
    Bound,
    Call,
    Constant,
    Mul,
    Number,
    Pow,
    Root,
    Symbol,
    Term,
)
from rlvr_fast.tasks.schemes.math.terms.tokens import Token, tokens_of

__all__ = ["parse_term"]

_LONGEST = 4000
_DEEPEST = 40
# A power of ten of this size is part of the number before it: 1.5\times 10^{3}.
_LARGEST_EXPONENT = 400
_MINUS_ONE = Number(Fraction(-1))
_ONE = Number(Fraction(1))
_TWO = Number(Fraction(2))
_THREE = Number(Fraction(3))
_END = Token("end", "")

_TIMES = frozenset(("*", "cdot", "times"))
_OVER = frozenset(("/", "div"))
_RELATIONS = frozenset(
    ("=", "<", ">", "le", "ge", "ne", "in", "notin", "equiv", "approx", "sim", "subset")
)
# Commands that do not begin a factor.
_NO_FACTOR = (
    frozenset(OPERATORS)
    | _TIMES
    | _OVER
    | _RELATIONS
    | frozenset(
        ("rfloor", "rceil", "rvert", "rangle", "mid", "bmod", "choose", "over", "binom_end")
    )
)
_NAMERS = frozenset(
    ("angle", "triangle", "odot", "overline", "overrightarrow", "widehat", "vec", "hat", "bar",
     "overleftarrow", "overleftrightarrow", "tilde", "widetilde", "underline")
)  # fmt: skip
_FUNCTION_LETTERS = frozenset("ghFGHPQ")
_VARIABLES = frozenset("xyznt")
_DIFFERENTIALS = frozenset(("d", "partial"))


class _Unread(Exception):
    """The text is not one expression."""


def parse_term(text: str) -> Term | None:
    r"""The one expression that a whole text is; None where any part of it is not read.

    Args:
        text: one expression, cleaned by `clean` (writing.py). A relation, a list, a set, a unit or
            a word is none.

    Example:
        >>> parse_term("2x") == parse_term(r"2 \cdot x")
        True
    """
    text = text.strip()
    if not text or len(text) > _LONGEST or _is_word(text):
        return None
    try:
        return _Parser(tokens_of(text)).whole()
    except _Unread:
        return None


def _is_word(text: str) -> bool:
    if not (text.isascii() and text.isalpha()) or text in FUNCTIONS:
        return False
    if text in CONSTANTS or text in GREEK or text.isupper():
        return False
    return len(text) > 2 or text.lower() in WORDS


def _product(factors: list[Term]) -> Term:
    return factors[0] if len(factors) == 1 else Mul(tuple(factors))


def _negative(term: Term) -> Term:
    if isinstance(term, Number):
        return Number(-term.value, term.digits)
    return Mul((_MINUS_ONE, term))


def _quotient(upper: Term, lower: Term) -> Term:
    return Mul((upper, Pow(lower, _MINUS_ONE)))


def _is_integer(term: Term) -> bool:
    return isinstance(term, Number) and term.value.denominator == 1


def _joined(tokens: list[Token]) -> str:
    return "".join(token.text for token in tokens if token.text not in "{}")


class _Parser:
    """A precedence parser that reads a list of tokens once, from left to right."""

    def __init__(self, tokens: list[Token]) -> None:
        self.partner = _partners(tokens)
        if _has_variables(tokens):
            tokens = _with_products(tokens, self.partner)
            self.partner = _partners(tokens)
        self.tokens = tokens
        self.at = 0
        self.depth = 0
        self.bars = [0]  # the bars that are open, in each bracket that is open
        self.given = [False]  # whether a bar in this bracket is a condition
        self.bound: list[str] = []
        self.differentials: list[str] = []

    # Access to the tokens.

    def peek(self, ahead: int = 0) -> Token:
        at = self.at + ahead
        return self.tokens[at] if at < len(self.tokens) else _END

    def take(self) -> Token:
        token = self.peek()
        self.at += 1
        return token

    def is_next(self, text: str, ahead: int = 0) -> bool:
        token = self.peek(ahead)
        return token.text == text and token.kind in ("mark", "command")

    def accept(self, text: str) -> bool:
        if self.is_next(text):
            self.at += 1
            return True
        return False

    def expect(self, text: str) -> None:
        if not self.accept(text):
            raise _Unread

    def whole(self) -> Term:
        if self.is_next("[") and self.partner.get(0) == len(self.tokens) - 1:
            raise _Unread  # a list
        term = self.structure()
        if self.at != len(self.tokens):
            raise _Unread
        return term

    # Operators, from those that bind least.

    def structure(self, level: int = 0) -> Term:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise _Unread
        left = self.modulo()
        while (token := self.peek()).kind == "command" and token.text in OPERATORS:
            name, own, ordered = OPERATORS[token.text]
            if own < level:
                break
            self.at += 1
            right = self.structure(own + 1)
            parts: tuple[Term, ...] = (left, right)
            if not ordered:
                if isinstance(left, Call) and left.name == name:
                    parts = (*left.arguments, right)
                parts = tuple(sorted(parts, key=repr))
            left = Call(name, parts)
        self.depth -= 1
        return left

    def modulo(self) -> Term:
        left = self.sum()
        while self.is_next("bmod") or (self.peek().kind == "name" and self.peek().text == "mod"):
            self.at += 1
            left = Call("mod", (left, self.sum()))
        return left

    def sum(self) -> Term:
        terms = [self.signed()]
        while self.is_next("+") or self.is_next("-"):
            terms.append(self.signed())
        return terms[0] if len(terms) == 1 else Add(tuple(terms))

    def signs(self) -> bool:
        minus = False
        while self.is_next("+") or self.is_next("-"):
            minus ^= self.take().text == "-"
        return minus

    def signed(self) -> Term:
        minus = self.signs()
        term = self.product()
        return _negative(term) if minus else term

    def product(self) -> Term:
        factors = [self.implicit()]
        while True:
            token = self.peek()
            if token.kind not in ("mark", "command"):
                break
            if token.text in _TIMES:
                self.at += 1
                minus = self.signs()
                right = self.implicit()
                self.multiply(factors, token.text, _negative(right) if minus else right)
            elif token.text in _OVER:
                self.at += 1
                minus = self.signs()
                right = self.denominator()
                factors.append(Pow(_negative(right) if minus else right, _MINUS_ONE))
            else:
                break
        return _product(factors)

    def multiply(self, factors: list[Term], sign: str, right: Term) -> None:
        last = factors[-1]
        if sign == "times" and _is_vector(last) and _is_vector(right):
            factors[-1] = Call("cross", (last, right))
            return
        if (
            len(factors) == 1
            and isinstance(last, Number)
            and isinstance(right, Pow)
            and right.base == Number(Fraction(10))
            and isinstance(right.exponent, Number)
            and right.exponent.value.denominator == 1
            and abs(right.exponent.value) <= _LARGEST_EXPONENT
        ):
            power = int(right.exponent.value)
            digits = last.digits
            if not digits and power < 0 and last.value.denominator == 1:
                digits = len(str(abs(last.value.numerator)).rstrip("0")) or 1
            factors[-1] = Number(last.value * Fraction(10) ** power, digits)
            return
        factors.append(right)

    def starts_factor(self) -> bool:
        token = self.peek()
        if token.kind == "mark":
            if token.text in ("|", "\\|"):
                return not self.bars[-1] and not self.given[-1]
            return token.text in ("(", "[", "{")
        if token.kind == "command":
            return token.text not in _NO_FACTOR
        if self.at_differential():
            return False
        if token.kind == "name" and token.text == "mod":
            return False
        return token.kind != "end"

    def at_differential(self) -> bool:
        if not self.differentials or self.peek().text != "d" or self.peek().kind != "letter":
            return False
        after = self.peek(1)
        return after.kind == "letter" or after.text in GREEK

    def check_apart(self) -> None:
        """Refuses a word that stands between spaces; it is no product of letters."""
        token, before = self.peek(), self.tokens[self.at - 1]
        if not token.space:
            return
        if len(token.run) > 2 and token.kind != "name" and not token.run.isupper():
            raise _Unread
        if len(before.run) > 2 and before.kind == "letter":
            raise _Unread
        if token.run in WORDS and self.peek(2).space:
            raise _Unread

    def implicit(self) -> Term:
        """A product without signs: 2x(y+1)."""
        start = self.at
        first = self.factor()
        if self.at == start + 1 and self.tokens[start].kind == "number" and _is_integer(first):
            first = self.mixed(first)
        factors = [first]
        while self.starts_factor():
            self.check_apart()
            self.no_two_numbers()
            factors.append(self.factor())
        return _product(factors)

    def no_two_numbers(self) -> None:
        if self.peek().kind == "number" and self.tokens[self.at - 1].kind == "number":
            before = self.peek(-2) if self.at > 1 else _END
            if before.text not in ("^", "**") or not self.peek().space:
                raise _Unread

    def mixed(self, whole: Term) -> Term:
        r"""A mixed number: 2\frac{1}{2}, 1 1/4."""
        assert isinstance(whole, Number)
        if self.is_next("frac"):
            fraction = self.literal_fraction()
        elif self.peek().kind == "number" and self.is_next("/", 1):
            fraction = None
            if self.peek(2).kind == "number" and self.peek().text.isdigit():
                if self.peek(2).text.isdigit() and int(self.peek(2).text):
                    fraction = Fraction(int(self.peek().text), int(self.peek(2).text))
                    self.at += 3
            if fraction is None:
                raise _Unread
        else:
            return whole
        if fraction is None:
            return whole
        if not 0 < fraction < 1:
            raise _Unread
        return Add((whole, Number(fraction)))

    def literal_fraction(self) -> Fraction | None:
        r"""The value of a `\frac` of two integers, taken; None where it has other parts."""
        match = re.match(
            r"frac(?:\{(\d+)\}|(\d)(?!\d*\}))(?:\{(\d+)\}|(\d)(?!\d))",
            "".join(token.text for token in self.tokens[self.at : self.at + 7]),
        )
        if match is None:
            single = self.peek(1)
            if single.kind == "number" and re.fullmatch(r"\d\d", single.text):
                self.at += 2
                upper, lower = single.text
                return Fraction(int(upper), int(lower)) if int(lower) else None
            return None
        upper, lower = match[1] or match[2], match[3] or match[4]
        if not int(lower):
            return None
        self.at += 1 + (3 if match[1] else 1) + (3 if match[3] else 1)
        return Fraction(int(upper), int(lower))

    def denominator(self) -> Term:
        """What stands after a slash: 1/2x is (1/2)x, t/RC is t/(RC)."""
        token = self.peek()
        letters = token.kind in ("letter", "capitals") or (
            token.kind in ("name", "command") and token.text in GREEK
        )
        factors = [self.factor()]
        while letters and self.starts_factor() and not self.peek().space:
            self.no_two_numbers()
            factors.append(self.factor())
        return _product(factors)

    # Factors: what binds more than a product.

    def factor(self) -> Term:
        base = self.primary()
        while True:
            token = self.peek()
            if token.kind != "mark":
                return base
            if token.text == "!":
                self.at += 1
                double = self.is_next("!") and not self.peek().space
                if double:
                    self.at += 1
                    if self.is_next("!"):
                        raise _Unread
                base = Call("double_factorial" if double else "factorial", (base,))
            elif token.text in ("^", "**"):
                base = self.power(base)
            elif token.text.startswith("^"):
                self.at += 1
                base = Call("degrees", (base,))
            elif token.text == "_" and isinstance(base, Pow) and isinstance(base.base, Symbol):
                base = Pow(Symbol(base.base.name + self.subscript()), base.exponent)
            elif token.text[0] == "'":
                self.at += 1
                base = self.primed(base, token.text)
            else:
                return base

    def primed(self, base: Term, primes: str) -> Term:
        if isinstance(base, Number | Constant):
            raise _Unread
        return Call(primes, (base,))

    def power(self, base: Term) -> Term:
        self.at += 1
        raw = self.raw_exponent()
        if raw is not None:
            marked = self.marked(base, raw)
            if marked is not None:
                return marked
        return Pow(base, self.exponent())

    def raw_exponent(self) -> str | None:
        """The text of an exponent that may be a mark; None where it is certainly none."""
        if not self.is_next("{"):
            return self.peek().text
        close = self.partner.get(self.at)
        if close is None or close - self.at > 6:
            return None
        return "".join(token.text for token in self.tokens[self.at + 1 : close])

    def marked(self, base: Term, raw: str) -> Term | None:
        mark = None
        if raw in ("top", "intercal"):
            mark = "T"
        elif raw == "T" and isinstance(base, Symbol | Mul | Add | Call):
            if not isinstance(base, Symbol) or base.name[:1].isupper() or "(" in base.name:
                mark = "T"
        elif raw in ("*", "dagger", "ast", "+", "-", "perp", "complement"):
            if raw in "+-" and not self.is_next("{"):
                return None
            mark = raw
        elif re.fullmatch(r"\([1-9]\)", raw) and isinstance(base, Symbol):
            if base.name[:1] not in "fghyu":
                return None
            mark = "'" * int(raw[1])
        if mark is None:
            return None
        self.at = self.partner[self.at] + 1 if self.is_next("{") else self.at + 1
        if mark == "*" and base in (Symbol("z"), Symbol("w")):
            return Call("conjugate", (base,))
        if isinstance(base, Symbol):
            return Symbol(base.name + (mark if mark[0] == "'" else f"^{mark}"))
        if isinstance(base, Number | Constant):
            raise _Unread
        return Call(f"^{mark}", (base,))

    def exponent(self) -> Term:
        if self.is_next("-") or self.is_next("+"):
            minus = self.signs()
            term = self.exponent()
            return _negative(term) if minus else term
        if self.peek().kind in ("capitals", "word"):
            raise _Unread
        term = self.primary()
        if self.is_next("^") or self.is_next("**"):
            self.at += 1
            return Pow(term, self.exponent())
        return term

    def primary(self) -> Term:
        token = self.peek()
        if token.kind == "number":
            return self.number()
        if token.kind == "mark":
            return self.bracket(token)
        if token.kind == "letter":
            return self.letter()
        if token.kind == "capitals":
            self.at += 1
            return self.named(token.text)
        if token.kind == "name" or token.kind == "command":
            return self.command(token)
        raise _Unread

    def number(self) -> Term:
        text = self.take().text
        if "." in text:
            value = self.repeating(text)
            if value is not None:
                return value
        if self.is_next("_"):
            raise _Unread  # a numeral of a base
        if text.endswith("."):
            if not self.is_next(".") and self.at == len(self.tokens):
                raise _Unread
            text = text[:-1]
        digits = len(text.replace(".", "").lstrip("0")) or 1 if "." in text else 0
        return Number(Fraction(text), digits)

    def repeating(self, text: str) -> Number | None:
        """A decimal that repeats: 0.(3), 0.333..., with an overline, with dots."""
        token = self.peek()
        block = ""
        if token.space:
            return None
        if token.kind == "command" and token.text == "ldots":
            match = re.search(r"\.\d*?((\d)\2+|(\d{2,9})\3+)$", text)
            if match is None:
                raise _Unread
            self.at += 1
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
                    raise _Unread
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
        token = self.peek(ahead)
        if token.text == "{" and self.is_next("}", ahead + 2):
            token = self.peek(ahead + 1)
        if token.kind != "number" or not token.text.isdigit():
            raise _Unread
        return token.text

    def bracket(self, token: Token) -> Term:
        if token.text == "(":
            return self.group("(", ")")
        if token.text == "[":
            return self.group("[", "]")
        if token.text == "{":
            return self.brace()
        if token.text in ("|", "\\|"):
            self.at += 1
            self.bars[-1] += 1
            inside = self.structure()
            self.bars[-1] -= 1
            self.expect(token.text)
            return Call("abs" if token.text == "|" else "norm", (inside,))
        raise _Unread

    def opened(self, given: bool = False) -> None:
        self.bars.append(0)
        self.given.append(given)

    def closed(self) -> None:
        self.bars.pop()
        self.given.pop()

    def group(self, left: str, right: str) -> Term:
        self.expect(left)
        self.opened()
        inside = self.structure()
        self.closed()
        self.expect(right)
        return inside

    def brace(self) -> Term:
        self.expect("{")
        self.opened()
        inside = self.structure()
        if self.accept("choose"):
            inside = Call("binomial", (inside, self.structure()))
        elif self.accept("over"):
            inside = _quotient(inside, self.structure())
        self.closed()
        self.expect("}")
        return inside

    # Names.

    def letter(self) -> Term:
        token = self.take()
        text = token.text
        derivative = self.leibniz_in_line(token)
        if derivative is not None:
            return derivative
        after = self.peek()
        if after.kind == "number" and not after.space and after.text.isdigit():
            if self.at > 1 and self.tokens[self.at - 2].kind == "number" and text in "xX":
                raise _Unread  # 2x3: two by three
            if text in "ei" and text not in self.bound:
                raise _Unread
            if after.text in ("0", "1") or not (self.is_next("^", 1) or self.is_next("**", 1)):
                if len(after.text) > 2:
                    raise _Unread
                self.at += 1
                return self.named(f"{text}_{after.text}")
        return self.named(text)

    def leibniz_in_line(self, token: Token) -> Term | None:
        """The derivative dy/dx in plain text."""
        if token.text != "d" or len(token.run) != 2 or not self.is_next("/", 1):
            return None
        if self.peek(2).text != "d" or len(self.peek(2).run) != 2 or self.is_next("^", 4):
            return None
        name = self.take().text
        self.at += 3
        return Symbol(f"{name}'")

    def subscript(self) -> str:
        """A subscript, taken, as it stands in a name."""
        self.expect("_")
        if self.is_next("{"):
            close = self.partner.get(self.at)
            if close is None or close == self.at + 1:
                raise _Unread
            inside = self.tokens[self.at + 1 : close]
            self.at = close + 1
            return f"_{_joined(inside)}"
        token = self.take()
        if token.kind in ("mark", "end"):
            raise _Unread
        text = token.text
        while token.kind == "letter" and self.peek().run == token.run and not self.peek().space:
            if self.peek().kind != "letter":
                break
            text += self.take().text
        return f"_{text}"

    def named(self, name: str) -> Term:
        """A symbol with its marks, or a function of that name with its arguments."""
        base = name
        while True:
            if self.is_next("_"):
                name += self.subscript()
            elif self.peek().text[:1] == "'" and self.peek().kind == "mark":
                name += self.take().text
            else:
                break
        if name in CONSTANTS and name not in self.bound:
            return Constant(CONSTANTS[name]) if name != "Pi" else Symbol("Pi")
        if self.is_next("^") and self.inverse_call(base):
            return Call(f"{name}^{{-1}}", self.arguments())
        if self.is_next("(") or self.is_next("["):
            if self.is_application(base, name):
                arguments = self.arguments()
                if name in ("C", "nCr") and len(arguments) == 2:
                    return Call("binomial", arguments)
                return Call(name, arguments)
        return Symbol(name)

    def inverse_call(self, base: str) -> bool:
        raw = "".join(token.text for token in self.tokens[self.at : self.at + 5])
        if raw != "^{-1}" or not self.is_next("(", 5):
            return False
        self.at += 5
        if self.is_application(base, base):
            return True
        self.at -= 5
        return False

    def is_application(self, base: str, name: str) -> bool:
        """Whether the bracket that follows a name holds its arguments: f(x), but not x(y+z)."""
        close = self.partner.get(self.at)
        if close is None:
            raise _Unread
        if self.is_next("["):
            return base in ("E", "P", "Var", "Cov", "mathbb(E)", "mathbb(P)")
        inside = self.tokens[self.at + 1 : close]
        if base == "f" or base in ("Gamma", "zeta", "mathbb(E)", "mathbb(P)"):
            return True
        if base in ("pi", "d"):
            return False
        depth = 0
        for token in inside:
            if token.text in ("(", "[", "{"):
                depth += 1
            elif token.text in (")", "]", "}"):
                depth -= 1
            elif not depth and token.kind in ("mark", "command"):
                if token.text in (",", ";", "mid") or token.text in _RELATIONS:
                    return True
        if sum(token.text == "|" for token in inside) == 1:
            return True
        if _is_lone(inside):
            return True
        if base in _FUNCTION_LETTERS:
            letters = {token.text for token in inside if token.kind == "letter"}
            return len(letters) == 1 and letters <= _VARIABLES
        return False

    def arguments(self) -> tuple[Term, ...]:
        """Arguments in brackets."""
        left = self.take().text
        right = {"(": ")", "[": "]", "\\{": "\\}"}[left]
        close = self.partner.get(self.at - 1)
        if close is None:
            raise _Unread
        bars = sum(token.text == "|" for token in self.tokens[self.at : close])
        self.opened(bars == 1)
        arguments = [self.argument()]
        while self.accept(",") or self.accept(";"):
            arguments.append(self.argument())
        self.closed()
        self.expect(right)
        return tuple(arguments)

    def argument(self) -> Term:
        left = self.structure()
        while (token := self.peek()).kind in ("mark", "command"):
            if token.text in _RELATIONS:
                self.at += 1
                left = Call(token.text, (left, self.structure()))
            elif token.text == "mid" or (token.text == "|" and self.given[-1]):
                self.at += 1
                left = Call("given", (left, self.argument()))
            else:
                break
        return left

    # Commands and functions.

    def command(self, token: Token) -> Term:
        text = token.text
        method = getattr(self, f"on_{text}", None) if token.kind == "command" else None
        if method is not None:
            self.at += 1
            term: Term = method()
            return term
        if text in FUNCTIONS and not (text == "inf" and token.kind == "name"):
            if token.kind == "name" or text not in GREEK:
                self.at += 1
                return self.function(FUNCTIONS[text])
        if text in CONSTANTS and len(text) > 1 and text not in ("Pi", "inf"):
            self.at += 1
            return Constant(CONSTANTS[text])
        if text == "inf" or text in ("Re", "Im"):
            self.at += 1
            return Constant("infinity")
        if text in GREEK and text not in ("nabla", "partial"):
            self.at += 1
            return self.named(text)
        if token.kind != "command":
            raise _Unread
        if text in ACCENTS:
            self.at += 1
            return self.accent(text)
        raise _Unread

    def on_frac(self) -> Term:
        derivative = self.leibniz()
        if derivative is not None:
            return derivative
        upper = self.upper()
        return _quotient(upper, self.one())

    def upper(self) -> Term:
        r"""The upper part of a fraction; in an integral it may end in dx."""
        close = self.partner.get(self.at) if self.is_next("{") else None
        if not self.differentials or close is None:
            return self.one()
        self.at += 1
        self.opened()
        upper: Term = _ONE if self.at_differential() else self.structure()
        if self.at_differential():
            self.at += 1
            self.differentials[-1] = self.take().text
        self.closed()
        self.expect("}")
        return upper

    def one(self) -> Term:
        r"""One argument of a command: a group, a digit or a token."""
        if self.is_next("{"):
            return self.brace()
        token = self.peek()
        if token.kind == "number":
            if not token.text.isdigit():
                raise _Unread
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
        raise _Unread

    def on_binom(self) -> Term:
        upper = self.one()
        return Call("binomial", (upper, self.one()))

    def on_sqrt(self) -> Term:
        return self.root()

    def root(self) -> Term:
        degree: Term = _TWO
        if self.is_next("["):
            degree = self.group("[", "]")
        return Root(degree, self.under())

    def under(self) -> Term:
        if self.is_next("("):
            return self.group("(", ")")
        if self.is_next("-"):
            raise _Unread
        return self.primary()

    def on_lfloor(self) -> Term:
        self.opened()
        inside = self.structure()
        self.closed()
        if self.accept("rceil"):
            return Call("round", (inside,))
        self.expect("rfloor")
        return Call("floor", (inside,))

    def on_lceil(self) -> Term:
        self.opened()
        inside = self.structure()
        self.closed()
        self.expect("rceil")
        return Call("ceil", (inside,))

    def on_lvert(self) -> Term:
        self.opened()
        inside = self.structure()
        self.closed()
        self.expect("rvert")
        return Call("abs", (inside,))

    def on_langle(self) -> Term:
        self.opened()
        inside = self.structure()
        self.closed()
        self.expect("rangle")
        return Call("average", (inside,))

    def on_Re(self) -> Term:
        return self.function("re")

    def on_Im(self) -> Term:
        return self.function("im")

    def on_neg(self) -> Term:
        return Call("not", (self.factor(),))

    def on_exists(self) -> Term:
        return Call("exists", (self.factor(),))

    def on_forall(self) -> Term:
        return Call("forall", (self.factor(),))

    def on_angle(self) -> Term:
        inside = self.primary()
        if isinstance(inside, Symbol) and len(inside.name) == 3 and inside.name.isupper():
            inside = Symbol(min(inside.name, inside.name[::-1]))
        return Call("angle", (inside,))

    def on_triangle(self) -> Term:
        return Call("triangle", (self.primary(),))

    def on_odot(self) -> Term:
        return Call("circle", (self.primary(),))

    def on_nabla(self) -> Term:
        if self.accept("cdot"):
            return Call("divergence", (self.factor(),))
        if self.accept("times"):
            return Call("curl", (self.factor(),))
        if self.is_next("^") and self.raw_after() == "2":
            self.at += 1
            self.one()
            return Call("laplacian", (self.factor(),))
        return Call("gradient", (self.factor(),))

    def raw_after(self) -> str:
        self.at += 1
        raw = self.raw_exponent() or ""
        self.at -= 1
        return raw

    def accent(self, command: str) -> Term:
        mark = ACCENTS[command]
        if self.is_next("{"):
            close = self.partner.get(self.at)
            if close is None or close == self.at + 1:
                raise _Unread
            inside = self.tokens[self.at + 1 : close]
            if mark in ("overline", "bar") and _is_complex(inside):
                return Call("conjugate", (self.brace(),))
            self.at = close + 1
        else:
            token = self.take()
            if token.kind in ("mark", "end", "number"):
                raise _Unread
            inside = [token]
        if any(token.kind in ("word", "end") for token in inside):
            raise _Unread
        name = _joined(inside)
        if not name:
            raise _Unread
        if mark in ("mathbb", "mathcal", "mathfrak", "mathscr"):
            return self.named(
                name if f"{mark}{name}" in ("mathbbE", "mathbbP") else f"{mark}({name})"
            )
        if mark in ("overline", "bar") and name in ("z", "w") and not self.is_next("_"):
            return Call("conjugate", (Symbol(name),))
        if mark == "overline" and len(name) == 1:
            mark = "bar"
        return self.named(name + mark if mark[0] == "'" else f"{mark}({name})")

    def leibniz(self) -> Term | None:
        r"""A derivative, `\frac{dy}{dx}`, taken; None where the fraction is none."""
        close = self.partner.get(self.at) if self.is_next("{") else None
        if close is None or close + 1 >= len(self.tokens) or self.tokens[close + 1].text != "{":
            return None
        end = self.partner.get(close + 1)
        if end is None:
            return None
        upper, lower = self.tokens[self.at + 1 : close], self.tokens[close + 2 : end]
        if not upper or not lower or upper[0].text not in _DIFFERENTIALS:
            return None
        if lower[0].text != upper[0].text or len(lower) < 2:
            return None
        sign = upper[0].text
        variables = _differentials(lower, sign)
        order, start = _order(upper, 1)
        if variables is None or order != len(variables):
            return None
        inside_at = self.at + 1 + start
        operator = "'" * order if sign == "d" else "partial_" + "_".join(variables)
        if start == len(upper):
            self.at = end + 1
            operand = self.factor()
        else:
            rest = _Parser(self.tokens[inside_at:close])
            operand = rest.whole()
            self.at = end + 1
        if isinstance(operand, Symbol):
            if sign == "d":
                return Symbol(operand.name + operator)
            return Symbol(f"{operator}({operand.name})")
        if sign == "d":
            return Call(f"d{order}/d{variables[0]}", (operand,))
        return Call(operator, (operand,))

    def function(self, name: str) -> Term:
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
        if name == "log" and index is None and after.kind == "number" and not after.space:
            if self.is_next("(", 1):
                index = self.number()
        term = self.applied(name, index)
        if exponent == _MINUS_ONE and name in INVERSES and isinstance(term, Call):
            return Call(INVERSES[name], term.arguments)
        return term if exponent is None else Pow(term, exponent)

    def base(self) -> Term:
        if self.is_next("{"):
            return self.brace()
        if self.peek().kind == "number":
            return self.number()
        return self.one()

    def applied(self, name: str, index: Term | None) -> Term:
        if name == "sqrt":
            return self.root()
        sets = ("max", "min", "gcd", "lcm", "sup", "inf")
        if self.is_next("(") or self.is_next("[") or (self.is_next("\\{") and name in sets):
            arguments = self.arguments()
        elif name in ("pow", "binomial", "gcd", "lcm", "max", "min", "comb"):
            if name in ("pow", "binomial"):
                raise _Unread
            arguments = (self.bare(name),)
        else:
            arguments = (self.bare(name),)
        if name == "cbrt" and len(arguments) == 1:
            return Root(_THREE, arguments[0])
        if name == "pow":
            if len(arguments) != 2:
                raise _Unread
            return Pow(*arguments)
        if name == "log" and len(arguments) == 2 and index is None:
            return Call(name, arguments[:1], arguments[1])
        return Call(name, arguments, index)

    def bare(self, name: str) -> Term:
        r"""The argument of a function without brackets: \sin 2x."""
        if self.is_next("-"):
            self.at += 1
            return _negative(self.bare(name))
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
            factors.append(Pow(self.number(), _MINUS_ONE))
        return _product(factors)

    def continues(self, factors: list[Term]) -> bool:
        token = self.peek()
        numeric = all(isinstance(item, Number) or item == Constant("pi") for item in factors)
        if token.kind in ("letter", "capitals"):
            if token.text in "ei" and token.text not in self.bound:
                return numeric
            return True
        if token.kind in ("name", "command") and (token.text in GREEK or token.text == "pi"):
            return token.text not in ("nabla", "partial") or numeric
        if token.kind == "mark" or token.text in ("frac", "sqrt", "binom"):
            return numeric
        return False

    # Operators with a bound variable.

    def bounds(self) -> tuple[int | None, int | None]:
        """The positions of the lower and the upper end, both skipped."""
        ends: dict[str, int] = {}
        while self.is_next("_") or self.is_next("^"):
            sign = self.take().text
            if sign in ends:
                raise _Unread
            ends[sign] = self.at
            if self.is_next("{"):
                close = self.partner.get(self.at)
                if close is None:
                    raise _Unread
                self.at = close + 1
            else:
                minus = self.is_next("-")
                self.at += 1 + minus
        return ends.get("_"), ends.get("^")

    def read_at(self, at: int | None) -> Term | None:
        if at is None:
            return None
        back, self.at = self.at, at
        if self.is_next("{"):
            term = self.brace()
        else:
            minus = self.accept("-")
            token = self.peek()
            term = self.number() if token.kind == "number" else self.one()
            term = _negative(term) if minus else term
        self.at = back
        return term

    def on_sum(self) -> Term:
        return self.big("sum")

    def on_prod(self) -> Term:
        return self.big("product")

    def big(self, operator: str) -> Term:
        lower_at, upper_at = self.bounds()
        upper = self.read_at(upper_at)
        if lower_at is None:
            raise _Unread
        back, self.at = self.at, lower_at
        braced = self.accept("{")
        variable = self.variable()
        lower: Term | None = None
        if braced:
            if self.accept("="):
                lower = self.structure()
            self.expect("}")
        self.at = back
        return self.bound_body(operator, variable, lower, upper)

    def bound_body(
        self, operator: str, variable: str, lower: Term | None, upper: Term | None
    ) -> Term:
        self.bound.append(variable)
        body = self.product()
        self.bound.pop()
        return Bound(operator, variable, lower, upper, body)

    def variable(self) -> str:
        token = self.take()
        if token.kind == "letter" or (token.text in GREEK and token.kind in ("name", "command")):
            return token.text + (self.subscript() if self.is_next("_") else "")
        raise _Unread

    def on_lim(self) -> Term:
        lower_at, upper_at = self.bounds()
        if lower_at is None or upper_at is not None:
            raise _Unread
        back, self.at = self.at, lower_at
        self.expect("{")
        variable = self.variable()
        self.expect("to")
        lower = self.structure()
        self.expect("}")
        self.at = back
        return self.bound_body("limit", variable, lower, None)

    def on_int(self) -> Term:
        return self.integral("int")

    def on_oint(self) -> Term:
        return self.integral("oint")

    def integral(self, name: str) -> Term:
        lower_at, upper_at = self.bounds()
        lower, upper = self.read_at(lower_at), self.read_at(upper_at)
        self.differentials.append("")
        body: Term = _ONE if self.at_differential() else self.sum()
        variable = self.differentials.pop()
        if not variable:
            self.differentials.append("")
            if self.at_differential():
                self.at += 1
                variable = self.variable()
            self.differentials.pop()
        if name == "int" and variable:
            return Bound("integral", variable, lower, upper, body)
        ends = tuple(end for end in (lower, upper) if end is not None)
        along = (Symbol(variable),) if variable else ()
        return Call(name, (body, *ends, *along))


def _partners(tokens: list[Token]) -> dict[int, int]:
    """The position of the closing bracket of each opening one."""
    closing = {")": "(", "]": "[", "}": "{", "\\}": "\\{"}
    partner: dict[int, int] = {}
    opened: list[int] = []
    for index, token in enumerate(tokens):
        if token.kind != "mark":
            continue
        if token.text in ("(", "[", "{", "\\{"):
            opened.append(index)
        elif token.text in closing and opened and tokens[opened[-1]].text == closing[token.text]:
            partner[opened.pop()] = index
    return partner


def _has_variables(tokens: list[Token]) -> bool:
    """Whether a text has lower-case variables, so that capitals side by side are a product."""
    for index, token in enumerate(tokens):
        before = tokens[index - 1].text if index else ""
        if before == "_" or (before == "{" and index > 1 and tokens[index - 2].text == "_"):
            continue
        if token.kind == "letter" and token.text.islower() and token.text not in "eid":
            return True
        if token.kind in ("command", "name") and token.text in GREEK and token.text.islower():
            if token.text not in ("pi", "nabla", "partial"):
                return True
    return False


def _with_products(tokens: list[Token], partner: dict[int, int]) -> list[Token]:
    """The tokens with runs of capitals as single letters, but in names of geometry."""
    kept: list[Token] = []
    until = -1
    for index, token in enumerate(tokens):
        if token.kind == "command" and token.text in _NAMERS:
            until = max(until, partner.get(index + 1, index + 1))
        if token.text == "_" and token.kind == "mark":
            until = max(until, partner.get(index + 1, index + 1))
        if token.kind == "capitals" and index > until:
            for at, letter in enumerate(token.text):
                kept.append(Token("letter", letter, token.space and not at, ""))
        else:
            kept.append(token)
    return kept


def _is_vector(term: Term) -> bool:
    return isinstance(term, Symbol) and term.name.startswith("vec(")


def _is_lone(tokens: list[Token]) -> bool:
    """Whether the tokens are one number or one name."""
    if not tokens:
        return False
    head, rest = tokens[0], tokens[1:]
    if head.kind == "number" and not rest:
        return True
    if head.kind not in ("letter", "capitals") and head.text not in GREEK:
        return False
    return not rest or (rest[0].text == "_" and (len(rest) == 2 or rest[-1].text == "}"))


def _is_complex(tokens: list[Token]) -> bool:
    return any(token.text in ("+", "-", "i") for token in tokens) and len(tokens) > 1


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
