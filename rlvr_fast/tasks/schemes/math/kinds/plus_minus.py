r"""`\pm` and `\mp`: one text that stands for several."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass

from rlvr_fast.tasks.schemes.math.parts.splitting import CONJUNCTION, split, words
from rlvr_fast.tasks.schemes.math.values import Read, Same, Unread, Value

__all__ = ["Readings", "compare", "read"]

# "3 +-7" is 3 + (-7), but nothing is added where nothing stands before.
_SIGN = re.compile(r"\\pm(?![A-Za-z])|\\mp(?![A-Za-z])|±|∓|\+/-|(?:(?<=[=(,;])\s*|^\s*)\+\s*-")
_LOWER = ("\\mp", "∓")
# Each sign alone doubles the number of texts.
_MOST_ALONE = 4

_WORDS = re.compile(rf"{words('plus[- ]or[- ]minus|plus/minus')} ?", re.I)


@dataclass(frozen=True, slots=True)
class Readings(Value):
    r"""A text with several signs `\pm`: all upper and all lower signs, or each sign alone."""

    together: Value
    alone: Value


def read(text: str, read: Read) -> Value | None:
    r"""The values of a text with `\pm`; see `kinds`."""
    text = _WORDS.sub(r"\\pm ", text)
    signs = list(_SIGN.finditer(text))
    if not signs or len(signs) > 24 or "mod" in text:  # residues of a congruence
        return None
    parts = split(text, CONJUNCTION)
    if parts is None or any(_in_set(text, sign.start()) for sign in signs):
        return None
    lower = [sign[0].strip() in _LOWER for sign in signs]
    if parts.marks and not _linked(parts.parts):
        return None  # a list, of which some parts have a sign
    linked = _expanded(text, signs, [[down, not down] for down in lower], read)
    if linked is None:
        return None
    if len(signs) == 1 or any(lower) or len(signs) > _MOST_ALONE:
        return linked
    rows = [list(row) for row in itertools.product((False, True), repeat=len(signs))]
    alone = _expanded(text, signs, [list(column) for column in zip(*rows, strict=True)], read)
    return linked if alone is None else Readings(linked, alone)


def _linked(parts: tuple[str, ...]) -> bool:
    r"""Whether the signs of several parts belong together: `x = \pm 1, y = \mp 2`."""
    return all("=" in part for part in parts) and sum(bool(_SIGN.search(p)) for p in parts) > 1


def _in_set(text: str, position: int) -> bool:
    """Whether a place is inside of the braces of a set, whose elements are read one by one."""
    return text.count("\\{", 0, position) > text.count("\\}", 0, position)


def _expanded(
    text: str, signs: list[re.Match[str]], minus: list[list[bool]], read: Read
) -> Value | None:
    """The list of the texts in which sign i of text j is a minus where minus[i][j]."""
    texts = []
    for row in zip(*minus, strict=True):
        pieces, start = [], 0
        for sign, down in zip(signs, row, strict=True):
            before = text[start : sign.start()]
            leading = not before.rstrip() or before.rstrip()[-1] in "=([{,;&"
            pieces += [before, " -" if down else "" if leading and not start else " +"]
            start = sign.end()
        texts.append("".join(pieces) + text[start:])
    values = [read(part.strip()) for part in texts]
    if any(isinstance(value, Unread) for value in values):
        return None
    return _joined(values)


def _joined(values: list[Value]) -> Value:
    from rlvr_fast.tasks.schemes.math.parts.relation_groups import together

    joined = together(values, True)
    return joined


def compare(gold: Value, answer: Value, same: Same) -> bool | None:
    r"""Whether values with several signs `\pm` agree, in one of the two readings; see `kinds`."""
    if isinstance(gold, Readings) and isinstance(answer, Readings):
        return same(gold.together, answer.together)
    if isinstance(gold, Readings):
        return same(gold.together, answer) or same(gold.alone, answer)
    if isinstance(answer, Readings):
        return same(gold, answer.together) or same(gold, answer.alone)
    return None
