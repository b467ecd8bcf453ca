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
    "with_cases",
    "words",
]


def words(alternatives: str) -> str:
    """A pattern of words in running text.

    Example:
        >>> bool(re.search(words("and|or"), "1 or 2"))
        True
    """
    return rf"(?<![A-Za-z\\])(?:{alternatives})(?![A-Za-z])"


# The separators of a list: a sign, a word, or a sign and a word.
_WORD = words("and|or|as well as")
_SIGN = r"(?:[,;]|\\\\|\\l(?:or|and)(?![A-Za-z]))"
CONJUNCTION = re.compile(rf"{_SIGN} ?(?:{_WORD} ?)?|{_WORD} ?")
_OR = re.compile(rf"\\lor|{words('or')}")


def is_or(mark: str) -> bool:
    """Whether a separator says "or".

    Example:
        >>> is_or(", or"), is_or(",")
        (True, False)
    """
    return _OR.search(mark) is not None


_TOKEN = re.compile(r"\\begin\s*\{[A-Za-z]+\*?\}|\\end\s*\{[A-Za-z]+\*?\}|\\[A-Za-z]+|\\.|.", re.S)
_OPEN = frozenset(("(", "[", "{", "\\{", "\\langle", "\\lfloor", "\\lceil"))
_CLOSE = frozenset((")", "]", "}", "\\}", "\\rangle", "\\rfloor", "\\rceil"))


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
            parts.append(text[start:position].strip())
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
    parts.append(text[start:].strip())
    return Split(tuple(parts), tuple(marks))


def enclosed(text: str) -> tuple[str, str, str] | None:
    r"""The opening bracket, the inside and the closing bracket, where one pair holds all the text.

    The two brackets need not be of one kind: `(1,2]` is an interval.

    Example:
        >>> enclosed("(1,2]")
        ('(', '1,2', ']')
        >>> enclosed("(1)(2)")
    """
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
            return first, inside, sign
    return None


_LEFT_BRACE = re.compile(
    r"\\\{ ?\\begin\{(array|aligned|matrix)\}(?: ?\{[lcr|@ ]*\})?((?:(?!\\begin|\\end).)*)"
    r"\\end\{\1\}(?: ?\.$)?(?! ?\\\})",
    re.S,
)


def with_cases(text: str) -> str:
    r"""The text with `cases` for what has a large brace on its left only.

    Example:
        >>> with_cases(r"\{\begin{array}{l} 1 \\ 2 \end{array}")
        '\\begin{cases} 1 \\\\ 2 \\end{cases}'
    """
    if "\\begin" not in text:
        return text
    return _LEFT_BRACE.sub(r"\\begin{cases}\2\\end{cases}", text)


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
            if "{" not in sign:
                return None
            if depth == 0:
                name = sign[sign.index("{") + 1 : -1].rstrip("*")
                if token.end() != len(text) or name != begin[1]:
                    return None
                return name, text[begin.end() : token.start()].strip()
    return None
