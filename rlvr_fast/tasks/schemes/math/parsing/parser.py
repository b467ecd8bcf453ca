"""From text to a term: LaTeX, plain text and Python spelling."""

from __future__ import annotations

import re
from fractions import Fraction

from rlvr_fast.tasks.schemes.math.parsing.calling import Calling
from rlvr_fast.tasks.schemes.math.parsing.cursor import DEEPEST, END, NoTermError
from rlvr_fast.tasks.schemes.math.parsing.names import GREEK, OPERATORS, OVER, TIMES, WORDS
from rlvr_fast.tasks.schemes.math.parsing.tokens import (
    Token,
    has_variables,
    partners,
    tokens_of,
    with_products,
)
from rlvr_fast.tasks.schemes.math.terms.making import MINUS_ONE, negative, product
from rlvr_fast.tasks.schemes.math.terms.nodes import (
    Add,
    Call,
    Constant,
    Mul,
    Number,
    Pow,
    Symbol,
    Term,
)

__all__ = ["parse_term"]

_LONGEST = 4000
# The powers, factorials and primes after one factor.
_MARKS = 8
# A power of ten of this size is part of the number before it: 1.5\times 10^{3}.
_LARGEST_EXPONENT = 400
_CYCLES = re.compile(r"(?:\(\d+\)){2,}")
_MOST_CYCLES = 60


def parse_term(text: str) -> Term | None:
    r"""The one expression that a whole text is; None where any part of it is not read.

    Args:
        text: one expression, cleaned by `clean`. A relation, a list, a set, a unit or
            a word is none.

    Example:
        >>> parse_term("2x") == parse_term(r"2 \cdot x")
        True
    """
    text = text.strip()
    if not text or len(text) > _LONGEST:
        return None
    tokens = tokens_of(text)
    if _is_word(tokens):
        return None
    try:
        if has_variables(tokens):
            tokens = with_products(tokens, partners(tokens))
        return Parser(tokens).whole()
    except NoTermError:
        return None


def _is_word(tokens: list[Token]) -> bool:
    """Whether a whole text is a word, and no product of letters."""
    run = tokens[0].run
    if not run or any(token.run != run or token.kind != "letter" for token in tokens):
        return False
    return (len(tokens) > 2 and run.islower()) or run.lower() in WORDS


