"""From text to a term: LaTeX, plain text and Python spelling."""

from __future__ import annotations

from rlvr_fast.tasks.schemes.math.terms.nodes import Term

__all__ = ["parse_term"]


def parse_term(text: str) -> Term | None:
    r"""The one expression that a whole text is; None where any part of it is not read.

    Args:
        text: one expression, cleaned by `clean` (writing.py). A relation, a list, a set, a unit or
            a word is none.

    Example:
        >>> parse_term("2x") == parse_term(r"2 \cdot x")
        True
    """
    return None
