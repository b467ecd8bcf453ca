"""The run directory: tables, atomic parts, lock, resume, import of rollouts, check, repair."""

from __future__ import annotations

from rlvr_fast.store.check import Finding, repair, verify
from rlvr_fast.store.differences import Difference, differences
from rlvr_fast.store.importing import import_rollouts
from rlvr_fast.store.info import Draw, RunInfo, draw_seeds, unrecorded
from rlvr_fast.store.problem_tables import align_problems
from rlvr_fast.store.readers.fields import Fields
from rlvr_fast.store.run import Run
from rlvr_fast.store.schemas import ANSWERS, GRADES, PROBLEMS, SAMPLES, SCORES, stage_schema

__all__ = [
    "ANSWERS",
    "GRADES",
    "PROBLEMS",
    "SAMPLES",
    "SCORES",
    "Difference",
    "Draw",
    "Fields",
    "Finding",
    "Run",
    "RunInfo",
    "align_problems",
    "differences",
    "draw_seeds",
    "import_rollouts",
    "repair",
    "stage_schema",
    "unrecorded",
    "verify",
]
