"""Units and counted things after a number, read from text."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rlvr_fast.tasks.schemes.math.parts.units_table import (
    NO_UNIT,
    TWO_WORDS,
    UNITS,
    Unit,
    find_unit,
)
from rlvr_fast.tasks.schemes.math.parts.wording import FILLERS, is_noun, noun_lemma, word_set

__all__ = ["NOTHING", "Dressing", "alike", "read_dressing"]


@dataclass(frozen=True, slots=True)
class Dressing:
    """What stands beside a number.

    Attributes:
        unit: the unit; without dimensions where there is none.
        nouns: what is counted, in the singular.
        letters: every unit in the text is a sign of one or two letters that could also be a
            product of variables.
        product: the text is a product or quotient of single letters ("m g", "C/S"), and none of
            the common ones ("m/s").
    """

    unit: Unit = NO_UNIT
    nouns: frozenset[str] = frozenset()
    letters: bool = False
    product: bool = False


NOTHING = Dressing()

_TOKEN = re.compile(
    r"""
    (?P<degree>°\s*(?:[CFK](?![A-Za-z])|[Cc]elsius|[Ff]ahrenheit)|°
      |[Dd]eg(?:ree)?s?\.?\s+(?:[CFK](?![A-Za-z])|[Cc]elsius|[Ff]ahrenheit|[Cc]entigrade|[Kk]elvin))
    |(?P<power>(?:\^|\*\*)\s*(?:\{\s*(?P<braced>[+-]?\d{1,2})\s*\}|(?P<bare>[+-]?\d{1,2})(?!\d)))
    |(?P<raised>(?<=[a-z])[23](?![\d.A-Za-z]))
    |(?P<word>[MLR]_(?:\\odot(?![A-Za-z])|\{\s*\\odot\s*\})|[A-Za-zΩµμÅ]+(?:'s)?|[$¢£€₹¥₽₩₺₫₱฿₦₪]|''|'|")
    |(?P<per>/)
    |(?P<times>\*|\\cdot(?![A-Za-z])|\\times(?![A-Za-z])|-(?=[A-Za-z])|\.(?=\s|$|[A-Za-z/]))
    |(?P<open>\()
    |(?P<close>\))
    |(?P<space>\s+)
    """,
    re.VERBOSE,
)
_FRACTION = re.compile(r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}")
_POWER_BEFORE = {"square": 2, "sq": 2, "cubic": 3, "cu": 3}
_POWER_AFTER = {"squared": 2, "cubed": 3}
# Signs of one or two letters that are surely units, even right after a digit.
_SURE = word_set(
    """cm mm km kg nm Hz ft in lb oz Pa kJ kW kV GB MB KB TB dB mL Wh °C hr yd mi sq cu yr ppm
    Rs Gy Sv Wb lx"""
)
# Quotients of single letters that are surely units.
_COMMON = frozenset(
    UNITS[first].times(UNITS[second].power(power))
    for first, second, power in (
        ("m", "s", -1), ("m", "s", -2), ("N", "m", -1), ("J", "K", -1), ("V", "m", -1),
        ("g", "L", -1), ("N", "C", -1), ("m", "K", -1), ("J", "g", -1),
    )
)  # fmt: skip
# "ways to choose the hats": a clause that says which things are counted.
_CLAUSE = re.compile(
    r"(?P<nouns>[A-Za-z ]+?) (?:to|that|who|which) "
    r"(?P<clause>[A-Za-z]{2,15}(?: [A-Za-z]{1,15}){0,7})"
)
# "dollars for the glasses": what the question says of the value; no number and no turn in it.
_PHRASE = re.compile(
    r"(?:(?P<nouns>\S.*?) )?(?P<first>for|during|from|at|on|in|this|every) "
    r"(?P<phrase>[a-z']{3,15}(?: [a-z']{3,15}){0,4})"
)
_TWO_WORDS = re.compile(
    rf"(?<![A-Za-z])((?:{'|'.join(TWO_WORDS).replace(' ', '[- ]')})s?)(?![A-Za-z])",
    re.IGNORECASE,
)
_POINTING = word_set("the this that his her their its each every")
_TURNS = word_set("or and not no than more less fewer but at nor never be")
# Units that are written with a power and no sign for it: cm2, m/s2.
_RAISED = frozenset({"m", "cm", "mm", "km", "dm", "ft", "in", "yd", "mi", "s"})
_PER = frozenset({"a", "an", "per", "every", "each"})
# Kinds of the things that are counted, where a noun follows: "5 even numbers", and not "5 even".
_ADJECTIVES = word_set("positive negative even odd prime")
_MOST_WORDS = 12


def read_dressing(text: str) -> Dressing | None:
    """The unit and the nouns that a whole text is; None where any part is neither.

    Example:
        >>> read_dressing("km/h") == read_dressing("kilometers per hour")
        True
        >>> read_dressing("total handshakes").nouns
        frozenset({'handshake'})
    """
    if len(text) > 120:
        return None
    clause = _CLAUSE.fullmatch(text)
    if clause and not _TURNS & set(clause["clause"].casefold().split()):
        return read_dressing(clause["nouns"])
    text = _TWO_WORDS.sub(lambda match: TWO_WORDS[_named(match[1])], text)
    if text == "in all":
        return Dressing()
    phrase = _PHRASE.fullmatch(text.removesuffix(" in all"))
    if phrase and (known := _with_phrase(phrase)) is not None:
        return known
    fraction = _FRACTION.fullmatch(text.strip())
    if fraction:
        text = f"{fraction[1]}/({fraction[2]})"
    return _Reader(text).dressing()


def _named(words: str) -> str:
    """A name of two words as the table of units has it."""
    return words.casefold().replace("-", " ").removesuffix("s")


def _with_phrase(match: re.Match[str]) -> Dressing | None:
    words = [word.removesuffix("'s").strip("'") for word in match["phrase"].split()]
    if words[0] not in _POINTING and match["first"] not in _POINTING:
        return None
    if not all(is_noun(word) for word in words if word not in _POINTING):
        return None
    return read_dressing(match["nouns"]) if match["nouns"] else Dressing()


class _Reader:
    """One pass over the tokens of a text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.unit = NO_UNIT
        self.nouns: set[str] = set()
        self.sure = self.operator = False
        self.names = 0
        self.single: list[bool] = []
        self.words = 0

    def dressing(self) -> Dressing | None:
        tokens = self._tokens()
        if tokens is None or not self._read(tokens):
            return None
        if not self.names and not self.nouns and not self.words:
            return None
        letters = bool(self.names) and not self.sure and not self.nouns
        product = letters and len(self.single) > 1 and all(self.single)
        product = product and not (self.operator and self.unit in _COMMON)
        return Dressing(self.unit, frozenset(self.nouns), letters, product)

    def _tokens(self) -> list[tuple[str, str]] | None:
        tokens: list[tuple[str, str]] = []
        position = 0
        while position < len(self.text):
            match = _TOKEN.match(self.text, position)
            if match is None or match.lastgroup is None:
                return None
            position = match.end()
            kind = next(
                name
                for name in (
                    "degree",
                    "power",
                    "raised",
                    "word",
                    "per",
                    "times",
                    "open",
                    "close",
                    "space",
                )
                if match[name] is not None
            )
            if kind == "power":
                tokens.append(("power", match["braced"] or match["bare"]))
            elif kind == "raised":
                if not tokens or tokens[-1][1] not in _RAISED:
                    return None
                tokens.append(("power", match["raised"]))
            elif kind != "space":
                tokens.append((kind, match[kind]))
        return tokens if sum(kind == "word" for kind, _ in tokens) <= _MOST_WORDS else None

    def _read(self, tokens: list[tuple[str, str]]) -> bool:
        sign, power, group = 1, 1, 0  # group: the sign of what stands in parentheses
        after_unit = False
        index = 0
        while index < len(tokens):
            kind, token = tokens[index]
            following = tokens[index + 1] if index + 1 < len(tokens) else ("", "")
            index += 1
            low = token.casefold()
            if kind == "per" or low == "per":
                if sign < 0 or not following[0] or (kind == "per" and not after_unit and group):
                    return False
                sign, self.operator, after_unit = -1, True, False
                self.sure = self.sure or low == "per"
            elif kind == "times":
                if not following[0] and token != ".":
                    return False
            elif kind == "open":
                if group or sign > 0 or not following[0]:
                    return False
                group, sign = sign, 1
            elif kind == "close":
                if not group:
                    return False
                group, sign = 0, 1
            elif kind == "power":
                return False  # a power without its unit
            elif low in _POWER_BEFORE and following[0] in ("word", "times"):
                power, self.sure = _POWER_BEFORE[low], True
            elif low == "times" and (not following[0] or following[1] in _PER):
                self.nouns.add("time")
                self.sure = after_unit = True
            elif low in _ADJECTIVES and following[0] == "word":
                self.nouns.add(low)
            elif low in _PER and after_unit and following[0] == "word":
                sign = -1
            else:
                unit = self._unit_of(kind, token, following)
                if unit is None:
                    if power != 1 or not self._noun(token, sign):
                        return False
                    sign, after_unit = 1, low not in FILLERS
                    continue
                exponent = power * sign * (group or 1)
                if following[0] == "power":
                    exponent *= int(following[1])
                    self.operator = self.operator or int(following[1]) < 0
                    index += 1
                elif following[1].casefold() in _POWER_AFTER:
                    exponent *= _POWER_AFTER[following[1].casefold()]
                    index += 1
                self.unit = (
                    self.unit.times(unit.power(exponent)) if self._scaled(unit, exponent) else unit
                )
                self.names += 1
                sign, power, after_unit = 1, 1, True
        return not group and sign == 1 and power == 1

    def _scaled(self, unit: Unit, exponent: int) -> bool:
        """Whether a unit stands for a difference; a temperature alone is a point of its scale."""
        return not unit.offset or exponent != 1 or bool(self.unit.dimensions)

    def _unit_of(self, kind: str, token: str, following: tuple[str, str]) -> Unit | None:
        if kind == "degree":
            self.sure = True
            scale = token.lstrip("°").strip().split(" ")[-1].strip(".")
            if token.startswith("°") and not scale:
                return find_unit("°")
            if scale[:1] in "Kk":
                return find_unit("K")
            return find_unit("°F" if scale[:1] in "Ff" else "°C")
        if token == "in" and following[0] == "word":
            return None  # the preposition
        unit = find_unit(token.replace("{", "").replace("}", "") if "_" in token else token)
        if unit is None:
            return None
        plain_letters = token.isalpha() and token.isascii() and len(token) <= 2
        if not plain_letters or token in _SURE:
            self.sure = True
        self.single.append(len(token) == 1 and plain_letters)
        return unit

    def _noun(self, token: str, sign: int) -> bool:
        low = token.casefold().removesuffix("'s")
        if low in FILLERS:
            self.words += len(low) > 3
            return True
        if not is_noun(low) and not (sign < 0 and low == "can"):
            return False
        self.nouns.add(noun_lemma(low) if sign > 0 else "per " + noun_lemma(low))
        self.sure = True
        return True


def alike(gold: Dressing, answer: Dressing) -> bool:
    """Whether two dressings can stand beside one value: equal, or one says less."""
    if not (gold.nouns <= answer.nouns or answer.nouns <= gold.nouns):
        return False
    wanted, got = gold.unit.dimensions, answer.unit.dimensions
    if _is_ratio(gold.unit) != _is_ratio(answer.unit) and (wanted or got):
        return False  # "hours per day" measures something else than a length
    if wanted == got:
        return True
    if not wanted:
        return not gold.nouns or gold.nouns <= answer.nouns
    if not got:
        return not answer.nouns or answer.nouns <= gold.nouns
    if gold.unit.offset and answer.unit == UNITS["°"]:
        return True  # degrees of the scale that the gold names
    return _generic(wanted, got) or _generic(got, wanted)


def _is_ratio(unit: Unit) -> bool:
    """Whether a unit is a quotient of two of one kind."""
    return not unit.dimensions and unit != NO_UNIT


def _generic(units: tuple[tuple[str, int], ...], other: tuple[tuple[str, int], ...]) -> bool:
    """Whether "units" to a power stand for a length to the same power."""
    return tuple(("m", power) if name == "unit" else ("", 0) for name, power in units) == other
