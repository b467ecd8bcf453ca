"""Completions that are bare code, and the fence that marks code for the extraction of answers."""

from __future__ import annotations

import re

__all__ = ["FENCED", "benchmark_id", "fenced"]

# A note for imports whose completions `fenced` has changed.
FENCED = (
    "the completions are bare code; each is stored inside a ```python fence, where the policy "
    "code_block finds it"
)
_NUMBERED = re.compile(r"(HumanEval|Mbpp|MBPP|BigCodeBench)[/_](\d+)")


def fenced(code: str) -> str:
    """Code inside a fence; a text that has a fence is left as it is."""
    if "```" in code or not code.strip():
        return code
    return f"```python\n{code.rstrip()}\n```"


def benchmark_id(task_id: object) -> tuple[str, str] | None:
    """("humaneval", "7") of "HumanEval/7", as the tasks of this package name it; None otherwise."""
    found = _NUMBERED.fullmatch(task_id.strip()) if isinstance(task_id, str) else None
    return (found[1].lower(), found[2]) if found else None
