"""Intervals, nulls, tests and bounds, on the same draws as the counts."""

from __future__ import annotations

import math
from html import escape

import pytest
from recount import naive

from rlvr_fast import metrics
from rlvr_fast.report import Report
from rlvr_fast.report.facts import percent
from rlvr_fast.report.page import render_page
from rlvr_fast.report.sections.evidence import SECTION as EVIDENCE
from rlvr_fast.report.sentences import luck_sentences, proven_sentences
from rlvr_fast.store import Run


def test_evidence_uses_the_same_draws(pair: tuple[Run, Run], built: Report) -> None:
    comparison = built.comparison
    ids = comparison.problems.ids
    (drawn, base, _), (_, rl, _) = (naive(run) for run in pair)
    n = [drawn[p] for p in ids]
    b, r = [base[p] for p in ids], [rl[p] for p in ids]
    row = built.summary()["evidence"]
    null = metrics.exchange_null((n, b), (n, r))
    tilt = metrics.tilt_null((n, b), (n, r))
    assert row["shrunk_by_luck"] == pytest.approx(null.shrunk)
    assert row["shrunk_by_luck_at_depth"] == pytest.approx(null.shrunk)
    assert row["p_shrunk"] == pytest.approx(null.p_shrunk)
    assert row["expanded_by_tilt"] == pytest.approx(tilt.expanded)
    assert row["p_tilt_expanded"] == pytest.approx(tilt.p_expanded)
    assert row["p_sign"] == pytest.approx(metrics.discordance_test((n, b), (n, r)))
    assert row["srr_low"] < comparison.shift.srr < row["srr_high"]
    assert row["srr_least"] <= comparison.shift.srr <= row["srr_most"]
    assert row["srr_least"] < row["srr_most"]  # the runs hold unparsed and timed-out draws
    overall = comparison.groups[0], built.measured(EVIDENCE).groups[0]
    said = luck_sentences(comparison, *overall)
    assert f"about {null.shrunk:.1f} lost and about {null.expanded:.1f} found." in said[0]
    assert f"about {tilt.shrunk:.1f} lost and about {tilt.expanded:.1f} found." in said[1]
    assert f"The number lost, {comparison.shift.shrunk}, is" in said[2]


def test_reached_at_least_is_a_table_and_its_first_row_the_shift(built: Report) -> None:
    rows = built.tables["reached_at_least"].rows
    shift = built.comparison.shift
    assert [row["correct"] for row in rows] == [1, 2, 3, 5, 10]
    assert rows[0]["shrunk"] == pytest.approx(shift.shrunk)
    assert rows[0]["expanded"] == pytest.approx(shift.expanded)
    assert rows[0]["p_shrunk"] == pytest.approx(built.summary()["evidence"]["p_shrunk"])
    assert built.summary()["reached_at_least"][0]["correct"] == 1


def test_adjusted_p_values_count_every_test_of_the_family(built: Report) -> None:
    evidence = built.measured(EVIDENCE)
    overall, *others = evidence.groups
    smallest = min(overall.p.values())
    assert min(overall.adjusted.values()) == pytest.approx(min(1, 5 * smallest * 0.05 / 0.02))
    least = min(p for group in others for p in group.p.values())
    assert min(p for group in others for p in group.adjusted.values()) == pytest.approx(
        min(1, 5 * len(others) * least * 0.05 / 0.01)
    )
    row = built.summary()["evidence"]
    assert row["p_shrunk_adjusted"] == pytest.approx(overall.adjusted["shrunk"])


def test_shares_with_intervals_head_the_page(built: Report) -> None:
    comparison = built.comparison
    row = built.summary()["evidence"]
    text = built.headline()
    page = render_page(built)
    for name, word in (("preserved", "keeps"), ("shrunk", "loses"), ("expanded", "finds")):
        share = getattr(comparison.shift, name) / comparison.shift.problems
        assert row[f"{name}_share"] == pytest.approx(share)
        assert row[f"{name}_share_low"] <= share < row[f"{name}_share_high"]
        low, high = (percent(row[f"{name}_share_{end}"]) for end in ("low", "high"))
        said = f"{word} {percent(share)} ({low.removesuffix(' %')} to {high})"
        assert said in text
        assert said in page
        assert row[f"{name}_tasks_low"] <= row[f"{name}_share_low"] + 0.02
    assert "these tasks held fixed, at 48 draws of each model" in text
    tasks = len(set(comparison.problems.tasks))
    assert f"For new tasks, of which these {tasks} are a sample" in text


def test_problems_proven_by_themselves_are_named_with_their_counts(built: Report) -> None:
    comparison = built.comparison
    evidence = built.measured(EVIDENCE)
    overall = evidence.groups[0]
    base, rl = comparison.sides
    labels = comparison.labels("seen")
    proven = {
        i
        for i, p in enumerate(evidence.problem_p)
        if p <= 0.05 and labels[i] == "shrunk" and base.accuracy[i] > rl.accuracy[i]
    }
    assert set(overall.proven_lost.tolist()) == proven
    assert proven, "the planted pair loses problems that the base solves often"
    lost, _ = proven_sentences(comparison, comparison.groups[0], overall)
    assert f"Of the {comparison.shift.shrunk} problems lost, {len(proven)} " in lost
    most = max(proven, key=lambda i: base.accuracy[i])
    counts = f"{base.num_correct[most]} of 48 → {rl.num_correct[most]} of 48"
    assert f"{comparison.problems.ids[most]} ({counts})" in lost
    assert lost in built.headline()
    assert escape(lost, quote=False) in render_page(built).replace("&#39;", "'")


def test_open_labels_bound_the_ratios_under_epsilon(built: Report) -> None:
    shift = built.comparison.shifts["epsilon"]
    assert shift.undetermined
    assert built.comparison.epsilon == pytest.approx(-math.log(0.05) / 48)
    bounds = built.measured(EVIDENCE).groups[0].open_labels
    assert bounds.preserved[0] == shift.preserved
    assert bounds.srr[0] < bounds.srr[1]
    assert bounds.srr[0] <= shift.srr <= bounds.srr[1]
    assert f"{bounds.srr[0]:.3f} to {bounds.srr[1]:.3f}" in render_page(built)
