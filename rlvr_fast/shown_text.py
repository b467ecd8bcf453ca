"""Text of strangers made safe to show: one function a medium.

Task names, problem ids, questions, answers, completions, names of models, files and folders, keys
and values of JSON, messages of other packages: all of it may hold characters that act on what shows
them (terminal escapes, line breaks, marks that reverse or hide text, formulas, macros). Each medium
has one function here that leaves plain text as it is and shows the rest:

    terminal     a terminal, or a log that one reads on a terminal
    json_text    a JSON document that is printed or stored
    visible      a page, a figure, a sentence: marks in place of what hides, not yet escaped
    svg          character data and attributes of an SVG or a page
    script_json  JSON inside a script element of a page
    latex        LaTeX
    csv_cell     a cell of a CSV file
    file_name    the name of a file or a folder
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any

__all__ = [
    "csv_cell",
    "file_name",
    "finite",
    "json_escaped",
    "json_text",
    "latex",
    "script_json",
    "svg",
    "terminal",
    "visible",
]

# Controls (C0 without tab and line feed, DEL, C1); marks that hide or reverse text: soft hyphen,
# letter marks, zero-width characters, embeddings, isolates, invisible operators, deprecated format
# characters, the byte order mark, interlinear annotations; line and paragraph separators; fillers
# and blanks that look like nothing; halves of surrogate pairs, which no encoding takes;
# noncharacters, which XML forbids; controls of hieroglyphs and notes; tags and further variation
# selectors, which carry hidden text.
_HIDDEN = (
    "\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\xad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180f"
    "\\u200b\\u200e\\u200f\\u2028-\\u202e\\u2060-\\u206f\\u2800\\u3164\\ufeff\\uffa0\\ufff0-\\ufffb"
    "\\ufffe\\uffff\\ud800-\\udfff\\ufdd0-\\ufdef"
    "\\U00013430-\\U0001343f\\U0001bca0-\\U0001bca3\\U0001d159\\U0001d173-\\U0001d17a\\U000e0000-\\U000e0fff"
    + "".join(f"\\U{plane:04x}fffe\\U{plane:04x}ffff" for plane in range(1, 17))
)
# Joiners belong to words of many scripts and to emoji; elsewhere they hide.
_JOINED = "[\\u0300-\\u1fff\\u2190-\\u2bff\\u3000-\\ud7ff\\ufe0e\\ufe0f\\U00010000-\\U0001ffff]"
_JOINER = f"(?<!{_JOINED})[\\u200c\\u200d]|[\\u200c\\u200d](?!{_JOINED})"
# A variation selector belongs to a character of another script, a symbol or a key (#, *, digits);
# elsewhere, and behind another one, it carries hidden text.
_VARIED = "[\\x00-\\x22\\x24-\\x29\\x2b-\\x2f\\x3a-\\xa8\\xaa-\\xad\\xaf-\\u02ff\\ufe00-\\ufe0f]"
_SELECTOR = f"(?<={_VARIED})[\\ufe00-\\ufe0f]"
_MARKED = re.compile(f"[{_HIDDEN}]|{_JOINER}|{_SELECTOR}")
_HALVES = re.compile("[\\ud800-\\udfff]")
_MARKED_LINE = re.compile(f"[{_HIDDEN}\\t\\n]|{_JOINER}|{_SELECTOR}")
# Marks that are drawn over what stands before them: at the start of a text they change what is not
# of the text, and many of them cover the lines above and below. What the pattern finds may be
# symbols too: `_unstacked` looks at each character.
_MOST_STACKED = 6
_OVER = "[^\\w\\s\\x00-\\u02ff\\u2010-\\u20cf\\u2100-\\u2bff]"
_STACKED = re.compile(f"(?:^|(?<=[\\s\"'])){_OVER}+|{_OVER}{{{_MOST_STACKED + 1},}}")


def _shown(text: str, marked: re.Pattern[str], show: Callable[[int], str]) -> str:
    """The text with `show` in place of each character that acts, hides or covers others."""
    if _plain(text):  # the usual case, and quick
        return text
    text = marked.sub(lambda match: show(ord(match[0])), text)
    if text.isascii():
        return text
    return _STACKED.sub(lambda match: _unstacked(match, show), text)


def _unstacked(match: re.Match[str], show: Callable[[int], str]) -> str:
    before = match.string[: match.start()][-1:]
    alone = before in "\"'" or before.isspace()
    out, stacked = [], 0
    for char in match[0]:
        over = unicodedata.category(char) in ("Mn", "Me")
        alone, stacked = alone and over, stacked + 1 if over else 0
        out.append(show(ord(char)) if alone or stacked > _MOST_STACKED else char)
    return "".join(out)


def _plain(text: str) -> bool:
    """Whether a text has printable ASCII characters alone."""
    return text.isascii() and text.isprintable()


def visible(text: str | None, limit: int | None = None, *, lines: bool = True) -> str:
    """Text whose control, direction-changing and hidden characters can be seen as ⟨U+001B⟩.

    Args:
        text: any text; None is "none".
        limit: the most characters of the text that are kept; a longer one ends in an ellipsis.
        lines: whether tabs and line feeds stay; a name has none.
    """
    if text is None:
        return "none"
    if limit is not None and len(text) > limit:
        text = text[: limit - 1] + "…"
    return _shown(text, _MARKED if lines else _MARKED_LINE, lambda code: f"⟨U+{code:04X}⟩")


def terminal(text: str, limit: int | None = None, *, lines: bool = True) -> str:
    r"""Text for a terminal: what would act on it, hide or reverse text is its escape, as `\x1b`.

    Args:
        text: any text.
        limit: the most characters of the text that are kept; the number of the others is told.
        lines: whether tabs and line feeds stay.
    """
    left_out = 0 if limit is None else len(text) - limit
    if left_out > 0:
        text = text[:limit]
    text = _shown(text, _MARKED if lines else _MARKED_LINE, _escaped)
    return f"{text}... ({left_out:,} more characters)" if left_out > 0 else text


def _escaped(code: int) -> str:
    if code in (9, 10):
        return "\\t" if code == 9 else "\\n"
    return (
        f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"
    )


def finite(value: Any) -> Any:
    """The value as strict JSON: None in place of nan and infinities, keys as text."""
    if isinstance(value, Mapping):
        return {str(k): finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(v) for v in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if not isinstance(value, (str, int)) and hasattr(value, "item"):  # a scalar of numpy
        return finite(value.item())
    return value


def json_text(
    value: Any, *, indent: int | None = None, ascii_only: bool = False, stored: bool = False
) -> str:
    r"""A JSON document in which hidden and control characters, also of keys, are `\u` escapes.

    Args:
        value: what JSON can hold; nan and infinities become null, numpy's scalars Python's.
        indent: as for `json.dumps`.
        ascii_only: for an output that is not UTF-8.
        stored: for a file that is read again: a half of a surrogate pair, which stands for a byte
            of a file name that is not UTF-8, is U+FFFD.
    """
    if stored:
        text = json.dumps(finite(value), indent=indent, ensure_ascii=False, allow_nan=False)
        return json_escaped(_HALVES.sub("\ufffd", text))
    text = json.dumps(finite(value), indent=indent, ensure_ascii=ascii_only, allow_nan=False)
    return text if ascii_only else json_escaped(text)


def json_escaped(text: str) -> str:
    r"""A JSON document whose hidden and control characters are `\u` escapes."""
    # Outside its strings a document holds blanks, line feeds and ASCII only.
    lines = text.split("\n")
    return "\n".join(
        line if _plain(line) else _shown(line, _MARKED, _json_escape) for line in lines
    )


def _json_escape(code: int) -> str:
    if code < 0x10000:
        return f"\\u{code:04x}"
    high, low = divmod(code - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"


def script_json(value: Any) -> str:
    """JSON that may stand inside a script element: ASCII, and nothing that ends the element."""
    text = json.dumps(finite(value), separators=(",", ":"), allow_nan=False)
    return re.sub(r"[<>&]", lambda match: f"\\u{ord(match[0]):04x}", text)


_XML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&#34;", "'": "&#39;"})


def svg(text: str, limit: int | None = None) -> str:
    """Character data or an attribute's value of an SVG or a page: visible, and escaped."""
    return visible(text, limit, lines=False).translate(_XML)


