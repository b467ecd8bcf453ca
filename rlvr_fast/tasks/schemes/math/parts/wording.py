r"""Words beside mathematics: nouns, fillers, number words."""

from __future__ import annotations

import functools
import itertools
import re
from fractions import Fraction

from rlvr_fast.tasks.schemes.math.parsing.names import CONSTANTS, GLUED, GREEK, INVERSES

__all__ = [
    "ARTICLES",
    "FILLERS",
    "LONGEST",
    "NUMBER_WORDS",
    "ORDINALS",
    "SCALES",
    "TURNING",
    "is_noun",
    "latex",
    "noun_lemma",
    "plain",
    "spoken_number",
    "word_set",
]

LONGEST = 4000

_DEGREE = re.compile(r" *\^ *(?:\{ *\\circ *\}|\\circ(?![A-Za-z]))(?: +(?=[CFK](?![A-Za-z])))?")
_OHM = re.compile(r"\\Omega(?![A-Za-z])|\u2126")
_MICRO = re.compile(r"\\mu(?![A-Za-z]) *")
_ANGSTROM = re.compile(r"\\(?:AA|angstrom)(?![A-Za-z])")
# "5 {eV}": braces that group nothing.
_BRACED = re.compile(r"(?<=[\d ])\{([A-Za-z]{1,12})\}")
_SPACE = re.compile(r"\s+")


def word_set(text: str) -> frozenset[str]:
    """The words of a table.

    Example:
        >>> sorted(word_set("b a"))
        ['a', 'b']
    """
    return frozenset(text.split())


ARTICLES = frozenset({"a", "an", "the"})

ONES = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7,
    "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14,
    "fifteen": 15, "sixteen": 16, "seventeen": 17, "eighteen": 18, "nineteen": 19,
}  # fmt: skip
TENS = {
    "twenty": 20, "thirty": 30, "forty": 40, "fourty": 40, "fifty": 50, "sixty": 60,
    "seventy": 70, "eighty": 80, "ninety": 90,
}  # fmt: skip
SCALES = {
    "hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12,
    "quadrillion": 10**15, "lakh": 10**5, "crore": 10**7, "dozen": 12, "score": 20, "gross": 144,
}  # fmt: skip
PARTS = {
    "half": 2, "halve": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6,
    "seventh": 7, "eighth": 8, "ninth": 9, "tenth": 10, "twelfth": 12, "twentieth": 20,
    "hundredth": 100, "thousandth": 1000, "millionth": 10**6,
}  # fmt: skip
ORDINALS = {
    "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7,
    "eighth": 8, "ninth": 9, "tenth": 10, "eleventh": 11, "twelfth": 12,
}  # fmt: skip
NUMBER_WORDS = frozenset({*ONES, *TENS, *SCALES})

