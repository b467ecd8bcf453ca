"""pass@k against tokens drawn: the table by hand, the crossing, unknown lengths."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1]))
from planted_runs import TASKS, write_pair
from rollout_runs import imported_run

from rlvr_fast.answers import GradeOptions, grade_run
from rlvr_fast.metrics import pass_at_k
from rlvr_fast.report import build_report, compare_runs, write_report
from rlvr_fast.report.page import render_page
from rlvr_fast.report.sections.cost import SECTION, cost_sentences
from rlvr_fast.store import Run, seal


def lengthened(run: Run, times: int) -> Run:
    """The run with every completion `times` as long."""
    for part in run.parts("samples"):
        table = pq.read_table(part)
        ids = pa.array(
            [row * times for row in table["token_ids"].to_pylist()], pa.list_(pa.int32())
        )
        at = table.column_names.index("token_ids")
        field = table.schema.field("token_ids")
        pq.write_table(table.set_column(at, field, ids).cast(table.schema), part)
    again = Run.open(run.path)
    seal(again)
    return again


def test_the_table_follows_from_lengths_and_counts(tmp_path: Path) -> None:
    base, rl = write_pair(tmp_path, tasks=TASKS, samples=16, seed=2, scores=False)
    report = build_report(compare_runs(base, lengthened(rl, 3)))
    sides = report.comparison.sides
    means = [float((s.length_sum / s.length_count).mean()) for s in sides]
    rows = [row for row in report.tables["cost"].rows if row["kind"] == "overall"]
    assert [row["tokens"] for row in rows[1:-1]] == [64, 128]  # between 3 x 13 and 16 x 13
    assert rows[0]["tokens"] == pytest.approx(means[1])
    assert rows[-1]["tokens"] == pytest.approx(16 * means[0])
    for row in rows:
        for side, mean in zip(sides, means, strict=True):
            k = row["tokens"] / mean
            assert row[f"{side.name}_k"] == pytest.approx(k)
            low = int(k + 1e-9)
            ends = pass_at_k(side.num_samples, side.num_correct, [low, min(low + 1, 16)])
            a, b = ends.mean(axis=0)
            assert row[side.name] == pytest.approx(a + (k - low) * (b - a))
        assert row["difference"] == pytest.approx(row["rl"] - row["base"])
        assert row["problems"] == 36


def test_longer_completions_move_the_crossing(tmp_path: Path) -> None:
    base, rl = write_pair(tmp_path, tasks=TASKS, samples=32, seed=0, scores=False)
    equal = build_report(compare_runs(base, rl))
    before = equal.measured(SECTION)[0].crossing
    curve = equal.summary()["crossover"]
    assert before.verdict == "crosses"
    assert before.tokens == pytest.approx(curve["k"] * before.base_tokens, rel=0.05)
    assert before.low <= before.tokens <= before.high
    said = cost_sentences(before)
    assert f"RL is ahead in these draws up to {before.tokens:,.0f} tokens a problem" in said
    assert "and base beyond" in said
    longer = build_report(compare_runs(base, lengthened(rl, 4)))
    after = longer.measured(SECTION)[0].crossing
    assert after.verdict == "base ahead"
    assert "base is ahead in these draws at every budget" in cost_sentences(after)
    assert longer.summary()["cost"]["rl_tokens"] == pytest.approx(4 * before.rl_tokens)


@pytest.mark.slow
def test_one_draw_may_cost_more_than_all_of_the_other(tmp_path: Path) -> None:
    base, rl = write_pair(tmp_path, tasks={"logic": 1}, samples=2, scores=False)
    report = write_report(compare_runs(base, lengthened(rl, 20)), tmp_path / "out")
    assert "there is no common budget" in cost_sentences(report.measured(SECTION)[0].crossing)
    assert report.tables["cost"].rows == []
    assert (tmp_path / "out" / "figures" / "cost.svg").exists()


def test_unknown_lengths_are_said(tmp_path: Path) -> None:
    runs = []
    for name in ("base", "rl"):
        draws = {f"p{i}": [(f"a {j}", j == i) for j in range(4)] for i in range(4)}
        run = imported_run(tmp_path / name, draws)
        grade_run(run, GradeOptions(verdicts="imported"))
        runs.append(run)
    report = build_report(compare_runs(*runs))
    assert report.measured(SECTION) == (None, None)
    assert report.summary()["cost"] is None
    assert "The lengths of the completions of base and RL are not known" in render_page(report)


def test_the_page_shows_chart_and_words(tmp_path: Path) -> None:
    pair = write_pair(tmp_path, tasks=TASKS, samples=16, seed=2, scores=False)
    report = build_report(compare_runs(*pair))
    page = render_page(report)
    assert page.count('class="chart costchart"') == len(report.comparison.groups)
    assert cost_sentences(report.measured(SECTION)[0].crossing) in page
    assert np.isfinite(report.measured(SECTION)[0].crossing.base_tokens)
