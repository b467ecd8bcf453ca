"""Runs of one model that were drawn apart become one; whatever else differs is refused by name."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from instant import Instant, Questions, rows_of
from kills import kill_everywhere
from test_run import SAMPLING, make, problem_table, samples

from rlvr_fast.answers import grade_run
from rlvr_fast.errors import InvalidInputError, RunDirectoryError
from rlvr_fast.sampling import SampleOptions, SamplingParameters, draw_run, prepare_run, sample_run
from rlvr_fast.store import Run, draw_seeds, merge_runs, verify


def drawn(run: Run, keys: list[tuple[str, int]]) -> pa.Table:
    """Draws with the seeds that they have in this run."""
    table = samples(keys)
    seeds = [int(draw_seeds(run.info, name, np.array([index]))[0]) for name, index in keys]
    return table.set_column(5, "seed", pa.array(seeds))


def part_of(path: Path, first: int, last: int, **changes) -> Run:
    """A run with the samples `first` up to `last` of each problem, two of them a part."""
    run = make(path, **changes)
    names = run.problems()["problem_id"].to_pylist()
    for index in range(first, last):
        run.append("samples", drawn(run, [(name, index) for name in names]))
    run.request(last)
    return run


def keys_of(run: Run) -> list[tuple[str, int]]:
    rows = run.read("samples", ["problem_id", "sample_index"]).to_pylist()
    return sorted((row["problem_id"], row["sample_index"]) for row in rows)


def files(run: Run) -> dict[str, bytes]:
    return {str(f): f.read_bytes() for f in run.path.rglob("*") if f.is_file()}


def test_runs_of_one_model_become_one_that_is_topped_up_and_graded(tmp_path):
    a, b = part_of(tmp_path / "a", 0, 3), part_of(tmp_path / "b", 2, 6)
    before = files(a), files(b)
    done = merge_runs(tmp_path / "out", [a.path, b.path])
    assert (files(a), files(b)) == before
    assert (done.taken, done.repeated, done.notes) == ([9, 9], 3, [])
    run = Run.open(tmp_path / "out")
    assert keys_of(run) == [(f"t/{p}", i) for p in range(3) for i in range(6)]
    assert run.info.requested_samples == 6
    assert run.num_missing(6) == 0
    assert [(d.sample_index, d.seed) for d in run.missing(7)] == [
        (6, int(draw_seeds(a.info, f"t/{p}", np.array([6]))[0])) for p in range(3)
    ]
    assert {finding.level for finding in verify(run.path)} == {"info"}
    grade_run(run)
    graded = merge_runs(tmp_path / "two", [run.path, b.path])
    assert graded.taken == [18, 0]
    assert "grades are not carried over" in graded.notes[0]
    # Again, as after a kill, and into a run that is there: nothing is taken twice.
    (tmp_path / "two" / "samples" / "part-000000.parquet").unlink()
    assert sum(merge_runs(tmp_path / "two", [a.path, b.path]).taken) == 18
    assert keys_of(Run.open(tmp_path / "two")) == keys_of(run)


def test_two_machines_draw_what_one_would(tmp_path):
    def machine(name: str, samples: int, **first: int) -> Run:
        run = prepare_run(tmp_path / name, Instant(), [Questions(5)], SamplingParameters())
        sample_run(run, Instant(), samples, **first)
        return run

    one, a = machine("one", 7), machine("a", 3)
    b = machine("b", 7, first_sample=3)
    assert {index for _, index in rows_of(b)} == {3, 4, 5, 6}
    assert sample_run(b, Instant(), 7, first_sample=3) == 0  # given again
    done = merge_runs(tmp_path / "out", [a.path, b.path])
    assert (done.taken, done.repeated) == ([15, 20], 0)
    assert rows_of(done.run) == rows_of(one)
    assert done.run.info == one.info
    assert done.run.problems().equals(one.problems())
    # The folder goes on as that of one machine.
    again = prepare_run(tmp_path / "out", Instant(), [Questions(5)], SamplingParameters())
    assert sample_run(again, Instant(), 8) == 5
    with pytest.raises(InvalidInputError, match="below --samples"):
        draw_run("m", tmp_path / "c", SampleOptions(tasks=("t:a",), samples=4), first_sample=4)


def test_tasks_of_several_runs_come_together(tmp_path):
    other = problem_table(2)
    for name, values in (("problem_id", ["u/0", "u/1"]), ("task", ["u", "u"])):
        other = other.set_column(other.column_names.index(name), name, pa.array(values))
    spec = {"name": "u", "spec": "reasoning_gym:leg_counting"}
    a = part_of(tmp_path / "a", 0, 2)
    b = part_of(tmp_path / "b", 0, 3, problems=other, tasks=[spec])
    done = merge_runs(tmp_path / "out", [a.path, b.path])
    assert done.taken == [6, 6]
    run = Run.open(tmp_path / "out")
    assert run.problems()["problem_id"].to_pylist() == ["t/0", "t/1", "t/2", "u/0", "u/1"]
    assert [task["name"] for task in run.info.tasks] == ["t", "u"]
    assert run.requested().tolist() == [2, 2, 2, 3, 3]
    # What the run of both tasks is given next is what one folder would have been given.
    whole = make(tmp_path / "whole", problems=run.problems(), tasks=[*a.info.tasks, *b.info.tasks])
    assert whole.info.tasks == run.info.tasks
    assert {d.seed for d in whole.missing(4)} >= {d.seed for d in run.missing(4)}
    # And tasks that are added later join a run that was merged.
    assert merge_runs(tmp_path / "a", [b.path]).taken == [6]
    assert keys_of(Run.open(tmp_path / "a")) == keys_of(run)


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"model": {"name": "n", "revision": None}}, "model m at no revision and n"),
        ({"sampling": {**SAMPLING, "temperature": 1.0}}, "sampling.temperature 0.6 and 1.0"),
        ({"sampling": {**SAMPLING, "seed": 1}}, "sampling.seed 0 and 1"),
        ({"prompt_template": {"name": "chat", "sha256": "1" * 64}}, "template"),
        ({"engine": {"name": "vllm", "version": "1", "notes": []}}, "engine transformers and vllm"),
        ({"tasks": [{"name": "t", "spec": "reasoning_gym:leg_counting"}]}, "task 't' is"),
        ({"problems": problem_table(2)}, "3 and 2 problems: problem 't/2' is in one only"),
    ],
)
def test_what_differs_is_refused_by_name_before_anything_is_written(tmp_path, changes, names):
    a, b = part_of(tmp_path / "a", 0, 1), part_of(tmp_path / "b", 1, 2, **changes)
    with pytest.raises(RunDirectoryError, match=r"cannot be joined, 1 difference\(s\)") as error:
        merge_runs(tmp_path / "out", [a.path, b.path])
    assert names in str(error.value)
    assert not (tmp_path / "out").exists()


def test_all_differences_are_named_at_once(tmp_path):
    a = part_of(tmp_path / "a", 0, 1)
    sampling = {**SAMPLING, "temperature": 1.0, "top_p": 0.5}
    b = part_of(tmp_path / "b", 0, 1, sampling=sampling, model={"name": "n", "revision": None})
    with pytest.raises(RunDirectoryError, match=r"3 difference\(s\): .*model.*temp.*top_p"):
        merge_runs(tmp_path / "out", [a.path, b.path])


def test_different_completions_for_one_draw(tmp_path):
    a, b = part_of(tmp_path / "a", 0, 2), part_of(tmp_path / "b", 2, 3)
    changed = drawn(b, [("t/0", 0), ("t/1", 1)])
    b.append("samples", changed.set_column(2, "text", pa.array(["other", "t/1 1 é"])))
    with pytest.raises(RunDirectoryError, match="1 of 2 draws that several runs have") as error:
        merge_runs(tmp_path / "out", [a.path, b.path])
    assert "'t/0' sample 0" in str(error.value)
    assert not (tmp_path / "out").exists()
    done = merge_runs(tmp_path / "out", [b.path, a.path], keep_first=True)
    assert (done.taken, done.repeated) == ([5, 4], 2)
    rows = done.run.read("samples").to_pylist()
    assert [(r["problem_id"], r["sample_index"]) for r in rows if r["text"] == "other"] == [
        ("t/0", 0)
    ]


WORK = """
from rlvr_fast.store import merge_runs

