"""Corrections that "The Invisible Leash" (arXiv 2507.14843, App. B.3) makes before scoring.

Three datasets of Reasoning Gym require an answer in one exact form. The paper accepts other forms
of the same value: powers of ten in LaTeX, blanks in a palindrome, digits written without blanks.
Other datasets, and partial credit, are left as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable

__all__ = ["FIXES", "fixed"]

_POWER_OF_TEN = re.compile(
    r"([+-]?\d+(?:\.\d*)?|[+-]?\.\d+)(?:\\times|\\cdot|\*|x|\u00d7|\u00b7)10(?:\^|\*\*)"
    r"(?:\{([+-]?\d{1,6})\}|\(([+-]?\d{1,6})\)|([+-]?\d{1,6}))"
)


def _e_notation(answer: str) -> str:
    r"""'$-1.37 \times 10^{-3}$' as '-1.37e-3'; any other text unchanged."""
    text = re.sub(r"[\s$~]|\\[,;:! ]", "", answer.replace("\u2212", "-"))
    match = _POWER_OF_TEN.fullmatch(text)
    return f"{match[1]}e{match[2] or match[3] or match[4]}" if match else answer


def _no_blanks(answer: str) -> str:
    return "".join(answer.split())


def _spaced_digits(answer: str) -> str:
    """'4400' and '4 4  0 0' as '4 4 0 0'; any other text unchanged."""
    digits = "".join(answer.split())
    return " ".join(digits) if digits.isascii() and digits.isdecimal() else answer


FIXES: dict[str, Callable[[str], str]] = {
    "arc_1d": _spaced_digits,
    "palindrome_generation": _no_blanks,
    "power_function": _e_notation,
}


def fixed(dataset: str, answer: str) -> str:
    """The answer in the form that the paper scores; unchanged for datasets without a fix.

    Example:
        >>> fixed("arc_1d", "0440"), fixed("leg_counting", " 12 ")
        ('0 4 4 0', ' 12 ')
    """
    fix = FIXES.get(dataset)
    return fix(answer) if fix is not None else answer
