"""Tasks that are added to a run: nothing that it holds changes, at whichever write it is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from instant import Instant, rows_of
from typer.testing import CliRunner

from rlvr_fast.answers import GradeOptions
from rlvr_fast.answers.grading import grade_run
from rlvr_fast.cli import app
from rlvr_fast.doctor.run import examine_run
from rlvr_fast.errors import RunDirectoryError
from rlvr_fast.sampling import SamplingParameters, prepare_run, sample_run
from rlvr_fast.store import Run, require_sealed_grades
from rlvr_fast.store.digests import grading_mismatches
from rlvr_fast.tasks import load_tasks

PARAMETERS = SamplingParameters()
OPTIONS = GradeOptions(workers=1)


class Files:
    """Tasks of 3, 2 and 2 problems whose golds are digits."""

    def __init__(self, folder: Path) -> None:
        self.specs = []
        for name, count in (("sums", 3), ("more", 2), ("last", 2)):
            file = folder / f"{name}.jsonl"
            rows = [{"id": i, "question": f"{name}: {i}?", "answer": str(i)} for i in range(count)]
            file.write_text("".join(json.dumps(row) + "\n" for row in rows))
            self.specs.append(f"math:{file}?id=id")
        self.first, self.both = self.specs[:1], self.specs[:2]


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def prepared(path: Path, specs: list[str]) -> Run:
    return prepare_run(path, Instant(), load_tasks(specs), PARAMETERS)  # type: ignore[arg-type]


def drawn(path: Path, specs: list[str], samples: int) -> Run:
    run = prepared(path, specs)
    sample_run(run, Instant(), samples)  # type: ignore[arg-type]
    return run


def troubles(path: Path) -> list[str]:
    return [f["message"] for f in examine_run(path) if f["level"] != "info"]


def test_a_task_is_added_behind_the_others(files: Files, tmp_path: Path) -> None:
    run = drawn(tmp_path / "run", files.first, 6)
    grade_run(run, OPTIONS)
    problems, rows = run.problems(), rows_of(run)
    parts = {part: part.read_bytes() for part in (*run.parts("samples"), *run.parts("answers"))}
    grades = (run.path / "grades.parquet").read_bytes()

    wider = prepared(run.path, files.both[::-1])  # in any order
    assert [task["name"] for task in wider.info.tasks] == ["sums", "more"]
    assert wider.problems().slice(0, len(problems)).equals(problems)
    assert wider.num_samples().tolist() == [6, 6, 6, 0, 0]
    require_sealed_grades(wider)
    assert troubles(run.path) == []
    assert sample_run(wider, Instant(), 4) == 8  # type: ignore[arg-type]
    assert wider.requested().tolist() == [6, 6, 6, 4, 4]
    assert {part: part.read_bytes() for part in parts} == parts
    assert (run.path / "grades.parquet").read_bytes() == grades
    assert {key: row for key, row in rows_of(wider).items() if key in rows} == rows
    fresh = drawn(tmp_path / "fresh", files.both, 4)
    both = rows_of(wider)
    assert rows_of(fresh) == {key: both[key] for key in rows_of(fresh)}
    require_sealed_grades(wider)

    grade_run(wider, OPTIONS)
    assert Run.open(run.path).num_samples("answers").tolist() == [6, 6, 6, 4, 4]
    assert prepared(run.path, files.both).info.states == wider.info.states
    with pytest.raises(RunDirectoryError, match="naming all that it has and the new ones"):
        prepared(run.path, files.both[1:])
    with pytest.raises(RunDirectoryError, match="naming all that it has and the new ones"):
        prepared(run.path, files.specs[1:])
    with pytest.raises(RunDirectoryError, match="holds another run"):
        prepared(run.path, files.first)


def test_doctor_and_the_next_commands_see_one_run(files: Files, tmp_path: Path) -> None:
    run = drawn(tmp_path / "run", files.first, 4)
    grade_run(run, OPTIONS)
    for specs in (files.both, files.specs):
        drawn(run.path, specs, 4)
        (message,) = troubles(run.path)
        assert "draws are not graded yet" in message
        assert not list(grading_mismatches(Run.open(run.path)))
    assert len(Run.open(run.path).info.states) == 3
    grade_run(Run.open(run.path), OPTIONS)
    assert troubles(run.path) == []
    found = CliRunner().invoke(app, ["doctor", str(run.path), "--repair"])
    assert found.exit_code == 0, found.output
    assert len(Run.open(run.path).info.tasks) == 3


def test_changed_problems_are_found_after_an_addition(files: Files, tmp_path: Path) -> None:
    run = drawn(tmp_path / "run", files.first, 4)
    grade_run(run, OPTIONS)
    before = (run.path / "problems.parquet").read_bytes()
    wider = drawn(run.path, files.both, 4)
    table = wider.problems()
    column = table.schema.get_field_index("gold")
    golds = ["9", *table["gold"].to_pylist()[1:]]
    pq.write_table(table.set_column(column, "gold", [golds]), run.path / "problems.parquet")
    assert [m.file.name for m in grading_mismatches(Run.open(run.path))] == ["problems.parquet"]
    wider.write_table("problems.parquet", table)
    grade_run(Run.open(run.path), OPTIONS)
    (run.path / "problems.parquet").write_bytes(before)  # a state before the grading
    assert [m.file.name for m in grading_mismatches(Run.open(run.path, check=False))] == [
        "problems.parquet"
    ]


def test_an_opened_run_sees_what_was_added(files: Files, tmp_path: Path) -> None:
    reader, writer = drawn(tmp_path / "run", files.first, 4), Run.open(tmp_path / "run")
    grade_run(reader, OPTIONS)
    assert reader.num_samples().tolist() == [4, 4, 4]
    drawn(tmp_path / "run", files.both, 4)
    assert len(reader.read("samples")) == 20
    assert reader.num_samples().tolist() == [4, 4, 4, 4, 4]
    assert len(reader.problems()) == len(reader.requested()) == 5
    assert len(reader.info.tasks) == 2
    writer.request(9)  # opened before the addition: run.json keeps the added task
    assert len(Run.open(tmp_path / "run").info.tasks) == 2
    assert writer.num_missing(np.full(5, 9)) == 25


CHILD = """
import os, pathlib, signal, sys
import test_added_tasks as tests
replace, left = pathlib.Path.replace, [int(sys.argv[2])]
def counted(self, goal):
    left[0] -= 1
    if left[0] == 0 and sys.argv[3] == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    done = replace(self, goal)
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return done
pathlib.Path.replace = counted
tests.prepared(pathlib.Path(sys.argv[1]), tests.Files(pathlib.Path(sys.argv[1]).parent).both)
"""


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("number", [1, 2])
def test_killed_at_each_write(files: Files, tmp_path: Path, number: int, when: str) -> None:
    run = drawn(tmp_path / "run", files.first, 4)
    grade_run(run, OPTIONS)
    rows = rows_of(run)
    places = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
    child = subprocess.run(
        [sys.executable, "-c", CHILD, str(run.path), str(number), when],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(places)},
        check=False,
    )
    assert child.returncode == -signal.SIGKILL
    opened = Run.open(run.path)
    assert rows_of(opened) == rows
    require_sealed_grades(opened)
    between = (number, when) in [(1, "after"), (2, "before")]
    if between:
        (message,) = troubles(run.path)
        assert "not there yet" in message
        grade_run(opened, OPTIONS)  # goes on in this state too
        found = CliRunner().invoke(app, ["doctor", str(run.path), "--repair"])
        assert found.exit_code == 0, found.output
    else:
        assert troubles(run.path) == []
    wider = drawn(run.path, files.both, 4)
    require_sealed_grades(wider)
    grade_run(wider, OPTIONS)
    assert troubles(run.path) == []
    fresh = drawn(tmp_path / "fresh", files.both, 4)
    assert rows_of(wider) == rows_of(fresh)
    assert wider.problems().equals(fresh.problems())
    assert json.loads((run.path / "run.json").read_text())["states"][-1]["problems"] == 5
