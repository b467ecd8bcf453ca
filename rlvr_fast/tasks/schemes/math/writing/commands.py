r"""The commands of LaTeX in an answer: fonts, sizes, spaces, delimiters."""

from __future__ import annotations

import re

from rlvr_fast.tasks.schemes.math.writing.tables import COMMANDS, DROPPED, FONTS, NARROW

__all__ = ["rewritten"]

_TOKEN = re.compile(r"\\[A-Za-z]+\*?|\\.|[^\\]|\\$", re.DOTALL)
_SPACES = {
    r"\,": NARROW, r"\;": NARROW, r"\:": NARROW, r"\ ": NARROW, r"\>": NARROW, "~": NARROW,
    "\\\n": NARROW, r"\!": "",
}  # fmt: skip


def rewritten(text: str) -> str:
    """The text with its LaTeX commands in one spelling."""
    tokens = _TOKEN.findall(text)
    partner = _partners(tokens)
    _dollars(tokens)
    _inner_braces(tokens, partner)
    _bars(tokens)
    for index, token in enumerate(tokens):
        if token == "~":
            tokens[index] = NARROW
        elif token[:1] == "\\":
            _command(tokens, partner, index, token)
    return _joined(tokens)


def _partners(tokens: list[str]) -> dict[int, int]:
    partner: dict[int, int] = {}
    opened: list[int] = []
    for index, token in enumerate(tokens):
        if token == "{":
            opened.append(index)
        elif token == "}" and opened:
            partner[opened.pop()] = index
    return partner


def _dollars(tokens: list[str]) -> None:
    signs = [index for index, token in enumerate(tokens) if token == "$"]
    # Of each dollar, the first one from there that can close: no digit follows it.
    closers: list[int | None] = [None] * (len(signs) + 1)
    for number in range(len(signs) - 1, -1, -1):
        after = "".join(tokens[signs[number] + 1 : signs[number] + 2])
        closers[number] = closers[number + 1] if after.isdigit() else number
    position = 0
    while position < len(signs):
        index = signs[position]
        position += 1
        if index + 1 < len(tokens) and tokens[index + 1] == "$":
            tokens[index] = " "  # one of '$$'
            continue
        closing = closers[position]
        if closing is not None:
            # A pair is a delimiter; a dollar between the two is a currency.
            tokens[index] = tokens[signs[closing]] = " "
            for between in signs[position:closing]:
                tokens[between] = r"\$"
            position = closing + 1
        else:
            # One alone is a currency, but for what is left of a pair at an end.
            following = "".join(tokens[index + 1 : index + 3]).lstrip()[:1]
            outer = index in (0, len(tokens) - 1) and not (following.isdigit() or following == ".")
            tokens[index] = " " if outer else r"\$"


def _bars(tokens: list[str]) -> None:
    r"""Takes `\left` and `\right` away; a pair of bars keeps its sides."""
    opened: list[int | None] = []
    for index, token in enumerate(tokens):
        if token not in (r"\left", r"\right"):
            continue
        tokens[index] = ""
        at = index + 1
        while at < len(tokens) and tokens[at] == " ":
            at += 1
        if at == len(tokens):
            return
        if token == r"\left":
            opened.append(at)
            if tokens[at] == ".":
                tokens[at] = ""
        else:
            left = opened.pop() if opened else None
            if tokens[at] in ("|", r"\vert") and left is not None:
                if tokens[left] in ("|", r"\vert"):
                    tokens[left], tokens[at] = r"\lvert", r"\rvert"
            elif tokens[at] == ".":
                tokens[at] = ""


def _inner_braces(tokens: list[str], partner: dict[int, int]) -> None:
    r"""Takes away braces that hold all that is inside brackets: `\left( {3,2} \right)`."""
    if not any(token[:1] == "\\" for token in tokens):
        return
    for opening, closing in partner.items():
        before, after = opening - 1, closing + 1
        while before >= 0 and tokens[before] == " ":
            before -= 1
        while after < len(tokens) and tokens[after] in (" ", r"\right"):
            after += 1
        if before < 0 or after == len(tokens):
            continue
        if tokens[before] in ("(", "[", r"\{") and tokens[after] in (")", "]", r"\}"):
            tokens[opening] = tokens[closing] = ""


_LINES = {r"\(", r"\)", r"\[", r"\]"}
# A space that is kept only between letters and digits.
_JOINT = "\ue002"


