"""Answers that a dataset's verifier would take unbounded time or memory for.

`rubiks_cube` and `rush_hour` make every move that an answer counts (`R99999999`, `A+999999999`);
`propositional_logic` reads a formula in time that grows with the square of its length, and its
truth table doubles with every name in small letters. `excess` refuses such answers before the
dataset's code sees them. It computes nothing but sums of counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["excess"]

_MOST_MOVES = 2000
_MOST_FORMULA = 1024  # characters
_COUNT = re.compile(r"\d+")
_MOST_DIGITS = 3
_FORMULA = re.compile("[A-Z()\u2227\u2228\u2192\u2194\u00ac\\s]*")


def excess(dataset: str, answer: str, entry: Mapping[str, Any]) -> str | None:
    """Why an answer is too large for the verifier of its dataset; None where it is not.

    Example:
        >>> excess("rubiks_cube", "R99999999", {}), excess("rubiks_cube", "R U2", {})
        ('it has more than 2000 moves', None)
    """
    if dataset == "composite":
        dataset = entry["metadata"]["source_dataset"]
    rule = _RULES.get(dataset)
    return None if rule is None else rule(answer)


def _moves(answer: str) -> str | None:
    counts = _COUNT.findall(answer)
    many = any(len(count) > _MOST_DIGITS for count in counts)
    if many or sum(map(int, counts)) + len(answer.split()) > _MOST_MOVES:
        return f"it has more than {_MOST_MOVES} moves"
    return None


def _formula(answer: str) -> str | None:
    if len(answer) > _MOST_FORMULA:
        return f"it has more than {_MOST_FORMULA} characters"
    return None if _FORMULA.fullmatch(answer) else "it is no formula in the signs of the question"


_RULES: dict[str, Callable[[str], str | None]] = {
    "propositional_logic": _formula,
    "rubiks_cube": _moves,
    "rush_hour": _moves,
}
