"""The tilt and its ceiling."""

from __future__ import annotations

import pytest

from rlvr_fast.report import Report
from rlvr_fast.report.sections.reweighting import SECTION as REWEIGHTING
from rlvr_fast.report.sections.reweighting import ceiling_sentence


def test_the_ceiling_is_the_share_of_problems_that_base_solved(built: Report) -> None:
    comparison = built.comparison
    table = built.tables["reweighting"]
    for group, row in zip(comparison.groups, table.rows, strict=True):
        solved = comparison.base.num_correct[group.members] > 0
        assert row["ceiling"] == pytest.approx(float(solved.mean()))
    assert f"{table.rows[0]['ceiling']:.1%}" in ceiling_sentence(
        built.measured(REWEIGHTING).groups[0].ceiling
    )
