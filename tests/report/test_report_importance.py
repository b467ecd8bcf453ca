"""The base model's chance of RL's correct completions, against the planted truth."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from planted_scores import BAD, TASKS, outside_base, planted, planted_truth, rescore

from rlvr_fast.report import build_report, compare_runs
from rlvr_fast.report.page import render_page
from rlvr_fast.store import Run


def test_estimate_finds_the_planted_probability(untruncated: tuple[Run, Run]) -> None:
    comparison = compare_runs(*untruncated)
    table = build_report(comparison).tables["importance"]
    truth = dict(zip(comparison.problems.ids, planted_truth(TASKS), strict=True))
    solved = int(np.count_nonzero(comparison.rl.num_correct))
    assert len(table.rows) == solved
    trusted = [row for row in table.rows if not row["reason"]]
    assert len(trusted) >= 8
    for row in trusted:
        right, base, rl = truth[row["problem_id"]]
        mass = base[:right][rl[:right] > 0].sum() * (1 - BAD["base"])
        error = math.log(row["high"] / row["low"]) / (2 * 1.96)
        assert abs(math.log(row["value"] / mass)) < 4 * error
        assert error < 0.2
    refused = [row for row in table.rows if row["reason"]]
    assert refused
    assert all(row.get("value", np.nan) != row.get("value", np.nan) for row in refused)
    assert any("too few" in row["reason"] for row in refused)


def test_equal_weights_are_not_reported_as_heavy_tailed(tmp_path: Path) -> None:
    """With one right answer a problem all its weights are one: nothing can carry the estimate."""
    base, rl = planted(tmp_path, sampling={"top_p": 1.0}, tasks={"logic": 1})
    rescore(rl, {"base": "base", "rl": "rl"}, tasks={"logic": 1}, temperature=0.6, top_p=None)
    report = build_report(compare_runs(base, rl))
    rows = report.tables["importance"].rows
    assert all(row["pareto_k"] == -math.inf for row in rows if not row["reason"])
    page = render_page(report)
    said = report.summary()["importance"]
    assert said["trusted"] > 0
    assert f"on {said['trusted']} the weights can be trusted" in page
    assert "a few completions carry the whole estimate" not in page


def test_estimate_under_a_nucleus_finds_the_planted_probability(tmp_path: Path) -> None:
    """Runs drawn with top-p: the estimate accounts for the scale of the nucleus and its cut."""
    base, rl = planted(tmp_path)
    labels = {"base-sampling": "base", "rl-sampling": "rl"}
    rescore(rl, labels, nucleus=True, temperature=0.6, top_p=0.95)
    comparison = compare_runs(base, rl)
    truth = dict(zip(comparison.problems.ids, planted_truth(TASKS), strict=True))
    tables = build_report(comparison).tables
    trusted = [row for row in tables["importance"].rows if not row["reason"]]
    assert len(trusted) >= 8
    left_out = 0
    for row in trusted:
        right, base_law, rl_law = truth[row["problem_id"]]
        here = [at for at in range(right) if rl_law[at] > 0]
        inside = [at for at in here if not outside_base(at)]
        left_out += len(here) - len(inside)
        mass = base_law[inside].sum() * (1 - BAD["base"])
        error = max(math.log(row["high"] / row["low"]) / (2 * 1.96), 1e-9)
        assert abs(math.log(row["value"] / mass)) < 4 * error
    assert left_out > 0

    row, *_ = tables["completions"].rows
    assert row["distribution"] == "as sampled"
    one = comparison.rl.scores["base-sampling"]
    own = comparison.rl.scores["rl-sampling"]
    right = one.correct
    inside = right & (one.outside_nucleus == 0)
    ratio = (one.logprob - one.log_kept_mass) - (own.logprob - own.log_kept_mass)
    assert row["outside"] == pytest.approx(1 - inside.sum() / right.sum())
    assert row["log_ratio"] == pytest.approx(np.median(ratio[inside]))
    assert 0 < row["outside"] < 1


def test_the_page_reports_completions_that_base_cannot_draw(tmp_path: Path) -> None:
    base, rl = planted(tmp_path, tasks={"logic": 1})
    labels = {"base-sampling": "base", "rl-sampling": "rl"}
    rescore(rl, labels, tasks={"logic": 1}, nucleus=True, temperature=0.6, top_p=0.95)
    for part in sorted((rl.path / "scores" / "base-sampling").glob("*.parquet")):
        table = pq.read_table(part)
        at = table.column_names.index("num_outside_nucleus")
        outside = pa.array(np.ones(len(table), np.int32))
        pq.write_table(table.set_column(at, table.schema.field(at), outside), part)
    comparison = compare_runs(base, Run.open(rl.path))
    solved = np.count_nonzero(comparison.rl.num_correct)
    assert solved
    report = build_report(comparison)
    assert f"On {solved} base can draw none of RL’s right completions" in render_page(report)
    assert report.tables["completions"].rows[0]["median_other"] == -math.inf


def test_a_nucleus_of_unknown_probability_refuses_the_estimate(tmp_path: Path) -> None:
    base, rl = planted(tmp_path)
    labels = {"base": "base", "rl": "rl"}
    rescore(rl, labels, temperature=1.0, top_p=None)
    rescore(rl, {f"{k}-sampling": v for k, v in labels.items()}, temperature=0.6, top_p=0.95)
    report = build_report(compare_runs(base, rl))
    table = report.tables["importance"]
    assert table.rows == []
    assert "as they were sampled (temperature 0.6, top-p 0.95)" in table.caption
    said = report.summary()["importance"]
    assert "--as-sampled" in said["refusal"]
    assert said["trusted"] == 0
    assert "<b>Not estimated here:</b> the RL run’s completions have" in render_page(report)


@pytest.mark.parametrize(
    ("sampling", "temperature", "reason"),
    [
        ({"top_p": 1.0}, 1.0, "no scores under the base model as they were"),
        ({"top_p": 1.0, "top_k": 20}, 0.6, "top_k"),
        ({"temperature": None}, 0.6, "not recorded"),
    ],
)
def test_other_scores_refuse_the_estimate(
    tmp_path: Path, sampling: dict, temperature: float, reason: str
) -> None:
    base, rl = planted(tmp_path, sampling=sampling)
    rescore(rl, {"base": "base", "rl": "rl"}, temperature=temperature, top_p=None)
    table = build_report(compare_runs(base, rl)).tables["importance"]
    assert table.rows == []
    assert reason in table.caption
