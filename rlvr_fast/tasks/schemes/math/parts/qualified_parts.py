"""The parts of a text beside the words that change a value."""

from __future__ import annotations

import re

from rlvr_fast.tasks.schemes.math.parsing import parse_term
from rlvr_fast.tasks.schemes.math.parts.wording import latex
from rlvr_fast.tasks.schemes.math.terms.nodes import Symbol
from rlvr_fast.tasks.schemes.math.values import Read, Unread, Value

__all__ = ["RELATION_SIGN", "is_written_name", "read_part"]

RELATION_SIGN = re.compile(r"[=<>]|\\(?:le|ge|ne|in|notin|equiv|leq|geq|lt|gt)(?![A-Za-z])")


def read_part(text: str, read: Read) -> Value | None:
    """A part; None where no kind reads it."""
    text = latex(text.strip(" ,;"))
    if not text:
        return None
    value = read(text)
    return None if isinstance(value, Unread) else value


def is_written_name(text: str) -> bool:
    """Whether a text is a short name."""
    return isinstance(parse_term(latex(text)), Symbol) and len(text) < 12
