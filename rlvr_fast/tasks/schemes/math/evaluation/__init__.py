"""The values of terms, by rigorous arithmetic, and whether two terms have one value."""

from __future__ import annotations

from rlvr_fast.tasks.schemes.math.evaluation.equality import equal_terms

__all__ = ["equal_terms"]
