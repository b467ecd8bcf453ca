"""Graded run directories from counts: any numbers of draws, any answers, in milliseconds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from rlvr_fast.store import Run, seal

__all__ = ["graded_counts"]


def graded_counts(
    path: Path,
    counts: Sequence[Sequence[int]],
    *,
    correct: int = 1,
    tasks: Sequence[str] | None = None,
    seed: int = 0,
) -> Run:
    """A graded run whose problem i has counts[i][j] draws of its answer j.

    Args:
        path: the run directory.
        counts: for each problem the draws of each answer.
        correct: how many of the first answers of every problem are correct.
        tasks: the task of each problem; by default one task.
        seed: seed of the lengths, the texts and the draws' order.
    """
    rng = np.random.default_rng(seed)
    ids = [f"p{i}" for i in range(len(counts))]
    of_task = list(tasks) if tasks is not None else ["task"] * len(ids)
    run = Run.create(
        path,
        model={"name": path.name, "revision": None},
        engine={"name": "counted", "version": "1", "notes": []},
        sampling={
            "temperature": 0.6,
            "top_p": 0.95,
            "max_tokens": 64,
            "seed": seed,
            "stop": [],
        },
        prompt_template={"name": "plain", "sha256": "0" * 64},
        tasks=[{"name": name, "spec": f"counted:{name}"} for name in sorted(set(of_task))],
        problems=pa.table(
            {
                "problem_id": ids,
                "task": of_task,
                "prompt": [f"What is {name}?" for name in ids],
                "prompt_token_ids": pa.array([[1]] * len(ids), pa.list_(pa.int32())),
                "gold": pa.array(["0"] * len(ids), pa.string()),
                "metadata": [json.dumps({"index": i}) for i in range(len(ids))],
            }
        ),
    )
    samples: dict[str, list] = {"problem_id": [], "sample_index": [], "text": [], "token_ids": []}
    samples |= {"finish_reason": [], "seed": []}
    answers: dict[str, list] = {"problem_id": [], "sample_index": [], "answer": [], "status": []}
    answers |= {"answer_id": []}
    grades: dict[str, list] = {"problem_id": [], "answer_id": [], "canonical": [], "count": []}
    grades |= {"verdict": [], "grader": []}
    next_id = 0
    for name, given in zip(ids, counts, strict=True):
        drawn = rng.permutation(np.repeat(np.arange(len(given)), given))
        number: dict[int, int] = {}
        for index, answer in enumerate(map(int, drawn)):
            if answer not in number:
                number[answer] = next_id
                next_id += 1
                grades["problem_id"].append(name)
                grades["answer_id"].append(number[answer])
                grades["canonical"].append(str(answer))
                grades["count"].append(int(given[answer]))
                grades["verdict"].append("correct" if answer < correct else "incorrect")
                grades["grader"].append("counted 1")
            words = " ".join(map(str, rng.integers(0, 10**6, 4)))
            samples["problem_id"].append(name)
            samples["sample_index"].append(index)
            samples["text"].append(f"{words} <answer>{answer}</answer>")
            samples["token_ids"].append(rng.integers(0, 500, int(rng.integers(4, 12))).tolist())
            samples["finish_reason"].append("stop")
            samples["seed"].append(int(rng.integers(2**60)))
            answers["problem_id"].append(name)
            answers["sample_index"].append(index)
            answers["answer"].append(str(answer))
            answers["status"].append("found")
            answers["answer_id"].append(number[answer])
    types = {
        "sample_index": pa.int32(),
        "answer_id": pa.int32(),
        "text": pa.large_string(),
        "token_ids": pa.list_(pa.int32()),
        "answer": pa.large_string(),
        "seed": pa.int64(),
        "count": pa.int64(),
    }

    def table(columns: dict[str, list]) -> pa.Table:
        return pa.table(
            {key: pa.array(values, types.get(key, pa.string())) for key, values in columns.items()}
        )

    with run.writing():
        if samples["text"]:
            run.append("samples", table(samples))
            run.append("answers", table(answers))
        run.write_table("grades.parquet", table(grades))
        run.write_json(
            "grading.json",
            {
                "policy": "auto",
                "tasks": {
                    task: {"verifier": "counted 1", "equivalence": "exact"}
                    for task in sorted(set(of_task))
                },
                "limits": {"timeout": 5.0},
            },
        )
        seal(run)
    return run
