"""Run directories as an import leaves them, with verdicts and rewards of the file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from rlvr_fast.store import Run

_SAMPLES = pa.schema(
    [
        ("problem_id", pa.string()),
        ("sample_index", pa.int32()),
        ("text", pa.large_string()),
        ("token_ids", pa.list_(pa.int32())),
        ("finish_reason", pa.string()),
        ("seed", pa.int64()),
        ("verdict", pa.string()),
        ("reward", pa.float64()),
    ]
)
WORDS = {True: "correct", False: "incorrect", None: None}


def imported_run(
    path: Path,
    draws: Mapping[str, Sequence[tuple[str, bool | None]]],
    *,
    golds: Mapping[str, str] | None = None,
    prompts: Mapping[str, str] | None = None,
    metadata: Mapping[str, Any] | None = None,
    sampling: Mapping[str, Any] | None = None,
    tasks: Mapping[str, str] | None = None,
    spec: str = "math:golds",
    rule: str | None = "acc",
    finish_reason: str = "unknown",
    engine: str = "imported",
) -> Run:
    """A run of imported rollouts.

    Args:
        path: the run directory.
        draws: for each problem the completions, each with its verdict (None: none was given).
        golds: gold answers by problem.
        prompts: prompts by problem; by default a question that names the problem.
        metadata: metadata by problem.
        sampling: sampling parameters that the file records.
        tasks: the names of the tasks by problem.
        spec: the spec of every task.
        rule: the rule of the verdicts; None: no verdicts came along.
        finish_reason: why every completion ended.
        engine: the engine that run.json names.
    """
    ids = list(draws)
    of_task = [(tasks or {}).get(name, "imported") for name in ids]
    run = Run.create(
        path,
        model={"name": path.name, "revision": None},
        engine={"name": engine, "version": None, "notes": []},
        sampling={
            **dict.fromkeys(("temperature", "top_p", "max_tokens", "seed")),
            "stop": [],
            **(sampling or {}),
        },
        prompt_template={"name": "imported", "sha256": None},
        tasks=[{"name": name, "spec": spec} for name in sorted(set(of_task))],
        problems=pa.table(
            {
                "problem_id": ids,
                "task": of_task,
                "prompt": [(prompts or {}).get(name, f"What is {name}?") for name in ids],
                "prompt_token_ids": pa.array([[] for _ in ids], pa.list_(pa.int32())),
                "gold": pa.array([(golds or {}).get(name) for name in ids], pa.string()),
                "metadata": [json.dumps((metadata or {}).get(name, {})) for name in ids],
            }
        ),
    )
    add_draws(run, draws, rule=rule, finish_reason=finish_reason)
    if rule is not None:
        run.write_json("import.json", {"format": 1, "verdict": {"rule": rule}})
    return run


def add_draws(
    run: Run,
    draws: Mapping[str, Sequence[tuple[str, bool | None]]],
    *,
    first: int = 0,
    rule: str | None = "acc",
    finish_reason: str = "unknown",
) -> None:
    """Appends one part of samples; without `rule` it has no columns of verdicts."""
    rows = [
        {
            "problem_id": problem_id,
            "sample_index": first + index,
            "text": text,
            "token_ids": [],
            "finish_reason": finish_reason,
            "seed": None,
            "verdict": WORDS[correct],
            "reward": None if correct is None else float(correct),
        }
        for problem_id, completions in draws.items()
        for index, (text, correct) in enumerate(completions)
    ]
    table = pa.Table.from_pylist(rows, schema=_SAMPLES)
    run.append("samples", table.drop_columns(["verdict", "reward"]) if rule is None else table)
