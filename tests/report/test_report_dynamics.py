"""Checkpoints of a training against one base, and perplexity of given traces."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from planted_runs import write_pair

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics import expected_support_shift, pass_at_k, support_shift
from rlvr_fast.report import (
    CompareOptions,
    compare_runs,
    reference_perplexity,
    training_dynamics,
    write_dynamics,
)
from rlvr_fast.report.sides import read_side
from rlvr_fast.store import Run

TASKS = {"puzzle": 8, "logic": 1}


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Run]:
    return write_pair(tmp_path_factory.mktemp("pair"), tasks=TASKS, samples=32, seed=5)


def test_dynamics_of_checkpoints(pair: tuple[Run, Run], tmp_path: Path) -> None:
    base, rl = pair
    _, late = write_pair(tmp_path / "late", tasks=TASKS, samples=16, seed=5, scores=False)
    table = training_dynamics(base, {"step 100": rl, "step 200": late})
    assert [row["checkpoint"] for row in table.rows] == ["base", "step 100", "step 200"]
    comparison = compare_runs(base, rl)
    # every row at the 16 draws that all three runs have
    expected = expected_support_shift(comparison.base.draws, comparison.rl.draws, k=16)
    for name in ("preserved", "shrunk", "expanded", "out"):
        assert table.rows[1][name] == pytest.approx(getattr(expected, name))
        assert table.rows[1][name] != getattr(comparison.shift, name)
    assert table.rows[1]["srr"] == pytest.approx(expected.srr)
    assert table.rows[1]["srr_low"] < expected.srr < table.rows[1]["srr_high"]
    assert table.rows[1]["pass_at_n_low"] < table.rows[1]["pass_at_n"]
    assert "24 problems at 16 draws of every run" in table.caption
    assert table.rows[0]["srr"] == 1.0
    assert table.rows[0]["expanded"] == 0
    assert any(c.title == "pass@16" for c in table.columns)
    assert table.rows[0]["pass_at_1"] == pytest.approx(np.mean(comparison.base.accuracy))
    assert math.isnan(table.rows[2]["token_entropy"])
    names = {path.name for path in write_dynamics(table, tmp_path / "out")}
    assert names == {f"dynamics.{s}" for s in ("csv", "json", "tex", "png", "svg", "pdf")}


def test_equal_models_at_unequal_depth_show_equal_support(tmp_path: Path) -> None:
    """The counts of all draws favour the deeper run: two models that are one lost by depth."""
    base, _ = write_pair(tmp_path / "a", tasks={"logic": 1}, problems_per_task=40, samples=96)
    shallow, _ = write_pair(tmp_path / "b", tasks={"logic": 1}, problems_per_task=40, samples=6)
    (_, row) = training_dynamics(base, {"again": shallow}).rows
    comparison = compare_runs(base, shallow)
    assert comparison.shift.shrunk >= comparison.shift.expanded + 3
    assert abs(row["shrunk"] - row["expanded"]) < 2
    assert row["srr_low"] <= row["srr"] <= row["srr_high"]


def test_one_threshold_for_every_row(pair: tuple[Run, Run], tmp_path: Path) -> None:
    _, late = write_pair(tmp_path, tasks=TASKS, samples=16, seed=5, scores=False)
    options = CompareOptions(rule="epsilon")
    table = training_dynamics(pair[0], {"step 100": pair[1], "step 200": late}, options)
    base, rl = compare_runs(*pair).sides
    epsilon = -math.log(0.05) / 16
    expected = support_shift(base.draws, rl.draws, rule="epsilon", epsilon=epsilon)
    for name in ("preserved", "shrunk", "expanded", "out", "undetermined"):
        assert table.rows[1][name] == getattr(expected, name)
    assert f"ε = {epsilon:.3g} for every run" in table.caption
    given = training_dynamics(
        pair[0], {"step 100": pair[1]}, CompareOptions(rule="epsilon", epsilon=0.2)
    )
    expected = support_shift(base.draws, rl.draws, rule="epsilon", epsilon=0.2)
    assert given.rows[1]["preserved"] == expected.preserved


def test_dynamics_at_a_further_k(pair: tuple[Run, Run]) -> None:
    options = CompareOptions(k=(1, 5, 64))
    base, rl = training_dynamics(pair[0], {"step 100": pair[1]}, options).rows
    keys = ["pass_at_1", "pass_at_5", "pass_at_64", "pass_at_n"]
    ends = ("_low", "_high")
    found = [key for key in base if key.startswith("pass_at") and not key.endswith(ends)]
    assert found == keys
    for row, run in ((base, pair[0]), (rl, pair[1])):
        side = read_side(run, "base", compare_runs(*pair).problems.ids)
        expected = pass_at_k(side.num_samples, side.num_correct, [1, 5, 32]).mean(axis=0)
        assert [row[key] for key in keys if key != "pass_at_64"] == pytest.approx(expected)
        assert math.isnan(row["pass_at_64"])  # 32 samples a problem


def test_dynamics_refuses_runs_of_other_problems(pair: tuple[Run, Run], tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="at least one"):
        training_dynamics(pair[0], {})
    _, other = write_pair(tmp_path, tasks={"logic": 1}, samples=4, scores=False)
    with pytest.raises(InvalidInputError, match="problems"):
        training_dynamics(pair[0], {"other": other})


def test_reference_perplexity_splits_by_region(pair: tuple[Run, Run]) -> None:
    comparison = compare_runs(*pair)
    table = reference_perplexity(comparison, pair[0])
    labels = dict(zip(comparison.problems.ids, comparison.shift.labels.tolist(), strict=True))
    scores = [
        (labels[r["problem_id"]], math.exp(-r["logprob"] / r["num_tokens"]))
        for r in pair[0].read("scores/rl").to_pylist()
    ]
    rows = {r["region"]: r for r in table.rows if r["scored_by"] == "rl"}
    assert rows["all"]["median"] == pytest.approx(np.median([v for _, v in scores]))
    for region in ("preserved", "shrunk", "out"):
        chosen = [v for r, v in scores if r == region]
        assert rows[region]["number"] == len(chosen)
        assert rows[region]["mean"] == pytest.approx(np.mean(chosen))


def test_reference_perplexity_needs_scores(pair: tuple[Run, Run], tmp_path: Path) -> None:
    comparison = compare_runs(*pair)
    traces, _ = write_pair(tmp_path, tasks=TASKS, samples=4, seed=5, scores=False)
    with pytest.raises(InvalidInputError, match="rlvr-fast score"):
        reference_perplexity(comparison, traces)


@pytest.mark.slow
def test_a_difference_may_be_allowed_by_name_from_the_command_line(
    pair: tuple[Run, Run], tmp_path: Path
) -> None:
    _, rl = write_pair(tmp_path, tasks={"logic": 1}, samples=16, sampling={"temperature": 1.0})
    arguments = ["dynamics", str(pair[0].path), str(rl.path), "--out", str(tmp_path / "out"), "-q"]

    def run(*more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "rlvr_fast", *arguments, *more], capture_output=True, text=True
        )

    refused = run()
    assert refused.returncode == 2
    assert "--allow sampling" in refused.stderr
    named = [word for word in refused.stderr.split("by name:")[1].split() if word != "--allow"]
    done = run(*(part for name in named for part in ("--allow", name)))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "dynamics.csv").is_file()
