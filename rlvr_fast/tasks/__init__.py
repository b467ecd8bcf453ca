"""What a problem is, where problems come from, and how an answer to one is verified."""

from __future__ import annotations

from rlvr_fast.tasks.base import VERDICTS, Equivalence, Problem, Task, Verdict, Verifier
from rlvr_fast.tasks.loading import load_task, load_tasks, load_verifier

__all__ = [
    "VERDICTS",
    "Equivalence",
    "Problem",
    "Task",
    "Verdict",
    "Verifier",
    "load_task",
    "load_tasks",
    "load_verifier",
]
