"""Intervals, nulls, tests and bounds, on the same draws as the counts."""

from __future__ import annotations

import pytest
from recount import naive

from rlvr_fast import metrics
from rlvr_fast.report import Report
from rlvr_fast.report.page import render_page
from rlvr_fast.report.sections.evidence import SECTION as EVIDENCE
from rlvr_fast.report.sections.evidence import luck_sentences
from rlvr_fast.store import Run


def test_evidence_uses_the_same_draws(pair: tuple[Run, Run], built: Report) -> None:
    comparison = built.comparison
    ids = comparison.problems.ids
    (drawn, base, _), (_, rl, _) = (naive(run) for run in pair)
    n = [drawn[p] for p in ids]
    b, r = [base[p] for p in ids], [rl[p] for p in ids]
    row = built.summary()["evidence"]
    null = metrics.exchange_null((n, b), (n, r))
    assert row["shrunk_by_luck"] == pytest.approx(null.shrunk)
    assert row["p_shrunk"] == pytest.approx(null.p_shrunk)
    assert row["srr_low"] < comparison.shift.srr < row["srr_high"]
    assert row["srr_least"] <= comparison.shift.srr <= row["srr_most"]
    assert row["srr_least"] < row["srr_most"]  # the runs hold unparsed and timed-out draws
    said = luck_sentences(comparison.shift, built.measured(EVIDENCE).groups[0])
    assert f"{null.shrunk:.1f} lost" in said[0]
    assert f"The {comparison.shift.shrunk} lost are" in said[1]


def test_shares_with_intervals_head_the_page(built: Report) -> None:
    comparison = built.comparison
    row = built.summary()["evidence"]
    text = built.headline()
    page = render_page(built)
    for name, word in (("preserved", "keeps"), ("shrunk", "loses"), ("expanded", "finds")):
        share = getattr(comparison.shift, name) / comparison.shift.problems
        assert row[f"{name}_share"] == pytest.approx(share)
        assert row[f"{name}_share_low"] <= share < row[f"{name}_share_high"]
        said = (
            f"{word} {share:.0%} ({100 * row[f'{name}_share_low']:.0f} to "
            f"{row[f'{name}_share_high']:.0%})"
        )
        assert said in text
        assert said in page


def test_open_labels_bound_the_ratios_under_epsilon(built: Report) -> None:
    shift = built.comparison.shifts["epsilon"]
    assert shift.undetermined
    bounds = built.measured(EVIDENCE).groups[0].open_labels
    assert bounds.preserved[0] == shift.preserved
    assert bounds.srr[0] < bounds.srr[1]
    assert bounds.srr[0] <= shift.srr <= bounds.srr[1]
    assert f"{bounds.srr[0]:.3f} to {bounds.srr[1]:.3f}" in render_page(built)
