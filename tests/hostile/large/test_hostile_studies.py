"""Comparisons of studies of unusual shapes: what they take must follow from the number of draws."""

from __future__ import annotations

import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from memory_peak import Peak

from rlvr_fast.metrics import majority_at_k
from rlvr_fast.report import compare_runs, dynamics
from rlvr_fast.report.dynamics import reference_perplexity
from rlvr_fast.report.grades import DrawVerdicts
from rlvr_fast.store import Run, seal

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "report"))
from planted_runs import write_pair

MIB = 1 << 20
# Problems times draws up to this number, a byte each, are 840 MB.
FAR = 1 << 24


def renumber(run: Run, stages: tuple[str, ...], problem: str, old: int, new: int) -> None:
    """One draw of one problem gets another number, in every stage that names it."""
    for stage in stages:
        for path in run.parts(stage):
            table = pq.read_table(path)
            index = table["sample_index"].to_numpy().copy()
            rows = (np.array(table["problem_id"].to_pylist()) == problem) & (index == old)
            index[rows] = new
            at = table.column_names.index("sample_index")
            changed = table.set_column(at, table.schema.field(at), pa.array(index, pa.int32()))
            pq.write_table(changed, path)
    seal(run)


def test_one_large_number_of_a_draw_takes_no_memory(tmp_path: Path) -> None:
    """A table of problems times the largest number of a draw was 840 MB here."""
    stages = ("samples", "answers", "scores/base", "scores/rl")
    plain = write_pair(tmp_path / "a", tasks={"logic": 1}, problems_per_task=50, samples=6)
    far = write_pair(tmp_path / "b", tasks={"logic": 1}, problems_per_task=50, samples=6)
    for run in far:
        renumber(run, stages, "logic-3", 5, FAR - 1)
    with Peak() as peak:
        found = compare_runs(*far)
        reference_perplexity(found, far[1])
    assert peak.bytes < 400 * MIB
    expected = compare_runs(*plain)
    for mine, theirs in zip(found.sides, expected.sides, strict=True):
        assert mine.scores.keys() == theirs.scores.keys() == {"base", "rl"}
        for label in mine.scores:
            left, right = mine.scores[label], theirs.scores[label]
            np.testing.assert_array_equal(left.correct, right.correct)
            assert left.correct.any()
        np.testing.assert_array_equal([*mine.ended], [*theirs.ended])
        assert 0 < mine.ended.num_samples.sum() < mine.num_samples.sum()


@pytest.mark.parametrize("far", [0, 1 << 20])
def test_verdicts_of_draws_are_found_in_either_form(far: int) -> None:
    rng = np.random.default_rng(4)
    cells = rng.choice(40 * 12, 300, replace=False)
    problem, sample = cells // 12, cells % 12
    sample[7] += far
    verdict = rng.integers(0, 5, 300).astype(np.int8)
    one = DrawVerdicts(40, problem, sample, verdict)
    np.testing.assert_array_equal(one.find(problem, sample), verdict)
    free = np.setdiff1d(np.arange(40 * 12), cells)
    assert (one.find(free // 12, free % 12) == -1).all()
    assert one.width == sample.max() + 1
    nothing = DrawVerdicts(40, *np.zeros((2, 0), np.int64), np.zeros(0, np.int8))
    assert nothing.width == 0


def test_runs_of_a_training_keep_nothing_of_single_draws(tmp_path: Path) -> None:
    """50 checkpoints of 15 million draws each would hold 30 GB of keys."""
    base, rl = write_pair(tmp_path, tasks={"logic": 1}, problems_per_task=6, samples=20)
    comparison = compare_runs(base, rl)
    for side in comparison.sides:
        kept = dynamics._summed(side)
        assert kept.scores == {}
        for columns in (kept.completions, kept.answers):
            for f in fields(columns):
                value = getattr(columns, f.name)
                assert not isinstance(value, (np.ndarray, tuple)) or len(value) == 0
                assert getattr(value, "base", None) is None  # no view of the whole
        np.testing.assert_array_equal([*kept.draws], [*side.draws])


def test_votes_of_very_many_answers() -> None:
    """With a law for each answer, 200 subsets of a million answers took minutes."""
    number = 1 << 16
    found = majority_at_k(
        problem_index=np.zeros(number, np.int64),
        counts=np.ones(number, np.int64),
        correct=np.arange(number) % 4 == 0,
        votes=np.ones(number, bool),
        k=[16],
    )
    assert 0 < found.error[0, 0] < 0.02
    assert abs(found.value[0, 0] - 0.25) < 5 * found.error[0, 0]  # every vote is a tie
