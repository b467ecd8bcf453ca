"""The numbers of a run's Parquet files, counted one row at a time."""

from __future__ import annotations

import collections

import pyarrow.parquet as pq

from rlvr_fast.store import Run


def rows_of(run: Run, stage: str) -> list[dict]:
    return [
        r
        for f in sorted((run.path / stage).glob("*.parquet"))
        for r in pq.read_table(f).to_pylist()
    ]


def naive(run: Run) -> tuple[collections.Counter, collections.Counter, dict]:
    """(draws, correct draws, correct answers) of each problem, one row at a time."""
    verdict = {
        (g["problem_id"], g["answer_id"]): g
        for g in pq.read_table(run.path / "grades.parquet").to_pylist()
    }
    drawn, correct = collections.Counter(), collections.Counter()
    answers: dict[tuple[str, str], int] = collections.Counter()
    for row in rows_of(run, "answers"):
        drawn[row["problem_id"]] += 1
        grade = verdict[row["problem_id"], row["answer_id"]]
        if grade["verdict"] == "correct":
            correct[row["problem_id"]] += 1
            answers[row["problem_id"], grade["canonical"]] += 1
    return drawn, correct, answers
