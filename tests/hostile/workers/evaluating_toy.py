"""Kinds of tasks whose verifiers evaluate an answer as Python: no grammar stands in the way."""

from __future__ import annotations

from pathlib import Path

from rlvr_fast.tasks.base import Problem, Scheme


class EvaluatingVerifier:
    """Correct where the value of the answer is that of the gold."""

    equivalence = "exact"

    def __init__(self, name, evaluates):
        self.name, self.evaluates = name, evaluates

    def prepare(self, problem_id, metadata):
        pass

    def limit_seconds(self, metadata, timeout):
        return timeout

    def verify(self, problem_id, gold, metadata, answer):
        scope = {"verifier": self}
        exec(answer, scope)
        return "correct" if scope.get("value") == int(gold) else "incorrect"


class EvaluatingTask:
    domain = "toy"

    def __init__(self, spec, name):
        self.name, self.spec = name or spec.source, str(spec)

    def problems(self):
        return [Problem(f"{self.name}/0", self.name, "How many?", "7", {"index": 0})]

    def verifier(self):
        return EvaluatingVerifier("forked 1", True)


class LoadedTask(EvaluatingTask):
    def verifier(self):
        return EvaluatingVerifier("loaded 1", True)


SCHEME = Scheme(
    name="evaluating",
    form="evaluating:WORLD",
    help="evaluates, in a process for each answer",
    load=EvaluatingTask,
    verifier=lambda spec: EvaluatingVerifier("forked 1", True),
)
SHARED = Scheme(
    name="shared",
    form="shared:WORLD",
    help="evaluates in the worker itself",
    load=EvaluatingTask,
    verifier=lambda spec: EvaluatingVerifier("shared 1", False),
)
LOADED = Scheme(
    name="loaded", form="loaded:SOURCE", help="its source is whatever it names", load=LoadedTask
)
PINNED = Scheme(
    name="pinned",
    form="pinned:FILE",
    help="its verifier reads a file",
    files=lambda spec: (spec.source,),
    verifier=lambda spec: EvaluatingVerifier(Path(spec.source).read_text(), True),
)
