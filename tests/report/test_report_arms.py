"""Several RL runs against one base: the section `arms` of the report, and --arm."""

from __future__ import annotations

import csv
import json
import math
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from planted_runs import HOSTILE, write_pair
from scipy import stats

from rlvr_fast.errors import InvalidInputError, RunDirectoryError
from rlvr_fast.metrics import expected_support_shift, pass_at_k
from rlvr_fast.report import CompareOptions, Report, build_report, compare_runs, write_tables
from rlvr_fast.report.arms import arm_folder, parse_arms, recipe_of
from rlvr_fast.report.page import render_page
from rlvr_fast.report.sections.arms import SECTION
from rlvr_fast.store import Run, seal

TASKS = {"puzzle": 8, "logic": 1}
PROBLEMS = 24


def write(folder: Path, samples: int, **more: object) -> tuple[Run, Run]:
    return write_pair(folder, tasks=TASKS, samples=samples, seed=5, scores=False, **more)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """Seeds of one recipe with equal draws, the last a twin of the base with fewer."""
    folder = tmp_path_factory.mktemp("arms")
    base, first = write(folder / "1", 32)
    second, third = (write(folder / str(n), n)[1] for n in (33, 34))
    return {
        "base": base,
        "rl": first,
        "grpo/2": second,
        "grpo/3": third,
        "twin": write(folder / "4", 20)[0],
    }


@pytest.fixture(scope="module")
def built(runs: dict[str, Run]) -> Report:
    arms = {"grpo/1": runs["rl"]} | {n: runs[n] for n in ("grpo/2", "grpo/3", "twin")}
    return build_report(compare_runs(runs["base"], runs["rl"], arms=arms))


def test_a_row_a_run_at_the_depth_that_all_have(built: Report) -> None:
    comparison = built.comparison
    rows = {row["run"]: row for row in built.tables["arms"].rows}
    assert list(rows) == ["grpo/1", "grpo/2", "grpo/3", "twin"]
    draws = {"grpo/1": comparison.rl.draws} | {a.name: a.draws for a in comparison.arms}
    assert "24 problems at 20 draws of every run" in built.tables["arms"].caption
    passing = {row["run"]: row for row in built.tables["arms_pass_at_k"].rows}
    for name, row in rows.items():
        expected = expected_support_shift(comparison.base.draws, draws[name], k=20)
        for key in ("preserved", "shrunk", "expanded", "out", "srr", "ndr", "sds", "nscr"):
            assert row[key] == pytest.approx(getattr(expected, key))
        for key in ("srr", "ndr", "sds", "nscr"):
            assert row[f"{key}_low"] <= row[key] <= row[f"{key}_high"]
        one = passing[name]
        (base, rl, run) = (
            pass_at_k(*d, [1, 20]).mean(axis=0)
            for d in (comparison.base.draws, comparison.rl.draws, draws[name])
        )
        assert (one["pass_at_1"], one["pass_at_depth"]) == pytest.approx(tuple(run))
        for i, what in enumerate(("1", "depth")):
            assert one[f"base_difference_{what}"] == pytest.approx(run[i] - base[i])
            if name == "grpo/1":
                assert math.isnan(one[f"rl_difference_{what}"])
            else:
                assert one[f"rl_difference_{what}"] == pytest.approx(run[i] - rl[i])
                low, high = (one[f"rl_difference_{what}_{end}"] for end in ("low", "high"))
                assert low < run[i] - rl[i] < high


def test_spread_over_training_seeds(built: Report) -> None:
    rows = {row["quantity"]: row for row in built.tables["arms_seeds"].rows}
    assert {row["recipe"] for row in rows.values()} == {"grpo"}
    values = [row["pass_at_1"] for row in built.tables["arms_pass_at_k"].rows[:3]]
    row = rows["pass@1"]
    assert row["seeds"] == 3
    assert row["mean"] == pytest.approx(np.mean(values))
    assert row["sd"] == pytest.approx(np.std(values, ddof=1))
    assert (row["least"], row["most"]) == pytest.approx((min(values), max(values)))
    low, high = stats.t.interval(0.95, 2, loc=np.mean(values), scale=stats.sem(values))
    assert (row["mean_low"], row["mean_high"]) == pytest.approx((low, high))
    assert 0 <= rows["SRR"]["mean_low"] <= rows["SRR"]["mean_high"] <= 1


