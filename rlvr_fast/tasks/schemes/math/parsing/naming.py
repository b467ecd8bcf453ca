"""Names: letters with their marks, and functions of any name."""

from __future__ import annotations

import re

from rlvr_fast.tasks.schemes.math.parsing.cursor import END, NoTermError
from rlvr_fast.tasks.schemes.math.parsing.names import (
    ACCENTS,
    ALONG,
    CONSTANTS,
    FUNCTION_LETTERS,
    GREEK,
    RELATIONS,
    SUBSCRIPTS,
    VARIABLES,
)
from rlvr_fast.tasks.schemes.math.parsing.numbers import Numbers
from rlvr_fast.tasks.schemes.math.parsing.tokens import Token
from rlvr_fast.tasks.schemes.math.terms.nodes import Add, Call, Constant, Mul, Number, Symbol, Term

__all__ = ["Naming"]


class Naming(Numbers):
    """Reads names."""

    def letter(self) -> Term:
        """A name that begins with a letter."""
        token = self.take()
        text = token.text
        taken = self.leibniz_in_line(token)
        if taken is not None:
            return taken
        after = self.peek()
        if text == "m" and self.is_next("angle"):
            return self.primary()  # the measure of an angle
        if text == "j" and self.is_imaginary():
            return Constant("i")
        if after.kind == "number" and not after.space and after.text.isdigit():
            if self.at > 1 and self.tokens[self.at - 2].kind == "number" and text in "xX":
                raise NoTermError  # 2x3: two by three
            if text in "ei" and text not in self.bound:
                raise NoTermError
            if after.text in ("0", "1") or not (self.is_next("^", 1) or self.is_next("**", 1)):
                if len(after.text) > 2:
                    raise NoTermError
                self.at += 1
                return self.named(f"{text}_{after.text}")
        return self.named(text)

    def is_imaginary(self) -> bool:
        """Whether the letter j that is taken is the imaginary unit, as in Python: 3+4j."""
        before = self.tokens[self.at - 2] if self.at > 1 else END
        if before.kind != "number" or self.tokens[self.at - 1].space:
            return False
        return not any(token.is_name() and token.text != "j" for token in self.tokens)

    def leibniz_in_line(self, token: Token) -> Term | None:
        """The derivative dy/dx in plain text."""
        if token.text != "d" or len(token.run) != 2 or not self.is_next("/", 1):
            return None
        if self.peek(2).text != "d" or len(self.peek(2).run) != 2 or self.is_next("^", 4):
            return None
        name = self.take().text
        self.at += 2
        return Symbol(f"{name}'{ALONG}{self.take().text}")

    def subscript(self) -> str:
        """A subscript, taken, as it stands in a name."""
        self.expect("_")
        if self.is_next("{"):
            close = self.partner.get(self.at)
            if close is None or close == self.at + 1:
                raise NoTermError
            inside = self.tokens[self.at + 1 : close]
            self.at = close + 1
            return f"_{_joined(inside)}"
        token = self.take()
        if token.kind in ("mark", "end"):
            raise NoTermError
        if token.kind == "letter" and token.run in SUBSCRIPTS:
            self.at += len(token.run) - 1
            return f"_{token.run}"
        return f"_{token.text}"

    def named(self, name: str) -> Term:
        """A symbol with its marks, or a function of that name with its arguments."""
        base = name
        while True:
            if self.is_next("_"):
                if self.holds_bound():
                    self.at += 1
                    return Call(f"{name}_", (self.base(),))
                stem = name.rstrip("'")  # the index of \dot{x}_1 stands before its dot
                name = stem + self.subscript() + name[len(stem) :]
            elif self.peek().text[:1] == "'" and self.peek().kind == "mark":
                name += self.take().text
            else:
                break
        if name in CONSTANTS and name not in self.bound:
            return Constant(CONSTANTS[name])
        if self.is_next("^") and self.inverse_call(base):
            return Call(f"{name}^{{-1}}", self.arguments())
        if (self.is_next("(") or self.is_next("[")) and self.is_application(base):
            arguments = self.arguments()
            if len(arguments) == 2 and (name == "C" or (name == "P" and _are_whole(arguments))):
                return self.chosen(name, *arguments)
            return Call(name, arguments)
        return Symbol(name)

    def holds_bound(self) -> bool:
        """Whether the subscript that follows has a bound variable, so that it is an argument."""
        close = self.partner.get(self.at + 1, self.at + 1)
        inside = self.tokens[self.at + 1 : close + 1]
        return any(token.kind == "letter" and token.text in self.bound for token in inside)

    def inverse_call(self, base: str) -> bool:
        """Takes `^{-1}` of a function that has arguments."""
        raw = "".join(token.text for token in self.tokens[self.at : self.at + 5])
        if raw != "^{-1}" or not self.is_next("(", 5):
            return False
        self.at += 5
        if self.is_application(base):
            return True
        self.at -= 5
        return False

    def is_application(self, base: str) -> bool:
        """Whether the bracket that follows a name holds its arguments: f(x), but not x(y+z)."""
        base = base.rstrip("'")
        close = self.partner.get(self.at)
        if close is None:
            raise NoTermError
        if self.is_next("["):
            return base in ("E", "P", "Var", "Cov", "mathbb(E)", "mathbb(P)")
        inside = self.tokens[self.at + 1 : close]
        if base == "f" or base in ("Gamma", "zeta", "O", "mathbb(E)", "mathbb(P)"):
            return True
        if base in ("pi", "d"):
            return False
        depth = 0
        for token in inside:
            if token.text in ("(", "[", "{"):
                depth += 1
            elif token.text in (")", "]", "}"):
                depth -= 1
            elif depth or token.kind not in ("mark", "command"):
                continue
            elif token.text in (",", ";", "mid") or token.text in RELATIONS:
                return True
        if sum(token.text == "|" for token in inside) == 1:
            return True
        if _is_lone(inside):
            return True
        capitals = any(token.text[:1].isupper() for token in inside)
        if base in ("E", "P") and capitals and not any(_is_small(token) for token in inside):
            return True  # of a random variable, E(X^2), or of an event
        if base in FUNCTION_LETTERS:
            letters = {token.text for token in inside if token.kind == "letter"}
            return len(letters) == 1 and letters <= VARIABLES
        return False

    def accent(self, command: str) -> Term:
        """A name with a mark above it."""
        mark = ACCENTS[command]
        if self.is_next("{"):
            close = self.partner.get(self.at)
            if close is None or close == self.at + 1:
                raise NoTermError
            inside = self.tokens[self.at + 1 : close]
            if mark in ("overline", "bar") and _is_complex(inside):
                return Call("conjugate", (self.brace(),))
            self.at = close + 1
        else:
            token = self.take()
            if token.kind in ("mark", "end", "number"):
                raise NoTermError
            inside = [token]
        if any(token.kind in ("word", "end") for token in inside):
            raise NoTermError
        name = _joined(inside)
        if not name:
            raise NoTermError
        if mark in ("mathbb", "mathcal", "mathfrak", "mathscr"):
            return self.named(
                name if f"{mark}{name}" in ("mathbbE", "mathbbP") else f"{mark}({name})"
            )
        if mark in ("overline", "bar") and name in ("z", "w") and not self.is_next("_"):
            return Call("conjugate", (Symbol(name),))
        if mark == "overline" and len(name) == 1:
            mark = "bar"
        return self.named(name + mark if mark[0] == "'" else f"{mark}({name})")

    def marked(self, base: Term, raw: str) -> Term | None:
        """A name with a mark as its exponent, A^T; None where the exponent is a power."""
        mark = None
        if raw in ("top", "intercal") or (raw == "T" and _is_matrix(base)):
            mark = "T"
        elif raw in ("*", "dagger", "ast", "+", "-", "perp", "complement"):
            if raw in "+-" and not self.is_next("{"):
                return None
            mark = raw
        elif re.fullmatch(r"\([1-9a-z]\)", raw) and isinstance(base, Symbol):
            if base.name[:1] not in "fghyu":
                return None
            mark = "'" * int(raw[1]) if raw[1].isdigit() else raw
        if mark is None:
            return None
        self.at = self.partner[self.at] + 1 if self.is_next("{") else self.at + 1
        if mark == "*" and base in (Symbol("z"), Symbol("w")):
            return Call("conjugate", (base,))
        if isinstance(base, Symbol):
            return self.named(base.name + mark) if mark[0] == "'" else Symbol(f"{base.name}^{mark}")
        if isinstance(base, Number | Constant):
            raise NoTermError
        return Call(f"^{mark}", (base,))


def _is_matrix(term: Term) -> bool:
    """Whether a term may be a matrix, of which T as an exponent is no power."""
    if isinstance(term, Add | Mul):
        return all(_is_matrix(part) for part in term.parts)
    return isinstance(term, Symbol) and (term.name[0].isupper() or "(" in term.name)


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


def _is_small(token: Token) -> bool:
    return token.kind == "letter" and token.text.islower()


def _are_whole(terms: tuple[Term, ...]) -> bool:
    return all(
        isinstance(term, Number) and term.value.denominator == 1 and term.value >= 0
        for term in terms
    )


def _is_complex(tokens: list[Token]) -> bool:
    return any(token.text in ("+", "-", "i") for token in tokens) and len(tokens) > 1


def _joined(tokens: list[Token]) -> str:
    return "".join(token.text for token in tokens if token.text not in "{}")
