"""The tokens of an expression."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rlvr_fast.tasks.schemes.math.parsing.names import (
    CONSTANTS,
    FUNCTIONS,
    GLUED,
    GREEK,
    NAMERS,
    PYTHON,
)

__all__ = ["Token", "has_variables", "partners", "tokens_of", "with_products"]

_TOKEN = re.compile(
    r"(?P<space> +)|(?P<number>\d+\.?\d*|\.\d+|\.(?=\\overline|\\dot|\\bar|\(\d))"
    r"|(?P<primed>(?:[A-Z]'*)+[A-Z]'+(?![A-Za-z]))|(?P<run>[A-Za-z]+)|\\(?P<command>[A-Za-z]+)"
    r"|(?P<mark>\\[{}|]|\*\*|\^\\circ(?![A-Za-z])|'+|.)",
    re.DOTALL,
)

_NAMES = "|".join(GLUED)
_GLUED = re.compile(f"[A-Za-z]?(?:(?:{_NAMES})(?:pi|[A-Za-z]))+|[A-Za-z](?:{_NAMES})")
_GLUED_PART = re.compile(f"({_NAMES})")


@dataclass(slots=True)
class Token:
    """One token.

    Attributes:
        kind: "number", "letter" (one), "capitals" (a run of two or more), "name" (a function, a
            constant or a Greek letter), "word", "command" or "mark".
        text: the text; of a command without its backslash.
        space: whether a space stands before.
        run: the run of letters that the token is part of.
    """

    kind: str
    text: str
    space: bool = False
    run: str = ""

    def is_name(self) -> bool:
        """Whether the token is a letter of any alphabet."""
        return self.kind == "letter" or self.text in GREEK


def tokens_of(text: str) -> list[Token]:
    """The tokens of a text."""
    tokens: list[Token] = []
    space = False
    for match in _TOKEN.finditer(text):
        kind, found = str(match.lastgroup), match[0]
        if kind == "space":
            space = True
            continue
        if kind == "run":
            pieces = _pieces(found)
            pieces[0].space = space
            for piece in pieces:
                piece.run = found
            tokens += pieces
        elif kind == "primed":
            tokens.append(Token("capitals", found, space))  # A'B': a name of geometry
        elif kind == "command":
            tokens.append(Token("command", found[1:], space))
        else:
            tokens.append(Token(kind, found, space))
        space = False
    return _with_capitals(_without_modules(tokens))


def _without_modules(tokens: list[Token]) -> list[Token]:
    kept: list[Token] = []
    for index, token in enumerate(tokens):
        after = tokens[index + 1] if index + 1 < len(tokens) else token
        if token.text in ("re", "im") and after.text == "^":
            kept += [Token("letter", letter, False, token.text) for letter in token.text]
            continue  # re^{ix}
        if (
            len(kept) > 1
            and kept[-1].text == "."
            and kept[-2].text in PYTHON
            and (token.kind == "name" or token.text == "e")
        ):
            module = kept[-2].text
            del kept[-2:]
            based = after.kind == "number" and not after.space  # log2(x)
            if token.text == "log" and module != "sympy" and not based:
                token = Token("name", "ln", token.space, token.run)
        kept.append(token)
    # A module's name that stands alone is a product of letters.
    return [
        piece for token in kept for piece in (_letters(token) if token.text in PYTHON else [token])
    ]


def _letters(token: Token) -> list[Token]:
    if len(token.text) > 2:
        return [Token("word", token.text, token.space, token.run)]
    return [
        Token("letter", token.text[0], token.space, token.run),
        Token("letter", token.text[1], run=token.run),
    ]


def _with_capitals(tokens: list[Token]) -> list[Token]:
    """The tokens with capitals side by side as one run, whatever spaces are between: A B C."""
    kept: list[Token] = []
    for index, token in enumerate(tokens):
        after = tokens[index + 1].text if index + 1 < len(tokens) else ""
        if kept and _are_capitals(kept[-1]) and _are_capitals(token) and after not in ("(", "["):
            last = kept.pop()
            token = Token("capitals", last.text + token.text, last.space, last.run)
        kept.append(token)
    return kept


def _are_capitals(token: Token) -> bool:
    return token.kind == "capitals" or (token.kind == "letter" and token.text.isupper())


def _known(run: str) -> bool:
    return run == "mod" or run in FUNCTIONS or run in GREEK or (run in CONSTANTS and len(run) > 1)


def _pieces(run: str) -> list[Token]:
    """The tokens of a run of letters."""
    if len(run) == 1:
        return [Token("letter", run)]
    if _known(run) or run in PYTHON:
        return [Token("name", run)]
    if run == "choose":
        return [Token("command", run)]
    if run.isupper():
        return [Token("capitals", run)]
    if len(run) <= 16 and (parts := _glued(run)):
        return [piece for part in parts for piece in _pieces(part)]
    if len(run) == 3 and "pi" in run:
        return [piece for part in re.split("(pi)", run) if part for piece in _pieces(part)]
    if _is_word(run):
        return [Token("word", run)]
    parts = re.findall(r"[A-Z]{2,}|[A-Za-z]", run)
    return [Token("letter" if len(part) == 1 else "capitals", part) for part in parts]


def _glued(run: str) -> list[str]:
    """The parts of functions without spaces, 'xsinx'; empty where the run is none."""
    match = _GLUED.fullmatch(run)
    if match is None:
        return []
    return [part for part in _GLUED_PART.split(run) if part]


def _is_word(run: str) -> bool:
    """Whether a run is no product of letters."""
    if len(run) < 3:
        return False
    if run[0].isupper() and run[1:].islower() and set(run.lower()) & set("aeiouy"):
        return True
    if run.islower() and list(run) == sorted(set(run)):
        return False  # a product in the order of the alphabet
    return len(run) > 4 or len(set(run)) < len(run)


def partners(tokens: list[Token]) -> dict[int, int]:
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


def has_variables(tokens: list[Token]) -> bool:
    """Whether a text has lower-case variables, so that capitals side by side are a product."""
    for index, token in enumerate(tokens):
        before = tokens[index - 1].text if index else ""
        if before == "_" or (before == "{" and index > 1 and tokens[index - 2].text == "_"):
            continue
        if token.kind == "letter" and token.text.islower() and token.text not in "eid":
            return True
        greek = token.kind in ("command", "name") and token.text in GREEK
        if greek and token.text.islower() and token.text != "pi":
            return True
    return False


def with_products(tokens: list[Token], partner: dict[int, int]) -> list[Token]:
    """The tokens with runs of capitals as single letters, but in names of geometry."""
    kept: list[Token] = []
    until = -1
    for index, token in enumerate(tokens):
        if token.kind == "command" and token.text in NAMERS:
            until = max(until, partner.get(index + 1, index + 1))
        if token.text == "_" and token.kind == "mark":
            until = max(until, partner.get(index + 1, until))
        if token.kind == "capitals" and index > until:
            for at, letter in enumerate(token.text):
                kind = "letter" if letter.isalpha() else "mark"
                kept.append(Token(kind, letter, token.space and not at, ""))
        else:
            kept.append(token)
    return kept
