r"""Markup around mathematics: HTML, headings, backslashes that were escaped, marks of an end."""

from __future__ import annotations

import html
import re
from html.entities import html5

from rlvr_fast.tasks.schemes.math.parsing.names import FUNCTIONS, GREEK
from rlvr_fast.tasks.schemes.math.writing.tables import COMMANDS, DROPPED, FONTS

__all__ = ["without_markup"]

_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|([A-Za-z][A-Za-z0-9]{1,30}));")
_RAISED = re.compile(r"<(sup|sub)>([^<>]*)</\1>", re.IGNORECASE)
# Elements that are fonts or containers; only a pair of tags is one, so that 1<b stays.
_ELEMENT = re.compile(
    r"<(b|i|u|em|strong|span|p|code|center|font|div|mark|big|small|math)(?: [^<>]*)?>"
    r"([^<>]*)</\1>",
    re.IGNORECASE,
)
_NESTED = 3
_LINE = re.compile(r"<br ?/?>", re.IGNORECASE)
_HEADING = re.compile(r"^#{1,6} +(?=\S)")
_END = re.compile(
    r"(?:\\(?:blacksquare|qed|qedhere|checkmark)(?![A-Za-z])|[✓✔✅☑∎■])[\ufe0e\ufe0f]?[ $.]*$"
)
_ESCAPED = re.compile(r"(?<!\\)\\\\(?:([A-Za-z]+)|\(.*\\\\\)$|\[.*\\\\\]$)")
_KNOWN = frozenset((
    *GREEK, *FUNCTIONS, *COMMANDS, *DROPPED, *FONTS,
    "frac", "sqrt", "left", "begin", "cdot", "times", "infty", "binom", "circ", "pm", "in", "cup",
    "cap", "le", "ge", "ne", "mathbb", "overline", "lfloor", "lceil", "angle", "quad", "sum",
    "prod", "int", "vec", "hat", "bar", "dot", "ddot", "prime", "equiv", "to", "emptyset",
    "triangle", "partial", "hbar", "approx",
))  # fmt: skip


def without_markup(text: str) -> str:
    r"""The text without markup that is not LaTeX, and with single backslashes.

    Example:
        >>> without_markup("x<sup>2</sup> &le; <b>5</b>")
        'x^{2} ≤ 5'
        >>> without_markup(r"\\frac{1}{2}")
        '\\frac{1}{2}'
    """
    if "&" in text:
        text = _ENTITY.sub(_entity, text)
    if "<" in text:
        text = _RAISED.sub(lambda m: f"{'^' if m[1].lower() == 'sup' else '_'}{{{m[2]}}}", text)
        text = _LINE.sub(" ", text)
        for _ in range(_NESTED):
            text = _ELEMENT.sub(r"\2", text)
    text = _HEADING.sub("", text)
    if (end := _END.search(text)) and text[: end.start()].strip(" $\\,;!~"):
        text = text[: end.start()] + ("$" if "$" in end[0] else "")
    return _unescaped(text)


def _entity(match: re.Match[str]) -> str:
    name = match[1]
    return match[0] if name and f"{name};" not in html5 else html.unescape(match[0])


def _unescaped(text: str) -> str:
    r"""`\\frac{1}{2}` as `\frac{1}{2}`, where all backslashes are doubled, one of a command."""
    text = text.replace("\\\\%", "%").replace("\\\\$", "\\$")  # a line begins with neither
    if "\\\\" not in text or any(len(run) % 2 for run in re.findall(r"\\+", text)):
        return text
    for match in _ESCAPED.finditer(text):
        name = match[1]
        if name is None or (len(name) > 1 and name in _KNOWN):
            return text.replace("\\\\", "\\")
    return text
