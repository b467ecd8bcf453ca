"""A damaged part is moved aside, and the run can be graded, topped up, scored and compared."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from runs_in_parts import OPTIONS, classes, draw, run_in_parts, score

from rlvr_fast.answers import grade_run
from rlvr_fast.doctor import examine_run
from rlvr_fast.report import compare_runs
from rlvr_fast.store import Run, repair, seal


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run_in_parts(tmp_path_factory.mktemp("whole") / "run", scores=True)


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-30])


def flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 3] ^= 0x10
    file.write_bytes(data)


def empty(file: Path) -> None:
    file.write_bytes(b"")


def delete(file: Path) -> None:
    file.unlink()


def replace(file: Path) -> None:
    pq.write_table(pa.table({"x": [1, 2, 3]}), file)


DAMAGES = [truncate, flip, empty, delete, replace]
PARTS = [
    f"{stage}/part-{number:06d}.parquet"
    for stage in ("samples", "answers", "scores/m")
    for number in range(3)
]
OTHERS = ["grades.parquet", "grading.json", "verdicts.jsonl", "scores/m/scores.json"]


def errors(path: Path) -> list[dict[str, str]]:
    return [f for f in examine_run(path) if f["level"] == "error"]


def follow_the_remedies(path: Path, salt: int = 0) -> Run:
    """What the findings ask for, in their order: sample, grade, score."""
    run = Run.open(path)
    missing = [(d.problem_id, d.sample_index) for d in run.missing(24)]
    if missing:
        draw(run, missing, salt)
    grade_run(run, OPTIONS)
    score(run)
    seal(run)
    return Run.open(path)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda d: d.__name__)
@pytest.mark.parametrize("name", [*PARTS, *OTHERS])
def test_what_the_stages_can_make_again_is_as_before(
    whole: Run, tmp_path: Path, name: str, damage: object
) -> None:
    path = tmp_path / "run"
    shutil.copytree(whole.path, path)
    damage(path / name)
    if damage is not delete or name.startswith("sam"):
        assert errors(path), "the damage was not found"
    examine_run(path, repair=True)
    assert not errors(path)
    run = follow_the_remedies(path)
    assert classes(run) == classes(whole)
    assert not errors(path)
    scores = sorted(map(str, run.read("scores/m").to_pylist()))
    assert scores == sorted(map(str, whole.read("scores/m").to_pylist()))
    # topped up, and compared with the undamaged run
    draw(run, [("sums/0", 24), ("sums/1", 24)])
    grade_run(run, OPTIONS)
    assert compare_runs(whole, Run.open(path)).rl.num_samples.tolist() == [25, 25, 24]


@pytest.mark.parametrize("part", range(3))
def test_imported_draws_that_are_lost_leave_a_run_to_go_on_with(tmp_path: Path, part: int) -> None:
    run = run_in_parts(tmp_path / "run", engine="imported", scores=True)
    truncate(run.path / f"samples/part-{part:06d}.parquet")
    found = examine_run(run.path, repair=True)
    assert not [f for f in found if f["level"] == "error"]
    if part < 2:
        assert any("24 draws missing" in f["message"] for f in found)
        assert any("import the rollouts again" in f["remedy"] for f in found)
    assert any("quarantine/samples" in f["where"] for f in found)
    again = Run.open(run.path)
    grade_run(again, OPTIONS)
    score(again)
    seal(again)
    whole = run_in_parts(tmp_path / "whole")
    assert compare_runs(whole, Run.open(run.path)).rl.num_samples.tolist() == [16, 16, 16]


def test_a_damaged_run_json_is_written_again(whole: Run, tmp_path: Path) -> None:
    path = tmp_path / "run"
    shutil.copytree(whole.path, path)
    for damage in DAMAGES[:4]:
        before = (path / "run.json").read_text()
        damage(path / "run.json")
        with pytest.raises(Exception, match=r"run\.json"):
            Run.open(path)
        assert not [f for f in examine_run(path, repair=True) if f["level"] == "error"]
        assert Run.open(path).info.model == whole.info.model
        assert classes(Run.open(path)) == classes(whole)
        compare_runs(whole, Run.open(path))
        (path / "run.json").write_text(before)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda d: d.__name__)
def test_damaged_problems_are_written_again_by_the_command_that_drew(
    whole: Run, tmp_path: Path, damage: object
) -> None:
    path = tmp_path / "run"
    shutil.copytree(whole.path, path)
    damage(path / "problems.parquet")
    assert errors(path)
    assert len(repair(path)) == (damage is not delete)
    info = whole.info
    again = Run.create(
        path,
        model=info.model,
        engine=info.engine,
        sampling=info.sampling,
        prompt_template=info.prompt_template,
        tasks=info.tasks,
        problems=whole.problems(),
    )
    assert not again.missing(24)
    assert not errors(path)
    compare_runs(whole, Run.open(path))