# Words that are no name of a counted thing: they compare, deny, join, compute or ask.
_NOT_NOUNS = word_set(
    """
    or and not no nor but either neither both than more less fewer most least greater smaller
    larger bigger above below under over beyond between from to until till through about around
    approximately roughly nearly almost exactly only except unless if iff when whenever where
    whether while with without within for such that as because since so hence thus therefore then
    is are was were be been being isn aren wasn has have had do does did can cannot could may might
    must should would will shall equals equal equivalent times plus minus divided multiplied over
    squared cubed factorial mod modulo choose root power sqrt pi log ln sin cos tan cot sec csc
    exp sinh cosh tanh arcsin arccos arctan lim max min gcd lcm infinity infinite undefined nan
    true false yes none other another instead rather wait actually maybe perhaps possibly probably
    wrong incorrect correct right left up down north south east west even odd prime positive
    negative profit loss gain increase decrease rise drop fall top bottom bc ad bce ce am pm
    first last base binary hexadecimal octal decimal answer answers solution option choice
    all any every each some many several few what which who why how unknown x
    this these those it they he she we i you them us its their his her
    past axis axes intercept coordinate percent percentage per case cases remainder
    otherwise before after underground underwater overdrawn beneath fold doubled tripled
    quadrupled halved negated inverted inverse reciprocal opposite excluded excepted
    excluding omitted lacking short exclusive inclusive behind ahead never nope nothing nonzero
    unlikely likely allegedly debt debts owed overdue deficit shortage minimum maximum tops
    myriad myriads magnitude googol logarithm logarithms exponent exponents
    sine cosine tangent secant cosecant cotangent sines cosines tangents integral derivative limit
    modulus absolute erf sgn
    """
) | NUMBER_WORDS | frozenset(PARTS) | frozenset(name + "s" for name in PARTS)  # fmt: skip
# Words that turn what a phrase says: it is no name of a value.
TURNING = word_set(
    """
    or and not no nor than more less fewer least most but except without only half times over under
    above below between if unless when where because since so is are was were be has have had will
    would can could may might do does plus minus up down about until
    """
)
# Words that say nothing more about what is counted.
FILLERS = word_set(
    """
    total altogether overall in of the a an different distinct possible unique such
    number numbers whole remaining left all approximately long won scored sold
    tall wide deep high old away each
    """
)
_SHORT_NOUNS = word_set(
    """
    ant ape bag bar bat bed bee bet bin bow box boy bug bun bus can cap car cat cow cub cup cut day
    dog dot egg fan fly fox gem hat hen hit hot ice ink jar job key kid lap leg lot man map men mug
    net nut owl pan pea pen pet pie pig pin pit pot ram rat ray rib rod row rug run sea set sow
    spy sum tap tax tea tie tin tip top toy tub van vat way web win year red big new old dry wet
    """
) | {"pcs"}  # fmt: skip
# Mathematics without spaces: 'sinx', 'xlnx', 'sinxcosx', 'coswt', 'alphabeta', 'pirh', 'axby'. A
# noun that begins as a function does is a plural ('logs'), longer ('seconds') or in the table.
_FUNCTION = "|".join((
    *GLUED, "sech", "csch", "coth", "abs", "floor", "ceil", "det", "dim", "rank", "arg", "deg",
    "erf", "sign", "sgn",
))  # fmt: skip
_NAME = "|".join(sorted((name.casefold() for name in GREEK), key=len, reverse=True))
_FORMULA = re.compile(
    f"[a-z]?(?:(?:{_FUNCTION})(?:(?:{_NAME}|[a-z]){{1,2}}(?<!s)))+|(?:{_NAME})+"
    "|pi[rhdlabxyz]{1,2}|[a-z]{0,4}(?:[bcdfgjkmnpqrsvwyz]x|x[bdfgjkmnqrvwz])[a-z]{0,3}"
)
_ARCS = frozenset(INVERSES.values())
_NO_FORMULA = word_set(
    """
    sing sink sinner cost cosy tank tang tango cote sect logo logic expo expel dime dimer dimple
    detail argon degree signal tuna asset lynx sphinx absent
    """
)
_IRREGULAR = {
    "people": "person", "persons": "person", "men": "man", "women": "woman",
    "children": "child", "kids": "child", "kid": "child", "feet": "foot", "mice": "mouse",
    "geese": "goose", "dice": "die", "teeth": "tooth", "vertices": "vertex", "indices": "index",
    "matrices": "matrix", "pcs": "piece", "halves": "half", "leaves": "leaf", "knives": "knife",
    "wolves": "wolf", "loaves": "loaf", "shelves": "shelf",
}  # fmt: skip


@functools.lru_cache(maxsize=1024)
def plain(text: str) -> str:
    r"""A cleaned text with signs in place of the commands that stand in units.

    Example:
        >>> plain(r"10^\circ C"), plain(r"\$5")
        ('10°C', '$5')
    """
    text = _DEGREE.sub("\u00b0", text)
    text = _ANGSTROM.sub("\u00c5", _BRACED.sub(r"\1", text.replace("{}", "")))
    text = _MICRO.sub("\u00b5", _OHM.sub("\u03a9", text))
    return _SPACE.sub(" ", text.replace(r"\$", "$")).strip()


def latex(text: str) -> str:
    r"""A part of a `plain` text as the other kinds read it.

    Example:
        >>> latex(plain(r"10^\circ C"))
        '10^\\circ C'
    """
    text = text.replace("\u00b0", r"^\circ ").replace("$", r"\$")
    text = text.replace("\u03a9", r"\Omega ").replace("\u00b5", r"\mu ")
    return _SPACE.sub(" ", text).strip()


