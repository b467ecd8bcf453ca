"""Options of grading: one definition for Python, command line and study files."""

from __future__ import annotations

from dataclasses import dataclass

from rlvr_fast.options import Options, option
from rlvr_fast.vocabulary import Policy, VerdictSource

__all__ = [
    "DEFAULT_MEMORY_MB",
    "LEAST_MEMORY_MB",
    "MOST_MEMORY_MB",
    "MOST_TIMEOUT",
    "GradeOptions",
]

DEFAULT_MEMORY_MB = 2048
LEAST_MEMORY_MB = 512
# More the kernel's timers and limits may not take.
MOST_MEMORY_MB = 1 << 24
MOST_TIMEOUT = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GradeOptions(Options):
    """Options of `grade_run`.

    Attributes:
        policy: how answers are extracted. With "auto", code tasks take the last code block.
        workers: verifying processes; None is one a processor. Verdicts do not depend on the number.
        timeout: processor seconds of one verification; passed, the verdict is `timeout`.
        memory_mb: MiB of address space of a worker; passed, the verdict is `error`.
        audit: how many verdicts to verify once more by other means; see `audit_run`.
        verdicts: "ours" verifies the answers; "imported" takes the verdicts that came with the
            rollouts, without gold answers and verifiers; "auto" takes ours, except where the
            verifiers need gold answers, no problem has one, and verdicts came along.
        regrade: grade anew, whatever was graded before: answers, verdicts and their journal.

    Raises:
        InvalidInputError: a value of another type or out of range.
    """

    policy: Policy = option("auto", help="How answers are extracted.")
    workers: int | None = option(
        None, minimum=1, help="Verifying processes; by default one a processor."
    )
    timeout: float = option(
        5.0, above=0, maximum=MOST_TIMEOUT, help="Processor seconds of one verification."
    )
    memory_mb: int = option(
        DEFAULT_MEMORY_MB,
        minimum=LEAST_MEMORY_MB,
        maximum=MOST_MEMORY_MB,
        reason="what verifiers themselves take",
        help="MiB of address space of one verifying process.",
    )
    audit: int = option(0, minimum=0, help="Verdicts to verify once more by other means.")
    verdicts: VerdictSource = option(
        "auto", help="Whose verdicts: this package's verifiers or the imported file's own."
    )
    regrade: bool = option(
        False,
        help="Grade anew, whatever was graded before: by the same policy, or another.",
    )
