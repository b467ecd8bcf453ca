"""Which values a config of Reasoning Gym may have: it may come from a run that a stranger made.

Names of files and fonts stay inside the package's own folders, symbols are plain identifiers
(several verifiers evaluate the text of an expression that holds them), and numbers are of a size
that generation gets through; the clocks of `task.py` and `verifier.py` end what remains.
"""

from __future__ import annotations

import enum
import math
import re
from typing import Any

from rlvr_fast.errors import InvalidInputError, shown

__all__ = ["MAX_OPTION_LENGTH", "TEXT_FIELDS", "check_bounds"]

MAX_OPTION_LENGTH = 4096
MAX_SIZE = 1_000_000
MAX_SEED = 1 << 64
MAX_NUMBER = 10**12
MAX_ITEMS = 1000

# Numbers that count digits, or that something is raised to.
_SMALL = re.compile(r"digit|decimal|precision|degree|exponent|depth|difficulty|complexity|num_vars")
MAX_SMALL = 1000

_FILE = re.compile(r"[A-Za-z0-9]\w*(?:[.-]\w+)*", re.ASCII)
_SYMBOL = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,15}", re.ASCII)
_OPERATOR = re.compile(r"[-+*/]")
_LABEL = re.compile(r"\w+(?:[ '.-]\w+)*\.?")
_DELIMITER = re.compile(r"[^\s\\{}%]{1,4}")

# The config fields that hold text, in any dataset, with what each of their texts may be.
TEXT_FIELDS: dict[str, tuple[re.Pattern[str], str]] = {
    **dict.fromkeys(
        ("data_file", "static_font"),
        (_FILE, "the name of a file of the package, without a folder"),
    ),
    **dict.fromkeys(
        ("symbols", "variables"), (_SYMBOL, "a letter, and letters, digits or underscores")
    ),
    **dict.fromkeys(("operators", "operations"), (_OPERATOR, "one of + - * /")),
    "delimiter": (_DELIMITER, "1 to 4 visible characters without braces"),
}
_OTHER_TEXT = (_LABEL, "words of letters and digits")


def check_bounds(task: str, values: dict[str, Any]) -> None:
    """Checks the values of a config before a dataset is made of them.

    Raises:
        InvalidInputError: a number that is too large, a path, or text of another form.
    """
    for key, value in values.items():
        items = value if isinstance(value, (list, tuple)) else (value,)
        if len(items) > MAX_ITEMS:
            raise InvalidInputError(
                f"task {task!r}: expected at most {MAX_ITEMS} items in {key}, got {len(items)}"
            )
        for item in items:
            expected = _complaint(key, item)
            if expected:
                raise InvalidInputError(
                    f"task {task!r}: {key} should be {expected}, got {shown(item)}"
                )


def _complaint(key: str, item: Any) -> str | None:
    """What an item should be; None where it is that."""
    if isinstance(item, (bool, enum.Enum)) or item is None:
        return None
    if isinstance(item, float):
        return None if abs(item) <= MAX_NUMBER else f"a number between -/+ {MAX_NUMBER:,}"
    if isinstance(item, int):
        most = {"size": MAX_SIZE, "seed": MAX_SEED}.get(
            key, MAX_SMALL if _SMALL.search(key) else MAX_NUMBER
        )
        return None if abs(item) <= most else f"an integer between -{most:,} and {most:,}"
    if isinstance(item, str):
        pattern, expected = TEXT_FIELDS.get(key, _OTHER_TEXT)
        return None if len(item) <= 64 and pattern.fullmatch(item) else expected
    if isinstance(item, (list, tuple)):
        numbers = len(item) <= MAX_ITEMS and all(
            isinstance(one, (int, float)) and math.isfinite(one) and abs(one) <= MAX_NUMBER
            for one in item
        )
        return None if numbers else "lists of numbers"
    return None
