"""Headline numbers over completions that ended by themselves, and what truncation decides."""

from __future__ import annotations

import itertools
import math
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1]))
from planted_runs import TASKS, write_pair
from rollout_runs import add_draws, imported_run

from rlvr_fast.answers import GradeOptions, grade_run
from rlvr_fast.report import build_report, compare_runs, write_report
from rlvr_fast.report.page import render_page
from rlvr_fast.report.report import Report
from rlvr_fast.store import Run

# For each problem: (right, wrong) draws that ended by themselves, and (right, wrong) that were cut.
Ends = list[tuple[int, int, int, int]]
BASE: Ends = [(5, 3, 0, 0), (2, 6, 0, 0), (0, 8, 0, 0), (4, 3, 0, 1)]
# Half of RL's draws are cut off, on its second problem all but one.
RL: Ends = [(3, 1, 0, 4), (1, 0, 0, 7), (0, 4, 1, 3), (3, 1, 0, 4)]


def run_of(path: Path, ends: Ends, *, cut: str = "length", stop: str = "stop") -> Run:
    ended, rest = {}, {}
    for i, (right, wrong, cut_right, cut_wrong) in enumerate(ends):
        name = f"p{i}"
        ended[name] = [(f"yes {j}", True) for j in range(right)]
        ended[name] += [(f"no {j}", False) for j in range(wrong)]
        rest[name] = [(f"yes so {j}", True) for j in range(cut_right)]
        rest[name] += [(f"no so {j}", False) for j in range(cut_wrong)]
    run = imported_run(path, ended, finish_reason=stop)
    if any(rest.values()):
        add_draws(run, rest, first=20, finish_reason=cut)
    grade_run(run, GradeOptions(verdicts="imported"))
    return run


def report_of(folder: Path, **arguments) -> Report:
    pair = (run_of(folder / n, e, **arguments) for n, e in (("base", BASE), ("rl", RL)))
    return build_report(compare_runs(*pair))


def any_of(right: int, wrong: int, k: int) -> float:
    """pass@k by all choices of k draws."""
    found = [any(c) for c in itertools.combinations([True] * right + [False] * wrong, k)]
    return float(np.mean(found))


def test_numbers_over_completions_that_ended_are_recounted(tmp_path: Path) -> None:
    report = report_of(tmp_path)
    every, at_depth, ended = report.tables["truncation"].rows[:3]
    depths = [min(sum(b[:2]), sum(r[:2])) for b, r in zip(BASE, RL, strict=True)]
    assert depths == [4, 1, 4, 4]
    for row, counts in (
        (every, [(x[0] + x[2], x[1] + x[3]) for x in BASE]),
        (at_depth, [(x[0] + x[2], x[1] + x[3]) for x in BASE]),
        (ended, [x[:2] for x in BASE]),
    ):
        of_rl = [(x[0] + x[2], x[1] + x[3]) if row is not ended else x[:2] for x in RL]
        at = depths if row is not every else [8] * 4
        a = np.array([any_of(*c, k) for c, k in zip(counts, at, strict=True)])
        b = np.array([any_of(*c, k) for c, k in zip(of_rl, at, strict=True)])
        regions = [(a * b).sum(), (a * (1 - b)).sum(), ((1 - a) * b).sum()]
        assert [row[x] for x in ("preserved", "shrunk", "expanded")] == pytest.approx(regions)
        assert row["srr"] == pytest.approx(regions[0] / (regions[0] + regions[1]))
        assert row["nscr"] == pytest.approx((regions[2] - regions[1]) / sum(regions))
        # nine of ten problems have one draw only; with all completions all have eight
        assert row["k"] == (8 if row is every else 1)
        assert row["base_1"] == pytest.approx(np.mean([c[0] / sum(c) for c in counts]))
        assert row["rl_1"] == pytest.approx(np.mean([c[0] / sum(c) for c in of_rl]))