_LATEX = str.maketrans({
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#",
    "%": r"\%", "_": r"\_", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}",
    "–": "--", "−": "$-$", "ε": r"$\varepsilon$", "<": r"\textless{}", ">": r"\textgreater{}",
    "β": r"$\beta$", "ζ": r"$\zeta$", "∞": r"$\infty$", "×": r"$\times$",
    "≥": r"$\geq$", "≤": r"$\leq$",
})  # fmt: skip


def latex(text: str, limit: int | None = None) -> str:
    r"""Text that LaTeX prints unchanged; blanks in place of control and hidden characters.

    A text that begins with `[` or `*` has it in braces: after the `\\` or the rule before a row it
    would be read as their argument. Names in other scripts than Latin stay unchanged, for XeLaTeX
    or LuaLaTeX.

    Args:
        text: any text.
        limit: the most characters of the text that are kept; a longer one ends in an ellipsis.
    """
    if limit is not None and len(text) > limit:
        text = text[: limit - 1] + "…"
    out = _shown(text, _MARKED_LINE, lambda _: " ").translate(_LATEX)
    first = out.lstrip()[:1]
    return out.replace(first, f"{{{first}}}", 1) if first in ("[", "*") and first else out


# What a spreadsheet takes for the start of a formula, in its own width or in the wide forms.
_FORMULA = "=+\\-@\uff1d\uff0b\uff0d\uff20"
_ASCII_FORMULA = "=+-@"
# In a country whose lists have semicolons a spreadsheet splits a line there, and some at tabs or at
# line breaks inside quotation marks. A run of blanks and quotation marks is read once: its start is
# where no character of a run stands before it.
_FORMULA_START = re.compile(f"(?<![\\s\"';])[\\s\"';]*+(?=[{_FORMULA}])")
_SPLITS = re.compile(r".*[;\t\r\n]", re.DOTALL)


