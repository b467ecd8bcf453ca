"""Programs from models, run in a sandbox with limits; nothing is run without the sandbox."""

from __future__ import annotations

from rlvr_fast.tasks.sandbox.bubblewrap import (
    open_program,
    require_sandbox,
    run_program,
    unavailable_reason,
)
from rlvr_fast.tasks.sandbox.limits import Limits, ProgramResult
from rlvr_fast.tasks.sandbox.long_lived import LongLivedProcess
from rlvr_fast.tasks.sandbox.seccomp import syscall_filter
from rlvr_fast.tasks.sandbox.supervision import Supervision

__all__ = [
    "Limits",
    "LongLivedProcess",
    "ProgramResult",
    "Supervision",
    "open_program",
    "require_sandbox",
    "run_program",
    "syscall_filter",
    "unavailable_reason",
]
