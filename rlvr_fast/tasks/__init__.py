"""Problems, the sources of problems, and the verification of answers."""

from __future__ import annotations

from rlvr_fast.tasks.base import Equivalence, Problem, Scheme, Task, Verifier
from rlvr_fast.tasks.loading import load_task, load_tasks, load_verifier
from rlvr_fast.tasks.specs import TaskSpec

__all__ = [
    "Equivalence",
    "Problem",
    "Scheme",
    "Task",
    "TaskSpec",
    "Verifier",
    "load_task",
    "load_tasks",
    "load_verifier",
]