def _with_apostrophe(match: re.Match[str]) -> str:
    run = match[0]
    last = _SPLITS.match(run)
    at = last.end() if last else 0
    return f"{run[:at]}'{run[at:]}" if last or match.start() == 0 else run


def csv_cell(value: Any) -> Any:
    """A cell of a CSV file: text in which no spreadsheet finds a formula; numbers stay numbers.

    An apostrophe stands before what could start a formula, at the beginning of the text or behind a
    semicolon, a tab or a line break. Hidden and control characters are visible.
    """
    if isinstance(value, float):
        return "" if math.isnan(value) else value  # CSV, unlike JSON, can hold infinities
    if not isinstance(value, str):
        return value
    if _plain(value) and ";" not in value and value.lstrip(" \"'")[:1] not in _ASCII_FORMULA:
        return value  # the usual case, and quick
    text = _FORMULA_START.sub(_with_apostrophe, value)
    return visible(f"'{text}" if text[:1] in ("\t", "\r") else text)


_RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE | re.DOTALL)


def file_name(text: str, *, default: str = "unnamed", most: int = 100) -> str:
    """The name of one file or folder made from a text; never a path, hidden, reserved or too long.

    Letters, digits, `_`, `.` and `-` stay; other characters become `-`, dots and dashes at the ends
    go. Where the text is longer than `most` bytes, its digest stands at the end.

    Args:
        text: any text.
        default: the name of a text without a letter or a digit.
        most: the most bytes of the name.
    """
    plain = unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode())
    name = re.sub(r"[^\w.-]+", "-", _MARKED.sub("-", plain.strip())).strip(".-") or default
    if _RESERVED.fullmatch(name):
        name = f"_{name}"
    if len(name.encode()) <= most:
        return name
    digest = hashlib.sha256(plain.encode()).hexdigest()[:12]
    return name.encode()[: most - 13].decode(errors="ignore").rstrip(".-") + "-" + digest