def noun_lemma(word: str) -> str:
    """The singular of a noun, in lower case.

    Example:
        >>> noun_lemma("Bananas"), noun_lemma("boxes"), noun_lemma("people")
        ('banana', 'box', 'person')
    """
    word = word.casefold()
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("ses", "xes", "ches", "shes", "zes")):
        return word[:-2]
    if len(word) > 2 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def is_noun(word: str) -> bool:
    """Whether a word may name what is counted.

    A word of one to three letters is one only where it is in a table: it may be a product.

    Example:
        >>> is_noun("bananas"), is_noun("more"), is_noun("xyz"), is_noun("sinx")
        (True, False, False, False)
    """
    low = word.casefold()
    if low in _NOT_NOUNS or len(low) < 2 or len(low) > 24:
        return False
    if low in CONSTANTS or low in INVERSES or low in _ARCS:
        return False
    if low not in _NO_FORMULA and _FORMULA.fullmatch(low):
        return False
    if len(low) < 4:
        return low in _SHORT_NOUNS or noun_lemma(low) in _SHORT_NOUNS
    if low.removesuffix("s").endswith(("illion", "illiard")):
        return False  # a factor
    # letters in the order of the alphabet ("abcd", "wxyz") are a product
    steps = {ord(b) - ord(a) for a, b in itertools.pairwise(low)}
    return bool(set(low) & set("aeiouy")) and steps != {1}


def spoken_number(words: tuple[str, ...]) -> Fraction | None:
    """The value of number words; None where any word is another one.

    Example:
        >>> spoken_number(("twenty", "one")), spoken_number(("three", "and", "a", "half"))
        (Fraction(21, 1), Fraction(7, 2))
    """
    words = tuple(word.casefold() for word in words)
    if not words or len(words) > 16:
        return None
    if words[0] in ("minus", "negative"):
        rest = spoken_number(words[1:]) if len(words) > 1 and words[1] not in words[:1] else None
        return None if rest is None else -rest
    if len(words) > 1 and words[-1] in SCALES and words[-1] != "hundred":
        # "two and a half million", "half a dozen"
        head = words[:-2] if words[-2] in ("a", "an") else words[:-1]
        scaled = spoken_number(head) if head and SCALES.keys().isdisjoint(head) else None
        if scaled is not None and scaled.denominator > 1:
            return scaled * SCALES[words[-1]]
    # "three and a half", "two and three quarters"
    if "and" in words[1:-1]:
        cut = len(words) - 1 - words[::-1].index("and")
        whole, part = _integer(words[:cut]), _part(words[cut + 1 :])
        if whole is not None and part is not None:
            return whole + part
    part = _part(words)
    return part if part is not None else _integer(words)


def _part(words: tuple[str, ...]) -> Fraction | None:
    if not words:
        return None
    *above, below = words
    name = "half" if below == "halves" else below
    if name not in PARTS:
        name = below.removesuffix("s")
    if name not in PARTS:
        return None
    if not above or above == ["a"] or above == ["an"]:
        return Fraction(1, PARTS[name]) if above or name in ("half", "quarter") else None
    count = _integer(tuple(above))
    return None if count is None else count / PARTS[name]


def _integer(words: tuple[str, ...]) -> Fraction | None:
    total = group = 0
    last = 10**18  # the next scale must be smaller
    before = ""  # "one", "ten", "hundred", "scale", "and"
    if words[:1] in (("a",), ("an",)):
        words = ("one", *words[1:]) if len(words) > 1 and words[1] in SCALES else words
    for word in words:
        if word in ONES:
            if before == "one" or (before == "ten" and not 0 < ONES[word] < 10):
                return None
            group, before = group + ONES[word], "one"
        elif word in TENS:
            if before in ("one", "ten"):
                return None
            group, before = group + TENS[word], "ten"
        elif word == "hundred" and before in ("one", "ten") and group < 100:
            group, before = group * 100, "hundred"
        elif word in SCALES and (before or len(words) == 1):
            scale = SCALES[word]
            if scale >= last or before == "and":
                return None
            total, group, last, before = total + (group or 1) * scale, 0, scale, "scale"
        elif word == "and" and before in ("hundred", "scale"):
            before = "and"
        else:
            return None
    return None if before in ("", "and") else Fraction(total + group)
