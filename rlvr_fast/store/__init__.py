"""The run directory: schemas, atomic parts, resume, lock, verify."""

from __future__ import annotations

from rlvr_fast.store.check import Difference, Finding, differences, repair, verify
from rlvr_fast.store.info import Draw, RunInfo, draw_seeds
from rlvr_fast.store.rollouts import Fields, import_rollouts
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
    "differences",
    "draw_seeds",
    "import_rollouts",
    "repair",
    "stage_schema",
    "verify",
]
