"""Unequal numbers of draws: the headline is at the common depth, and says so everywhere."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from light import light_comparison
from planted_counts import counted_run
from typer.testing import CliRunner

from rlvr_fast.cli import app
from rlvr_fast.metrics import expected_support_shift
from rlvr_fast.report import build_report, compare_runs
from rlvr_fast.report.evidence import gather
from rlvr_fast.report.page import render_page


def equal_models(seed: int, problems: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Correct draws of one model drawn 256 and 32 times a problem."""
    rng = np.random.default_rng(seed)
    p = np.exp(rng.normal(-4, 2, problems)).clip(0, 1)
    return rng.binomial(256, p), rng.binomial(32, p)


def test_the_ratio_of_equal_models_lies_in_its_interval() -> None:
    """With all draws SRR was .82 and its interval, at 32 draws, .87 to .96."""
    base, rl = equal_models(0)
    comparison = light_comparison((256, base), (32, rl))
    raw = comparison.shifts["seen"].srr
    found = gather(comparison).groups[0].interval
    assert found is not None
    assert not found.srr.low <= raw <= found.srr.high, "the case tells the two depths apart"
    headed = comparison.counts(comparison.groups[0])
    assert headed.srr == pytest.approx(found.srr.value)
    assert found.srr.low <= headed.srr <= found.srr.high


def test_the_tests_keep_their_level_at_unequal_draws() -> None:
    alarms = 0
    for seed in range(40):
        base, rl = equal_models(seed, problems=80)
        comparison = light_comparison((256, base), (32, rl))
        found = gather(comparison).groups[0]
        alarms += min(found.adjusted.values()) <= 0.05
    assert alarms <= 3


def test_equal_numbers_of_draws_give_whole_counts() -> None:
    base, rl = np.array([0, 1, 5, 0, 9]), np.array([1, 0, 5, 0, 9])
    ragged = np.array([16, 4, 8, 64, 9])
    for n in (np.full(5, 64), ragged):
        comparison = light_comparison((n, base), (n, rl))
        assert comparison.equal_depth
        assert comparison.counts(comparison.groups[0]) == comparison.shift
    lacking = light_comparison(([64, 64], [3, 3]), ([64, 0], [3, 0]))
    assert lacking.equal_depth  # nothing is unequal where both models were drawn
    assert lacking.counts(lacking.groups[0]).undetermined == 1


def test_every_place_of_the_report_names_the_depth(tmp_path: Path) -> None:
    base, rl = equal_models(1, problems=12)
    runs = (
        counted_run(tmp_path / "base", [256] * 12, base.tolist(), seed=1),
        counted_run(tmp_path / "rl", [32] * 12, rl.tolist(), seed=2),
    )
    comparison = compare_runs(*runs)
    report = build_report(comparison)
    expected = expected_support_shift(comparison.base.draws, comparison.rl.draws)
    raw = comparison.shifts["seen"]
    head = (
        f"Of 12 problems, at 32 draws of each model, RLVR kept {expected.preserved:.1f}, lost "
        f"{expected.shrunk:.1f} and found {expected.expanded:.1f}"
    )
    counted = (
        f"Counted with all draws (256 and 32): kept {raw.preserved}, lost {raw.shrunk}, found "
        f"{raw.expanded}"
    )
    assert report.headline().startswith(head)
    assert counted in report.headline()
    summary = report.summary()
    json.dumps(summary, allow_nan=False)
    assert list(summary)[:4] == ["rule", "zeta", "epsilon", "depth"]
    assert summary["depth"] == {"equal": False, "least": 32, "most": 32}
    assert summary["overall"]["shrunk"] == pytest.approx(expected.shrunk)
    assert summary["overall_with_all_draws"]["shrunk"] == raw.shrunk
    row, evidence = summary["overall"], summary["evidence"]
    for name in ("srr", "ndr", "sds", "nscr"):
        assert evidence[f"{name}_low"] <= row[name] <= evidence[f"{name}_high"]
    seen = report.tables["support_seen"]
    assert "expected at 32 draws of each model" in seen.caption
    assert seen.cells()[0][2:5] == [
        "12",
        *(f"{getattr(expected, n):.1f}" for n in ("preserved", "shrunk")),
    ]
    assert report.tables["support_all_draws"].rows[0]["shrunk"] == raw.shrunk
    facts = dict(report.key_facts())
    assert facts["Draws per problem"] == "base 256, RL 32: unequal"
    assert facts["Without an answer"] == "0 %"
    page = " ".join(render_page(report).split())
    assert "Of 12 problems, at 32 draws of each model, RLVR" in page
    assert f"lost {expected.shrunk:.1f}</span>" in page
    assert counted in page


@pytest.mark.slow
def test_the_command_line_says_unequal_depth(tmp_path: Path) -> None:
    runs = (
        counted_run(tmp_path / "base", [64] * 4, [0, 3, 9, 64], seed=1),
        counted_run(tmp_path / "rl", [16] * 4, [1, 0, 9, 16], seed=2),
    )
    shown = CliRunner().invoke(
        app, ["compare", *(str(run.path) for run in runs), "--out", str(tmp_path / "out"), "-q"]
    )
    assert shown.exit_code == 0, shown.output
    text = " ".join(shown.output.split())
    assert "at 16 draws of each model" in text
    assert "Counted with all draws (64 and 16)" in text


def test_ragged_draws_name_the_range() -> None:
    comparison = light_comparison(([4, 64, 256], [0, 3, 9]), ([16, 16, 256], [1, 0, 9]))
    overall = comparison.groups[0]
    assert comparison.common_depth.tolist() == [4, 16, 256]
    assert comparison.depth_text(overall).startswith("4 to 256 draws of each model, on each")
    assert comparison.all_draws_text(overall) == "4 to 256 and 16 to 256"