def test_a_difference_that_truncation_decides_is_said(tmp_path: Path) -> None:
    report = report_of(tmp_path)
    base_all, rl_all = 11 / 32, 8 / 32
    base_end, rl_end = (5 / 8 + 2 / 8 + 0 + 4 / 7) / 4, (3 / 4 + 1 + 0 + 3 / 4) / 4
    sentence = (
        "Completions that were cut off decide which model is ahead at k = 1 (over 4 problems): "
        f"base by {base_all - rl_all:.3f} where all completions count, RL by "
        f"{rl_end - base_end:.3f} where only those count that ended by themselves."
    )
    assert sentence in report.headline()
    assert sentence in report.summary()["truncation"]["sentences"]
    sentences = " ".join(report.summary()["truncation"]["sentences"])
    assert "more than half of the draws were cut off: 0 of base, 1 of RL, of 4." in sentences
    # the one right completion of RL on the third problem was cut off
    assert "1 label of 4 is another" in sentences
    assert sentence in render_page(report)


def test_problems_that_rl_loses_because_it_was_cut_off(tmp_path: Path) -> None:
    base = run_of(tmp_path / "base", [(3, 5, 0, 0), (3, 5, 0, 0), (1, 7, 0, 0)])
    rl = run_of(tmp_path / "rl", [(0, 1, 0, 7), (0, 8, 0, 0), (1, 7, 0, 0)])
    report = build_report(compare_runs(base, rl))
    assert (
        "On 1 of 2 problems lost (counted with all draws), RL was cut off in more than half of its "
        "draws"
    ) in " ".join(report.summary()["truncation"]["sentences"])


def test_unknown_ends_give_no_numbers(tmp_path: Path) -> None:
    report = report_of(tmp_path, cut="unknown", stop="unknown")
    assert report.tables["truncation"].rows == []
    assert not report.summary()["truncation"]["recorded"]
    for row in report.tables["draws"].rows:
        assert row["unknown"] == 1
        assert math.isnan(row["cut_off"])
    assert "Why completions ended is not recorded for base and RL" in render_page(report)
    assert not report.comparison.base.ended.num_samples.any()


def test_partly_known_ends_are_counted_as_neither(tmp_path: Path) -> None:
    base = run_of(tmp_path / "base", BASE, cut="unknown")
    rl = run_of(tmp_path / "rl", RL)
    report = build_report(compare_runs(base, rl))
    assert report.comparison.base.ended.num_samples.tolist() == [8, 8, 8, 7]
    assert report.tables["draws"].rows[0]["unknown"] == pytest.approx(1 / 32)
    page = render_page(report)
    assert "The end of 1 of 32 completions of base is not known" in page


def test_nothing_was_cut_off(tmp_path: Path) -> None:
    whole = [(x[0], x[1], 0, 0) for x in BASE]
    pair = [run_of(tmp_path / name, whole) for name in ("base", "rl")]
    report = build_report(compare_runs(*pair))
    assert report.tables["truncation"].rows == []
    assert "No completion was cut off at the token limit" in render_page(report)


def test_ended_draws_of_sampled_runs_are_recounted(tmp_path: Path) -> None:
    """In planted runs the draws that were cut off are those without an answer."""
    pair = write_pair(tmp_path, tasks=TASKS, samples=32, seed=4)
    found = compare_runs(*pair)
    for side in found.sides:
        assert side.num_truncated.any()
        assert (side.ended.num_samples == side.num_samples - side.num_truncated).all()
        assert (side.ended.num_correct == side.num_correct).all()


@pytest.mark.slow
def test_files_are_written(tmp_path: Path) -> None:
    pair = [run_of(tmp_path / n, e) for n, e in (("base", BASE), ("rl", RL))]
    write_report(compare_runs(*pair), tmp_path / "out")
    for name in ("draws", "truncation"):
        assert (tmp_path / "out" / "tables" / f"{name}.csv").exists()
