"""pass@k and the regions against the number of samples."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest

from rlvr_fast import metrics
from rlvr_fast.errors import InvalidInputError
from rlvr_fast.report import CompareOptions, Report, compare_runs, write_report
from rlvr_fast.report.sections.curves import SECTION as CURVES
from rlvr_fast.report.sections.curves import pass_curves
from rlvr_fast.store import Run


def test_expected_shift_at_n_is_the_shift(built: Report) -> None:
    comparison = built.comparison
    at = built.measured(CURVES)[0].drawn.regions
    for name in ("preserved", "shrunk", "expanded", "out"):
        assert at[name][-1] == pytest.approx(getattr(comparison.shift, name))
    np.testing.assert_allclose(sum(at.values()), len(comparison.problems))


def test_curves_never_reach_past_the_samples(built: Report) -> None:
    comparison = built.comparison
    curves = pass_curves(comparison, comparison.groups[0], [1, 48, 49])
    assert np.isfinite(curves.base[:2]).all()
    assert np.isnan(curves.base[2])
    assert curves.problems.tolist() == [36, 36, 0]
    assert built.summary()["delta_se"] is None


def test_the_figure_marks_where_the_curves_cross(built: Report) -> None:
    panels = built.figures["pass_at_k"]().axes
    marked = {a.get_title(loc="left") or a.get_title(): [t.xy[0] for t in a.texts] for a in panels}
    for group, curves in zip(built.comparison.groups, built.measured(CURVES), strict=True):
        if group.kind != "domain":
            found = curves.crossover
            assert found is not None
            assert marked[group.name] == ([] if found.k is None else [found.k])
    assert any(marked.values())


def test_pass_at_any_k(pair: tuple[Run, Run], built: Report, tmp_path: Path) -> None:
    n = int(built.comparison.base.num_samples.max())
    comparison = compare_runs(*pair, CompareOptions(k=(3, 10, n + 5)))
    report = write_report(comparison, tmp_path)
    rows = {r["k"]: r for r in report.tables["pass_at_k"].rows if r["kind"] == "overall"}
    for k in (3, 10):
        measured = metrics.pass_at_k(comparison.rl.num_samples, comparison.rl.num_correct, k)
        assert rows[k]["rl"] == pytest.approx(np.mean(measured))
        assert rows[k]["rl_low"] < rows[k]["rl"] < rows[k]["rl_high"]
    assert math.isnan(rows[n + 5]["rl"])
    assert rows[n + 5]["problems"] == 0
    assert f"not defined at k = {n + 5}" in comparison.notes[-1]
    assert report.measured(CURVES)[0].crossover == built.measured(CURVES)[0].crossover
    page = report.page.read_text("utf-8")
    assert f"not defined at k = {n + 5}" in page
    assert "nan" not in re.sub(r"<script.*?</script>", "", page, flags=re.S).lower().split()
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.S)[1])
    assert 10 in data["groups"][0]["ks"]
    assert n + 5 not in data["groups"][0]["ks"]
    with pytest.raises(InvalidInputError, match="k is 0"):
        compare_runs(*pair, CompareOptions(k=(0,)))
