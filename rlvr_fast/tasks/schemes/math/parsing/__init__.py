"""From text to a term: LaTeX, plain text and Python spelling."""

from __future__ import annotations

from rlvr_fast.tasks.schemes.math.parsing.parser import parse_term

__all__ = ["parse_term"]
