"""pass@k and the regions against the number of samples."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rlvr_fast import metrics
from rlvr_fast.errors import InvalidInputError
from rlvr_fast.report import (
    CompareOptions,
    Comparison,
    Report,
    compare_runs,
    write_report,
)
from rlvr_fast.report.curve_words import crossover_sentence, difference_sentences
from rlvr_fast.report.repeats import dependence
from rlvr_fast.report.section import Context, Findings
from rlvr_fast.report.sections.curves import SECTION as CURVES
from rlvr_fast.report.sections.curves import GroupCurves, pass_curves
from rlvr_fast.report.sides import curve_depth, sample_ks
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


@pytest.mark.slow
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
    assert math.isnan(rows[n + 5]["difference_low"])
    assert math.isnan(rows[n + 5]["new_tasks_high"])
    assert report.measured(CURVES)[0].crossover == built.measured(CURVES)[0].crossover
    page = report.page.read_text("utf-8")
    assert f"not defined at k = {n + 5}" in page
    assert "nan" not in re.sub(r"<script.*?</script>", "", page, flags=re.S).lower().split()
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.S)[1])
    assert 10 in data["groups"][0]["ks"]
    assert n + 5 not in data["groups"][0]["ks"]
    with pytest.raises(InvalidInputError, match="k is 0"):
        compare_runs(*pair, CompareOptions(k=(0,)))


def _ragged(pair: tuple[Run, Run], drawn: list[int]) -> Comparison:
    """The planted comparison with other numbers of draws, a third of them correct in base."""
    comparison = compare_runs(*pair)
    n = np.resize(np.asarray(drawn), len(comparison.problems))
    base, rl = (
        replace(side, num_samples=n, num_correct=n // share)
        for side, share in zip(comparison.sides, (3, 2), strict=True)
    )
    return replace(comparison, base=base, rl=rl, ks=tuple(sample_ks(base, rl)))


def _measured(comparison: Comparison) -> Findings[tuple[GroupCurves, ...]]:
    context = Context(comparison)
    context.add(CURVES)
    return context.findings["curves"]


def test_every_point_of_a_curve_averages_the_same_problems(pair: tuple[Run, Run]) -> None:
    # one problem in twelve has 4 draws, one in three more than the others
    comparison = _ragged(pair, [4] + [32] * 7 + [64] * 4)
    assert curve_depth(*comparison.sides) == 32
    assert comparison.ks == (1, 2, 4, 8, 16, 32)
    curves = pass_curves(comparison, comparison.groups[0], [1, 4, 32, 33, 64])
    assert curves.depth == 32
    assert curves.problems.tolist() == [33, 33, 33, 0, 0]
    assert np.isnan(curves.base[3:]).all()
    deep = comparison.base.num_samples >= 32
    expected = metrics.pass_at_k(
        comparison.base.num_samples[deep], comparison.base.num_correct[deep], 4
    )
    assert curves.base[1] == pytest.approx(expected.mean())
    for name in ("preserved", "shrunk", "expanded", "out"):
        assert curves.regions[name].shape == (5,)
        assert curves.regions[name][3] == 0


def test_the_depth_is_what_nine_of_ten_problems_have(pair: tuple[Run, Run]) -> None:
    for drawn, depth in (
        ([8], 8),
        ([4, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8], 8),
        ([4, 8, 8], 4),
        ([0, 8, 8], 8),
        ([0], 0),
        ([1] * 6 + [2] * 6, 1),
    ):
        comparison = _ragged(pair, drawn)
        assert curve_depth(*comparison.sides) == depth
        fewest = comparison.base.num_samples
        assert (fewest >= max(depth, 1)).sum() >= 0.9 * (fewest > 0).sum()
        curves = pass_curves(comparison, comparison.groups[0], [1, 2])
        assert (curves.problems > 0).tolist() == [depth >= 1, depth >= 2]


def test_each_task_has_its_own_depth(pair: tuple[Run, Run]) -> None:
    tasks = np.array(compare_runs(*pair).problems.tasks)
    deep = tasks == tasks[-1]
    comparison = _ragged(pair, np.where(deep, 128, 16).tolist())
    found = _measured(comparison)
    for group, one in zip(comparison.groups, found.measured, strict=True):
        own = group.kind == "task" and group.name == tasks[-1]
        assert one.drawn.depth == (128 if own else 16)
        assert one.drawn.ks[-1] == one.drawn.depth
        assert one.asked.ks[-1] >= one.drawn.ks[-1]
        assert (one.new_tasks is None) == (one.tasks == 1)
    rows = [r for r in found.tables[0].rows if r["group"] == tasks[-1]]
    assert [r["k"] for r in rows] == [1, 2, 4, 8, 16, 32, 64, 128]
    assert {r["problems"] for r in rows} == {12}


def test_repeated_draws_have_no_intervals(pair: tuple[Run, Run]) -> None:
    comparison = compare_runs(*pair)
    ones = np.ones_like(comparison.base.num_samples)
    repeats = comparison.base.repeats._replace(effective=ones, reason="temperature")
    base = replace(comparison.base, repeats=repeats)
    greedy = replace(comparison, base=base, dependence=dependence(base, comparison.rl))
    assert not greedy.independent
    for one in _measured(greedy).measured:
        assert one.crossover is None
        assert np.isnan(one.difference.low).all()
        assert np.isfinite(one.drawn.base).all()
        assert difference_sentences(one.difference, one.new_tasks, tasks=one.tasks) == []


def test_sentences_on_crossings_say_what_is_not_excluded() -> None:
    def sentence(base: list[int], rl: list[int], n: int = 128) -> str:
        return crossover_sentence(metrics.crossover((n, base), (n, rl)))

    few = sentence([64] * 15 + [0] * 14 + [1], [90] * 15 + [0] * 15)
    assert "k* ≈ 7.7" in few
    assert "no crossing up to k = 128" in few
    assert "that RL is ahead at k = 128 is not excluded" in few
    sure = sentence([64] * 15 + [3] * 20, [90] * 15 + [0] * 20)
    assert "with fewer samples RL is ahead" in sure
    assert "excluded" not in sure
    ahead = sentence([8, 0, 3] * 5, [9, 1, 5] * 5, 64)
    assert ahead.startswith(
        "In these draws RL is ahead at k = 64. That the base model is ahead there"
    )
    assert "is not excluded" in ahead
    assert "ahead there is excluded" in sentence([2, 0, 1] * 100, [9, 8, 5] * 100, 64)
    assert sentence([9, 8, 5] * 100, [2, 0, 1] * 100, 64).endswith(
        "That RL is ahead at any k is excluded (95% interval)."
    )
    base = np.repeat([410, 0, 40, 0], [30, 20, 40, 60]).tolist()
    rl = np.repeat([300, 500, 0, 2], [30, 20, 40, 60]).tolist()
    assert "The lead changes 2 times: to the base model at k" in sentence(base, rl, 1024)


def test_both_intervals_of_the_difference_stand_in_words(built: Report) -> None:
    for one in built.measured(CURVES):
        first, last = difference_sentences(one.difference, one.new_tasks, tasks=one.tasks)[:2]
        assert first.startswith("At k = 1, RL − base is ")
        assert last.startswith("At k = 48, RL − base is ")
        assert ("for new tasks of this kind" in last) == (one.tasks > 1)
        if one.new_tasks is not None:
            assert f"these {one.tasks} tasks" in last
            assert one.new_tasks.low[-1] <= one.difference.low[-1]


@pytest.mark.slow
def test_past_the_samples_the_page_says_at_least(built: Report, tmp_path: Path) -> None:
    rows = built.tables["beyond"].rows
    assert [(r["model"], r["k"]) for r in rows] == [
        ("base", 48), ("base", 96), ("rl", 48), ("rl", 96),
    ]  # fmt: skip
    for measured, past in ((rows[0], rows[1]), (rows[2], rows[3])):
        assert measured["at_least"] is None
        assert math.isnan(past["value"])
        assert 0 < past["at_least"] < measured["value"] + 0.2
        assert past["kept_at_least"] <= past["kept_measured"]
    page = write_report(built.comparison, tmp_path).page.read_text("utf-8")
    section = page.partition('<section id="beyond">')[2].partition("</section>")[0]
    assert "≥ " in section
    assert "Beta" not in section
