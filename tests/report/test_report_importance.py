"""The base model's chance of RL's correct completions, against the planted truth."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from planted_scores import BAD, TASKS, outside_base, planted, planted_truth, rescore

from rlvr_fast.report import CompareOptions, build_report, compare_runs
from rlvr_fast.report.page import render_page
from rlvr_fast.store import Run, seal


def _mass(truth: tuple[int, np.ndarray, np.ndarray], *, cut: bool = False) -> float:
    """Base's whole probability of a correct completion."""
    right, base, _ = truth
    mine = [at for at in range(right) if not (cut and outside_base(at))]
    return float(base[mine].sum() * (1 - BAD["base"]))


def test_the_lower_limit_lies_below_the_planted_probability(untruncated: tuple[Run, Run]) -> None:
    comparison = compare_runs(*untruncated)
    report = build_report(comparison)
    table = report.tables["importance"]
    truth = dict(zip(comparison.problems.ids, planted_truth(TASKS), strict=True))
    solved = int(np.count_nonzero(comparison.rl.num_correct))
    assert len(table.rows) == solved
    assert "high" not in {column.key for column in table.columns}
    limits = [row for row in table.rows if row["low"] > 0]
    assert len(limits) >= 8
    masses = np.array([_mass(truth[row["problem_id"]]) for row in limits])
    low = np.array([row["low"] for row in limits])
    assert np.mean(low <= masses) >= 0.8
    assert (low <= 1.25 * masses).all()
    assert np.median(low / masses) > 0.5
    assert not any(row["contradicts"] for row in limits)
    for row in table.rows:
        assert row["base_low"] <= row["base_accuracy"] <= row["base_high"]
    said = report.summary()["importance"]
    assert said["limits"] == solved
    assert said["contradictions"] == 0


def test_found_problems_count_where_the_limit_passes_epsilon(untruncated: tuple[Run, Run]) -> None:
    base, rl = untruncated
    report = build_report(compare_runs(base, rl, CompareOptions(epsilon=1e-9)))
    said = report.summary()["importance"]
    page = render_page(report)
    found = [row for row in report.tables["importance"].rows if row["label"] == "expanded"]
    assert said["found"] == len(found)
    assert said["found_above_epsilon"] <= said["found_possible"] <= said["found"]
    if found:
        assert f"no correct answer on {len(found)} of these problems" in page
    high = build_report(compare_runs(base, rl, CompareOptions(epsilon=0.99))).summary()
    assert high["importance"]["found_above_epsilon"] == 0


def test_scores_that_contradict_the_draws_are_named(tmp_path: Path) -> None:
    base, rl = planted(tmp_path, sampling={"top_p": 1.0})
    rescore(rl, {"base": "base", "rl": "rl"}, temperature=0.6, top_p=None)
    for part in sorted((rl.path / "scores" / "base").glob("*.parquet")):
        table = pq.read_table(part)
        at = table.column_names.index("logprob")
        raised = pa.array(table["logprob"].to_numpy() + 2.0)
        pq.write_table(table.set_column(at, table.schema.field(at), raised), part)
    seal(rl)
    report = build_report(compare_runs(base, Run.open(rl.path)))
    said = report.summary()["importance"]
    assert said["contradictions"] >= 3
    notes = [row["reason"] for row in report.tables["importance"].rows if row.get("contradicts")]
    assert len(notes) == said["contradictions"]
    assert all("contradict each other" in note for note in notes)
    assert f"On {said['contradictions']} more, the scores and base’s own draws" in render_page(
        report
    )


def test_equal_weights_give_a_limit_and_no_shape(tmp_path: Path) -> None:
    """With one right answer a problem all its weights are one, which shows no tail."""
    base, rl = planted(tmp_path, sampling={"top_p": 1.0}, tasks={"logic": 1})
    rescore(rl, {"base": "base", "rl": "rl"}, tasks={"logic": 1}, temperature=0.6, top_p=None)
    rows = build_report(compare_runs(base, rl)).tables["importance"].rows
    assert rows
    assert all(math.isnan(row["pareto_k"]) and row["low"] > 0 for row in rows)


def test_the_limit_under_a_nucleus_lies_below_the_planted_probability(tmp_path: Path) -> None:
    """Runs drawn with top-p: the limit accounts for the scale of the nucleus and its cut."""
    base, rl = planted(tmp_path)
    labels = {"base-sampling": "base", "rl-sampling": "rl"}
    rescore(rl, labels, nucleus=True, temperature=0.6, top_p=0.95)
    comparison = compare_runs(base, rl)
    truth = dict(zip(comparison.problems.ids, planted_truth(TASKS), strict=True))
    tables = build_report(comparison).tables
    rows = [row for row in tables["importance"].rows if row["low"] > 0]
    assert len(rows) >= 8
    masses = np.array([_mass(truth[row["problem_id"]], cut=True) for row in rows])
    low = np.array([row["low"] for row in rows])
    assert np.mean(low <= masses) >= 0.8
    assert (low <= 1.25 * masses).all()
    assert np.median(low / masses) > 0.5

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
    seal(rl)
    comparison = compare_runs(base, Run.open(rl.path))
    solved = np.count_nonzero(comparison.rl.num_correct)
    assert solved
    report = build_report(comparison)
    assert f"On {solved} it is 0: by the scores, none of the right completions" in render_page(
        report
    )
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
    assert said["limits"] == 0
    assert "<b>Not estimated here:</b> the RL run’s completions have" in render_page(report)


@pytest.mark.parametrize(
    ("sampling", "temperature", "reason"),
    [
        ({"top_p": 1.0}, 1.0, "no scores under the base model as they were"),
        ({"top_p": 1.0, "top_k": 20}, 0.6, "as they were sampled (temperature 0.6, top-k 20)"),
        ({"min_p": 0.1}, 0.6, "as they were sampled (temperature 0.6, top-p 0.95, min-p 0.1)"),
        ({"repetition_penalty": 1.1}, 0.6, "drawn with repetition_penalty, which the scores do"),
        ({"min_tokens": 5}, 0.6, "drawn with min_tokens"),
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


def test_scores_of_the_whole_truncation_give_the_estimate(tmp_path: Path) -> None:
    """As sampled: temperature, top-p, top-k and min-p of the scores are those of the run."""
    cut = {"top_k": 20, "min_p": 0.05}
    base, rl = planted(tmp_path, sampling=cut)
    labels = {"base-sampling": "base", "rl-sampling": "rl"}
    rescore(rl, labels, nucleus=True, temperature=0.6, top_p=0.95)
    report = build_report(compare_runs(base, rl))
    assert report.tables["importance"].rows == []
    assert report.tables["completions"].rows == []
    for label in labels:
        scores = rl.read_json(f"scores/{label}/scores.json")
        rl.write_json(f"scores/{label}/scores.json", {**scores, **cut})
    seal(rl)
    report = build_report(compare_runs(base, Run.open(rl.path)))
    assert report.tables["importance"].rows
    row = report.tables["completions"].rows[0]
    assert (row["distribution"], row["top_k"], row["min_p"]) == ("as sampled", 20, 0.05)
    facts = dict(report.key_facts())
    assert (facts["Top-k"], facts["Min-p"]) == ("20", "0.05")
    assert not {"Repetition-penalty", "Min-tokens", "Stop-token-ids"} & set(facts)
