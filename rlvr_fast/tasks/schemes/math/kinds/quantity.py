r"""Numbers with a unit, a currency or a counted thing: 5 km/h, \$5, 1.5 million, seven trees."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from fractions import Fraction

from rlvr_fast.tasks.schemes.math.kinds.expression import Expression
from rlvr_fast.tasks.schemes.math.parsing import parse_term
from rlvr_fast.tasks.schemes.math.parts.unit_reading import (
    NOTHING,
    Dressing,
    alike,
    read_dressing,
)
from rlvr_fast.tasks.schemes.math.parts.units_table import CURRENCY_SIGNS, UNITS, Unit
from rlvr_fast.tasks.schemes.math.parts.wording import SCALES, latex, plain, spoken_number, word_set
from rlvr_fast.tasks.schemes.math.terms.nodes import Add, Constant, Mul, Number, Pow, Symbol, Term
from rlvr_fast.tasks.schemes.math.values import Read, Same, Value

__all__ = ["Quantity", "compare", "has_symbols", "is_ordinal", "read", "scaled"]


@dataclass(frozen=True, slots=True)
class Quantity(Value):
    """A number and what stands beside it.

    Attributes:
        term: the number.
        dressing: the unit and the nouns.
        product: the whole text as a product of letters, where it may be one ("5 m").
        bare: whether the number alone is the same answer, for a gold answer. A unit of letters
            right after the number ("5m") or after anything but a decimal number may be a
            product, so the number alone does not do.
    """

    term: Term
    dressing: Dressing
    product: Term | None = None
    bare: bool = True


_CURRENCY = re.compile(
    r"([+-]?)\s*("
    + "|".join(re.escape(sign) for sign in sorted(CURRENCY_SIGNS, key=len, reverse=True))
    + r")\s*([+-]?)(?=[\d.\\({A-Za-z \d])"
)
_TWICE = re.compile(
    r"(?P<digits>\d{1,12}) ?\((?P<words>[A-Za-z -]{3,60})\)"
    r"|(?P<name>[A-Za-z -]{3,60}) ?\((?P<more>\d{1,12})\)"
)
_HYPHENED = re.compile(r"(?:[A-Za-z]{3,}|[cmk]m|kg|ft|in|lb|oz|km|hr|yr)(?![A-Za-z])")
_BRACED = re.compile(r"(?P<head>[^{].{0,200}?) ?\{(?P<unit>(?:[^{}]|\{[^{}]{0,9}\}){1,60})\}")
_PER = re.compile(r" ?/ ?(?=[a-z]{3,})")
_LETTERS_FOR = {"k": 10**3, "K": 10**3, "M": 10**6, "B": 10**9}
_SCALE_LETTERS = (Symbol("K"), Symbol("M"), Symbol("B"))
_EACH = re.compile(r" (?:every|each|an?) ")
_SUFFIX = {"k": 10**3, "K": 10**3, "M": 10**6, "B": 10**9, "bn": 10**9, "m": 10**6}
_MONEY_SUFFIX = re.compile(r"([\d.]+)\s?(k|K|M|B|bn|m)$")
_WORD_START = re.compile(
    r"\\[A-Za-z]+\*?|\\.|[(){}\[\]]|[A-Za-zΩµμÅ°$¢£€₹¥₽₩₺₫₱฿₦₪]+|''|'|\"|.", re.DOTALL
)
_LETTER = re.compile(r"[A-Za-zΩµμÅ°$¢£€₹¥₽₩₺₫₱฿₦₪'\"]")
_ORDINAL = re.compile(r"(\d+)\s*(?:\^\s*\{?\s*(?:st|nd|rd|th)\s*\}?|st|nd|rd|th)")
_PLACE = frozenset({"th"})  # the noun of 5th
_PLAIN_NUMBER = re.compile(r"(?:[\d.+\-/(){} ]|\\[dt]?frac)+")
_SPOKEN = re.compile(r"[A-Za-z]+(?:[- ][A-Za-z]+)*")
_UNIT_WORD = re.compile(r"(?<![A-Za-z\\])[A-Za-z]{2,}(?![A-Za-z])")
_FRACTIONS = (r"\frac", r"\dfrac", r"\tfrac")
_DECIMAL = re.compile(r"[+-]?[\d.]+(?: ?(?:\\times|\\cdot|\*) ?10 ?\^ ?\{?[+-]?\d+\}?)?")
# Before a noun these are words, and no products of letters: "on a Thursday", "Mr Smith".
_NO_FACTORS = word_set("a an on in at to by mr ms dr st no is it he we as of so us my")
_MOST_CANDIDATES = 6

# Letters of a unit that may be variables, beside something other than a number: 2\\pi hr.
_SHORT_UNIT = 3


def read(text: str, read: Read) -> Value | None:
    """The value of a number with something beside it; see `kinds`."""
    text = plain(text)
    if not text or not _LETTER.search(text):
        return None
    if ordinal := _ORDINAL.fullmatch(text):
        return Quantity(Number(Fraction(int(ordinal[1]))), Dressing(nouns=_PLACE))
    if (half := _half(text)) is not None:
        return Expression(half)
    text = _unbraced(text)
    return _twice(text) or _money(text) or _spoken(text) or _numbered(text)


def _unbraced(text: str) -> str:
    r"""The text without the braces around its unit: `5 {\rm m/s}` is "5 {m/s}" when cleaned."""
    match = _BRACED.fullmatch(text)
    if match is None or read_dressing(match["unit"]) is None:
        return text
    head = match["head"].strip()
    # the last argument of a command is no unit
    return f"{head} {match['unit'].strip()}" if parse_term(latex(head)) is not None else text


def _money(text: str) -> Value | None:
    match = _CURRENCY.match(text)
    if match is None:
        return None
    sign = "-" if "-" in (match[1], match[3]) else ""
    currency = UNITS[CURRENCY_SIGNS[match[2]]]
    rest = _EACH.sub(" per ", text[match.end() :].strip())
    factor = 1
    if suffix := _MONEY_SUFFIX.fullmatch(rest):
        rest, factor = suffix[1], _SUFFIX[suffix[2]]
    term = parse_term(latex(sign + rest))
    inner = _numbered(sign + _PER.sub(" per ", rest))
    counted = isinstance(inner, Quantity) and not inner.dressing.letters
    if term is not None and not counted and (match[2] == "$" or not has_symbols(term)):
        return Quantity(scaled(term, Fraction(factor)), Dressing(currency))
    if isinstance(inner, Expression):
        return Quantity(inner.term, Dressing(currency))
    if not isinstance(inner, Quantity):
        return None
    unit = inner.dressing.unit
    if any(power > 0 for _, power in unit.dimensions) and unit.dimensions != currency.dimensions:
        return None
    whole = currency if unit.dimensions == currency.dimensions else currency.times(unit)
    return Quantity(inner.term, dataclasses.replace(inner.dressing, unit=whole, letters=False))


def _spoken(text: str) -> Value | None:
    """Number words, and what they count."""
    head = _SPOKEN.match(text)
    if head is None:
        return None
    words = head[0].replace("-", " ").split(" ")
    for count in range(min(len(words), 12), 0, -1):
        value = spoken_number(tuple(words[:count]))
        if value is None:
            continue
        rest = " ".join(words[count:]) + text[head.end() :]
        number = Number(value)
        if not rest.strip():
            return Expression(number)
        if rest.strip().startswith("of ") and value.denominator == 1:
            return None  # "one of them"
        dressing = read_dressing(rest.strip())
        return None if dressing is None else Quantity(number, dressing)
    return None


def _numbered(text: str) -> Value | None:
    """A term, a scale such as "million", and what is counted."""
    for position in _candidates(text):
        head, rest = text[:position].strip(), text[position:].strip()
        head, rest = _joined(head, rest)
        scale, rest_after = _scale(rest)
        dressing = read_dressing(rest_after) if rest_after else NOTHING
        if dressing is None or (scale == 1 and dressing is NOTHING):
            continue
        if scale == 1 and any(_is_unit(word) for word in _UNIT_WORD.findall(head)):
            return None  # "3 cm + 4 cm"
        plain_head = _PLAIN_NUMBER.fullmatch(head) or _DECIMAL.fullmatch(head)
        if "°" in head or (dressing.unit.pi and not plain_head):
            return None
        if rest[0] in "'\"" and not _DECIMAL.fullmatch(head):
            return None  # a prime
        term = _half(head) or parse_term(latex(head))
        if term is None or (dressing.nouns and head.split()[0].casefold() in _NO_FACTORS):
            continue
        if rest.startswith("a ") and text[position - 1] != " ":
            continue  # 2a cm
        if has_symbols(term) and (scale != 1 or (dressing.letters and len(rest) < 3)):
            continue
        if scale != 1:
            term = scaled(term, Fraction(scale))
            if dressing is NOTHING:
                return Expression(term)
        letters = dressing.letters or (
            rest.isalpha() and len(rest) <= _SHORT_UNIT and not _DECIMAL.fullmatch(head)
        )
        product = parse_term(latex(text)) if scale == 1 and letters else None
        glued = text[position - 1 : position] != " "
        doubtful = dressing.letters and (glued or not _DECIMAL.fullmatch(head))
        bare = not (dressing.product or doubtful)
        return Quantity(term, dressing, product, bare)
    return None


def _joined(head: str, rest: str) -> tuple[str, str]:
    """`5-inch`, `5/day`: the sign between number and word belongs to the word."""
    if head[-1:] not in ("-", "/") or not _HYPHENED.match(rest):
        return head, rest
    return head[:-1].rstrip(), rest if head[-1] == "-" else "/ " + rest


def _candidates(text: str) -> list[int]:
    """Where a unit may begin: letters outside of brackets, after the first sign."""
    found: list[int] = []
    depth = 0
    for match in _WORD_START.finditer(text):
        token = match[0]
        if token in "({[":
            depth += 1
        elif token in ")}]":
            depth -= 1
        elif depth == 0 and match.start() and (_LETTER.match(token) or token in _FRACTIONS):
            found.append(match.start())
        if len(found) >= _MOST_CANDIDATES:
            break
    return found


def _scale(rest: str) -> tuple[int, str]:
    """The factor that a text begins with ("million", "hundred thousand"), and what follows."""
    scale = 1
    for _ in range(3):
        word, _, after = rest.partition(" ")
        name = word.casefold()
        name = name if name in SCALES else name.removesuffix("s")
        if name not in SCALES:
            break
        scale, rest = scale * SCALES[name], after.strip()
    return scale, rest


def _half(head: str) -> Term | None:
    """`2 and a half`."""
    match = re.fullmatch(r"(\d{1,9}) and ([a-z -]{1,30})", head)
    part = spoken_number(tuple(match[2].replace("-", " ").split())) if match else None
    if match is None or part is None or part >= 1:
        return None
    return Number(int(match[1]) + part)


def _twice(text: str) -> Value | None:
    """`5 (five)`: a whole number, and the same one in words."""
    match = _TWICE.fullmatch(text)
    if match is None:
        return None
    digits = match["digits"] or match["more"]
    words = match["words"] or match["name"]
    value = spoken_number(tuple(words.replace("-", " ").split()))
    return Expression(Number(value)) if value == Fraction(digits) else None


def _is_unit(word: str) -> bool:
    dressing = read_dressing(word)
    return dressing is not None and bool(dressing.unit.dimensions)


def is_ordinal(quantity: Quantity) -> bool:
    """Whether a quantity is a place in an order: 5th."""
    return quantity.dressing.nouns == _PLACE


def has_symbols(term: Term) -> bool:
    """Whether a term has a free name or a function of which nothing is known."""
    stack: list[object] = [term]
    while stack:
        node = stack.pop()
        if isinstance(node, Symbol):
            return True
        if isinstance(node, Term):
            stack += [getattr(node, field.name) for field in dataclasses.fields(node)]
        elif isinstance(node, tuple):
            stack += node
    return False


def scaled(term: Term, factor: Fraction) -> Term:
    """A term times a rational number."""
    if factor == 1:
        return term
    if isinstance(term, Number):
        # A decimal stays one only where the point moves.
        power = factor if factor > 1 else 1 / factor if factor else factor
        decimal = power.denominator == 1 and str(power).strip("0") == "1"
        return Number(term.value * factor, term.digits if decimal else 0)
    return Mul((Number(factor), term))


def _shifted(term: Term, offset: Fraction) -> Term:
    if not offset:
        return term
    if isinstance(term, Number):
        return Number(term.value + offset)
    return Add((term, Number(offset)))


def _converted(term: Term, unit: Unit, target: Unit) -> Term:
    """The value in another unit of the same dimensions."""
    factor = unit.factor / target.factor
    term = _shifted(scaled(_shifted(term, unit.offset), factor), -target.offset)
    pi = unit.pi - target.pi
    return Mul((term, Pow(Constant("pi"), Number(Fraction(pi))))) if pi else term


def compare(gold: Value, answer: Value, same: Same) -> bool | None:
    """Whether two quantities agree; see `kinds`."""
    if isinstance(gold, Quantity) and isinstance(answer, Quantity):
        return _both(gold, answer, same)
    if isinstance(gold, Quantity) and isinstance(answer, Expression):
        return (gold.bare and same(Expression(gold.term), answer)) or any(
            same(Expression(term), answer) for term in _as_terms(gold)
        )
    if isinstance(gold, Expression) and isinstance(answer, Quantity):
        terms = _as_terms(answer)
        if not _may_be_scaled(answer):
            terms.insert(0, answer.term)
        return any(same(gold, Expression(term)) for term in terms) or _abbreviates(answer, gold)
    if isinstance(gold, Expression) and isinstance(answer, Expression):
        return True if _abbreviates(answer, gold) else None
    return None


def _abbreviates(answer: Quantity | Expression, gold: Expression) -> bool:
    """Whether an answer is a gold number with a letter for its thousands or millions: 5k, 1.2M."""
    term = answer.product if isinstance(answer, Quantity) else answer.term
    if not isinstance(gold.term, Number) or not isinstance(term, Mul) or len(term.parts) != 2:
        return False
    number, letter = term.parts
    if not isinstance(number, Number) or not isinstance(letter, Symbol):
        return False
    return number.value * _LETTERS_FOR.get(letter.name, 0) == gold.term.value != 0


def _may_be_scaled(quantity: Quantity) -> bool:
    """Whether the letter right after a number may stand for thousand, million or billion."""
    product = quantity.product
    return not quantity.bare and isinstance(product, Mul) and product.parts[-1] in _SCALE_LETTERS


def _as_terms(quantity: Quantity) -> list[Term]:
    """What else a quantity is: a product of letters, an angle in radians."""
    terms = [] if quantity.product is None else [quantity.product]
    unit = quantity.dressing.unit
    if unit.dimensions == (("angle", 1),):
        terms.append(_converted(quantity.term, unit, UNITS["rad"]))
    return terms


def _both(gold: Quantity, answer: Quantity, same: Same) -> bool:
    if gold.dressing.product and answer.dressing.product and gold.product and answer.product:
        return same(Expression(gold.product), Expression(answer.product))
    if not alike(gold.dressing, answer.dressing):
        return False
    first, second = gold.dressing.unit, answer.dressing.unit
    if first == second or first.dimensions != second.dimensions:
        return same(Expression(gold.term), Expression(answer.term))
    # A rounded decimal is compared as it was written, so each side is converted in turn.
    return same(Expression(gold.term), Expression(_converted(answer.term, second, first))) or same(
        Expression(_converted(gold.term, first, second)), Expression(answer.term)
    )