def test_problems_that_all_runs_lose(runs: dict[str, Run], tmp_path: Path) -> None:
    comparison = compare_runs(
        runs["base"], runs["rl"], arms={n: runs[n] for n in ("grpo/2", "grpo/3")}
    )
    report = build_report(comparison)
    write_tables(report.tables.values(), tmp_path)
    with (tmp_path / "arms_problems.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == PROBLEMS
    names = ("RL", "grpo/2", "grpo/3")
    deep = [side.draws for side in (comparison.base, comparison.rl)]
    deep += [arm.draws for arm in comparison.arms]
    for i, row in enumerate(rows):
        assert row["problem"] == comparison.problems.ids[i]
        for name, d in zip(("base", *(f"run {n}" for n in names)), deep, strict=True):
            assert row[name] == f"{d.num_correct[i]} of {d.num_samples[i]}"
    reach = [pass_at_k(*d, 32) for d in deep]
    by_all = reach[0] * np.prod([1 - r for r in reach[1:]], axis=0)
    together = {(r["set"], r["what"]): r for r in report.tables["arms_together"].rows}
    assert together["all 3 runs", "lost by all"]["problems"] == pytest.approx(by_all.sum())
    assert sum(float(row["lost_by"]) for row in rows) == pytest.approx(
        sum((reach[0] * (1 - r)).sum() for r in reach[1:])
    )
    # two of the three are seeds of one recipe
    assert ("2 seeds of grpo", "lost by all") in together
    assert [r["run"] for r in report.summary()["arms"]["runs"]] == list(names)
    page = render_page(report)
    assert '<section id="arms">' in page
    assert "lost by all 3 runs" in page
    assert "lost by all 3 runs" in report.headline()


def test_other_numbers_do_not_depend_on_the_arms(runs: dict[str, Run], built: Report) -> None:
    alone = build_report(compare_runs(runs["base"], runs["rl"]))
    assert alone.measured(SECTION) is None
    assert not [name for name in alone.tables if name.startswith("arms")]
    assert "arms" not in alone.summary()
    with_arms = {k: v for k, v in built.summary().items() if k != "arms"}
    assert json.dumps(with_arms, sort_keys=True) == json.dumps(alone.summary(), sort_keys=True)


def test_seeds_that_agree_give_no_interval(runs: dict[str, Run], tmp_path: Path) -> None:
    copies = {}
    for name in ("s1", "s2"):
        shutil.copytree(runs["grpo/2"].path, tmp_path / name)
        copies[name.replace("s", "grpo-")] = Run.open(tmp_path / name)
    report = build_report(compare_runs(runs["base"], runs["rl"], arms=copies))
    for row in report.tables["arms_seeds"].rows:
        assert row["sd"] == pytest.approx(0, abs=1e-12)
        assert math.isnan(row["mean_low"])
    # one set of draws under two names is no evidence: nothing rests on it
    said = report.summary()["arms"]
    assert "grpo-1 and grpo-2 hold the same completions on 24 of 24 problems" in said["dependence"]
    assert all(row["srr_low"] is None for row in said["runs"])
    assert all(row["equal"] is None and row["p"] is None for row in said["together"])


def test_an_arm_of_other_problems(runs: dict[str, Run], tmp_path: Path) -> None:
    _, other = write_pair(tmp_path, tasks={"puzzle": 8}, samples=16, seed=5, scores=False)
    with pytest.raises(InvalidInputError, match=r"arm 'half': .*(?s:.*)--allow problems"):
        compare_runs(runs["base"], runs["rl"], arms={"half": other})
    options = CompareOptions(allow=("problems", "tasks"))
    comparison = compare_runs(runs["base"], runs["rl"], options, arms={"half": other})
    assert len(comparison.problems) == PROBLEMS  # the arm takes nothing from the comparison
    report = build_report(comparison)
    assert report.summary()["arms"]["problems"] == 12
    assert "12 problems at 16 draws of every run" in report.tables["arms"].caption
    assert len(report.tables["arms_problems"].rows) == 12
    _, none = write_pair(tmp_path / "x", tasks={"else": 1}, samples=4, seed=5, scores=False)
    with pytest.raises(InvalidInputError, match="arm 'none': no problem of the base run"):
        compare_runs(runs["base"], runs["rl"], options, arms={"none": none})


def test_an_arm_without_draws_of_any_problem(runs: dict[str, Run], tmp_path: Path) -> None:
    _, empty = write(tmp_path, 4)
    grades = empty.read_table("grades.parquet")
    empty.write_table("grades.parquet", grades.slice(0, 0))
    seal(empty)
    arms = {"empty": Run.open(empty.path)}
    report = build_report(compare_runs(runs["base"], runs["rl"], arms=arms))
    assert report.measured(SECTION) is None
    assert "the arms cannot be compared" in render_page(report)


def test_arms_that_are_refused(runs: dict[str, Run], tmp_path: Path) -> None:
    def compare(**arms: Run) -> None:
        compare_runs(runs["base"], runs["rl"], arms=arms)

    with pytest.raises(InvalidInputError, match="the arm 'x' is the base run"):
        compare(x=runs["base"])
    with pytest.raises(InvalidInputError, match="the arm 'y' is the arm 'x' as well"):
        compare(x=runs["twin"], y=Run.open(runs["twin"].path))
    with pytest.raises(InvalidInputError, match="the arm 'y' is the RL run"):
        compare(x=runs["rl"], y=runs["rl"])
    with pytest.raises(InvalidInputError, match="cannot be named 'RL'"):
        compare(RL=runs["twin"])
    with pytest.raises(InvalidInputError, match="'a/1' and 'a-1' would have one folder"):
        compare_runs(runs["base"], runs["rl"], arms={"a/1": runs["twin"], "a-1": runs["grpo/2"]})
    _, hot = write(tmp_path / "hot", 4, sampling={"temperature": 1.0})
    with pytest.raises(InvalidInputError, match=r"arm 'hot': (?s:.*)--allow sampling"):
        compare(hot=hot)
    (hot.path / "grades.parquet").unlink()
    with pytest.raises(RunDirectoryError, match=r"grades\.parquet is missing"):
        compare(hot=hot)


def test_a_greedy_arm_is_named(runs: dict[str, Run], tmp_path: Path) -> None:
    _, greedy = write(tmp_path, 16, sampling={"temperature": 0.0})
    options = CompareOptions(allow=("sampling",))
    report = build_report(compare_runs(runs["base"], runs["rl"], options, arms={"greedy": greedy}))
    said = report.summary()["arms"]
    assert "The greedy run was drawn at temperature 0" in said["dependence"]
    assert "temperature" in said["allowed_differences"]["greedy"]["sampling"]
    assert said["runs"][0]["srr_low"] is None
    assert "luck" not in report.findings["arms"].headline


def test_names_of_arms() -> None:
    assert parse_arms(["grpo/2=runs/a", "sft twin = b=c.jsonl"]) == {
        "grpo/2": "runs/a",
        "sft twin": "b=c.jsonl",
    }
    for entry in ("runs/a", "=runs/a", "grpo=", " = "):
        with pytest.raises(InvalidInputError, match="--arm takes NAME=RUN, not"):
            parse_arms([entry])
    with pytest.raises(InvalidInputError, match="'a' is given twice"):
        parse_arms(["a=x", "a=y"])
    with pytest.raises(InvalidInputError, match="cannot be named 'Base'"):
        parse_arms(["Base=x"])
    assert arm_folder("../grpo/1") == "grpo-1"
    recipes = {
        "grpo/1": "grpo", "grpo/a": "grpo", "grpo-2": "grpo", "grpo_seed3": "grpo",
        "dapo seed 4": "dapo", "step-100": None, "grpo/step 20": None, "temp0.6": None, "7": None,
        "random reward": None,
    }  # fmt: skip
    assert {name: recipe_of(name) for name in recipes} == recipes


def test_a_hostile_name_stays_text(runs: dict[str, Run], tmp_path: Path) -> None:
    name = f"=x{HOSTILE[0]}"
    comparison = compare_runs(runs["base"], runs["rl"], arms={name: runs["twin"]})
    report = build_report(comparison)
    write_tables(report.tables.values(), tmp_path)
    page = render_page(report)
    assert HOSTILE[0] not in page
    assert "&lt;script&gt;document.title" in page
    text = (tmp_path / "arms.csv").read_text("utf-8")
    assert "'=x" in text


@pytest.mark.slow
def test_arms_from_the_command_line(runs: dict[str, Run], tmp_path: Path) -> None:
    def run(*arms: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "rlvr_fast", "compare", str(runs["base"].path)]
        command += [str(runs["rl"].path), "--out", str(tmp_path / "out"), "--json"]
        command += [part for arm in arms for part in ("--arm", arm)]
        return subprocess.run(command, capture_output=True, text=True)

    for arm, message in (
        ("twin", "--arm takes NAME=RUN"),
        (f"twin={tmp_path / 'nothing'}", "nothing"),
        ("twin=-", "no standard input"),
    ):
        refused = run(arm)
        assert refused.returncode == 2, refused.stderr
        assert message in refused.stderr
        assert "Traceback" not in refused.stderr
    done = run(f"grpo/1={runs['rl'].path}", f"grpo/2={runs['grpo/2'].path}")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)["arms"]
    assert [row["run"] for row in said["runs"]] == ["grpo/1", "grpo/2"]
    assert {row["recipe"] for row in said["seeds"]} == {"grpo"}
