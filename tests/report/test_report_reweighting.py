"""The tilt and its ceiling."""

from __future__ import annotations

import pytest

from rlvr_fast.report import Report
from rlvr_fast.report.facts import percent
from rlvr_fast.report.page import render_page
from rlvr_fast.report.sections.reweighting import SECTION as REWEIGHTING
from rlvr_fast.report.sections.reweighting import ceiling_sentence


def test_the_ceiling_is_the_share_of_problems_that_base_solved(built: Report) -> None:
    comparison = built.comparison
    table = built.tables["reweighting"]
    for group, row in zip(comparison.groups, table.rows, strict=True):
        solved = comparison.base.num_correct[group.members] > 0
        assert row["ceiling"] == pytest.approx(float(solved.mean()))
    assert f"the {percent(table.rows[0]['ceiling'])} of problems" in ceiling_sentence(
        built.measured(REWEIGHTING).groups[0].ceiling, comparison.base.sampling
    )


def test_the_ceiling_names_the_distribution_that_was_sampled(built: Report) -> None:
    ceiling = built.measured(REWEIGHTING).groups[0].ceiling
    cut = ceiling_sentence(ceiling, {"temperature": 0.6, "top_p": 0.95})
    assert "which top-p 0.95 cuts off" in cut
    assert "temperature 1 without such a cut reweights a wider distribution" in cut
    assert "top-p 0.9 and top-k 20 cut off" in ceiling_sentence(
        ceiling, {"top_p": 0.9, "top_k": 20}
    )
    assert "nothing was cut off" in ceiling_sentence(ceiling, {"top_p": 1.0})
    assert "not recorded" in ceiling_sentence(ceiling, {})


def test_the_sentence_says_which_tilt_is_which(built: Report) -> None:
    row = built.tables["reweighting"].rows[0]
    assert row["least"] <= min(row["after"], row["before"])
    page = render_page(built)
    assert "best tilt" not in page
    assert (
        f"to RL’s accuracy takes it to {row['after']:.3f} (the closest of all tilts to "
        f"{row['least']:.3f})" in page
    )