def work(folder, begin):
    begin()
    merge_runs(folder / "out", [{a!r}, {b!r}])
"""


@pytest.mark.slow
def test_killed_at_every_operation_the_same_command_goes_on(tmp_path):
    a, b = part_of(tmp_path / "a", 0, 2), part_of(tmp_path / "b", 1, 3)
    code = WORK.format(a=str(a.path), b=str(b.path))
    places = kill_everywhere(code, tmp_path / "kills", step=5)
    assert len(places) > 5
    for place in places:
        merge_runs(place / "out", [a.path, b.path])
        run = Run.open(place / "out")
        assert keys_of(run) == [(f"t/{p}", i) for p in range(3) for i in range(3)]
        assert run.info.requested_samples == 3
        assert {finding.level for finding in verify(run.path)} == {"info"}


def test_runs_named_twice_strangers_and_links_are_refused(tmp_path):
    a = part_of(tmp_path / "a", 0, 1)
    for out, runs in ((tmp_path / "a", [a.path]), (tmp_path / "o", [a.path] * 2), ("o", [])):
        with pytest.raises(InvalidInputError, match="each named once"):
            merge_runs(out, runs)
    b = part_of(tmp_path / "b", 1, 2)
    (b.path / "samples" / "part-000009.parquet").symlink_to(a.path / "run.json")
    with pytest.raises(RunDirectoryError, match=r"part-000009.parquet"):
        merge_runs(tmp_path / "out", [a.path, b.path])
    assert not (tmp_path / "out").exists()
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "mine.txt").write_text("mine")
    with pytest.raises(RunDirectoryError, match="not empty"):
        merge_runs(foreign, [a.path])
    info = json.loads((a.path / "run.json").read_text())
    info["engine"]["name"] = "imported"
    (a.path / "run.json").write_text(json.dumps(info))
    with pytest.raises(RunDirectoryError, match="import all their files together"):
        merge_runs(tmp_path / "out", [a.path])
