"""Comparisons and plans of very many problems, and of very many tasks.

Each command runs in a process of its own, whose wall time, processor's time and largest resident
set are measured. The counts of summary.json are checked against grades.parquet before a row is
recorded.

    python bench/bench_large_report.py [FOLDER]

FOLDER keeps the planted runs; without it they are deleted at the end.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "report"))

from common import record
from planted_runs import write_pair

from rlvr_fast.store import Run

# Right answers of the problems of a task, in turn.
ANSWERS = (1, 8, 3, 1, 40)
STUDIES: dict[str, dict[str, int]] = {
    "problems": {"tasks": 8, "problems_per_task": 25_000, "samples": 4},
    "tasks": {"tasks": 3000, "problems_per_task": 5, "samples": 8},
}


def planted(folder: Path, study: str) -> Path:
    """The folder of the two runs of a study, made where it is not there."""
    place, size = folder / study, STUDIES[study]
    if not (place / "rl" / "grades.parquet").exists():
        shutil.rmtree(place, ignore_errors=True)
        names = {
            f"{'p' if i % 2 else ''}task-{i}": ANSWERS[i % len(ANSWERS)]
            for i in range(size["tasks"])
        }
        write_pair(
            place,
            tasks=names,
            problems_per_task=size["problems_per_task"],
            samples=size["samples"],
            scores=False,
            problems_per_part=20_000,
        )
    return place


def measured(arguments: list[str], output: Path) -> dict[str, Any]:
    """Wall and processor's seconds, and the largest resident set of `rlvr_fast` with arguments."""
    command = [sys.executable, "-m", "rlvr_fast", *arguments]
    start = time.perf_counter()
    with output.open("wb") as file:
        child = os.posix_spawn(
            command[0],
            command,
            os.environ,
            file_actions=[(os.POSIX_SPAWN_DUP2, file.fileno(), 1)],
        )
        _, status, used = os.wait4(child, 0)
    if status:
        raise RuntimeError(f"{' '.join(command)} ended with status {status}")
    return {
        "wall_s": round(time.perf_counter() - start, 1),
        "cpu_s": round(used.ru_utime + used.ru_stime, 1),
        "peak_gib": round(used.ru_maxrss / 2**20, 2),
    }


def solved(run: Run) -> set[str]:
    """Problems with a correct draw."""
    grades = run.read_table("grades.parquet")
    assert grades is not None
    right = grades.filter(pc.equal(grades["verdict"], "correct"))
    return set(right["problem_id"].to_pylist())


def check(report: Path, place: Path) -> None:
    """The counts of the report are those of the draws."""
    in_base, in_rl = (solved(Run.open(place / side)) for side in ("base", "rl"))
    overall = json.loads((report / "summary.json").read_text("utf-8"))["overall"]
    found = [overall[region] for region in ("preserved", "shrunk", "expanded")]
    expected = [len(in_base & in_rl), len(in_base - in_rl), len(in_rl - in_base)]
    assert found == expected, (found, expected)


def compared(
    place: Path, what: str, seconds: float, gib: float, megabytes: float
) -> dict[str, Any]:
    report = place / "report"
    shutil.rmtree(report, ignore_errors=True)
    sides = [str(place / side) for side in ("base", "rl")]
    row = measured(["compare", *sides, "--out", str(report), "--quiet"], place / "output")
    check(report, place)
    page = (report / "index.html").stat().st_size / 1e6
    whole = sum(f.stat().st_size for f in report.rglob("*") if f.is_file()) / 1e6
    met = row["wall_s"] <= seconds and row["peak_gib"] <= gib and page <= 5 and whole <= megabytes
    return {
        "what": what,
        **row,
        "page_mb": round(page, 2),
        "report_mb": round(whole, 1),
        "target": f"{seconds:g} s, {gib:g} GiB, page 5 MB, report {megabytes:g} MB",
        "met": bool(met),
    }


def planned(place: Path, what: str, seconds: float) -> dict[str, Any]:
    sides = [str(place / side) for side in ("base", "rl")]
    row = measured(["plan", *sides, "--quiet"], place / "output")
    return {"what": what, **row, "target": f"{seconds:g} s", "met": row["wall_s"] <= seconds}


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(sys.argv[1] if len(sys.argv) > 1 else temporary)
        many, tasks = (planted(folder, study) for study in STUDIES)
        rows = [
            compared(many, "compare, 200 000 problems x 4 draws", 60, 1.5, 100),
            compared(tasks, "compare, 3000 tasks x 5 problems x 8 draws", 30, 1.5, 100),
            planned(many, "plan, 200 000 problems x 4 draws", 60),
        ]
    record("large_report", rows)


if __name__ == "__main__":
    main()
