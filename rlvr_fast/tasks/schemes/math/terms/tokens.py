"""The tokens of an expression."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rlvr_fast.tasks.schemes.math.terms.names import (
    CONSTANTS,
    FUNCTIONS,
    GLUED,
    GREEK,
    PYTHON,
)

__all__ = ["Token", "tokens_of"]

_TOKEN = re.compile(
    r"(?P<space> +)|(?P<number>\d+\.?\d*|\.\d+)|(?P<run>[A-Za-z]+)|\\(?P<command>[A-Za-z]+)"
    r"|(?P<mark>\\[{}|]|\*\*|\^\\circ(?![A-Za-z])|'+|.)",
    re.DOTALL,
)


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
        elif kind == "command":
            tokens.append(Token("command", found[1:], space))
        else:
            tokens.append(Token(kind, found, space))
        space = False
    return _without_modules(tokens)


def _without_modules(tokens: list[Token]) -> list[Token]:
    kept: list[Token] = []
    for token in tokens:
        if (
            len(kept) > 1
            and kept[-1].text == "."
            and kept[-2].text in PYTHON
            and token.kind == "name"
        ):
            module = kept[-2].text
            del kept[-2:]
            if token.text == "log" and module != "sympy":
                token = Token("name", "ln", token.space, token.run)
        kept.append(token)
    # A module's name that stands alone is a product of letters.
    return [
        piece for token in kept for piece in (_letters(token) if token.text in PYTHON else [token])
    ]


def _letters(token: Token) -> list[Token]:
    if len(token.text) > 2:
        return [Token("word", token.text, token.space, token.run)]
    first, second = token.text
    return [Token("letter", first, token.space, token.run), Token("letter", second, run=token.run)]


def _known(run: str) -> bool:
    return run == "mod" or run in FUNCTIONS or run in GREEK or (run in CONSTANTS and len(run) > 1)


def _pieces(run: str) -> list[Token]:
    """The tokens of a run of letters."""
    if len(run) == 1:
        return [Token("letter", run)]
    if _known(run) or run in PYTHON:
        return [Token("name", run)]
    if run.isupper():
        return [Token("capitals", run)]
    if len(run) <= 12:
        for name in GLUED:
            at = run.find(name)
            if at >= 0 and at <= 2 and len(run) - at - len(name) <= 2:
                parts = (run[:at], name, run[at + len(name) :])
                return [piece for part in parts if part for piece in _pieces(part)]
        for at in (0, len(run) - 2):
            if len(run) <= 4 and run[at : at + 2] == "pi":
                parts = (run[:at], "pi", run[at + 2 :])
                return [piece for part in parts if part for piece in _pieces(part)]
    if _is_word(run):
        return [Token("word", run)]
    parts = re.findall(r"[A-Z]{2,}|[A-Za-z]", run)
    return [Token("letter" if len(part) == 1 else "capitals", part) for part in parts]


def _is_word(run: str) -> bool:
    """Whether a run is no product of letters."""
    if len(run) < 3:
        return False
    if run[0].isupper() and run[1:].islower() and set(run.lower()) & set("aeiouy"):
        return True
    if run.islower() and list(run) == sorted(set(run)):
        return False  # a product in the order of the alphabet
    return len(run) > 4 or len(set(run)) < len(run)
