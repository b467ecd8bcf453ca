r"""One spelling for what is written in many: spaces, signs, digits, fonts, delimiters.

What is cleaned here has no meaning in any answer: nothing that tells one answer from another goes.
"""

from __future__ import annotations

import re

from rlvr_fast.tasks.schemes.math.writing_tables import (
    CHARACTERS,
    COMMANDS,
    DROPPED,
    FONTS,
    NARROW,
    SUBSCRIPTS,
    SUPERSCRIPTS,
)

__all__ = ["LONGEST", "clean"]

# Longer texts are no answers, and are not read.
LONGEST = 4000

_TOKEN = re.compile(r"\\[A-Za-z]+\*?|\\.|[^\\]|\\$", re.DOTALL)
_RAISED = re.compile(f"[{''.join(SUPERSCRIPTS)}]+")
_LOWERED = re.compile(f"[{''.join(SUBSCRIPTS)}]+")
_ROOTS = {"√": r"\sqrt", "∛": r"\sqrt[3]", "∜": r"\sqrt[4]"}
_ROOT = re.compile(r"([√∛∜]) *(\d+(?:\.\d+)?|[A-Za-z])?")
_SPACES = {
    r"\,": NARROW, r"\;": NARROW, r"\:": NARROW, r"\ ": NARROW, r"\>": NARROW, "~": NARROW,
    "\\\n": NARROW, r"\!": "",
}  # fmt: skip
_BLANK = " " + NARROW
_THEREFORE = re.compile(rf"^(?:∴|\\(?:therefore|implies)(?![A-Za-z]))[ {NARROW}]*(?=\S)")
# One sign, or two periods: of a sentence inside a delimiter, and of the one around it.
_FINAL = re.compile(r"(?<![.,;:])(?:\.|\. ?\.|[,;:])$")

# The spellings of signs in plain text, the longer first.
_SIGNS = (
    (re.compile(r"<=>|<==>|<-+>"), r"\\iff "),
    (re.compile(r"=/=|(?<![\d)!A-Za-z}])!==?|(?<=[A-Za-z])!=="), r"\\ne "),
    (re.compile(r"(?<=[A-Za-z])!=(?=[^=])"), r"\\ne "),
    (re.compile(r"<=|=<(?!=)"), r"\\le "),
    (re.compile(r">=(?!>)"), r"\\ge "),
    (re.compile(r"=>"), r"\\implies "),
    (re.compile(r"(?<![-<])-+>"), r"\\to "),
    (re.compile(r"\+/-|\+-(?=[^-+])"), r"\\pm "),
    (re.compile(r"=="), "="),
    (re.compile(r"\\not *(?:=|\\ne\b)"), r"\\ne "),
    (re.compile(r"\\not *\\in(?![A-Za-z])"), r"\\notin "),
    (re.compile(r"\.\.\.+"), r"\\ldots "),
    (re.compile(r"\{([-+=<>*/,.:;])\}"), r"\1"),
    (re.compile(r"\^ *\{ *(?:\\circ|\\degree) *\}| *\^ *\\circ(?![A-Za-z])"), r"^\\circ "),
    (re.compile(r"(?<=\d)\^ *(?:\{ *[oO] *\}|o\b)"), r"^\\circ "),
)
# Names of points, which OCR writes with spaces.
_POINTS = re.compile(r"(\\(?:angle|triangle|odot) *)([A-Z](?: [A-Z]){1,3})(?![A-Za-z])")
_PRIMES = re.compile(r" *\^ *(?:\{ *((?:\\prime *|' *)+) *\}|(\\prime)(?![A-Za-z]))")
_GROUPS = re.compile(
    r"(?<![\d.,'^_])([1-9]\d{0,2})((?:([, '\u2009\ue000])\d{3})+)(?!\d|[,'\ue000]\d)"
)
# "*Final Answer:* 42": words at the beginning.
_EMPHASIS = re.compile(r"^([*_])([A-Za-z][A-Za-z ]{1,40}:?)\1(?=[ :])")
_STRUCK = re.compile(r"~~(?! )([^~]+)(?<! )~~")
_POWER_OF_TEN = r"10 *(?:\^|\*\*) *(?:\{ *([-+]? *\d+) *\}|\( *([-+]? *\d+) *\)|([-+]?\d+))"
_E_NOTATION = re.compile(
    r"(?<![A-Za-z\d_.\\^])(\d+(?:\.\d*)?|\.\d+)"
    r"(?:[eE](?:([-+]?\d+)|\{ *([-+]?\d+) *\})| [eE] ?([-+]?\d+))(?![\d.^_!]|\*\*)"
)
_LETTER_TIMES = re.compile(
    r"(?<=\d) times (?=\d)|(?<=\d) *[xX] *(?=10 *(?:\^|\*\*))|(?<=\d) +[xX] +(?=\d)"
)


