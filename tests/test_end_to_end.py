"""The main job on the embedded models, as a user runs it: real sampling, grading, scoring."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

# One study of the embedded models, and some ten commands, each with an interpreter of its own.
pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent
REGIONS = ("preserved", "shrunk", "expanded", "out")


def rlvr(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "rlvr_fast", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=600,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """OUT of `rlvr-fast demo --quick`, run from a folder that is not the project's."""
    folder = tmp_path_factory.mktemp("user")
    done = rlvr("demo", "--quick", "--out", "demo", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "demo/report/index.html" in done.stdout
    return folder / "demo"


def summary_of(out: Path) -> dict[str, Any]:
    value = json.loads((out / "report" / "summary.json").read_text("utf-8"))
    assert isinstance(value, dict)
    return value


def correct_counts(run: Path) -> dict[str, int]:
    grades = pq.read_table(run / "grades.parquet").to_pylist()
    counts = {row["problem_id"]: 0 for row in pq.read_table(run / "problems.parquet").to_pylist()}
    for row in grades:
        counts[row["problem_id"]] += row["count"] if row["verdict"] == "correct" else 0
    return counts


def samples_of(run: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for part in sorted((run / "samples").glob("part-*.parquet")):
        rows += pq.read_table(part).to_pylist()
    return sorted(rows, key=lambda row: (row["problem_id"], row["sample_index"]))


def test_demo_leaves_runs_and_report(demo: Path) -> None:
    summary = summary_of(demo)
    overall = summary["overall"]
    assert overall["problems"] == sum(overall[name] for name in REGIONS) + overall["undetermined"]
    assert sum(task["problems"] for task in summary["tasks"].values()) == overall["problems"]
    for side in ("base", "rl"):
        rows = samples_of(demo / side)
        keys = {(row["problem_id"], row["sample_index"]) for row in rows}
        assert len(keys) == len(rows) > 0
        per_problem = len(rows) // overall["problems"]
        assert len(rows) == per_problem * overall["problems"]
        assert summary["pass_at_k"][side]["1"] > 0, "the model solves nothing: not a real demo"
        entropy = summary["entropy"][side]
        assert entropy["token"] > 0
        assert entropy["mean_length"] > 0
        assert 0 < entropy["accuracy"] <= 1
    assert (demo / "report" / "index.html").stat().st_size > 10_000
    assert list((demo / "report" / "tables").iterdir())
    assert list((demo / "report" / "figures").iterdir())


def test_counts_recompute_from_the_parquet_files(demo: Path) -> None:
    base, rl = correct_counts(demo / "base"), correct_counts(demo / "rl")
    expected = dict.fromkeys(REGIONS, 0)
    for problem in base:
        expected[
            ("preserved" if rl[problem] else "shrunk")
            if base[problem]
            else ("expanded" if rl[problem] else "out")
        ] += 1
    overall = summary_of(demo)["overall"]
    assert {name: overall[name] for name in REGIONS} == expected


def test_the_readmes_lines_give_the_reports_counts(demo: Path) -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    code = next(iter(re.findall(r"```python\n(.*?)```", readme, re.S)))
    assert len([line for line in code.splitlines() if line.strip()]) <= 6, "import and five lines"
    # A user has the plain dependencies; polars and the like are there for development only.
    assert set(re.findall(r"^(?:import|from) (\w+)", code, re.M)) <= {"pyarrow"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=demo.parent
    )
    assert done.returncode == 0, done.stderr
    overall = summary_of(demo)["overall"]
    counts = [overall[name] for name in ("preserved", "shrunk", "expanded")]
    assert done.stdout == "kept {}, lost {}, found {}\n".format(*counts)


def test_the_readmes_library_example_runs(tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    code = next(b for b in re.findall(r"```python\n(.*?)```", readme, re.S) if "token_stats" in b)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "'preserved', 'expanded', 'shrunk', 'out'" in done.stdout.replace("\n", " ").replace(
        "' '", "', '"
    )
    assert done.stdout.count("1/2") == 3, "three spellings, one canonical form"


def test_a_second_run_draws_nothing(demo: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in demo.rglob("part-*.parquet")}
    done = rlvr("demo", "--quick", "--out", "demo", "--json", cwd=demo.parent)
    assert done.returncode == 0, done.stderr
    assert {p: p.stat().st_mtime_ns for p in demo.rglob("part-*.parquet")} == before
    printed = json.loads(done.stdout)
    assert printed["overall"] == summary_of(demo)["overall"]


def test_stages_one_by_one_give_the_same_report(demo: Path, tmp_path: Path) -> None:
    done = rlvr(
        "compare", demo / "base", demo / "rl", "--out", tmp_path / "again", "--json", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    again = json.loads((tmp_path / "again" / "summary.json").read_text("utf-8"))
    first = summary_of(demo)
    # A report made again into its folder says that it keeps the threshold of the first.
    assert again["epsilon"].pop("from") == "draws"
    assert first["epsilon"].pop("from") in ("draws", "kept")
    assert again == first


def test_grading_again_changes_nothing(demo: Path) -> None:
    before = pq.read_table(demo / "rl" / "grades.parquet")
    assert rlvr("grade", demo / "rl", "--workers", "1", cwd=demo).returncode == 0
    assert pq.read_table(demo / "rl" / "grades.parquet").equals(before)


def test_doctor_finds_nothing_wrong(demo: Path) -> None:
    done = rlvr("doctor", demo / "base", "--json", cwd=demo)
    assert done.returncode == 0, done.stdout
    findings = json.loads(done.stdout)["findings"]
    assert not [f for f in findings if f["level"] == "error"]


def test_scores_are_of_every_draw_under_both_models(demo: Path) -> None:
    for side in ("base", "rl"):
        draws = {(row["problem_id"], row["sample_index"]) for row in samples_of(demo / side)}
        for label in ("base", "rl", "base-sampling", "rl-sampling"):
            rows: list[dict[str, Any]] = []
            for part in (demo / side / "scores" / label).glob("part-*.parquet"):
                rows += pq.read_table(part).to_pylist()
            assert {(row["problem_id"], row["sample_index"]) for row in rows} == draws
            assert all(row["logprob"] <= 0 for row in rows)
            if label == f"{side}-sampling":  # the draws of a model are in its own nucleus
                outside = sum(row["num_outside_nucleus"] for row in rows)
                assert outside <= 1e-3 * sum(row["num_tokens"] for row in rows)
            if label.endswith("-sampling"):
                assert all(row["log_kept_mass"] <= 0 for row in rows)
                assert any(row["log_kept_mass"] < 0 for row in rows)
    assert summary_of(demo)["importance"]["refusal"] is None


def test_runs_of_other_problems_are_refused(demo: Path, tmp_path: Path) -> None:
    """Compare names what differs, and writes no report."""
    other = tmp_path / "other"
    done = rlvr(
        "sample", ROOT / "rlvr_fast" / "demo_models" / "rl",
        "--task", "reasoning_gym:countdown?size=2&seed=9", "--samples", "2", "--out", other,
        "--max-tokens", "8", "--temperature", "0.9", "--quiet", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert rlvr("grade", other, cwd=tmp_path).returncode == 0
    done = rlvr("compare", demo / "base", other, "--out", tmp_path / "report", cwd=tmp_path)
    assert done.returncode == 2
    assert "temperature" in done.stderr
    assert "problem" in done.stderr
    assert not (tmp_path / "report").exists()


def test_killed_demo_resumes(demo: Path, tmp_path: Path) -> None:
    """Kill -9 during sampling, then the same command, gives the draws of an undisturbed run."""
    command = [sys.executable, "-m", "rlvr_fast", "demo", "--quick", "--out", "demo", "--quiet"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE)
    parts = tmp_path / "demo" / "base" / "samples"
    deadline = time.monotonic() + 300
    while not list(parts.glob("part-*.parquet")) and process.poll() is None:
        assert time.monotonic() < deadline, "no part was written"
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert rlvr("demo", "--quick", "--out", "demo", "--quiet", cwd=tmp_path).returncode == 0
    for side in ("base", "rl"):
        ours, theirs = samples_of(tmp_path / "demo" / side), samples_of(demo / side)
        assert [(r["problem_id"], r["sample_index"], r["seed"]) for r in ours] == [
            (r["problem_id"], r["sample_index"], r["seed"]) for r in theirs
        ]
    assert correct_counts(tmp_path / "demo" / "base").keys() == correct_counts(demo / "base").keys()
