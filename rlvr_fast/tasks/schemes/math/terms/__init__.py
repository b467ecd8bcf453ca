"""Mathematical expressions: nodes, their parser, their values and their equality."""

from __future__ import annotations

from rlvr_fast.tasks.schemes.math.terms.equality import equal_terms
from rlvr_fast.tasks.schemes.math.terms.parser import parse_term

__all__ = ["equal_terms", "parse_term"]
