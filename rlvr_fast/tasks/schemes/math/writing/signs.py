"""Signs in plain text and in LaTeX, each in one spelling."""

from __future__ import annotations

import re

__all__ = ["SIGNS"]

_INSIDE = r"((?:(?!\\mid)[^()]|\([^()]{0,40}\)){1,99}?)"

# Pattern -> one spelling, in this order: the longer signs first.
SIGNS = (
    (re.compile(r"<=>|<==>|<-+>"), r"\\iff "),
    (re.compile(r"=/=|(?<![\d)!A-Za-z}])!==?|(?<=[A-Za-z])!=="), r"\\ne "),
    (re.compile(r"(?<=[A-Za-z])!=(?=[^=])"), r"\\ne "),
    (re.compile(r"<=|=<(?!=)"), r"\\le "),
    (re.compile(r">=(?!>)"), r"\\ge "),
    (re.compile(r"=>"), r"\\implies "),
    (re.compile(r"(?<![-<])-+>"), r"\\to "),
    (re.compile(r"\+/-|\+-(?=[^-+])"), r"\\pm "),
    (re.compile(r"(?<![A-Za-z])Rs\.(?=\d)"), "Rs. "),
    (re.compile(r"=="), "="),
    (re.compile(r"^(\S{1,12}) (?:equals|is equal to) (?=\S)"), r"\1 = "),
    (re.compile(r"\\not *(?:=|\\ne\b)"), r"\\ne "),
    (re.compile(r"\\not *\\in(?![A-Za-z])"), r"\\notin "),
    (re.compile(r"\\not *(?:>|\\gt(?![A-Za-z]))|\\ngtr(?![A-Za-z])"), r"\\le "),
    (re.compile(r"\\not *(?:<|\\lt(?![A-Za-z]))|\\nless(?![A-Za-z])"), r"\\ge "),
    (re.compile(r"\\not *\\le(?![A-Za-z])|\\nleq(?:slant)?(?![A-Za-z])"), ">"),
    (re.compile(r"\\not *\\ge(?![A-Za-z])|\\ngeq(?:slant)?(?![A-Za-z])"), "<"),
    (re.compile(r"(?<=[\w)\]}]) ?<> ?(?=[-\w(\\])"), r" \\ne "),
    # Letters for the signs of the operators and of a triangle.
    (re.compile(r"\\Sigma *(?=_ *\{ *[a-z] *=)"), r"\\sum "),
    (re.compile(r"\\Pi *(?=_ *\{ *[a-z] *=)"), r"\\prod "),
    (re.compile(r"\\Delta *(?=[A-Z]{3}(?![A-Za-z_]))"), r"\\triangle "),
    (re.compile(r"\{(\\(?:log|ln|lg) *(?:_ *(?:\{\w+\}|\w))?) *\}"), r"\1 "),
    (re.compile(r"\*\{\d{1,3}\}\{([lcr])\}"), r"\1"),
    (re.compile(r"\.\.\.+"), r"\\ldots "),
    (re.compile(r"\{ *([-+=<>*/,.:;%]) *\}"), r"\1"),
    (re.compile(r"\^ *\{ *\^?(?:\\circ|\\degree) *\}| *\^ *\^?\\circ(?![A-Za-z])"), r"^\\circ "),
    # '60∘': what follows is nothing that the circle could join to the number.
    (re.compile(r"(?<=\d) ?\\circ(?= *(?:$|[-+,;)=<>]|\\\}))"), r"^\\circ "),
    # Bars that are written as "divides": the first at a start, or the second at an end.
    (re.compile(rf"(?:^|(?<=[-+*/=(,<>{{])) *\\mid {_INSIDE}\\mid(?![A-Za-z])"), r"|\1|"),
    (re.compile(rf"\\mid {_INSIDE}\\mid *(?=$|[-+*/=<>),^])"), r"|\1|"),
    (re.compile(r"(?<=[A-Z]) *//(?= *[A-Z]{2})"), r"\\parallel "),
    (re.compile(r"(?<=[\w)\]}])\{\}(?=[\^_]|$)"), ""),
    (re.compile(r"(?<=[A-Za-z])\^(\{[^{}]*\}|\w)_(\{[^{}]*\}|\w)"), r"_\2^\1"),
    (re.compile(r"(?<![\w\\^_}\]])\{([A-Za-z])\}(?=_)"), r"\1"),
    (re.compile(r"(?<=\d)\^ *(?:\{ *[oO] *\}|o\b)"), r"^\\circ "),
)