class Parser(Calling):
    """A precedence parser: operators, from those that bind least, and factors."""

    ordered_times = False

    def whole(self) -> Term:
        """The expression that all tokens are."""
        self.ordered_times = _has_ordered_times(self.tokens)
        if self.is_next("[") and self.partner.get(0) == len(self.tokens) - 1:
            raise NoTermError  # a list
        if _CYCLES.fullmatch("".join(token.text for token in self.tokens[:_MOST_CYCLES])):
            raise NoTermError  # (12)(34), a permutation
        term = self.structure()
        if self.accept("choose"):
            term = Call("binomial", (term, self.structure()))
        if self.at != len(self.tokens):
            raise NoTermError
        return term

    def structure(self, level: int = 0) -> Term:
        self.deeper()
        left = self.modulo()
        operators = 0
        while (token := self.peek()).kind == "command" and token.text in OPERATORS:
            name, own, ordered = OPERATORS[token.text]
            if own < level:
                break
            operators += 1
            if operators > DEEPEST:
                raise NoTermError
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
        """A remainder."""
        left = self.sum()
        if self.is_next("bmod") or (self.peek().kind == "name" and self.peek().text == "mod"):
            self.at += 1
            left = Call("mod", (left, self.sum()))
        return left

    def sum(self) -> Term:
        terms = [self.signed(1)]
        while self.is_next("+") or self.is_next("-"):
            terms.append(self.signed(2))
        return terms[0] if len(terms) == 1 else Add(tuple(terms))

    def signs(self, most: int = 1) -> bool:
        """Takes signs; whether they are negative together."""
        minus = False
        while self.is_next("+") or self.is_next("-"):
            most -= 1
            if most < 0:
                raise NoTermError
            minus ^= self.take().text == "-"
        return minus

    def signed(self, most: int) -> Term:
        """A product with signs: the one that adds it, and its own."""
        minus = self.signs(most)
        term = self.product()
        return negative(term) if minus else term

    def product(self) -> Term:
        factors = [self.implicit()]
        while True:
            token = self.peek()
            if token.kind not in ("mark", "command"):
                break
            if token.text in TIMES:
                self.at += 1
                minus = self.signs()
                right = self.implicit()
                self.multiply(factors, token.text, negative(right) if minus else right)
            elif token.text in OVER:
                self.at += 1
                minus = self.signs()
                right = self.denominator()
                factors.append(Pow(negative(right) if minus else right, MINUS_ONE))
                self.more(factors)
            else:
                break
        return product(factors)

    def multiply(self, factors: list[Term], sign: str, right: Term) -> None:
        """Appends a factor after a sign of multiplication."""
        last = factors[-1]
        if sign == "times" and self.is_ordered(last, right):
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

    def is_ordered(self, left: Term, right: Term) -> bool:
        r"""Whether the factors beside `\times` are vectors or sets, whose order counts."""
        if self.ordered_times:
            return _has_symbol(left) and _has_symbol(right)
        return _is_vector(left) and _is_vector(right)

    def implicit(self) -> Term:
        """A product without signs: 2x(y+1)."""
        start = self.at
        first = self.factor()
        if self.at == start + 1 and self.tokens[start].kind == "number" and _is_integer(first):
            first = self.mixed(first)
            sign, after = self.peek(), self.peek(1)
            if sign.text in ("C", "P") and after.kind == "number":  # 5C2
                if sign.space or after.space:
                    raise NoTermError
                self.at += 1
                first = self.chosen(sign.text, first, self.number())
        factors = [first]
        self.more(factors)
        return product(factors)

    def more(self, factors: list[Term]) -> None:
        """Appends the factors that stand side by side."""
        while self.starts_factor():
            self.check_apart()
            self.no_two_numbers()
            factors.append(self.factor())

    def no_two_numbers(self) -> None:
        """Refuses numbers side by side."""
        if self.peek().kind == "number" and self.tokens[self.at - 1].kind == "number":
            before = self.peek(-2) if self.at > 1 else END
            if before.text not in ("^", "**") or not self.peek().space:
                raise NoTermError

    def denominator(self) -> Term:
        """What stands after a slash: 1/2x is (1/2)x, t/RC is t/(RC)."""
        token = self.peek()
        letters = token.kind in ("letter", "capitals") or (
            token.kind in ("name", "command") and token.text in GREEK
        )
        factors = [self.factor()]
        if letters:
            self.more(factors)
        return product(factors)

    def factor(self) -> Term:
        base = self.primary()
        for _ in range(_MARKS):
            token = self.peek()
            if token.kind != "mark":
                return base
            if token.text == "!":
                self.at += 1
                double = self.is_next("!") and not self.peek().space
                if double:
                    self.at += 1
                    if self.is_next("!"):
                        raise NoTermError
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
        raise NoTermError

    def primed(self, base: Term, primes: str) -> Term:
        """A derivative of something other than a name."""
        if isinstance(base, Number | Constant):
            raise NoTermError
        return Call(primes, (base,))

    def power(self, base: Term) -> Term:
        """A power, before its sign."""
        self.at += 1
        raw = self.raw_exponent()
        if raw is not None:
            marked = self.marked(base, raw)
            if marked is not None:
                return marked
        return Pow(base, self.exponent())

    def exponent(self) -> Term:
        """An exponent."""
        self.deeper()
        term = self._signed_exponent()
        self.depth -= 1
        return term

    def _signed_exponent(self) -> Term:
        if self.is_next("-") or self.is_next("+"):
            minus = self.signs()
            term = self.exponent()
            return negative(term) if minus else term
        if self.peek().kind in ("capitals", "word"):
            raise NoTermError
        term = self.primary()
        if self.is_next("^") or self.is_next("**"):
            self.at += 1
            return Pow(term, self.exponent())
        return term

    def primary(self) -> Term:
        self.deeper()
        term = self.unmarked()
        self.depth -= 1
        return term

    def unmarked(self) -> Term:
        """A factor without powers and marks."""
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
        if token.kind == "word" and self.is_next("(", 1) and not self.peek(1).space:
            self.at += 1
            return Call(token.text, self.arguments())  # Bin(10, 0.5)
        raise NoTermError

    def bracket(self, token: Token) -> Term:
        """What begins with a bracket or a bar."""
        if token.text in ("^", "_") or (token.text == "{" and self.is_next("}", 1)):
            return self.combinations()
        if token.text == "(":
            return self.group("(", ")")
        if token.text == "[":
            return self.square()
        if token.text == "{":
            return self.brace()
        if token.text in ("|", "\\|"):
            self.at += 1
            self.bars[-1] += 1
            inside = self.structure()
            self.bars[-1] -= 1
            self.expect(token.text)
            return Call("abs", (inside,))
        raise NoTermError

    def square(self) -> Term:
        """Square brackets: round a sum or other brackets; else a function of their own."""
        close = self.partner.get(self.at, self.at)
        brackets = any(token.text == "(" for token in self.tokens[self.at : close])
        inside = self.group("[", "]")
        return inside if brackets or isinstance(inside, Add) else Call("bracket", (inside,))


def _is_integer(term: Term) -> bool:
    return isinstance(term, Number) and term.value.denominator == 1


def _is_vector(term: Term) -> bool:
    if isinstance(term, Call):
        return term.name == "cross"
    return isinstance(term, Symbol) and term.name.startswith("vec(")


def _has_symbol(term: Term) -> bool:
    if isinstance(term, Add | Mul):
        return any(_has_symbol(part) for part in term.parts)
    if isinstance(term, Call):
        return any(_has_symbol(argument) for argument in term.arguments)
    return _has_symbol(term.base) if isinstance(term, Pow) else isinstance(term, Symbol)


def _is_symbol(token: Token) -> bool:
    return token.is_name() and token.text not in ("e", "i", "pi")


def _has_ordered_times(tokens: list[Token]) -> bool:
    r"""Whether `\times` in a text is a product of sets or of vectors, and no plain product.

    So it is between capitals, where the text has nothing else, and beside a `\cdot` between
    symbols.
    """
    signs = set()
    for index, token in enumerate(tokens):
        if token.text in ("cdot", "times") and 0 < index < len(tokens) - 1:
            sides = [_is_symbol(tokens[index - 1]), _is_symbol(tokens[index + 1])]
            brackets = tokens[index - 1].text == ")" or tokens[index + 1].text == "("
            if all(sides) or (token.text == "cdot" and any(sides) and brackets):
                signs.add(token.text)
    if "times" in signs and "cdot" in signs:
        return True
    names = [token for token in tokens if token.text not in ("times", "mathbb", "{", "}")]
    capitals = all(token.kind in ("letter", "capitals") and token.text.isupper() for token in names)
    return capitals and 1 < len(names) == 1 + sum(token.text == "times" for token in tokens)
