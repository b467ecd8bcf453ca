"""Graded runs with given numbers of draws and of correct draws of each problem."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from rlvr_fast.store import Run, seal

SAMPLING = {"temperature": 1.0, "top_p": 1.0, "max_tokens": 64, "seed": 0, "stop": []}


def counted_run(
    path: Path, num_samples: Sequence[int], num_correct: Sequence[int], *, seed: int
) -> Run:
    """A run of the task "sums"; every completion is another text, drawn by `seed`."""
    ids = [f"sums-{i}" for i in range(len(num_samples))]
    run = Run.create(
        path,
        model={"name": f"counted/{path.name}", "revision": None},
        engine={"name": "counted", "version": "1", "notes": []},
        sampling=SAMPLING,
        prompt_template={"name": "plain", "sha256": "0" * 64},
        tasks=[{"name": "sums", "spec": "counted:sums"}],
        problems=pa.table(
            {
                "problem_id": ids,
                "task": ["sums"] * len(ids),
                "prompt": [f"Question {i}" for i in ids],
                "prompt_token_ids": pa.array([[1]] * len(ids), pa.list_(pa.int32())),
                "gold": pa.array(["yes"] * len(ids)),
                "metadata": ["{}"] * len(ids),
            }
        ),
    )
    fill(run, [(0, n, c) for n, c in zip(num_samples, num_correct, strict=True)], seed=seed)
    return run


def fill(run: Run, rows: Sequence[tuple[int, int, int]], *, seed: int) -> None:
    """Adds draws: for each problem (draws already there, further draws, correct among these)."""
    rng = np.random.default_rng(seed)
    ids = run.problems()["problem_id"].to_pylist()
    problem = [i for i, (_, extra, _) in zip(ids, rows, strict=True) for _ in range(extra)]
    index = [start + j for start, extra, _ in rows for j in range(extra)]
    correct = [j < c for _, extra, c in rows for j in range(extra)]
    answer_id = [2 * ids.index(p) + (not c) for p, c in zip(problem, correct, strict=True)]
    tokens = rng.integers(0, 30000, (len(problem), 12))
    with run.writing():
        run.append(
            "samples",
            pa.table(
                {
                    "problem_id": problem,
                    "sample_index": pa.array(index, pa.int32()),
                    "text": pa.array([str(row.tolist()) for row in tokens], pa.large_string()),
                    "token_ids": pa.array(tokens.tolist(), pa.list_(pa.int32())),
                    "finish_reason": ["stop"] * len(problem),
                    "seed": pa.nulls(len(problem), pa.int64()),
                }
            ),
        )
        run.append(
            "answers",
            pa.table(
                {
                    "problem_id": problem,
                    "sample_index": pa.array(index, pa.int32()),
                    "answer": pa.array(["yes" if c else "no" for c in correct], pa.large_string()),
                    "status": ["found"] * len(problem),
                    "answer_id": pa.array(answer_id, pa.int32()),
                }
            ),
        )
        before = run.read_table("grades.parquet")
        old = (
            {(g["problem_id"], g["verdict"]): g["count"] for g in before.to_pylist()}
            if before is not None
            else {}
        )
        grades = []
        for i, (problem_id, (_, extra, c)) in enumerate(zip(ids, rows, strict=True)):
            for verdict, number in (("correct", c), ("incorrect", extra - c)):
                count = number + old.get((problem_id, verdict), 0)
                if count:
                    grades.append(
                        {
                            "problem_id": problem_id,
                            "answer_id": 2 * i + (verdict != "correct"),
                            "canonical": "yes" if verdict == "correct" else "no",
                            "count": count,
                            "verdict": verdict,
                            "grader": "counted 1",
                        }
                    )
        run.write_table("grades.parquet", pa.Table.from_pylist(grades))
        run.write_json(
            "grading.json",
            {"policy": "auto", "tasks": {"sums": {"verifier": "counted 1"}}, "limits": {}},
        )
        seal(run)
