"""The contents of a run in numbers."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rlvr_fast.store import Run

__all__ = ["describe"]

# What `describe` shows of grading.json.
_ABOUT_GRADING = ("verdicts", "verdicts_because", "imported_agreement", "unparsed")


def describe(run: Run) -> dict[str, Any]:
    """The model of a run, its sampling parameters, and how many rows each of its tables has.

    For a graded run "answers" counts the completions with an answer, and `grading` holds whose
    verdicts these are, how often ours agree with those that came along, and what is known of
    completions without an answer.
    """
    import pyarrow.compute as pc

    counts: dict[str, int] = {"problems": len(run.problems())}
    for stage in run.stages():
        counts[stage] = int(run.num_samples(stage).sum())
    grades = run.read_table("grades.parquet")
    grading = run.read_json("grading.json") or {}
    verdicts: Counter[str] = Counter()
    if grades is not None:
        graded = grading.get("graded") or {}
        with_answer = pc.greater_equal(grades["answer_id"], 0)
        answers = grades.filter(with_answer)
        counts["answers"] = graded.get("with_answer", pc.sum(answers["count"]).as_py() or 0)
        counts["distinct answers"] = graded.get("distinct_answers", len(answers))
        for verdict, count in zip(
            grades["verdict"].to_pylist(), grades["count"].to_pylist(), strict=True
        ):
            verdicts[verdict] += count
    return {
        "run": str(run.path),
        "model": run.info.model,
        "sampling": run.info.sampling,
        "counts": counts,
        "verdicts": dict(verdicts),
        "grading": {key: grading[key] for key in _ABOUT_GRADING if grading.get(key)},
    }
