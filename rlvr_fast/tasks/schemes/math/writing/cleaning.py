r"""One spelling for what is written in many: spaces, signs, digits, fonts, delimiters.

What is cleaned here has no meaning in any answer: nothing that tells one answer from another goes.
"""

from __future__ import annotations

import re

from rlvr_fast.tasks.schemes.math.writing.commands import rewritten
from rlvr_fast.tasks.schemes.math.writing.markup import without_markup
from rlvr_fast.tasks.schemes.math.writing.signs import SIGNS
from rlvr_fast.tasks.schemes.math.writing.siunitx import without_siunitx
from rlvr_fast.tasks.schemes.math.writing.tables import (
    CHARACTERS,
    NARROW,
    SUBSCRIPTS,
    SUPERSCRIPTS,
)

__all__ = ["LONGEST", "clean"]

# Longer texts are no answers, and are not read.
LONGEST = 4000

_RAISED = re.compile(f"[{''.join(SUPERSCRIPTS)}]+")
_LOWERED = re.compile(f"[{''.join(SUBSCRIPTS)}]+")
_ROOTS = {"√": r"\sqrt", "∛": r"\sqrt[3]", "∜": r"\sqrt[4]"}
_ROOT = re.compile(r"([√∛∜]) *(\d+(?:\.\d+)?|[A-Za-z])?")
_BLANK = " " + NARROW
_THEREFORE = re.compile(rf"^(?:∴|\\(?:therefore|implies)(?![A-Za-z]))[ {NARROW}]*(?=\S)")
# One sign, or two periods: of a sentence inside a delimiter, and of the one around it.
_FINAL = re.compile(r"(?<![.,;:])(?:\.|\. ?\.|[,;:])$")

# Names of points, which OCR writes with spaces.
_POINTS = re.compile(r"(\\(?:angle|triangle|odot) *)([A-Z](?: [A-Z]){1,3})(?![A-Za-z])")
_PRIMES = re.compile(r" *\^ *(?:\{ *((?:\\prime *|' *)+) *\}|(\\prime)(?![A-Za-z]))")
_GROUPS = re.compile(
    r"(?<![\d.,'^_])([1-9]\d{0,2})((?:([, '\u2009\ue000])\d{3})+)(?!\d|[,'\ue000]\d)"
)
_DECIMAL_GROUPS = re.compile(r"(?<![\d.,])\d+\.\d{3}(?:\u2009\d{3})*\u2009\d{1,3}(?![\d.])")
_SKIP = re.compile(
    r"\\(?:hskip|kern|mkern|mskip) ?-?\d*\.?\d+ ?(?:em|ex|pt|mu|px|cm|mm|in)(?![A-Za-z])"
    r"|(?<=\\bbox) ?\[[^\[\]]{0,99}\](?= ?\{)"
)
_SLANTED = re.compile(
    r"(?<![\w)}\]])(?:\{\})?\^ ?\{?(\d{1,9})\}? ?/ ?(?:\{\})?_ ?\{?(\d{1,9})\}?(?![\w.])"
)
_OVER = re.compile(r"([^=,;\\{}<>]+)\\over(?![A-Za-z])([^=,;\\{}<>]+)")
_AMPERSAND = re.compile(r"(?<=[^\\&] )&(?= )")
# "*Final Answer:* 42": words at the beginning.
_EMPHASIS = re.compile(r"^([*_])([A-Za-z][A-Za-z ]{1,40}:?)\1(?=[ :])")
_STRUCK = re.compile(r"~~(?! )([^~]+)(?<! )~~")
_POWER_OF_TEN = r"10 *(?:\^|\*\*) *(?:\{ *([-+]? *\d+) *\}|\( *([-+]? *\d+) *\)|([-+]?\d+))"
_E_NOTATION = re.compile(
    r"(?<![A-Za-z\d_.\\^])(\d+(?:\.\d*)?|\.\d+)"
    r"(?:(?:[eE]|\{[eE]\})(?:([-+]?\d+)|\{ *([-+]?\d+) *\})| [eE] ?([-+]?\d+)|[eE] (\d+))"
    r"(?![\d^_!]|\.[\d.]|\*\*)"
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
    text = re.sub(r"[ \t\r\n\f\v\x1c-\x1f\x85\u2028\u2029]+", " ", text).strip()
    text = without_markup(text)
    text = _SKIP.sub("", _STRUCK.sub(r"\\sout{\1}", text))
    if text.startswith("~") and "\\" not in text:
        text = r"\approx " + text[1:]  # in plain text; in LaTeX it is a space
    text = without_siunitx(text)
    if "\\begin" not in text and "matrix" not in text:
        text = _AMPERSAND.sub(r"\\&", text)  # no column
    text = _RAISED.sub(_raised, _LOWERED.sub(_lowered, _vulgar(text)))
    text = text.translate(CHARACTERS)
    text = _ROOT.sub(_root, text)
    text = rewritten(_without_markdown(text))
    for pattern, sign in SIGNS:
        text = pattern.sub(sign, text)
    text = _PRIMES.sub(_primes, text)
    text = _POINTS.sub(lambda match: match[1] + match[2].replace(" ", ""), text)
    text = _tidy(_whole(text))
    if over := _OVER.fullmatch(text):
        text = rf"\frac{{{over[1].strip(_BLANK)}}}{{{over[2].strip(_BLANK)}}}"
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

    text = re.sub("([⁰¹²³⁴⁵⁶⁷⁸⁹]{1,9})[⁄/]([₀₁₂₃₄₅₆₇₈₉]{1,9})", fraction, text)
    return _SLANTED.sub(r"\\frac{\1}{\2}", text)


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
    exponent = int(next(filter(None, match.groups()[1:]))) if len(match[0]) < 40 else None
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
    text = _DECIMAL_GROUPS.sub(lambda match: match[0].replace(NARROW, ""), text)
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
