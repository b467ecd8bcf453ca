"""Problems of a file with gold answers, verified by a reader of mathematical answers."""

from __future__ import annotations

from rlvr_fast.tasks.base import Scheme, Task, Verifier
from rlvr_fast.tasks.specs import TaskSpec

__all__ = ["SCHEME"]


def _load(spec: TaskSpec, name: str | None) -> Task:
    from rlvr_fast.tasks.schemes.math.task import MathTask

    return MathTask(spec, name)


def _verifier(spec: TaskSpec) -> Verifier:
    from rlvr_fast.tasks.schemes.math.verifier import MathVerifier

    return MathVerifier()


SCHEME = Scheme(
    name="math",
    form="math:SOURCE?question=FIELD&answer=FIELD&id=FIELD",
    help="problems with gold answers: a JSONL, JSON, Parquet or CSV file, a folder of shards, or "
    "hf://ORG/NAME?split=NAME",
    load=_load,
    verifier=_verifier,
    instruction="Please reason step by step, and put your final answer within \\boxed{}.",
    second_opinion="math_verify:opinion",
    posed_by_run=True,
    packages=("python-flint",),
)