def clean(text: str) -> str:
    r"""The text of an answer in one spelling of typography.

    A cleaned text

    * has no delimiters of mathematics (`$`, `\(`, `\]`), no fonts and no boxes: `\text{...}`,
      `\mathrm{...}`, `\operatorname{...}`, `\boxed{...}`, `\color{red}{...}` stand as their content
      (`5\text{ cm}` is "5 cm", `a\text{or}b` is "a or b"). `\mathbb{R}`, `\mathcal{L}` stay, with
      braces;
    * has single spaces; none at the ends, after an opening bracket, before a closing bracket, comma
      or semicolon. All spacing commands and Unicode spaces, also a new line, are such a space;
    * has plain ASCII digits and signs. What has no ASCII sign is a LaTeX command, followed by a
      space before a letter: "\infty", "\pi", "\le", "\ge", "\ne", "\pm", "\mp", "\times", "\cdot",
      "\div", "\in", "\notin", "\cup", "\cap", "\setminus", "\emptyset", "\mid", "\to",
      "\implies", "\iff", "\land", "\lor", "\neg", "\ldots" (all ellipses), "\bmod", "\frac",
      "\binom", "\langle". `<=`, `>=`, `!=`, `+-` are "\le", "\ge", "\ne", "\pm"; "<", ">", "=",
      "*", "/", "|" and "\|" stay;
    * has "^\circ" for every sign of degrees ("5^\circ C"), "%" for `\%`, "\$" for a dollar that is
      a currency ("\$5"), primes "'" for `^\prime`, other currencies as they are ("€5");
    * has brackets without sizes: "(", "[", "\{", "|"; the bars of `\left|x\right|` are "\lvert" and
      "\rvert". A plain "{" is a brace of LaTeX, or of a set in plain text;
    * has no thousands separators in a number: "10000", "1234.5". Any comma left separates parts;
    * has powers of ten for e-notation: "1.5\times 10^{3}"; superscripts as "x^{2}", "½" as
      "\frac{1}{2}"; "\approx" for a "~" at its start;
    * has no final period, comma, colon or semicolon (one), no marks of Markdown, and no quotes
      around the whole.

    Example:
        >>> clean("$10\\,000$.")
        '10000'
        >>> clean(r"\text{at least } 5\,\mathrm{cm}")
        'at least 5 cm'
    """
    if len(text) > LONGEST:
        return text.strip()
    text = re.sub(r"[ \t\r\n\f\v]+", " ", text).strip()
    text = _STRUCK.sub(r"\\sout{\1}", text)
    if text.startswith("~") and "\\" not in text:
        text = r"\approx " + text[1:]  # in plain text; in LaTeX it is a space
    text = _RAISED.sub(_raised, _LOWERED.sub(_lowered, _vulgar(text)))
    text = text.translate(CHARACTERS)
    text = _ROOT.sub(_root, text)
    text = _rewritten(_without_markdown(text))
    for pattern, sign in _SIGNS:
        text = pattern.sub(sign, text)
    text = _PRIMES.sub(_primes, text)
    text = _POINTS.sub(lambda match: match[1] + match[2].replace(" ", ""), text)
    text = _tidy(_whole(text))
    text = _without_groups(text)
    text = _LETTER_TIMES.sub(r"\\times ", text.replace(NARROW, " "))
    text = _E_NOTATION.sub(_e_notation, text)
    return _tidy(text)


def _vulgar(text: str) -> str:
    # '¹⁄₃' and '¹/₃' are a fraction, not a power over an index.
    def fraction(match: re.Match[str]) -> str:
        upper = "".join(SUPERSCRIPTS[sign] for sign in match[1])
        lower = "".join(SUBSCRIPTS[sign] for sign in match[2])
        return f"\\frac{{{upper}}}{{{lower}}}"

    return re.sub("([⁰¹²³⁴⁵⁶⁷⁸⁹]{1,9})[⁄/]([₀₁₂₃₄₅₆₇₈₉]{1,9})", fraction, text)


