"""RL runs beside base runs of the same temperature, and of the same token entropy."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from planted_runs import write_pair

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.metrics import pass_at_k
from rlvr_fast.report import CompareOptions, training_dynamics
from rlvr_fast.report.matching import MatchedSupport, matched_support, write_matched
from rlvr_fast.report.sides import read_side
from rlvr_fast.store import Run, seal

TASKS = {"puzzle": 8, "logic": 1}
SAMPLES = 16
# Temperature to the token entropies of base and RL.
ENTROPIES = {0.6: (0.30, 0.10), 1.0: (0.50, 0.35), 1.4: (0.90, 0.50)}


def give_entropy(run: Run, label: str, entropy: float, **info: object) -> None:
    """Scores under `label` whose mean token entropy is `entropy`."""
    drawn = run.read("answers").to_pylist()
    columns = {
        "problem_id": [row["problem_id"] for row in drawn],
        "sample_index": pa.array([row["sample_index"] for row in drawn], pa.int32()),
        "num_tokens": pa.array(np.full(len(drawn), 4), pa.int32()),
        "logprob": np.full(len(drawn), -2.0),
        "mean_entropy": entropy + 0.01 * np.where(np.arange(len(drawn)) % 2, 1, -1),
    }
    with run.writing():
        run.append(f"scores/{label}", pa.table(columns))
    run.write_json(f"scores/{label}/scores.json", {"model": {"name": "planted"}, **info})
    seal(run)


def write_runs(folder: Path) -> dict[float, tuple[Run, Run]]:
    return {
        t: write_pair(
            folder / f"T{t:g}",
            tasks=TASKS,
            samples=SAMPLES,
            seed=5,
            scores=False,
            sampling={"temperature": t},
        )
        for t in ENTROPIES
    }


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[float, tuple[Run, Run]]:
    pairs = write_runs(tmp_path_factory.mktemp("scored"))
    for t, pair in pairs.items():
        for run, label, entropy in zip(pair, ("base", "rl"), ENTROPIES[t], strict=True):
            give_entropy(run, f"{label}-sampling", entropy, temperature=t)
    return pairs


@pytest.fixture(scope="module")
def found(runs: dict[float, tuple[Run, Run]]) -> MatchedSupport:
    bases = {f"base {t:g}": pair[0] for t, pair in runs.items()}
    # the order of the rows is that of the temperatures
    rls = {f"rl {t:g}": runs[t][1] for t in (1.4, 0.6, 1.0)}
    return matched_support(bases, rls)


def test_each_run_stands_beside_the_base_of_its_temperature_and_of_its_entropy(
    found: MatchedSupport,
) -> None:
    assert [(r["run"], r["match"], r["base"]) for r in found.table.rows] == [
        ("rl 0.6", "same temperature and nearest token entropy", "base 0.6"),
        ("rl 1", "same temperature", "base 1"),
        ("rl 1", "nearest token entropy", "base 0.6"),
        ("rl 1", "same token entropy", "base 0.6 and base 1, 75% and 25%"),
        ("rl 1.4", "same temperature", "base 1.4"),
        ("rl 1.4", "nearest token entropy", "base 1"),
    ]
    near = found.table.rows[2]
    assert near["token_entropy"] == pytest.approx(0.35)
    assert near["base_token_entropy"] == pytest.approx(0.30)
    assert near["entropy_difference"] == pytest.approx(0.05)
    (note,) = (n for n in found.notes if n.startswith("rl 0.6"))
    assert "below that of every base" in note
    assert "at the temperature of sampling" in found.table.caption


def test_counts_are_those_of_the_two_runs(
    runs: dict[float, tuple[Run, Run]], found: MatchedSupport
) -> None:
    ids = tuple(runs[0.6][0].problems()["problem_id"].to_pylist())
    base, other, rl = (
        read_side(run, name, ids)
        for run, name in ((runs[0.6][0], "base"), (runs[1.0][0], "base"), (runs[1.0][1], "rl"))
    )
    row = found.table.rows[2]
    both = (base.num_correct > 0) & (rl.num_correct > 0)
    assert row["preserved"] == pytest.approx(both.sum())
    assert row["shrunk"] == pytest.approx(((base.num_correct > 0) & ~both).sum())
    assert row["pass_at_1"] == pytest.approx(rl.accuracy.mean())
    assert row["base_pass_at_n"] == pytest.approx(pass_at_k(*base.draws, SAMPLES).mean())
    assert row["difference_n_low"] < row["difference_n"] < row["difference_n_high"]
    # three quarters of one base run and one quarter of the other
    mixed = found.table.rows[3]
    a = 0.75 * (base.num_correct > 0) + 0.25 * (other.num_correct > 0)
    b = rl.num_correct > 0
    assert mixed["preserved"] == pytest.approx((a * b).sum())
    assert mixed["expanded"] == pytest.approx(((1 - a) * b).sum())
    assert mixed["srr"] == pytest.approx((a * b).sum() / a.sum())
    assert mixed["base_pass_at_1"] == pytest.approx(
        0.75 * base.accuracy.mean() + 0.25 * other.accuracy.mean()
    )
    assert math.isnan(mixed["srr_low"])


def test_without_scores_the_commands_that_make_them_are_named(tmp_path: Path) -> None:
    pairs = write_runs(tmp_path)
    found = matched_support({"base": pairs[0.6][0]}, {"hot": pairs[1.0][1], "cold": pairs[0.6][1]})
    assert [(r["run"], r["match"]) for r in found.table.rows] == [("cold", "same temperature")]
    assert math.isnan(found.table.rows[0]["token_entropy"])
    said = "\n".join(found.notes)
    assert (
        f"rlvr-fast score {pairs[1.0][1].path.name} --model planted/rl --label rl --as-sampled"
        in said
    )
    assert "hot: no base run at its temperature 1 (there are: 0.6)" in said
    names = {path.name for path in write_matched(found, tmp_path / "out")}
    assert names == {f"matched.{s}" for s in ("csv", "json", "tex", "png", "svg", "pdf")}


def test_plain_scores_compare_at_one_temperature_only(tmp_path: Path) -> None:
    pairs = write_runs(tmp_path)
    (base, rl), (_, other) = pairs[0.6], pairs[1.0]
    give_entropy(base, "base", 0.4, temperature=1.0)
    give_entropy(rl, "rl", 0.3, temperature=1.0)
    give_entropy(other, "rl", 0.35, temperature=1.0)
    found = matched_support({"base": base}, {"rl": rl, "other": other})
    assert "at temperature 1.0, whatever" in found.table.caption
    assert [r["entropy_difference"] for r in found.table.rows] == pytest.approx([-0.1, -0.05])
    scores = other.read_json("scores/rl/scores.json")
    other.write_json("scores/rl/scores.json", {**scores, "temperature": 0.7})
    seal(other)
    found = matched_support({"base": base}, {"rl": rl, "other": other})
    assert any("scored at different temperatures (0.7, 1.0)" in note for note in found.notes)
    assert all(math.isnan(r["token_entropy"]) for r in found.table.rows)


def test_only_the_temperature_may_differ(tmp_path: Path) -> None:
    base, _ = write_pair(tmp_path / "a", tasks=TASKS, samples=4, scores=False)
    _, rl = write_pair(
        tmp_path / "b", tasks=TASKS, samples=4, scores=False,
        sampling={"temperature": 1.0, "top_p": 0.9},
    )  # fmt: skip
    with pytest.raises(InvalidInputError, match=r"top_p.*0\.95 and 0\.9"):
        matched_support({"base": base}, {"rl": rl})
    with pytest.raises(InvalidInputError, match="top_p"):
        training_dynamics(base, {"rl": rl}, by="temperature")
    options = CompareOptions(allow=("sampling",))
    assert matched_support({"base": base}, {"rl": rl}, options).table.rows == []
    with pytest.raises(InvalidInputError, match="given twice, as 'base' and 'rl'"):
        matched_support({"base": base}, {"rl": base})
    with pytest.raises(InvalidInputError, match="at least one base run"):
        matched_support({}, {"rl": rl})


def test_rows_by_temperature(runs: dict[float, tuple[Run, Run]]) -> None:
    rls = {f"rl {t:g}": runs[t][1] for t in (1.4, 0.6, 1.0)}
    with pytest.raises(InvalidInputError, match="--allow sampling"):
        training_dynamics(runs[0.6][0], rls)
    table = training_dynamics(runs[0.6][0], rls, by="temperature")
    assert [r["checkpoint"] for r in table.rows] == ["base", "rl 0.6", "rl 1", "rl 1.4"]
    assert [r["temperature"] for r in table.rows] == [0.6, 0.6, 1.0, 1.4]
    assert "T" in [c.title for c in table.columns]
    with pytest.raises(InvalidInputError, match="by is 'heat', expected one of order, temperature"):
        training_dynamics(runs[0.6][0], rls, by="heat")


@pytest.mark.slow
def test_temperatures_from_the_command_line(
    runs: dict[float, tuple[Run, Run]], tmp_path: Path
) -> None:
    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "rlvr_fast", "dynamics", *map(str, arguments), "-q"]
        return subprocess.run(command, capture_output=True, text=True)

    base, *others = (runs[t][0].path for t in ENTROPIES)
    rls = [runs[t][1].path for t in ENTROPIES]
    more = [part for path in others for part in ("--base-at", path)]
    refused = run(base, *rls, *more, "--out", tmp_path / "out")
    assert refused.returncode == 2
    assert "--base-at" in refused.stderr
    assert "--by temperature" in refused.stderr
    twice = run(base, rls[0], rls[0], "--by", "temperature", "--out", tmp_path / "out")
    assert twice.returncode == 2
    assert "given twice" in twice.stderr
    done = run(base, *rls, *more, "--by", "temperature", "--out", tmp_path / "out", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len(found["dynamics"]["rows"]) == 4
    assert len(found["matched"]["rows"]) == 6
    assert {p.name for p in (tmp_path / "out").iterdir()} >= {"matched.csv", "dynamics.svg"}
