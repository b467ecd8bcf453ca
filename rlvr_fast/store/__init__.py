"""The run directory: tables, atomic parts, lock, resume, import of rollouts, check, repair."""

from __future__ import annotations

from rlvr_fast.store.check import Finding, repair, verify
from rlvr_fast.store.differences import Difference, differences
from rlvr_fast.store.importing import ImportSummary, import_rollouts, preview_rollouts
from rlvr_fast.store.info import Draw, RunInfo, draw_seeds, unrecorded
from rlvr_fast.store.options import ImportOptions
from rlvr_fast.store.problem_tables import align_problems
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
    "Finding",
    "ImportOptions",
    "ImportSummary",
    "Run",
    "RunInfo",
    "align_problems",
    "differences",
    "draw_seeds",
    "import_rollouts",
    "preview_rollouts",
    "repair",
    "stage_schema",
    "unrecorded",
    "verify",
]
