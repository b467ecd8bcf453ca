"""The sections of the report, in order. A new section is a module, a template and a line here."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from rlvr_fast.report.section import Section

__all__ = ["SECTIONS", "load_sections"]

# Modules of this folder; the order of the page, and the order in which the sections measure.
SECTIONS = (
    "support",
    "evidence",
    "curves",
    "cost",
    "accuracies",
    "answers",
    "beyond",
    "truncation",
    "reweighting",
    "entropy",
    "completions",
    "importance",
    "guessing",
    "graders",
    "failures",
    "examples",
    "problems",
)


def load_sections() -> tuple[Section[Any], ...]:
    """The `SECTION` of each module, in order."""
    return tuple(import_module(f"{__name__}.{name}").SECTION for name in SECTIONS)
