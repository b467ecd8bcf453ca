"""Files of finished completions as tools write them, each with the run that it has to give.

Field names, nesting and traps were read in the tools' own code; the files are written here, from
the one study of `study.py`.
"""

from __future__ import annotations

from rollout_layouts import (
    code_harnesses,
    contents,
    environments,
    files,
    harnesses,
    math_harnesses,
    served,
    trainers,
    variants,
)
from rollout_layouts.study import LAYOUTS, PROBLEMS, Case, Study

__all__ = [
    "LAYOUTS",
    "PROBLEMS",
    "Case",
    "Study",
    "code_harnesses",
    "contents",
    "environments",
    "files",
    "harnesses",
    "math_harnesses",
    "served",
    "trainers",
    "variants",
]
