"""Typography in one spelling, the same for every kind of answer."""

from __future__ import annotations

from rlvr_fast.tasks.schemes.math.writing.cleaning import LONGEST, clean

__all__ = ["LONGEST", "clean"]
