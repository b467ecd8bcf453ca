"""A folder that adds kinds of tasks with evaluating verifiers, and attacks against them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from rlvr_fast.tasks.sandbox import unavailable_reason

HERE = Path(__file__).parent


class Attacked(NamedTuple):
    """What an attacked process found."""

    outcomes: list[tuple[str, str]]
    sandboxed: bool
    peak_mib: float
    said: str

    @property
    def verdicts(self) -> list[str]:
        return [verdict for verdict, _ in self.outcomes]


@pytest.fixture(scope="session")
def toy_path(tmp_path_factory) -> Path:
    """A folder for PYTHONPATH with the toy schemes, as an installed package adds them."""
    folder = tmp_path_factory.mktemp("toy")
    (folder / "evaluating_toy.py").write_text((HERE / "evaluating_toy.py").read_text())
    info = folder / "evaluating_toy-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: evaluating-toy\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[rlvr_fast.tasks]\nevaluating = evaluating_toy:SCHEME\nshared = evaluating_toy:SHARED\n"
        "loaded = evaluating_toy:LOADED\npinned = evaluating_toy:PINNED\n"
    )
    return folder


@pytest.fixture(scope="session")
def attack(toy_path):
    """Verifies answers in a process of its own and returns an `Attacked`."""

    def run(
        answers, spec="evaluating:w", *, environment=None, cwd=None, script=None, python=None,
        **asked,
    ):  # fmt: skip
        done = subprocess.run(
            [python or sys.executable, script or HERE / "attack_runner.py"],
            input=json.dumps({"spec": spec, "answers": answers, **asked}),
            env={**os.environ, "PYTHONPATH": str(toy_path), **(environment or {})},
            cwd=cwd, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        outcomes = [tuple(outcome) for outcome in told["outcomes"]]
        return Attacked(outcomes, told["sandboxed"], told["peak_mib"], done.stderr)

    return run


@pytest.fixture(params=["bubblewrap", "no bubblewrap"])
def walls(request):
    if request.param == "bubblewrap" and (reason := unavailable_reason()) is not None:
        pytest.skip(reason)
    return request.param == "bubblewrap"


@pytest.fixture(scope="session")
def landlocked():
    """Whether a process can close files to itself."""
    probe = (
        "import sys\nfrom rlvr_fast.tasks.sandbox.landlock import read_only_view\n"
        "from rlvr_fast.tasks.sandbox.locks import drop_privileges\n"
        "drop_privileges()\nsys.exit(not read_only_view([]))"
    )
    return subprocess.run([sys.executable, "-c", probe], check=False).returncode == 0
