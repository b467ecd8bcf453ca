"""Small parts become few: rows, order, grades and scores stay; a kill loses nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from kills import kill_everywhere
from test_run import make, samples

from rlvr_fast.answers import grade_run
from rlvr_fast.doctor import examine_run
from rlvr_fast.errors import InvalidInputError, RunDirectoryError, RunLockedError, StorageError
from rlvr_fast.store import Run, compact_run, require_sealed_grades, require_sealed_scores, seal

STAGES = ("samples", "answers", "scores/base")
WORK = """
import shutil
from rlvr_fast.store import compact_run

def work(folder, begin):
    shutil.copytree({source!r}, folder / "run")
    begin()
    compact_run(folder / "run")
"""


def scores(keys: list[tuple[str, int]]) -> pa.Table:
    zeros = np.zeros(len(keys))
    return pa.table(
        {
            "problem_id": [p for p, _ in keys],
            "sample_index": pa.array([i for _, i in keys], pa.int32()),
            "num_tokens": pa.array([i for _, i in keys], pa.int32()),
            "logprob": zeros,
            "mean_entropy": zeros,
        }
    )


def many_parts(path: Path, number: int = 6) -> Run:
    """A graded and scored run whose samples and scores have a part for each sample index."""
    run = make(path)
    for index in range(number):
        keys = [(f"t/{problem}", index) for problem in range(3)]
        run.append("samples", samples(keys))
        run.append("scores/base", scores(keys))
        if index in (2, number - 1):
            grade_run(run)
    run.write_json("scores/base/scores.json", {"model": {"name": "b", "revision": None}})
    seal(run)
    return run


def contents(path: Path) -> dict[str, pa.Table]:
    run = Run.open(path)
    return {stage: run.read(stage) for stage in STAGES}


def faults(path: Path) -> list[tuple[str, str]]:
    """What `doctor` finds, but for information; the seeds of these draws are made up."""
    return [(f["level"], f["message"]) for f in examine_run(path) if f["level"] != "info"]


def check_whole(path: Path, expected: dict[str, pa.Table]) -> None:
    """The run holds the same rows in their order, and its grades and scores are still sealed."""
    found = contents(path)
    for stage in STAGES:
        assert found[stage].equals(expected[stage]), stage
    run = Run.open(path)
    require_sealed_grades(run)
    require_sealed_scores(run, "base")


def test_rows_order_grades_and_scores_stay(tmp_path):
    run = many_parts(tmp_path / "run")
    expected, grades = contents(run.path), run.read_table("grades.parquet")
    before = {stage: len(run.parts(stage)) for stage in STAGES}
    assert before == {"samples": 6, "answers": 2, "scores/base": 6}
    told, found = [], faults(run.path)
    done = compact_run(run.path, progress=lambda *now: told.append(now))
    assert [(each.stage, each.parts_before, each.parts) for each in done] == [
        (stage, before[stage], 1) for stage in STAGES
    ]
    assert told[0] == ("compact", 6, 6)
    check_whole(run.path, expected)
    assert not (run.path / ".compacting").exists()
    assert faults(run.path) == found
    # What is drawn later goes behind, is graded on top, and compacted in its turn.
    again = Run.open(run.path)
    again.append("samples", samples([("t/0", 6)]))
    grade_run(again)
    assert len(compact_run(run.path)) == 3
    # The new draw has no scores yet: its part is not among those that the scores were made from.
    assert [len(Run.open(run.path).parts(stage)) for stage in STAGES] == [2, 1, 1]
    rows = Run.open(run.path).read("samples")
    assert rows.slice(0, 18).equals(expected["samples"])
    assert rows["sample_index"][18].as_py() == 6
    assert Run.open(run.path).read_table("grades.parquet")["count"].to_numpy().sum() == (
        grades["count"].to_numpy().sum() + 1
    )
    assert [each.parts - each.parts_before for each in compact_run(run.path)] == [0, 0, 0]


def test_draws_that_are_not_graded_yet_stay_apart(tmp_path):
    run = many_parts(tmp_path / "run")
    for index in (6, 7):
        run.append("samples", samples([("t/1", index)]))
    expected, found = contents(run.path), faults(run.path)
    compact_run(run.path)
    assert len(Run.open(run.path).parts("samples")) == 2
    check_whole(run.path, expected)
    assert faults(run.path) == found
    grade_run(Run.open(run.path))
    require_sealed_grades(Run.open(run.path))


def test_parts_of_other_columns_and_large_parts_stay_apart(tmp_path):
    run = make(tmp_path / "run")
    for index in range(8):
        table = samples([("t/0", index)])
        if index in (2, 3):
            table = table.append_column("verdict", pa.array(["correct"]))
        run.append("samples", table)
    size = run.parts("samples")[0].stat().st_size
    long = samples([("t/1", 0)]).set_column(
        2, "text", pa.array([np.random.default_rng(0).bytes(4 * size).hex()])
    )
    run.append("samples", long)
    run.append("samples", samples([("t/2", 0)]))
    expected = run.read("samples")
    compact_run(run.path, part_bytes=3 * size)
    rows = [pq.read_metadata(part).num_rows for part in Run.open(run.path).parts("samples")]
    assert rows == [2, 2, 2, 2, 1, 1]
    assert Run.open(run.path).read("samples").equals(expected)


@pytest.mark.slow
def test_killed_at_every_operation_a_run_is_as_before_or_after(tmp_path):
    run = many_parts(tmp_path / "run", number=3)
    expected, found = contents(run.path), faults(run.path)
    places = kill_everywhere(WORK.format(source=str(run.path)), tmp_path / "kills")
    copies, finished = [place / "run" for place in places], 0
    assert len(copies) > 20
    for number, copy in enumerate(copies):
        half = (copy / ".compacting").exists()
        check_whole(copy, expected)  # reading finishes what was decided
        if half:
            with Run.open(copy).writing():  # and writing drops what was not
                pass
        assert not (copy / ".compacting").exists()
        finished += len(Run.open(copy).parts("samples")) == 1
        if number % 8 == 0:
            compact_run(copy)
            check_whole(copy, expected)
            assert [len(Run.open(copy).parts(stage)) for stage in STAGES] == [1, 1, 1]
    assert 0 < finished < len(copies)
    assert faults(copies[len(copies) // 2]) == found


def test_a_reader_that_opened_before_is_told_what_is_gone(tmp_path):
    run = many_parts(tmp_path / "run")
    reader = Run.open(run.path)
    pieces = reader.iter_joined("samples", None, reader.parts("samples"))
    compact_run(run.path)
    with pytest.raises(StorageError, match="gone since the run was opened"):
        list(pieces)
    assert len(reader.read("samples")) == 18  # asked again, it lists the parts that there are
    assert reader.num_samples().tolist() == [6, 6, 6]


def test_the_lock_and_an_unfinished_regrade_are_respected(tmp_path):
    run = many_parts(tmp_path / "run", number=3)
    with run.writing(), pytest.raises(RunLockedError):
        compact_run(run.path)
    (run.path / ".graded-before").mkdir()
    with pytest.raises(RunDirectoryError, match="regrade was not finished"):
        compact_run(run.path)
    with pytest.raises(InvalidInputError, match="at least 1 byte"):
        compact_run(run.path, part_bytes=0)


def test_a_part_that_is_not_the_graded_one_is_not_laundered(tmp_path):
    run = many_parts(tmp_path / "run")
    part = run.parts("samples")[1]
    table = pq.read_table(part)
    pq.write_table(
        table.set_column(2, "text", pa.array(["5"] * len(table), pa.large_string())), part
    )
    with pytest.raises(RunDirectoryError, match=r"another SHA-256.*nothing was compacted"):
        compact_run(run.path)
    assert len(Run.open(run.path).parts("samples")) == 6


def tree(folder: Path) -> list[Path]:
    """All of a run but its leases."""
    return [each for each in sorted(folder.rglob("*")) if not each.name.startswith(".lease")]


@pytest.mark.parametrize(
    "plan",
    [
        {"stage": "samples", "old": ["../run.json"], "new": [], "documents": []},
        {"stage": "samples", "old": [], "new": [], "documents": ["run.json"]},
        {"stage": "../samples", "old": [], "new": [], "documents": []},
        {"stage": "samples", "old": [], "new": [], "documents": ["scores/../scores.json"]},
        {"stage": "samples", "old": 3, "new": [], "documents": []},
        {"stage": "samples"},
        [1],
    ],
)
def test_a_plan_of_strangers_touches_nothing(tmp_path, plan):
    run = many_parts(tmp_path / "run", number=2)
    names = tree(run.path)
    (run.path / ".compacting").mkdir()
    (run.path / ".compacting" / "plan.json").write_text(json.dumps(plan), "utf-8")
    with pytest.raises(RunDirectoryError, match="not a plan of"):
        Run.open(run.path)
    shutil.rmtree(run.path / ".compacting")
    assert tree(run.path) == names
    assert len(Run.open(run.path).read("samples")) == 6


def test_a_full_disk_leaves_the_run_as_it_was(tmp_path, monkeypatch):
    from rlvr_fast.store import compacting

    run = many_parts(tmp_path / "run")
    expected = contents(run.path)

    def full(file: Path, write: object) -> None:
        raise StorageError(f"{file}: no room left on the file system")

    monkeypatch.setattr(compacting, "write_atomically", full)
    with pytest.raises(StorageError, match="no room left"):
        compact_run(run.path)
    monkeypatch.undo()
    assert not (run.path / ".compacting").exists()
    assert len(Run.open(run.path).parts("samples")) == 6
    check_whole(run.path, expected)
