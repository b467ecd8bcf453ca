"""Tuples with all their permutations: "(1,2,3) and its permutations"."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from rlvr_fast.tasks.schemes.math.values import Value

__all__ = ["permuted", "without_permutations"]

_OF_THESE = r"(?: (?:of|thereof)(?: (?:these|those|them|it|each|the (?:triples|tuples|pairs)))?)?"
_AFTER = re.compile(
    r",? ?\(?(?:and|with|plus|along with|together with|up to) "
    rf"(?:(?:all|any|the|its|their|of|other|cyclic(?P<cyclic>)) )*permutations?{_OF_THESE}\)?$",
    re.IGNORECASE,
)
_BEFORE = re.compile(r"^(?:(?:all|any|the) )*permutations of (?=\()", re.IGNORECASE)
_LONGEST = 5
_MOST = 120


def without_permutations(text: str) -> str | None:
    """What stands before "and permutations", or after "all permutations of".

    Example:
        >>> without_permutations("(1,2,3) and all permutations")
        '(1,2,3)'
    """
    for pattern in (_AFTER, _BEFORE):
        rest, count = pattern.subn("", text)
        if count and "permutation" not in rest:
            match = pattern.search(text)
            cyclic = match is not None and match.groupdict().get("cyclic") is not None
            return None if cyclic else rest
    return None


def permuted(tuples: Sequence[Sequence[Value]]) -> list[tuple[Value, ...]] | None:
    """All different permutations of some tuples; None where they are too many."""
    found: dict[tuple[Value, ...], None] = {}
    for parts in tuples:
        if len(parts) > _LONGEST:
            return None
        found |= dict.fromkeys(itertools.permutations(parts))
        if len(found) > _MOST:
            return None
    return list(found)
