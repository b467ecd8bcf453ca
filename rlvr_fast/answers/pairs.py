"""A pair of problem and answer to be verified, and the outcome of its verification."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rlvr_fast.vocabulary import Verdict

__all__ = ["Outcome", "Pair"]


@dataclass(frozen=True, slots=True)
class Pair:
    """An answer to be verified, with everything that a worker needs to know of its problem.

    Attributes:
        spec: the task spec, which names the verifier.
        problem_id: the problem.
        gold: its gold answer, None where the verifier needs none.
        metadata: JSON values that the verifier reads.
        answer: the answer as it was written.
    """

    spec: str
    problem_id: str
    gold: str | None
    metadata: Mapping[str, Any]
    answer: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one verification.

    Attributes:
        verdict: the verdict.
        grader: name and version of the verifier, such as "rlvr_fast reader 1, python-flint 0.9.0".
        detail: the cause of a `timeout` or `error`, else empty.
    """

    verdict: Verdict
    grader: str
    detail: str = ""
