"""`toy:numbers?size=3`: problems that ask for a number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rlvr_fast.tasks import Problem, Scheme, TaskSpec


class NumberTask:
    domain = "toy"

    def __init__(self, spec: TaskSpec, name: str | None = None) -> None:
        self.name = name or spec.source
        self.size = int(spec.options.get("size", "3"))
        self.spec = str(spec.with_options(size=str(self.size)))

    def problems(self) -> list[Problem]:
        return [
            Problem(f"{self.name}/{n}", self.name, f"Say {n}.", str(n), {"index": n})
            for n in range(self.size)
        ]

    def verifier(self) -> NumberVerifier:
        return NumberVerifier()


class NumberVerifier:
    name = "toy 1.5"
    equivalence = "exact"

    def prepare(self, problem_id: str, metadata: Mapping[str, Any]) -> None:
        pass

    def limit_seconds(self, metadata: Mapping[str, Any], timeout: float) -> float:
        return timeout

    def verify(
        self, problem_id: str, gold: str | None, metadata: Mapping[str, Any], answer: str
    ) -> str:
        return "correct" if answer == gold else "incorrect"


SCHEME = Scheme(
    name="toy",
    form="toy:numbers?size=3",
    help="problems that ask for a number",
    load=NumberTask,
    verifier=lambda spec: NumberVerifier(),
    policy="boxed",
)
