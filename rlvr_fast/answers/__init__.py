"""Extraction of answers from completions, their canonical forms, grouping, and grading."""

from __future__ import annotations

from typing import Any

from rlvr_fast.lazy_names import lazy_name

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
    return lazy_name(__name__, _HOME, name)