def _command(tokens: list[str], partner: dict[int, int], index: int, token: str) -> None:
    if token in _SPACES or token in _LINES:
        tokens[index] = _SPACES.get(token, " ")
        if token == r"\!" and index and tokens[index - 1] == ",":
            tokens[index - 1] = "\ue001"
    elif token == r"\\":
        pass
    elif token == r"\%":
        tokens[index] = "%"
    elif token == r"\#":
        tokens[index] = "#"
    elif token == r"\&":
        tokens[index] = " and "
    elif token == r"\_":
        tokens[index] = "_"
    elif token[1:].rstrip("*") in FONTS or (
        token == r"\underline" and not _is_letter(tokens, index)
    ):
        _unwrapped(tokens, partner, index)
    elif token in _OLD_FONTS and _is_group(tokens, partner, index):
        _without_braces(tokens, partner, index)
    elif token in (r"\SI", r"\qty"):
        _quantity(tokens, partner, index)
    elif token in _PLAIN_MATRICES and (inside := _argument(tokens, partner, index + 1)):
        name = token.removeprefix("\\").removesuffix("*")
        tokens[index] = ""
        tokens[inside[0]], tokens[inside[-1]] = f"\\begin{{{name}}}", f"\\end{{{name}}}"
    elif token == r"\overset":
        _arc(tokens, partner, index)
    elif token in (r"\color", r"\textcolor", r"\colorbox"):
        for at in _argument(tokens, partner, index + 1):
            tokens[at] = ""
        _unwrapped(tokens, partner, index)
    elif token in (r"\hspace", r"\vspace", r"\hspace*", r"\phantom", r"\hphantom", r"\vphantom",
                   r"\label", r"\tag", r"\mspace"):  # fmt: skip
        for at in _argument(tokens, partner, index + 1):
            tokens[at] = ""
        tokens[index] = " "
    elif token[1:] in DROPPED:
        tokens[index] = _JOINT
    elif token[1:] in COMMANDS:
        tokens[index] = COMMANDS[token[1:]]
    if tokens[index] in (r"\mathbb", r"\mathcal", r"\mathfrak", r"\mathscr"):
        at = index + 1
        while at < len(tokens) and tokens[at] == " ":
            tokens[at] = ""
            at += 1
        if at < len(tokens) and tokens[at].isalpha():
            tokens[at] = f"{{{tokens[at]}}}"


_OLD_FONTS = {r"\rm", r"\bf", r"\it", r"\sf", r"\tt", r"\bfseries", r"\itshape"}
_PLAIN_MATRICES = {r"\matrix", r"\pmatrix", r"\bmatrix", r"\vmatrix"}


def _is_group(tokens: list[str], partner: dict[int, int], index: int) -> bool:
    r"""Whether a font stands first in braces that are no argument: `5\,{\rm cm}`."""
    opening = index - 1
    while opening >= 0 and tokens[opening] in (" ", ""):
        opening -= 1
    if opening not in partner:
        return False
    before = next((token for token in tokens[opening - 1 :: -1] if token), " ") if opening else " "
    return before in " \u2009=(,+-*/" or before.isalnum()


def _without_braces(tokens: list[str], partner: dict[int, int], index: int) -> None:
    opening = max(at for at in range(index) if tokens[at] == "{")
    tokens[partner[opening]] = _JOINT
    tokens[opening] = tokens[index] = _JOINT


def _quantity(tokens: list[str], partner: dict[int, int], index: int) -> None:
    r"""`\SI{5}{cm}` as "5 cm"."""
    number = _argument(tokens, partner, index + 1)
    unit = _argument(tokens, partner, number[-1] + 1) if number else range(0)
    if unit:
        tokens[index] = tokens[number[0]] = tokens[unit[-1]] = ""
        tokens[number[-1]], tokens[unit[0]] = " ", ""


def _arc(tokens: list[str], partner: dict[int, int], index: int) -> None:
    r"""`\overset{\frown}{AB}` as `\widehat{AB}`."""
    mark = _argument(tokens, partner, index + 1)
    if "".join(tokens[at] for at in mark).replace(" ", "") in (r"{\frown}", r"{\smallfrown}"):
        for at in mark:
            tokens[at] = ""
        tokens[index] = r"\widehat"


def _is_letter(tokens: list[str], index: int) -> bool:
    """Whether the argument of a command is one letter, of which a line is a mark."""
    inside = [token for token in tokens[index + 1 : index + 8] if token != " "]
    letter = "".join(inside[1:2] if inside[:1] == ["{"] else inside[:1])
    return letter.isalpha() and (inside[0] != "{" or inside[2:3] == ["}"])


def _argument(tokens: list[str], partner: dict[int, int], at: int) -> range:
    """The tokens of a braced argument; empty where none is there."""
    while at < len(tokens) and tokens[at] in (" ", ""):
        at += 1
    return range(at, partner[at] + 1) if at in partner else range(0)


def _unwrapped(tokens: list[str], partner: dict[int, int], index: int) -> None:
    inside = _argument(tokens, partner, index + 1)
    tokens[index] = _JOINT
    if inside:
        # A word stands apart from letters beside it; capitals may be digits or part of a product.
        word = len(inside) > 3 and any(tokens[at].islower() for at in inside)
        tokens[index] = tokens[inside[-1]] = _JOINT if word else ""
        tokens[inside[0]] = ""


def _joined(tokens: list[str]) -> str:
    parts: list[str] = []
    last, joint = "", False
    for token in tokens:
        if not token:
            continue
        if token == _JOINT:
            joint = True
            continue
        command = last[:1] == "\\" and last[-1].isalpha()
        apart = joint and last[-1:].isalnum() and token[0].isalnum()
        if (command and token[0].isalpha()) or apart:
            parts.append(" ")
        parts.append(token)
        last, joint = token, False
    text = "".join(parts)
    return text.replace("{,}", "\ue001").replace(f"{{{NARROW}}}", NARROW)
