"""The guesser and the bounds of draws without a verdict."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from planted_scores import PER_TASK, SAMPLES, planted
from scipy.stats import binom

from rlvr_fast.report import build_report, compare_runs, write_report
from rlvr_fast.report.page import render_page
from rlvr_fast.report.sections.evidence import SECTION as EVIDENCE
from rlvr_fast.store import Run


def test_guesser(untruncated: tuple[Run, Run]) -> None:
    comparison = compare_runs(*untruncated)
    rows = {(r["group"], r["model"]): r for r in build_report(comparison).tables["guessing"].rows}
    logic = rows["logic", "rl"]
    assert logic["problems"] == PER_TASK
    assert logic["guesser"] == pytest.approx(PER_TASK * (1 - 0.999**SAMPLES))
    overall = rows["Overall", "base"]
    assert overall["guesser"] == pytest.approx(
        PER_TASK * ((1 - 0.999**SAMPLES) + (1 - 0.95**SAMPLES))
    )
    assert overall["solved"] == np.count_nonzero(comparison.base.num_correct)
    # what a mere glance at the p-values would call beyond guessing bounds the count from above
    guess = np.where([t == "logic" for t in comparison.problems.tasks], 1 / 1000, 1 / 20)
    p = binom.sf(comparison.base.num_correct - 1, comparison.base.num_samples, guess)
    assert np.count_nonzero(p < 1e-6) <= overall["above"] <= np.count_nonzero(p < 0.05)
    assert 0 < overall["above"] < overall["solved"]


def test_guesser_needs_a_known_number_of_answers(tmp_path: Path) -> None:
    report = build_report(compare_runs(*planted(tmp_path)))
    assert report.tables["guessing"].rows == []
    assert report.summary()["guessing"] == []
    page = render_page(report)
    assert 'id="guessing"' not in page


@pytest.mark.slow
def test_page_shows_bounds_importance_and_guessing(
    untruncated: tuple[Run, Run], tmp_path: Path
) -> None:
    report = write_report(compare_runs(*untruncated), tmp_path)
    page = report.page.read_text("utf-8")
    row = report.tables["bounds"].rows[0]
    bounds = report.measured(EVIDENCE).groups[0].bounds
    assert (row["srr_least"], row["srr_most"]) == bounds.srr
    assert row["srr_least"] < row["srr_most"]
    assert f">{row['srr_least']:.3f} to {row['srr_most']:.3f}</td>" in page
    for name in ("bounds", "importance", "guessing"):
        rows = json.loads((tmp_path / "tables" / f"{name}.json").read_text())["rows"]
        with (tmp_path / "tables" / f"{name}.csv").open() as file:
            assert len(list(csv.DictReader(file))) == len(rows) > 0
        assert r"\toprule" in (tmp_path / "tables" / f"{name}.tex").read_text()
    said = report.summary()["importance"]
    assert f"RL solved {said['problems']} problems; {said['limits']} have a" in page
    assert "Would guessing do as well?" in page
