"""The numbers of single problems, against scipy on the counts of the run's own files."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
from planted_runs import write_pair
from scipy.stats import binomtest, false_discovery_control, fisher_exact

from rlvr_fast.report import Report, build_report, compare_runs, write_report
from rlvr_fast.report.claims import FDR


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    folder = tmp_path_factory.mktemp("problems")
    pair = write_pair(folder, tasks={"puzzle": 8, "logic": 1}, samples=48, seed=4)
    return build_report(compare_runs(*pair))


def test_each_problem_has_its_intervals_and_test(report: Report) -> None:
    comparison = report.comparison
    rows = report.tables["problem_evidence"].rows
    assert [row["problem_id"] for row in rows] == list(comparison.problems.ids)
    base, rl = comparison.sides
    p_values = []
    for i, row in enumerate(rows):
        for side in (base, rl):
            c, n = int(side.num_correct[i]), int(side.num_samples[i])
            interval = binomtest(c, n).proportion_ci(0.95, "exact")
            assert row[f"{side.name}_accuracy"] == pytest.approx(c / n)
            assert row[f"{side.name}_low"] == pytest.approx(interval.low)
            assert row[f"{side.name}_high"] == pytest.approx(interval.high)
        (b, m), (r, k) = (
            (int(side.num_correct[i]), int(side.num_samples[i])) for side in (base, rl)
        )
        # the larger p-value of both ways to count the draws without a verdict
        ways = ((m, k), (m - int(base.num_undecided[i]), k - int(rl.num_undecided[i])))
        p_values.append(max(fisher_exact([[b, x - b], [r, y - r]]).pvalue for x, y in ways))
        assert row["p_value"] == pytest.approx(p_values[-1], abs=1e-9)
        if 0 < b < m and 0 < r < k:
            assert row["beta"] == pytest.approx(math.log(r / (k - r)) - math.log(b / (m - b)))
            assert row["beta_low"] < row["beta"] < row["beta_high"]
    q = false_discovery_control(np.minimum(p_values, 1))
    np.testing.assert_allclose([row["q_value"] for row in rows], q, atol=1e-9)
    for row, expected in zip(rows, q, strict=True):
        better = row["rl_accuracy"] > row["base_accuracy"]
        assert row["changed"] == (
            "" if expected > FDR else "more often" if better else "less often"
        )


def test_each_problem_has_its_unseen_answers(report: Report) -> None:
    comparison = report.comparison
    rows = report.tables["problem_evidence"].rows
    for side in comparison.sides:
        grades = side.run.read_table("grades.parquet")
        assert grades is not None
        for row, n in zip(rows, side.num_samples, strict=True):
            counts = [
                g["count"]
                for g in grades.to_pylist()
                if g["problem_id"] == row["problem_id"] and g["verdict"] == "correct"
            ]
            once, twice = counts.count(1), counts.count(2)
            name = side.name
            assert row[f"{name}_answers"] == len(counts)
            assert row[f"{name}_unseen"] == pytest.approx(once / n)
            limits = binomtest(once, int(n)).proportion_ci(0.95, "exact")
            assert row[f"{name}_unseen_low"] <= limits.low + 1e-12
            assert row[f"{name}_unseen_high"] >= limits.high - 1e-12
            more = (n - 1) / n * once * (once - 1) / (2 * (twice + 1))
            assert row[f"{name}_at_least"] == pytest.approx(len(counts) + more)
            assert row[f"{name}_at_least_low"] <= row[f"{name}_at_least"]
            assert row[f"{name}_at_least_high"] >= row[f"{name}_at_least"]
    assert any(row["base_unseen"] > 0 for row in rows)


@pytest.mark.slow
def test_the_written_table_holds_infinite_tilts(report: Report, tmp_path: Path) -> None:
    comparison = report.comparison
    write_report(comparison, tmp_path)
    with (tmp_path / "tables" / "problem_evidence.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(comparison.problems)
    lost = comparison.shifts["seen"].labels == "shrunk"
    assert lost.any()
    assert {row["beta"] for row, gone in zip(rows, lost, strict=True) if gone} == {"-inf"}
    data = json.loads((tmp_path / "tables" / "problem_evidence.json").read_text())["rows"]
    assert all(row["beta"] is None for row, gone in zip(data, lost, strict=True) if gone)
