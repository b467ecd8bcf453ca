"""Words that change a value, each wording with its one name."""

from __future__ import annotations

import re

from rlvr_fast.tasks.schemes.math.parts.wording import word_set

__all__ = [
    "AFTER",
    "APPROXIMATE",
    "APPROXIMATE_AFTER",
    "BEFORE",
    "BOUNDS_AFTER",
    "BOUNDS_BEFORE",
    "BOUNDS_BEFORE_SIGNS",
    "DRESSING_BEFORE",
    "IN_BRACKETS",
    "KINDS_OF_NUMBERS",
    "MARKERS",
    "MATHEMATICAL_MARKERS",
]

_GREATER = "more|greater|larger|bigger|higher|over"
_LESS = "less|fewer|smaller|lower"
_SIGNS = {
    r"\ge": (
        rf"at least|no (?:{_LESS}) than|not (?:{_LESS}) than|not below|a minimum of|minimum of|"
        rf"(?:greater|more|larger) than or equal to"
    ),
    r"\le": (
        rf"at most|no (?:{_GREATER}) than|not (?:{_GREATER}) than|not above|a maximum of|"
        rf"maximum of|up to|not exceeding|(?:less|fewer|smaller) than or equal to"
    ),
    ">": rf"(?:strictly )?(?:{_GREATER}) than|above|exceeding|over",
    "<": rf"(?:strictly )?(?:{_LESS}) than|below|under",
    r"\ne": r"not equal to|different from|anything but|any (?:number|value) (?:but|except)",
}
_IS = r"(?:(?:is|are|be|must be|should be) )?"
BOUNDS_BEFORE_SIGNS = tuple(
    (re.compile(rf"{_IS}(?:{words})"), sign) for sign, words in _SIGNS.items()
)
_ALL = "|".join(_SIGNS.values())
BOUNDS_BEFORE = re.compile(rf"(?<![A-Za-z]){_IS}(?:{_ALL})(?![A-Za-z])", re.IGNORECASE)
BOUNDS_AFTER = re.compile(
    rf"(?<![A-Za-z])(?:or|and)\s+(?P<words>{_GREATER}|above|up|{_LESS}|below|under)(?![A-Za-z])",
    re.IGNORECASE,
)

_ABOUT = (
    r"approximately|approx\.?|about|around|roughly|close to|circa|ca\.|~|\\approx|"
    r"\\sim"
)
APPROXIMATE = re.compile(rf"(?:it is |is )?(?:{_ABOUT})(?![A-Za-z])\s*", re.IGNORECASE)
APPROXIMATE_AFTER = re.compile(
    r"\s*,?\s*\(?(?:approximately|approx\.?|roughly|or so|rounded)\)?$", re.IGNORECASE
)

# Words before a value that change nothing.
DRESSING_BEFORE = frozenset(
    {
        "the number",
        "the value",
        "a value of",
        "exactly",
        "only",
        "just",
        "precisely",
        "a total of",
        "total of",
        "total",
        "in total",
        "year",
        "the year",
        "in the year",
        "in",
    }
)

_NAMES = {
    "increase": "increase|increased|rise|growth|increment",
    "decrease": "decrease|decreased|drop|fall|decline|reduction|discount|decrement",
    "profit": "profit|gain|surplus",
    "loss": "loss|deficit",
    "more": "more",
    "less": "less|fewer",
    "east": "east|due east|to the east|eastward|eastwards",
    "west": "west|due west|to the west|westward|westwards",
    "north": "north|due north|to the north|northward|northwards",
    "south": "south|due south|to the south|southward|southwards",
    "northeast": "northeast|north-east|north east",
    "northwest": "northwest|north-west|north west",
    "southeast": "southeast|south-east|south east",
    "southwest": "southwest|south-west|south west",
    "left": "left|to the left",
    "right": "right|to the right",
    "up": "up|upward|upwards",
    "down": "down|downward|downwards",
    "forward": "forward|forwards",
    "backward": "backward|backwards|back",
    "clockwise": "clockwise",
    "counterclockwise": "counterclockwise|anticlockwise|counter-clockwise|anti-clockwise",
    "max": "maximum|at maximum",
    "min": "minimum|at minimum",
    "top": "top",
    "bottom": "bottom",
    "nearly": "nearly|almost|just under|not quite|barely|hardly",
    "first": "first|the first",
    "last": "last|the last",
    "each": "each|apiece",
    "squared": "squared",
    "ago": "ago|earlier|before",
    "later": "later|from now|after|hence",
    "real": "real",
    "odd": "odd",
    "even": "even",
    "positive": "positive",
    "prime": "prime",
    "taller": "taller",
    "shorter": "shorter",
    "faster": "faster",
    "slower": "slower",
    "older": "older",
    "younger": "younger",
    "above": "above|above sea level|above ground|above the ground|above the surface",
    "below": (
        "below|below sea level|below ground|below the ground|underground|below the surface|"
        "underwater"
    ),
    "inward": "inward|inwards",
    "outward": "outward|outwards",
}
_OF_NUMBERS = frozenset({"odd", "even", "positive", "prime", "real"})
AFTER = {
    wording: f"is {name}" if name in _OF_NUMBERS else name
    for name, wordings in _NAMES.items()
    if name not in ("each", "squared", "top", "bottom")
    for wording in wordings.split("|")
}
# In brackets only: "15 min" is a time.
IN_BRACKETS = {"max": "max", "min": "min"}
_BEFORE_OF = ("increase", "decrease", "profit", "loss")
BEFORE = {
    wording: name
    for name in (
        "top", "bottom", "first", "last", "left", "right", "up", "down", "north", "south",
        "east", "west", "forward", "backward", "max", "min", "nearly", *_BEFORE_OF,
    )
    for wording in _NAMES[name].split("|")
}  # fmt: skip
BEFORE |= {
    f"{article}{wording} {of}": name
    for name in _BEFORE_OF
    for wording in _NAMES[name].split("|")
    for article in ("", "a ", "an ")
    for of in ("of", "by")
}
BEFORE |= {"not": "not"}

# What a number can be, in "n is odd" and "odd n".
KINDS_OF_NUMBERS = word_set(
    """
    odd even prime composite positive negative nonnegative integer natural rational irrational real
    square cube perfect zero nonzero divisible multiple whole complex constant arbitrary
    """
)

# Words that begin a condition.
MARKERS = re.compile(
    r"(?:,\s*)?(?<![A-Za-z\\])(?P<word>if and only if|only if|if|iff|when|whenever|where|wherever|"
    r"for|with|provided that|provided|such that|so long as|as long as|assuming that|assuming|given|"
    r"unless|except when|except if|except|as|\\forall)(?![A-Za-z])\s*(?:that\s+)?",
    re.IGNORECASE,
)
MATHEMATICAL_MARKERS = frozenset({"with", "where", "for", "as", r"\forall", "such that", "given"})
