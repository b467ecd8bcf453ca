"""A graded pair of runs with scores, made once; tests change copies of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from planted_entries import Place, make_victim

from rlvr_fast.answers import GradeOptions, grade_run
from rlvr_fast.store import ImportOptions, import_rollouts


@pytest.fixture(scope="session")
def graded_pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("graded")
    for name, right in (("base", 1), ("rl", 3)):
        rows = [
            {
                "problem_id": f"p{problem}",
                "question": f"{problem} + 1?",
                "gold": str(problem + 1),
                "completion": [f"so {problem + (draw < right)}" for draw in range(4)],
                "token_ids": [[1, problem + 2, draw + 3] for draw in range(4)],
                "logprobs": [[-1.0, -0.5, -0.25]] * 4,
                "correct": [draw < right for draw in range(4)],
            }
            for problem in range(4)
        ]
        source = folder / f"{name}.jsonl"
        source.write_text("".join(json.dumps(row) + "\n" for row in rows))
        run = import_rollouts(
            source, folder / name, ImportOptions(verdict="correct"), model=f"tiny/{name}"
        )
        grade_run(run, GradeOptions(verdicts="imported"))
        (run.path / "verdicts.jsonl").touch()
    return folder


@pytest.fixture
def place(graded_pair: Path, tmp_path: Path) -> Place:
    runs = tmp_path / "runs"
    for name in ("base", "rl"):
        shutil.copytree(graded_pair / name, runs / name)
    victim = make_victim(tmp_path / "victim")
    return Place(runs / "base", runs / "rl", victim, tmp_path / "report")
