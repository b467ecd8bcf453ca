"""EvalPlus and BigCodeBench: samples, and the statuses of their evaluation."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rlvr_fast.store.readers.code_text import BARE_CODE_NOTE, is_benchmark_id
from rlvr_fast.store.readers.reader import About, Reader, Rollout, Sample, SourceFile

__all__ = ["READER"]

_NAME = re.compile(
    r"(?P<model>.+?)_(?:vllm|hf|openai|google|anthropic|bedrock|ollama)_temp_(?P<t>[\d.]+\d)"
)
_RESULTS = re.compile(r"[._]eval_results\.json$")


def _matches(sample: Sample) -> bool:
    graded = sample.first("eval")
    if isinstance(graded, Mapping) and any(map(_is_graded, graded.values())):
        return True
    return {"task_id", "solution"} <= sample.keys and is_benchmark_id(sample.first("task_id"))


def _is_graded(results: Any) -> bool:
    return (
        isinstance(results, list)
        and len(results) > 0
        and all(isinstance(r, Mapping) and "solution" in r for r in results)
        and any(key in results[0] for key in ("base_status", "status"))
    )


def _rows(row: Any, file: SourceFile) -> Iterator[Rollout]:
    if not isinstance(row, Mapping):
        return
    graded = row.get("eval")
    if not isinstance(graded, Mapping):
        yield _rollout(row.get("task_id"), row)
        return
    for task_id, results in graded.items():
        for result in results if isinstance(results, list) else ():
            if isinstance(result, Mapping):
                yield {
                    **_rollout(result.get("task_id", task_id), result),
                    "verdict": _passed(result),
                }


def _rollout(task_id: Any, row: Mapping[str, Any]) -> dict[str, Any]:
    return {"problem_id": task_id, "completion": row.get("solution")}


def _passed(result: Mapping[str, Any]) -> bool | None:
    """Base and plus tests both passed; without plus tests (`--base-only`), the base tests."""
    statuses = [result.get(key) for key in ("base_status", "plus_status", "status")]
    known = [status for status in statuses if status is not None]
    return all(status in ("pass", "passed", "success") for status in known) if known else None


def _about(sample: Sample) -> About:
    notes = [
        BARE_CODE_NOTE,
        "the file has no questions: --problems code:humaneval gives those of HumanEval",
    ]
    graded = sample.first("eval")
    if isinstance(graded, Mapping):
        results = [r for of_task in graded.values() if isinstance(of_task, list) for r in of_task]
        plus = any(isinstance(r, Mapping) and r.get("plus_status") is not None for r in results)
        if plus:
            notes.append("a draw is correct where the base tests and the plus tests passed")
        elif any(isinstance(r, Mapping) and "base_status" in r for r in results):
            notes.append("a draw is correct where the base tests passed: no plus tests were run")
    named = _NAME.match(sample.file.file_name)
    if named is None:
        return About(notes=notes)
    model = named["model"].replace("--", "/")
    return About(model=model, sampling={"temperature": float(named["t"])}, notes=notes)


def _choose(files: Sequence[SourceFile]) -> Sequence[SourceFile]:
    """The evaluated file of each set of samples, else the sanitised one, else the raw one."""
    best: dict[tuple[str, str], tuple[int, SourceFile]] = {}
    for file in files:
        name = file.file_name
        stem = re.sub(r"\.(gz|zst)$", "", name)
        rank = 0 if _RESULTS.search(stem) else 1
        stem = _RESULTS.sub("", stem)
        stem = stem.removesuffix(".jsonl").removesuffix(".json")
        if stem.endswith(("-sanitized", "_sanitized", ".sanitized")):
            stem = stem[: -len("-sanitized")]
        elif stem.endswith(".raw"):
            stem, rank = stem.removesuffix(".raw"), rank + 4
        else:
            rank += 2 if rank else 0
        key = (file.name[: len(file.name) - len(name)], stem)
        if key not in best or rank < best[key][0]:
            best[key] = (rank, file)
    chosen = {id(file) for _, file in best.values()}
    return [file for file in files if id(file) in chosen]


READER = Reader(
    name="evalplus",
    help="EvalPlus and BigCodeBench: samples (.jsonl) or *_eval_results.json with both statuses",
    matches=_matches,
    fields={
        "completion": "solution",
        "problem_id": "task_id",
        "verdict": ("base_status and plus_status", "status"),
    },
    rows=_rows,
    about=_about,
    choose=_choose,
    verdict="verdict",
)
