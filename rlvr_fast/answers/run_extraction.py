"""Extraction of the answers of a run: from the parts of samples/ to the parts of answers/."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from rlvr_fast.answers.distinct import DistinctAnswers
from rlvr_fast.answers.extraction import MAX_ANSWER_BYTES, extract_answers
from rlvr_fast.progress import Progress
from rlvr_fast.store import Run
from rlvr_fast.tasks import Verifier
from rlvr_fast.vocabulary import Policy

__all__ = ["GradedTask", "extract_run"]

# Text of the completions extracted at once; memory is limited to it and one part of samples/.
BATCH_BYTES = 64 << 20
# The greatest number of answers over the length limit that grading.json names.
NAMED_TOO_LONG = 100


@dataclass(frozen=True, slots=True)
class GradedTask:
    """A task of a run, with the policy that extracts its answers and the verifier.

    Attributes:
        name: its name in the run.
        spec: its task spec.
        policy: the extraction policy.
        verifier: the verifier.
    """

    name: str
    spec: str
    policy: Policy
    verifier: Verifier


def extract_run(
    run: Run,
    tasks: dict[str, GradedTask],
    owners: Sequence[str],
    distinct: DistinctAnswers,
    settings: dict[str, Any],
    total: int,
    tell: Progress,
) -> None:
    """Extracts the answers of the samples that have none in answers/, part by part.

    Args:
        run: the run; receives parts of answers/ and grading.json.
        tasks: the tasks by name.
        owners: the task of each problem.
        distinct: receives every answer, those extracted before included.
        settings: the contents of grading.json; receives the answers over the length limit.
        total: number of samples.
        tell: called as tell("extract", samples done, total).
    """
    done = 0
    for _, part in run.iter_parts("answers", ["problem_id", "answer", "answer_id"]):
        known = part["answer_id"].to_numpy()
        distinct.add(part["problem_id"], part["answer"], known)
        done += len(part)
    if done == total:
        return
    tell("extract", done, total)
    waiting: list[pa.Table] = []
    for _, part in run.iter_parts("samples", ["problem_id", "sample_index", "text"]):
        new = ~run.has_rows("answers", part.select(["problem_id", "sample_index"]))
        if new.any():
            waiting.append(part if new.all() else part.filter(pa.array(new)))
        if sum(table.nbytes for table in waiting) > BATCH_BYTES:
            done += _extract_batch(run, tasks, owners, distinct, settings, waiting)
            tell("extract", done, total)
            waiting = []
    if waiting:
        done += _extract_batch(run, tasks, owners, distinct, settings, waiting)
        tell("extract", done, total)


def _extract_batch(
    run: Run,
    tasks: dict[str, GradedTask],
    owners: Sequence[str],
    distinct: DistinctAnswers,
    settings: dict[str, Any],
    waiting: list[pa.Table],
) -> int:
    rows = pa.concat_tables(waiting)
    policies = {task.policy for task in tasks.values()}
    for policy in sorted(policies):
        if len(policies) > 1:  # code tasks beside others
            ids = [
                problem_id
                for problem_id, owner in zip(distinct.problems, owners, strict=True)
                if tasks[owner].policy == policy
            ]
            chosen = rows.filter(pc.is_in(rows["problem_id"], pa.array(ids, pa.string())))
        else:
            chosen = rows
        if not len(chosen):
            continue
        answers, statuses = extract_answers(chosen["text"], policy=policy)
        _report_too_long(run, settings, chosen, statuses, policy)
        numbers = distinct.add(chosen["problem_id"], answers)
        run.append(
            "answers",
            pa.table(
                {
                    "problem_id": chosen["problem_id"],
                    "sample_index": chosen["sample_index"],
                    "answer": answers,
                    "status": statuses,
                    "answer_id": pa.array(numbers, pa.int32()),
                }
            ),
        )
    return len(rows)


def _report_too_long(
    run: Run, settings: dict[str, Any], rows: pa.Table, statuses: pa.Array, policy: Policy
) -> None:
    """Adds answers over the length limit, which are `malformed`, to grading.json."""
    suspects = pc.and_(
        pc.equal(statuses, "malformed"),
        pc.greater(pc.binary_length(rows["text"]), MAX_ANSWER_BYTES),
    )
    rows = rows.filter(suspects)
    if not len(rows):
        return
    answers, _ = extract_answers(rows["text"], policy=policy, max_bytes=1 << 62)
    known = {(row["problem_id"], row["sample_index"]) for row in settings["too_long"]}
    for problem_id, sample_index, size in zip(
        rows["problem_id"].to_pylist(),
        rows["sample_index"].to_pylist(),
        pc.binary_length(answers).to_pylist(),
        strict=True,
    ):
        new = (problem_id, sample_index) not in known
        if size is not None and new and len(settings["too_long"]) < NAMED_TOO_LONG:
            settings["too_long"].append(
                {"problem_id": problem_id, "sample_index": sample_index, "bytes": size}
            )
    run.write_json("grading.json", settings)