def _raised(match: re.Match[str]) -> str:
    return "^{" + "".join(SUPERSCRIPTS[sign] for sign in match[0]) + "}"


def _lowered(match: re.Match[str]) -> str:
    return "_{" + "".join(SUBSCRIPTS[sign] for sign in match[0]) + "}"


def _root(match: re.Match[str]) -> str:
    sign = _ROOTS[match[1]]
    return f"{sign}{{{match[2]}}}" if match[2] else sign + " "


def _primes(match: re.Match[str]) -> str:
    inside = match[1] or match[2]
    return "'" * (inside.count("prime") + inside.count("'"))


def _e_notation(match: re.Match[str]) -> str:
    exponent = int(match[2] or match[3] or match[4]) if len(match[0]) < 40 else None
    return match[0] if exponent is None else f"{match[1]}\\times 10^{{{exponent}}}"


def _without_markdown(text: str) -> str:
    text = re.sub(r"(?<![^\s(*])\*\*(?=[^\s*])([^*]*[^\s*])\*\*(?![\w*])", r"\1", text)
    text = _EMPHASIS.sub(r"\2", text.strip())
    for mark in ("**", "__"):
        if len(text) > 4 and text.startswith(mark) and text.endswith(mark):
            text = text[2:-2].strip()
    if len(text) > 2 and text[0] == text[-1] and text[0] in "*_" and text[0] not in text[1:-1]:
        text = text[1:-1]
    return re.sub(r"(`+)([^`]+)\1", r"\2", text)


def _whole(text: str) -> str:
    """The text without what stands around the whole: quotes, "therefore", a sign at its end."""
    text = _THEREFORE.sub("", text.strip(_BLANK), count=1)
    for _ in range(2):
        text = text.removesuffix("\\\\").strip(_BLANK)
        if final := _FINAL.search(text.replace(NARROW, " ")):
            text = text[: final.start()].strip(_BLANK)
            break
        if len(text) > 2 and text[0] == text[-1] and text[0] in "\"'" and text[0] not in text[1:-1]:
            text = text[1:-1].strip(_BLANK)
    return text


def _tidy(text: str) -> str:
    text = re.sub(f"[ {NARROW}]*{NARROW}[ {NARROW}]*", NARROW, text)
    text = re.sub(r"  +", " ", text)
    text = re.sub(rf"(?<!\\)((?:\\\{{|[(\[{{]))[ {NARROW}]+", r"\1", text)
    text = re.sub(rf"[ {NARROW}]+(\\\}}|[)\]}},;])", r"\1", text)
    return text.strip(" " + NARROW)


def _without_groups(text: str) -> str:
    """The text without separators of thousands."""
    # '{,}' and ',\!' are never separators of parts, so they count inside brackets too.
    text = re.sub(rf"(?<=\d)\ue001[ {NARROW}]?(?=\d)", "\ue000", text)
    depths = _depths(text)

    def joined(match: re.Match[str]) -> str:
        sign = match[3]
        groups = re.findall("[^0-9]", match[2])
        if len(set(groups)) > 1 and set(groups) - {"\ue000", ","}:
            return match[0]
        if sign in ", " and "\ue000" not in groups and depths[match.start()]:
            return match[0]
        return match[1] + re.sub("[^0-9]", "", match[2])

    text = _GROUPS.sub(joined, text)
    # What is left of '{,}' is a decimal comma.
    return re.sub(r"(?<=\d)\ue000(?=\d)", ".", text).replace("\ue001", ",")


def _depths(text: str) -> list[int]:
    depths, depth, before = [], 0, ""
    for sign in text:
        if sign in "([" or (sign == "{" and before == "\\"):
            depth += 1
        elif sign in ")]" or (sign == "}" and before == "\\"):
            depth = max(0, depth - 1)
        depths.append(depth)
        before = sign
    return depths


def _rewritten(text: str) -> str:
    """The text with its LaTeX commands in one spelling."""
    tokens = _TOKEN.findall(text)
    partner = _partners(tokens)
    _dollars(tokens)
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
