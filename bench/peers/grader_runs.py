"""Runs of the graders of `graders.py`: each in a process of another environment."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

__all__ = ["SECONDS", "run_all"]

SCRIPT = Path(__file__).with_name("graders.py")
SECONDS = 10.0  # of one case, before the process is ended
START_SECONDS = 180.0  # of the imports of a grader


def run_all(
    pythons: Sequence[Path], cases: Sequence[dict[str, Any]]
) -> Iterator[tuple[str, list[str | None], float]]:
    """Each grader that an environment has: name, outcomes (None: not its work), seconds."""
    absent: dict[str, str] = {}
    has_it: dict[str, Path] = {}
    for python in pythons:
        listed = subprocess.run(
            [python, SCRIPT, "--list"], capture_output=True, text=True, check=True
        ).stdout
        for line in listed.splitlines():
            name, _, missing = line.partition("\t")
            absent[name] = missing
            if not missing:
                has_it.setdefault(name, python)
    for name, missing in absent.items():
        if name in has_it:
            outcomes, seconds = _run(has_it[name], name, cases)
            yield name, outcomes, seconds
        else:
            print(f"left out: {name} ({missing})")


def _run(
    python: Path, name: str, cases: Sequence[dict[str, Any]]
) -> tuple[list[str | None], float]:
    outcomes: list[str | None] = []
    seconds = 0.0
    while len(outcomes) < len(cases):
        waiting = cases[len(outcomes) :]
        with subprocess.Popen(
            [python, SCRIPT, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ) as process:
            answered, taken = _answers(process, waiting)
            os.killpg(process.pid, signal.SIGKILL)  # some graders start processes of their own
        if not answered:
            raise RuntimeError(f"{name} does not start")
        outcomes += answered[1:]
        seconds += taken
    return outcomes, seconds


def _answers(
    process: subprocess.Popen[bytes], cases: Sequence[dict[str, Any]]
) -> tuple[list[str | None], float]:
    """The word that the process has started, then the outcomes until it hangs or ends."""
    assert process.stdin is not None
    assert process.stdout is not None
    found: list[str | None] = []
    started = time.perf_counter()
    selector = selectors.DefaultSelector()
    selector.register(process.stdout, selectors.EVENT_READ)
    for case in (None, *cases):
        if case is None:
            limit = START_SECONDS
        else:
            limit = SECONDS
            try:
                process.stdin.write(json.dumps(case).encode() + b"\n")
                process.stdin.flush()
            except BrokenPipeError:
                found.append("error")
                break
        ready = selector.select(limit)
        line = process.stdout.readline() if ready else b""
        if not line:
            if case is not None:
                found.append("error" if ready else "timeout")
            break
        if case is None:
            started = time.perf_counter()
        found.append(json.loads(line))
    return found, time.perf_counter() - started
