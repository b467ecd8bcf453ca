r"""Where a text is split: only outside of brackets, groups and environments.

Every function here is one pass over the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = [
    "CONJUNCTION",
    "Split",
    "enclosed",
    "environment",
    "is_or",
    "split",
    "stripped",
    "words",
]

# Space that LaTeX writes, between two parts.
_SPACE = r"(?:\s|~|\\quad(?![A-Za-z])|\\qquad(?![A-Za-z])|\\[,;:! ])"
_EDGES = ("\\qquad", "\\quad", "\\,", "\\;", "\\:", "\\!", "\\ ", "~")


def words(alternatives: str) -> str:
    r"""A pattern of words in running text or in `\text{...}`.

    Example:
        >>> bool(re.fullmatch(words("and|or"), r"\text{ and }"))
        True
    """
    return (
        rf"(?:\\(?:text|mbox|mathrm|textrm|textit|textnormal)\s*\{{[\s,~]*(?:{alternatives})[\s~]*\}}"
        rf"|(?<![A-Za-z\\])(?:{alternatives})(?![A-Za-z]))"
    )


# The separators of a list: a sign, a word, or a sign and a word. Wide space alone separates too.
_SIGN = r"(?:[,;\n]|\\\\|\\lor(?![A-Za-z])|\\vee(?![A-Za-z])|\\land(?![A-Za-z])|\\wedge(?![A-Za-z])|[∨∧])"
_WORD = words("and|or|as well as")
CONJUNCTION = re.compile(
    rf"{_SIGN}{_SPACE}*(?:{_WORD}{_SPACE}*)?|{_WORD}{_SPACE}*"
    rf"|\\q?quad(?![A-Za-z]){_SPACE}*(?:{_SIGN}{_SPACE}*)?(?:{_WORD}{_SPACE}*)?"
)
_OR = re.compile(rf"\\lor|\\vee|∨|{words('or')}")


def is_or(mark: str) -> bool:
    """Whether a separator says "or".

    Example:
        >>> is_or(", or"), is_or(",")
        (True, False)
    """
    return _OR.search(mark) is not None


def stripped(text: str) -> str:
    r"""The text without space at its ends, LaTeX's space too.

    Example:
        >>> stripped("\\quad x ")
        'x'
    """
    text = text.strip()
    while text.startswith(_EDGES):
        text = text[next(len(edge) for edge in _EDGES if text.startswith(edge)) :].lstrip()
    while text.endswith(_EDGES) and not text.endswith("\\\\ "):
        text = text[: -next(len(edge) for edge in _EDGES if text.endswith(edge))].rstrip()
    return text


_TOKEN = re.compile(r"\\begin\s*\{[A-Za-z]+\*?\}|\\end\s*\{[A-Za-z]+\*?\}|\\[A-Za-z]+|\\.|.", re.S)
_OPEN = {"(", "[", "{", "\\{", "\\lbrace", "\\langle", "\\lfloor", "\\lceil", "\\lbrack", "⟨"}
_CLOSE = {")", "]", "}", "\\}", "\\rbrace", "\\rangle", "\\rfloor", "\\rceil", "\\rbrack", "⟩"}


@dataclass(frozen=True, slots=True)
class Split:
    """The parts of a text and the separators between them (one less)."""

    parts: tuple[str, ...]
    marks: tuple[str, ...]


def split(text: str, separator: re.Pattern[str], most: int = 200) -> Split | None:
    r"""Splits a text at the separators that stand outside of all brackets.

    Args:
        text: the text.
        separator: what separates; it never matches the empty string.
        most: the largest number of parts.

    Returns:
        The parts, stripped, and the separators; one part where nothing separates. None where
        brackets do not match or the parts are too many.

    Example:
        >>> split("(1,2), 3", CONJUNCTION).parts
        ('(1,2)', '3')
    """
    parts: list[str] = []
    marks: list[str] = []
    start = position = depth = 0
    while position < len(text):
        if depth == 0 and (match := separator.match(text, position)) and match.end() > position:
            parts.append(stripped(text[start:position]))
            marks.append(match[0].strip())
            start = position = match.end()
            if len(parts) > most:
                return None
            continue
        token = _TOKEN.match(text, position)
        assert token is not None  # the last alternative of the pattern is any sign
        sign = token[0]
        if sign in _OPEN or sign.startswith("\\begin"):
            depth += 1
        elif sign in _CLOSE or sign.startswith("\\end"):
            depth -= 1
            if depth < 0:
                return None
        position = token.end()
    if depth:
        return None
    parts.append(stripped(text[start:]))
    return Split(tuple(parts), tuple(marks))


_SIZED = re.compile(r"\\(?:left|right|[bB]igg?[lrm]?)(?![A-Za-z])\s*")
_NAMED = {
    "\\lbrace": "\\{", "\\rbrace": "\\}", "\\lbrack": "[", "\\rbrack": "]", "⟨": "\\langle",
    "⟩": "\\rangle",
}  # fmt: skip


def enclosed(text: str) -> tuple[str, str, str] | None:
    r"""The opening bracket, the inside and the closing bracket, where one pair holds all the text.

    The two brackets need not be of one kind: `(1,2]` is an interval.

    Example:
        >>> enclosed("(1,2]")
        ('(', '1,2', ']')
        >>> enclosed("(1)(2)")
    """
    text = _SIZED.sub("", text).strip()
    depth = 0
    first = ""
    for token in _TOKEN.finditer(text):
        sign = token[0]
        if sign in _OPEN or sign.startswith("\\begin"):
            depth += 1
        elif sign in _CLOSE or sign.startswith("\\end"):
            depth -= 1
        if not first:
            if sign not in _OPEN:
                return None
            first = sign
        elif depth == 0:
            if token.end() != len(text) or sign not in _CLOSE:
                return None
            inside = text[len(first) : token.start()].strip()
            return _NAMED.get(first, first), inside, _NAMED.get(sign, sign)
    return None


_BEGIN = re.compile(r"\\begin\s*\{([A-Za-z]+)\*?\}")


def environment(text: str) -> tuple[str, str] | None:
    r"""The name and the inside of an environment that is the whole text.

    Example:
        >>> environment(r"\begin{cases}1\\2\end{cases}")
        ('cases', '1\\\\2')
    """
    begin = _BEGIN.match(text)
    if begin is None:
        return None
    depth = 0
    for token in _TOKEN.finditer(text):
        sign = token[0]
        if sign.startswith("\\begin"):
            depth += 1
        elif sign.startswith("\\end"):
            depth -= 1
            if depth == 0:
                name = sign[sign.index("{") + 1 : -1].rstrip("*")
                if token.end() != len(text) or name != begin[1]:
                    return None
                return name, text[begin.end() : token.start()].strip()
    return None
