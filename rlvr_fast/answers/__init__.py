"""Extraction of answers from completions, their canonical forms, grouping, and grading."""

from __future__ import annotations

import importlib
from typing import Any

# name -> the module that defines it, imported on first use.
_HOME = {
    "AnswerGroups": "grouping",
    "AnswerIndex": "grouping",
    "DuplicateGroups": "duplicates",
    "GradeOptions": "options",
    "audit_run": "audit",
    "compare_canonical": "normalization",
    "extract_answers": "extraction",
    "find_duplicates": "duplicates",
    "grade_run": "grading",
    "group_answers": "grouping",
    "normalize_answers": "normalization",
    "verify_answers": "verification",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value
