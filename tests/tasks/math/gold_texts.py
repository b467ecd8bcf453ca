"""A gold in other writings, and texts near a gold that say something else, made from its text.

Nothing here knows the reader of answers: the texts are made with regular expressions, so that a
reader that misreads a gold does not misread what is made of it in the same way.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction

__all__ = ["dressings", "perturbations"]

Named = Iterator[tuple[str, str]]

_INTEGER = re.compile(r"-?\d+")
_DECIMAL = re.compile(r"-?\d+\.\d+")
_SCIENTIFIC = re.compile(r"(-?\d+(?:\.\d+)?)e(-?\d+)")
_FRACTION = re.compile(r"(-?)\\frac\{(\d+)\}\{(\d+)\}")
# A number that is no part of a name, of a command or of another number.
_NUMBER = re.compile(r"(?<![\w.\\])(?<!frac )\d+(?:\.\d+)?(?![\w.]|,\\?!?\d{3}(?!\d))")
_DEGREES = re.compile(r"\^\{?\\circ\}?")
_UNIT = re.compile(r"\\text\{\s*([a-z]+)\s*\}")
_UNITS = {"cm": "km", "inches": "feet", "cents": "dollars", "square": "cubic", "degrees": "cm"}
_WORDS = {
    "east": "west", "even": "odd", "ellipse": "circle", "hyperbola": "parabola", "yes": "no",
    "Navin": "Evelyn", "Evelyn": "Navin", "Yes": "No", "No": "Yes",
}  # fmt: skip
_UNICODE = {
    "-": "\u2212", r"\pi": "\u03c0", r"\infty": "\u221e", r"\cup": "\u222a", r"\le ": "\u2264 ",
    r"\leq": "\u2264", r"\geq": "\u2265", r"\ge ": "\u2265 ", r"\times": "\u00d7", r"\pm": "\u00b1",
}  # fmt: skip
_TURNED = {
    r"\leq": r"\geq", r"\geq": r"\leq", r"\le": r"\ge", r"\ge": r"\le", "<": ">", ">": "<",
}  # fmt: skip
_STRICT = {r"\leq": "<", r"\geq": ">", r"\le": "<", r"\ge": ">", "<": r"\le ", ">": r"\ge "}
_RELATION = re.compile(r"\\(?:leq|geq|le|ge)(?![a-zA-Z])|[<>]")
_BOUND = re.compile(r"\\(?:sum|int|prod|lim|mid|forall)|\||\bif\b|\\text|:")
_FUNCTION = re.compile(r"[a-zA-Z]\s*(\\left)?\(\s*[a-zA-Z]\s*(\\right)?\)\s*=")  # f(x) =
_LETTERS = re.compile(r"(?<![a-zA-Z\\{])([a-zA-Z])(?![a-zA-Z])")


def core(gold: str) -> str:
    """The gold without dollars around the whole of it."""
    gold = gold.strip()
    inner = gold[1:-1]
    return inner.strip() if gold[:1] == gold[-1:] == "$" and "$" not in inner else gold


def top_level(text: str, separator: str = ",") -> list[str]:
    """The parts of a text between commas outside of all brackets."""
    parts, depth, start = [], 0, 0
    for place, letter in enumerate(text):
        if letter in "([{":
            depth += 1
        elif letter in ")]}":
            depth -= 1
        elif letter == separator and depth == 0 and text[place : place + 3] != ",\\!":
            parts.append(text[start:place])
            start = place + 1
    return [*parts, text[start:]]


def tuple_parts(text: str) -> tuple[str, list[str], str] | None:
    r"""Opening bracket, elements, closing bracket of "(1,2)" or "\left[1,2\right)"."""
    match = re.fullmatch(r"(\\left)?\s*([(\[])(.*?)(\\right)?\s*([)\]])", text, re.S)
    if match is None or "," not in match[3]:
        return None
    depth = 0
    for letter in match[3]:
        depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(letter, 0)
        if depth < 0:
            return None
    return match[2], top_level(match[3]), match[5]


def is_list(text: str) -> bool:
    """Whether a text is a bare list, whose order says nothing."""
    return len(top_level(text)) > 1 and not re.search(r"\d{1,3}(,\\!\s*\d{3})+", text)


def is_value(text: str) -> bool:
    """Whether a text is a number in any notation, without a letter or a relation."""
    return not re.search(
        r"(?<!\\)(?<![a-zA-Z\\])[a-df-zA-Z](?![a-z]*\{)|[=<>,\[]|\\(text|le|ge|in|cup|begin|"
        r"mathrm|quad|pm|theta|alpha|omega|dot|prime|infty|circ|%)|%|^\\\{",
        re.sub(
            r"\\(frac|sqrt|pi|cdot|times|left|right|log|ln|sin|cos|arcsin|tan|cot|binom)", "", text
        ),
    )


def dressings(gold: str, unordered: bool) -> Named:
    """Names and texts of other writings of a gold; `unordered`: several golds, all asked for."""
    text = core(gold)
    yield "itself", gold
    yield "itself", text
    yield "spaces", f"  {text}  "
    yield "thin spaces", rf"\, {text}\;"
    if "$" not in text:
        yield "dollars", f"${text}$"
        yield "two dollars", f"$${text}$$"
        yield "parentheses of LaTeX", rf"\({text}\)"
        yield "brackets of LaTeX", rf"\[{text}\]"
        yield "box", rf"\boxed{{{text}}}"
        yield "box in dollars", rf"$\boxed{{{text}}}$"
        yield "display style", rf"\displaystyle {text}"
        yield "sentence", f"The answer is ${text}$."
    if not text.endswith("."):
        yield "period", f"{text}."
        if "$" not in text:
            yield "period", f"${text}$."
    yield from _respelled(text)
    yield from _numbers(text)
    if _DEGREES.search(text):
        yield "unit dropped", _DEGREES.sub("", text)
    if _UNIT.search(text) and _NUMBER.search(text):
        yield "unit dropped", _UNIT.sub("", text)
    items = top_level(text)
    named = [item for item in items if "=" in item]
    if unordered and "$" not in text and is_list(text) and len(named) in (0, len(items)):
        yield "list reversed", ", ".join(reversed(items))
        yield "list with and", f"{', '.join(items[:-1])} and {items[-1]}"
        yield "list as a set", rf"\{{{text}\}}"
    if is_value(text):
        yield "x =", f"x = {text}"
        yield "x =", f"$x={text}$"


def _respelled(text: str) -> Named:
    if r"\frac" in text:
        yield "dfrac", text.replace(r"\frac", r"\dfrac")
        yield "tfrac", text.replace(r"\frac", r"\tfrac")
    if r"\left" not in text and r"\(" not in text and "\\{" not in text and "|" not in text:
        opened = re.sub(r"(?<!\\)([(\[])(?![^{]*\}\{)", r"\\left\1", text)
        closed = re.sub(r"(?<!\\)([)\]])", r"\\right\1", opened)
        if closed != text and closed.count(r"\left") == closed.count(r"\right") and "[" not in text:
            yield "left and right", closed
    if r"\left" in text and r"\left." not in text and r"\right." not in text:
        yield "without left and right", re.sub(r"\\(left|right)(?![a-z])", "", text)
    spaced = re.sub(r"(?<=[\w})])\s*([+=])\s*(?=[\w({\\])", r" \1 ", text)
    if spaced != text and "e+" not in text:
        yield "spaces at operators", spaced
    if re.search(r"(\d)\s*\\(sqrt|pi)(?![a-z])", text):
        yield "cdot", re.sub(r"(\d)\s*\\(sqrt|pi)(?![a-z])", r"\1 \\cdot \\\2", text)
    if re.search(r"\\sqrt\{\d\}", text):
        yield "sqrt without braces", re.sub(r"\\sqrt\{(\d)\}", r"\\sqrt\1 ", text)
    if "\\text" not in text and "begin" not in text:
        changed = text
        for latex, sign in _UNICODE.items():
            changed = re.sub(
                re.escape(latex) + r"(?![a-zA-Z])", f"{sign} ".replace("- ", "-"), changed
            )
        if changed != text and not _SCIENTIFIC.search(text):
            yield "Unicode signs", changed
    if match := re.fullmatch(r"\\text\{(.*)\}", text):
        yield "plain text", match[1].strip()
        yield "bold text", rf"\textbf{{{match[1]}}}"


def _numbers(text: str) -> Named:
    plain = text.replace(r",\!", "").replace(" ", "").replace(",", "")
    grouped = re.fullmatch(r"-?\d{1,3}(,(\\!)?\s*\d{3})+", text)
    if _INTEGER.fullmatch(text) or grouped:
        yield "digits alone", plain
        yield "decimal zero", f"{plain}.0"
        yield "decimal zeros", f"{plain}.00"
        yield "text", rf"\text{{{plain}}}"
        yield "bold", rf"\mathbf{{{plain}}}"
        yield "bold in Markdown", f"**{plain}**"
        yield "sum with zero", f"{plain}+0"
        yield "full-width digits", plain.translate({48 + d: 0xFF10 + d for d in range(10)})
        yield "unit added", rf"{plain} \text{{ units}}"
        yield "unit added", rf"{plain}\text{{ cm}}"
        yield "dollars of money", rf"\${plain}"
        if len(plain.lstrip("-")) > 3:
            comma = f"{int(plain):,}"
            for name, mark in (
                ("comma", ","), ("comma in braces", "{,}"), ("thin space", r"\,"),
                ("comma and thin space", r",\!"), ("narrow space", "\u202f"), ("space", " "),
            ):  # fmt: skip
                yield f"thousands: {name}", comma.replace(",", mark)
            yield "e-notation", f"{Decimal(plain):e}"
    if match := _SCIENTIFIC.fullmatch(text):
        power = str(int(match[2]))
        for name, form in (
            ("times", r"{} \times 10^{{{}}}"), ("cdot", r"{} \cdot 10^{{{}}}"), ("E", "{}E{}"),
            ("star", "{}*10^{}"), ("Python", "{}*10**{}"), ("x", "{} x 10^{}"),
            ("Unicode", "{} \u00d7 10^{}"),
            ("with a unit", r"{} \times 10^{{{}}} \text{{ kg}}"),
        ):  # fmt: skip
            yield f"e-notation: {name}", form.format(match[1], power)
        yield "plain decimal", f"{Decimal(text):f}"
    if _DECIMAL.fullmatch(text):
        yield "e-notation", f"{Decimal(text):e}"
        sign, digits, power = Decimal(text).as_tuple()
        mantissa = Decimal((sign, digits, 1 - len(digits)))
        shown = rf"{mantissa} \times 10^{{{int(power) + len(digits) - 1}}}"
        yield "e-notation: times", shown
        yield "trailing zero", f"{text}0"
        yield "unit added", rf"{text} \text{{ units}}"
    if match := _FRACTION.fullmatch(text):
        sign, above, below = match[1], int(match[2]), int(match[3])
        yield "slash", f"{sign}{above}/{below}"
        yield "not in lowest terms", rf"{sign}\frac{{{3 * above}}}{{{3 * below}}}"
        yield "sign inside", rf"\frac{{{sign}{above}}}{{{below}}}"
        decimal = _terminating(Fraction(above, below))
        if decimal:
            yield "decimal", f"{sign}{decimal}"
    if match := re.fullmatch(r"(-?\d+(?:\.\d+)?)\s*\\?%", text):
        yield "percent", rf"{match[1]}\%"
        yield "percent", f"{match[1]} %"
        yield "percent", f"{match[1]} percent"
        yield "percent as a number", match[1]
        yield "percent as a fraction", str(Decimal(match[1]) / 100)


def _terminating(value: Fraction) -> str:
    rest = value.denominator
    for factor in (2, 5):
        while rest % factor == 0:
            rest //= factor
    decimal = Decimal(value.numerator) / Decimal(value.denominator)
    return f"{decimal:f}" if rest == 1 and Fraction(decimal) == value else ""


def perturbations(gold: str, unordered: bool) -> Named:
    """Names and texts of other answers near a gold; see `dressings`."""
    text = core(gold)
    for match in list(_NUMBER.finditer(text))[:12]:
        before, number, after = text[: match.start()], match[0], text[match.end() :]
        for name, other in _other_numbers(number):
            yield name, f"{before}{other}{after}"
    yield from _other_scientific(text)
    yield from _other_values(text)
    yield from _other_structure(text, unordered)
    yield from _other_signs(text)
    for place, (word, other) in enumerate(_WORDS.items()):
        if re.search(rf"\b{word}\b", text):
            yield "another word", re.sub(rf"\b{word}\b", other, text)
            if place:
                yield "negated word", rf"\text{{not }}{text}"


def _other_numbers(number: str) -> Named:
    value = Decimal(number)
    exact = value * Decimal("1.000001")
    if value:
        yield "number doubled", f"{value * 2:f}"
        yield "number by 1e-6 relative", f"{exact:f}"
        yield "number by 1e-6 relative", f"{value * Decimal('0.999999'):f}"
        yield "number ten times", f"{number}0" if "." not in number else f"{value * 10:f}"
    yield "number off by one", f"{value + 1:f}"
    if value >= 3:  # an exponent, a denominator and a factor stay what they are
        yield "number off by one", f"{value - 1:f}"
    digit = str((int(number[-1]) + 5) % 10)
    yield "digit changed", number[:-1] + digit if len(number) > 1 else f"1{digit}"


def _other_scientific(text: str) -> Named:
    if match := _SCIENTIFIC.fullmatch(text):
        mantissa, power = Decimal(match[1]), int(match[2])
        yield "mantissa by 1e-6 relative", f"{mantissa * Decimal('1.000001')}e{power}"
        yield "mantissa doubled", f"{mantissa * 2}e{power}"
        yield "mantissa negated", f"{-mantissa}e{power}"
        yield "power off by one", f"{mantissa}e{power + 1}"
        yield "power off by one", f"{mantissa}e{power - 1}"
        yield "power negated", f"{mantissa}e{-power}"
        yield "zero", "0"
        yield "zero", "0.0"
        yield "zero", "0.0000000"


def _other_values(text: str) -> Named:
    if is_value(text) and not re.fullmatch(r"-?0(\.0*)?", text):
        yield "negated", text[1:] if text.startswith("-") and "+" not in text else f"-({text})"
        yield "doubled", f"2({text})"
        yield "plus one", f"({text})+1"
        yield "plus a millionth of it", f"({text})*1.000001"
        yield "inverse", rf"\frac{{1}}{{{text}}}" if text not in ("1", "-1") else "2"
        yield "with x", f"x({text})"
        yield "zero", "0"
        yield "a second guess", f"{text} or 123456789"
        yield "a second guess", f"{text}, 123456789"
        yield "greater", f"x > {text}"
        yield "at least", rf"\ge {text}"
        yield "not", rf"x \ne {text}"
        yield "million", rf"{text} \text{{ million}}"
        yield "unfinished", f"{text} +"
        yield "unread", f"{text} ]]@("
    elif len(_NUMBER.findall(text)) > 1 and not re.search(r"\\circ|\\text|\\mbox", text):
        yield "its first number", _NUMBER.findall(text)[0]
        yield "its last number", _NUMBER.findall(text)[-1]
    if _DEGREES.search(text):
        yield "unit changed", _DEGREES.sub(r"\\text{ cm}", text)
    for match in _UNIT.finditer(text):
        if match[1] in _UNITS:
            yield "unit changed", text.replace(match[1], _UNITS[match[1]])


def _other_structure(text: str, unordered: bool) -> Named:
    parts = tuple_parts(text)
    if parts:
        opening, items, closing = parts
        if items[0].strip() != items[1].strip():
            swapped = [items[1], items[0], *items[2:]]
            yield "order swapped", f"{opening}{','.join(swapped)}{closing}"
        if len(items) == 2:
            for one, other in (("[", "]"), ("[", ")"), ("(", "]"), ("(", ")")):
                infinite = r"\infty" in (items[0] if one != opening else items[1])
                if (one, other) != (opening, closing) and not infinite:
                    yield "brackets changed", f"{one}{','.join(items)}{other}"
        else:
            yield "element left out", f"{opening}{','.join(items[:-1])}{closing}"
        yield "element added", f"{opening}{','.join([*items, '12345'])}{closing}"
        yield "as a set", rf"\{{{','.join(items)}\}}"
    elif is_list(text) and "$" not in text:
        items = top_level(text)
        if len({item.strip() for item in items}) == len(items):
            yield "element left out", ",".join(items[1:])
            yield "element left out", ",".join(items[:-1])
        yield "element added", f"{text}, 12345"
        yield "element alone", items[0]
    if "pmatrix" in text and text.count("\\\\") >= 1:
        rows = re.search(r"\\begin\{pmatrix\}(.*)\\end\{pmatrix\}", text, re.S)
        if rows:
            turned = rows[1].split("\\\\")[::-1]
            if turned != turned[::-1]:
                changed = "\\\\".join(turned)
                yield "order swapped", rf"\begin{{pmatrix}}{changed}\end{{pmatrix}}"


def _other_signs(text: str) -> Named:
    for match in _RELATION.finditer(text):
        before, after = text[: match.start()], text[match.end() :]
        yield "inequality turned", f"{before}{_TURNED[match[0]]}{after}"
        yield "inequality stricter or not", f"{before}{_STRICT[match[0]]}{after}"
    for match in re.finditer(r"(?<=[\w})])\s*([+-])\s*(?=[\w({\\])", text):
        if not re.search(r"\de$|10\^\{?$|\\text", text[: match.start(1)]):
            other = "-" if match[1] == "+" else "+"
            yield "sign changed", f"{text[: match.start(1)]}{other}{text[match.end(1) :]}"
    for old, new in ((r"\sin", r"\cos"), (r"\cup", r"\cap"), (r"\sqrt{", "{"), (r"\pi", "e")):
        if re.search(re.escape(old) + r"(?![a-z])", text):
            yield f"{old} as {new}", text.replace(old, new)
    if r"\pm" in text:
        yield "one sign of two", text.replace(r"\pm", "+")
    if not _BOUND.search(text) and not _FUNCTION.search(text) and "begin" not in text:
        for letter in sorted(set(_LETTERS.findall(text)) - set("eidC")):
            change = _LETTERS.sub(lambda m, letter=letter: "w" if m[1] == letter else m[1], text)
            if "w" not in text and change != text:
                yield "name changed", change
            if letter.swapcase() not in text:
                changed = _LETTERS.sub(
                    lambda m, letter=letter: letter.swapcase() if m[1] == letter else m[1], text
                )
                yield "case of a name", changed
