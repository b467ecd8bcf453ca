"""Run directories for the grading tests, with tasks of the package and given completions."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from rlvr_fast.store import Run
from rlvr_fast.tasks import Problem, load_tasks


def make_run(path: Path, specs: Sequence[str]) -> tuple[Run, list[Problem]]:
    tasks = load_tasks(specs)
    problems = [problem for task in tasks for problem in task.problems()]
    rows = [
        {
            "problem_id": p.problem_id,
            "task": p.task,
            "prompt": p.question,
            "prompt_token_ids": [1],
            "gold": p.gold,
            "metadata": json.dumps(p.metadata),
        }
        for p in problems
    ]
    run = Run.create(
        path,
        model={"name": "by hand", "revision": "1"},
        engine={"name": "hand", "version": "1", "notes": []},
        sampling={"temperature": 0.6, "top_p": 0.95, "max_tokens": 64, "seed": 0, "stop": []},
        prompt_template={"name": "plain", "sha256": "0" * 64},
        tasks=[{"name": task.name, "spec": task.spec} for task in tasks],
        problems=pa.Table.from_pylist(rows),
    )
    return run, problems


def add_samples(run: Run, texts: Mapping[str, Sequence[str]], *, first: int = 0) -> None:
    rows = [
        {
            "problem_id": problem_id,
            "sample_index": first + index,
            "text": text,
            "token_ids": [1],
            "finish_reason": "stop",
            "seed": None,
        }
        for problem_id, completions in texts.items()
        for index, text in enumerate(completions)
    ]
    run.append("samples", pa.Table.from_pylist(rows))


def boxed(answer: str) -> str:
    return f"So the answer is \\boxed{{{answer}}}."


def tagged(answer: str) -> str:
    return f"Let me see.\n<answer>{answer}</answer>"


def verdicts(run: Run) -> dict[tuple[str, str | None], tuple[str, int]]:
    """(problem, shown answer) -> (verdict, count)."""
    grades = run.read_table("grades.parquet")
    assert grades is not None
    return {
        (row["problem_id"], row["canonical"]): (row["verdict"], row["count"])
        for row in grades.to_pylist()
    }


def problem_dict(problem: Problem) -> dict[str, object]:
    return dataclasses.asdict(problem)
