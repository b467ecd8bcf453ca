"""Bounds in words: "at least 5", "5 or more"."""

from __future__ import annotations

import re

from rlvr_fast.tasks.schemes.math.parts.qualified_parts import (
    RELATION_SIGN,
    is_written_name,
    read_part,
)
from rlvr_fast.tasks.schemes.math.parts.qualifier_tables import (
    BOUNDS_AFTER,
    BOUNDS_BEFORE,
    BOUNDS_BEFORE_SIGNS,
)
from rlvr_fast.tasks.schemes.math.values import Read, Value

__all__ = ["bounded"]

_SPACE = re.compile(r"\s+")


def bounded(text: str, read: Read) -> Value | None:
    """`at least 5`, `5 or more`: the relation that the words say."""
    match = BOUNDS_BEFORE.search(text)
    if match is not None and match.start() < 80:
        name, rest = text[: match.start()].strip(), text[match.end() :].strip()
        words = _SPACE.sub(" ", match[0].strip().casefold())
        sign = next(sign for pattern, sign in BOUNDS_BEFORE_SIGNS if pattern.fullmatch(words))
        if not rest and words in ("at most", "at least"):
            return _relation("", sign, name, read)
        if not name or is_written_name(name):
            return _relation(name, sign, rest, read)
    after = BOUNDS_AFTER.search(text)
    if after is None or (match is not None and not after.start() <= match.start() < after.end()):
        return None
    match = after
    value, rest = text[: match.start()].strip(), text[match.end() :].strip()
    if rest and not re.fullmatch(r"[A-Za-z ]{2,40}", rest):
        return None
    words = match["words"].casefold()
    sign = (
        r"\ge"
        if words in ("more", "greater", "above", "over", "higher", "larger", "up")
        else r"\le"
    )
    return _relation("", sign, f"{value} {rest}".strip(), read)


def _relation(name: str, sign: str, value: str, read: Read) -> Value | None:
    if RELATION_SIGN.search(value) or not value:
        return None
    if read_part(value, read) is None:
        return None
    return read_part(f"{name} {sign} {value}", read)
