"""The report at full size: 2000 problems x 2 models x 1024 samples, from run directories.

The runs are planted (tests/report/planted_runs.py) and written through the store, with scores of
both models under both. The counts are checked against the draws, joined by pyarrow, before the
timing: one round, with the processor's time beside the wall time.

    python bench/bench_report.py [FOLDER]
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import pyarrow.compute as pc

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "report"))

from common import PeakMemory, record
from planted_runs import write_pair

from rlvr_fast.report import compare_runs, write_report
from rlvr_fast.store import Run

TASKS = {"countdown": 40, "prime_factors": 1, "graph_color": 60, "power_function": 1, "arc": 5}
PROBLEMS, SAMPLES, TOKENS = 2000, 1024, 60


def solved(run: Run) -> set[str]:
    """Problems with a correct draw, by joining every draw to its verdict."""
    draws = run.read("answers", columns=["problem_id", "answer_id"])
    grades = run.read_table("grades.parquet")
    assert grades is not None
    assert len(draws) == PROBLEMS * SAMPLES
    joined = draws.join(
        grades.select(["problem_id", "answer_id", "verdict"]), keys=["problem_id", "answer_id"]
    )
    right = joined.filter(pc.equal(joined["verdict"], "correct"))
    return set(right["problem_id"].to_pylist())


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(sys.argv[1] if len(sys.argv) > 1 else temporary)
        if (folder / "rl" / "grades.parquet").exists():
            base, rl = Run.open(folder / "base"), Run.open(folder / "rl")
        else:
            base, rl = write_pair(
                folder,
                tasks=TASKS,
                problems_per_task=PROBLEMS // len(TASKS),
                samples=SAMPLES,
                mean_tokens=TOKENS,
            )
        comparison = compare_runs(base, rl)
        in_base, in_rl = solved(base), solved(rl)
        assert comparison.shift.preserved == len(in_base & in_rl)
        assert comparison.shift.shrunk == len(in_base - in_rl)
        assert comparison.shift.expanded == len(in_rl - in_base)
        out = folder / "report"
        rows = []
        with PeakMemory() as peak:
            for name, work in (
                ("compare_runs", lambda: compare_runs(base, rl)),
                ("write_report", lambda: write_report(comparison, out)),
            ):
                wall, cpu = time.perf_counter(), time.process_time()
                work()
                # Other work on the machine adds to the wall time, not to the processor's time.
                rows.append(
                    {
                        "what": name,
                        "wall_s": round(time.perf_counter() - wall, 2),
                        "cpu_s": round(time.process_time() - cpu, 2),
                    }
                )
        page = out / "index.html"
        whole = {key: round(sum(row[key] for row in rows), 2) for key in ("wall_s", "cpu_s")}
        rows.append(
            {
                "what": "compare_runs and write_report",
                **whole,
                "problems": PROBLEMS,
                "samples": SAMPLES,
                "models": 2,
                "page_mb": round(page.stat().st_size / 1e6, 2),
                "extra_mb": round(peak.extra_bytes / 1e6, 1),
                "target": "at most 60 s, page at most 5 MB",
                "met": whole["wall_s"] <= 60 and page.stat().st_size <= 5e6,
            }
        )
    record("report", rows)


if __name__ == "__main__":
    main()
