"""The threshold epsilon: one number, which a report folder and the options keep."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from counted_runs import counted_run, fill
from typer.testing import CliRunner

from rlvr_fast.cli import app
from rlvr_fast.report import CompareOptions, build_report, compare_runs
from rlvr_fast.report.comparison import Comparison
from rlvr_fast.report.planning import sampling_plan
from rlvr_fast.report.table import finite
from rlvr_fast.store import Run
from rlvr_fast.study import report_runs

SAMPLES = 64
EPSILON = -math.log(0.05) / SAMPLES
# Decided (0, 40 and 60 of 64) and open (1 to 6 of 64) labels, and some that the draws of one
# model leave open.
BASE = [0, 0, 40, 60, 40, 1, 3, 5, 2, 0, 30, 6]
RL = [0, 60, 0, 60, 62, 1, 4, 0, 40, 3, 6, 6]


def write_runs(folder: Path) -> tuple[Run, Run]:
    n = [SAMPLES] * len(BASE)
    return (
        counted_run(folder / "base", n, BASE, seed=1),
        counted_run(folder / "rl", n, RL, seed=2),
    )


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Run]:
    return write_runs(tmp_path_factory.mktemp("pair"))


def top_up(pair: tuple[Run, Run], plan: list[dict], seed: int) -> None:
    """Draws what a plan asks for, with the success rate that each problem has shown."""
    rng = np.random.default_rng(seed)
    comparison = compare_runs(*pair)
    for run, side in zip(pair, ("base", "rl"), strict=True):
        extra = {row["problem_id"]: row[f"{side}_samples"] for row in plan}
        draws = getattr(comparison, side)
        rows = []
        for i, problem in enumerate(comparison.problems.ids):
            more = extra.get(problem, 0)
            n, c = int(draws.num_samples[i]), int(draws.num_correct[i])
            rows.append((n, more, int(rng.binomial(more, c / n))))
        fill(run, rows, seed=seed + len(side))


@pytest.mark.slow
def test_following_the_plan_flips_no_decided_label(tmp_path: Path) -> None:
    pair = write_runs(tmp_path)
    out = tmp_path / "report"
    first = report_runs(*pair, CompareOptions(), out=out).comparison
    assert first.epsilon == EPSILON
    before = first.labels("epsilon")
    undetermined, plan = sampling_plan(first, budget=20000)
    assert 0 < undetermined < len(before)
    top_up(pair, plan, seed=5)
    again = report_runs(*pair, CompareOptions(), out=out).comparison
    assert again.base.num_samples.max() > SAMPLES
    assert again.epsilon == EPSILON
    assert again.threshold.origin == "kept"
    after = again.labels("epsilon")
    decided = [i for i, label in enumerate(before) if label != "undetermined"]
    assert [after[i] for i in decided] == [before[i] for i in decided]
    assert after.count("undetermined") < before.count("undetermined")
    recorded = json.loads((out / "summary.json").read_text())["epsilon"]
    assert (recorded["value"], recorded["from"]) == (EPSILON, "kept")
    assert recorded["least"] < recorded["most"] == EPSILON


def record(comparison: Comparison, folder: Path) -> None:
    """What `write_report` leaves of the threshold in a folder."""
    folder.mkdir(exist_ok=True)
    text = json.dumps({"epsilon": finite(comparison.threshold.as_dict())})
    (folder / "summary.json").write_text(text)


def test_deeper_draws_of_one_rate_flip_no_label(tmp_path: Path) -> None:
    """A rate of 3 % is not above epsilon at 64 draws; by -ln(zeta)/1024 it would be reached."""
    runs = [
        counted_run(tmp_path / name, [64] * 3, [0, 0, 50], seed=seed)
        for seed, name in enumerate(("base", "rl"))
    ]
    first = compare_runs(*runs)
    record(first, tmp_path)
    before = first.labels("epsilon")
    assert before == ["out", "out", "preserved"]
    for seed, run in enumerate(runs):
        fill(run, [(64, 960, 30), (64, 960, 0), (64, 960, 750)], seed=8 + seed)
    assert compare_runs(*runs).labels("epsilon") == ["preserved", "out", "preserved"]
    assert compare_runs(*runs, keep=tmp_path).labels("epsilon") == before
    option = CompareOptions(epsilon=first.epsilon)
    assert compare_runs(*runs, option).labels("epsilon") == before


def test_another_study_and_the_option_decide_otherwise(
    pair: tuple[Run, Run], tmp_path: Path
) -> None:
    record(compare_runs(*pair, CompareOptions(epsilon=0.125)), tmp_path)
    kept = compare_runs(*pair, keep=tmp_path)
    assert kept.epsilon == 0.125
    record(kept, tmp_path)
    assert compare_runs(*pair, keep=tmp_path).epsilon == 0.125
    given = compare_runs(*pair, CompareOptions(epsilon=0.25), keep=tmp_path).threshold
    assert (given.value, given.origin) == (0.25, "option")
    assert compare_runs(*pair, keep=tmp_path / "other").epsilon == EPSILON
    # another zeta, or the runs the other way about, are another study
    other = compare_runs(*pair, CompareOptions(zeta=0.1), keep=tmp_path)
    assert other.epsilon == -math.log(0.1) / SAMPLES
    assert compare_runs(pair[1], pair[0], keep=tmp_path).epsilon == EPSILON


@pytest.mark.parametrize(
    "spoiled",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b"[]",
        b"null",
        b'{"epsilon": 0.5}',
        b'{"epsilon": []}',
        b'{"rule": "seen", "zeta": 0.05}',
        *(b'{"epsilon": {"study": STUDY, "value": %s}}' % value for value in (
            b"NaN", b"Infinity", b"-1.0", b"0.0", b"1.5", b"1", b"true", b'"0.1"', b"[0.1]",
            b"null", b"1" * 5000, b"1e400",
        )),
    ],
)  # fmt: skip
def test_a_spoiled_summary_is_ignored(
    pair: tuple[Run, Run], tmp_path: Path, spoiled: bytes
) -> None:
    study = compare_runs(*pair).threshold.study
    (tmp_path / "summary.json").write_bytes(spoiled.replace(b"STUDY", b'"%s"' % study.encode()))
    assert compare_runs(*pair, keep=tmp_path).epsilon == EPSILON


def test_the_folder_keeps_its_threshold(pair: tuple[Run, Run], tmp_path: Path) -> None:
    first = build_report(compare_runs(*pair, CompareOptions(epsilon=0.125)))
    (tmp_path / "summary.json").write_text(json.dumps(first.summary()))
    kept = compare_runs(*pair, keep=tmp_path).threshold
    assert (kept.value, kept.origin) == (0.125, "kept")


def test_a_folder_in_the_place_of_the_summary_is_ignored(
    pair: tuple[Run, Run], tmp_path: Path
) -> None:
    (tmp_path / "summary.json").mkdir()
    assert compare_runs(*pair, keep=tmp_path).epsilon == EPSILON


def test_plan_prints_its_epsilon_and_takes_another(pair: tuple[Run, Run]) -> None:
    runs = [str(run.path) for run in pair]
    shown = CliRunner().invoke(app, ["plan", *runs, "-q"])
    assert shown.exit_code == 0, shown.output
    assert f"epsilon = {EPSILON!r}" in shown.output.replace("\n", "")
    assert f"compare --epsilon {EPSILON!r}" in " ".join(shown.output.split())
    given = CliRunner().invoke(app, ["plan", *runs, "-q", "--json", "--epsilon", "0.2"])
    found = json.loads(given.output)
    assert (found["epsilon"]["value"], found["epsilon"]["from"]) == (0.2, "option")
    assert (
        found["undetermined"]
        < json.loads(CliRunner().invoke(app, ["plan", *runs, "-q", "--json"]).output)[
            "undetermined"
        ]
    )
